"""A small deterministic shop with the HTTP interface of the service, for the tests of the page and of the client.

``python tests/serving/page_server.py 8200`` serves it for a look at the page.
"""

import json
import re
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit

import skrec

PAGE = Path(skrec.__file__).parent / "serving" / "page"
POLICY = (
    "default-src 'self'; img-src 'self' https: data:; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'"
)
KINDS = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
AS_OF = datetime(2011, 11, 9, 12, tzinfo=UTC)
HOSTILE = "<img src=x onerror=\"window.broken='name'\">"
HOSTILE_USER = "\"><script>window.broken='user'</script>"
LONG = "Lantern" * 16
KINDS_OF_THING = ["lantern", "teapot", "cushion", "mug", "candle", "basket", "clock", "bunting", "tray", "jar"]
COLOURS = ["white", "red", "blue", "green", "pink", "ivory"]
CATEGORIES = ["Kitchen", "Living room", "Garden"]


def picture(number):
    """Return the address of a drawn picture of an item."""
    hue = number * 47 % 360
    drawing = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 40"><rect width="40" height="40" '
        f'fill="hsl({hue} 40% 82%)"/><circle cx="20" cy="{16 + number % 7}" r="{7 + number % 5}" '
        f'fill="hsl({hue} 45% 45%)"/></svg>'
    )
    return "data:image/svg+xml," + quote(drawing)


HOSTILE_WORDS = '<svg onload="window.broken=\'words\'"></svg> & "quoted" </title><script>window.broken=1</script>'
STATISTICS = {
    "events_per_day": "events a day",
    "unknown_items": "events of unknown items",
    "new_users": "new users",
    "head_share": "share of the best sellers",
    "exact_duplicates": "exact duplicates",
    "category_shares": f"largest move {HOSTILE}",
}


def drift_scores(*, fault=True, weeks=26):
    """Return scores of drift as the service has them: with a fault, the newest week has two alarms and a warning."""
    monday = datetime(2011, 11, 7) - timedelta(weeks=weeks - 1)
    rows = []
    for week in range(weeks):
        for place, (statistic, title) in enumerate(STATISTICS.items()):
            rows.append(
                _score("shop", monday + timedelta(weeks=week), statistic, title, (week * 7 + place * 3) % 11 - 5)
            )
        rows.append(_score("answers", monday + timedelta(weeks=week), "fallback_share", "answers by the fallback", 1))
    for row in rows[:7]:
        row |= {"z": None, "verdict": "unjudged", "reference": None, "advice": "No verdict yet: too few weeks."}
    rows[8 * 7 + 2] |= {"z": 6.2, "verdict": "alarm", "moved": "", "advice": "More users than usual have no history."}
    rows[12 * 7] |= {"z": -4.4, "verdict": "as a year ago", "moved": "", "advice": "A season.", "year_ago": 0.5}
    if fault:
        advice = "Many events are of items that were not there before: update the model, or refit it."
        rows[-6] |= {"z": 41.5, "value": 0.31, "verdict": "alarm", "moved": "item 20033, 20040", "advice": advice}
        rows[-2] |= {"z": 5.3, "verdict": "alarm", "moved": HOSTILE_WORDS, "advice": f"{HOSTILE_WORDS} {LONG}"}
        rows[-1] |= {"z": 4.5, "verdict": "warn", "advice": "More answers than usual come from the fallback."}
    return {
        "judged": "2011-11-14T04:30:02+00:00",
        "notes": ["price_ratio, repriced_items: left out without price=", HOSTILE_WORDS],
        "scores": rows,
        "gauges": {},
    }


def _score(part, week, statistic, title, level):
    numbers = {"value": 0.2 + level / 50, "reference": 0.2, "z": level / 2.5, "year_ago": None}
    verdict = {"verdict": "ok", "moved": "", "advice": None}
    return {"part": part, "period": week.isoformat(), "statistic": statistic, "title": title} | numbers | verdict


def experiment(name, **changes):
    """Return an experiment as the service has it."""
    variants = {
        "control": {"weight": 1.0, "version": None, "scenario": None},
        "varied": {"weight": 1.0, "version": 2, "scenario": "home page"},
    }
    settings = {"variants": variants, "control": "control", "share": 0.5, "holdout": 0.05, "scenario": None}
    start = {"start": "2011-11-01T00:00:00+00:00", "stop": None, "status": "running", "problem": None}
    return {"name": name} | settings | {"layer": None, "planned_users": 8000, "attribution_days": 7.0} | start | changes


def comparison(metric, lift, reach, **changes):
    """Return a row of a result: the lift of a variant with its interval."""
    low, high = (None, None) if reach is None else (lift - reach, lift + reach)
    verdict = "undecided" if reach is None or low <= 0 <= high else "higher" if lift > 0 else "lower"
    return {
        "metric": metric,
        "variant": "varied",
        "users": 3774,
        "control_users": 3826,
        "value": 0.09 * (1 + lift),
        "control_value": 0.09,
        "difference": 0.09 * lift,
        "low": low and 0.09 * low,
        "high": high and 0.09 * high,
        "lift": lift,
        "lift_low": low,
        "lift_high": high,
        "p_value": None if reach is None else 0.00016,
        "standard_error": 0.002,
        "variance_reduction": 0.37,
        "verdict": verdict,
    } | changes


def experiment_result(rows, *, p_mismatch=0.55, users=(3826, 3774)):
    """Return a result as the service has it."""
    half = sum(users) / 2
    named = zip(("control", "varied"), users, strict=True)
    return {
        "table": rows,
        "users": [{"variant": name, "users": count, "expected": half} for name, count in named],
        "over_time": [],
        "p_mismatch": p_mismatch,
        "notes": ["400 rows of the holdout group are left out"],
        "control": "control",
        "bounds": "sequential",
        "planned_users": 8000,
        "confidence": 0.95,
        "text": "",
        "events_not_attributed_yet": 0,
    }


def _catalogue():
    items = []
    for number in range(60):
        name = f"{COLOURS[number % 6]} {KINDS_OF_THING[number // 6]}".upper()
        item = {
            "item": f"{20000 + number}",
            "name": name,
            "category": CATEGORIES[number % 3],
            "price": round(0.85 + number * 0.4, 2),
            "stock": 5 * number % 37,
            "hidden": number == 59,
            "image": picture(number) if number % 4 else None,
        }
        items.append(item)
    items[1] |= {"name": HOSTILE, "image": 'javascript:window.broken="image"'}
    items[2] |= {"name": LONG, "image": "http://pictures.invalid/2.png"}
    items[5] |= {"category": "<b onclick=alert(1)>Garden</b>"}
    items[7] |= {"image": "data:image/png;base64,AAAA"}  # no picture
    return items


class Problem(Exception):
    """An answer of kind application/problem+json."""

    def __init__(self, status, title, detail, errors=()):
        super().__init__(title)
        self.status = status
        self.body = {"type": "about:blank", "title": title, "status": status, "detail": detail, "errors": list(errors)}


class Shop:
    """The state: catalogue, events, models, jobs, and every request that came."""

    def __init__(self, key=None, as_of=AS_OF):
        self.key, self.as_of = key, as_of
        self.lock = threading.RLock()
        self.items = {item["item"]: item for item in _catalogue()}
        self.requests = []
        self.rules = {"home page": {"pin": ["20010"]}, "basket page": {"max_per_category": 2}}
        self.models = [
            {
                "version": 3,
                "status": "candidate",
                "created": "2011-11-09T04:00:00+00:00",
                "learned_until": AS_OF.isoformat(),
                "quality": {"judged": True, "ndcg": 0.1312, "current_ndcg": 0.1421, "n_users": 412, "k": 10},
                "note": "update",
            },
            {
                "version": 2,
                "status": "current",
                "created": "2011-11-08T03:31:00+00:00",
                "learned_until": AS_OF.isoformat(),
                "quality": {"judged": True, "ndcg": 0.1421, "n_users": 398, "k": 10, "on": "later events"},
                "note": "refit",
            },
            {
                "version": 1,
                "status": "previous",
                "created": "2011-10-30T09:00:00+00:00",
                "learned_until": "2011-10-29T18:00:00+00:00",
                "quality": {},
                "note": "model.skrec",
            },
            {"version": 0, "status": "deleted", "created": None, "learned_until": None, "quality": None, "note": None},
        ]
        self.jobs = [
            {
                "id": 1,
                "kind": "refit",
                "status": "done",
                "created": "2011-11-09T03:30:00+00:00",
                "started": "2011-11-09T03:30:01+00:00",
                "finished": "2011-11-09T03:31:12+00:00",
                "progress": 1.0,
                "result": {"version": 2, "promoted": True, "base": 1, "learned_seq": 99, "seconds": 71.2},
            }
        ]
        self.drift = drift_scores()
        self.experiments = {
            "first": experiment(
                "first", status="stopped", start="2011-10-03T00:00:00+00:00", stop="2011-10-30T00:00:00+00:00"
            ),
            "spring": experiment("spring"),
        }
        found = [comparison("events a user", 0.108, 0.074), comparison("value a user", 0.02, 0.3, p_value=0.9)]
        self.results = {"first": experiment_result(found), "spring": experiment_result(found)}
        self.events = {}
        self.event_ids = set()
        start = AS_OF - timedelta(days=30)
        for user in range(12):
            name = HOSTILE_USER if user == 3 else 17800 + user
            for place in range(14 - user // 2):
                moment = start + timedelta(days=place * 3, hours=user)
                item = f"{20000 + (user * 7 + place * place) % 59}"
                self.add_event(name, item, None, moment)
        self.add_event(17800, "20001", None, AS_OF - timedelta(days=1))
        self.add_event(17800, "20013", None, AS_OF + timedelta(days=2))
        self.add_event(17800, "20019", None, AS_OF + timedelta(days=9))
        self.n_asked = 0
        self.down = False
        self.refuses_admin = False
        self.fails = {}  # reason by kind of job
        self.slow = {}  # seconds by user

    def add_event(self, user, item, event, moment):
        self.events.setdefault(str(user), (user, []))[1].append(
            {"item": item, "time": moment.isoformat(), "event": event, "value": None}
        )
        self.events[str(user)][1].sort(key=lambda row: row["time"])

    def details(self, item):
        return {name: value for name, value in self.items[item].items() if name != "item"}

    def scored(self, history, body, exclude_seen):
        """Score every item by how near its number is to those of the history, the newest counting most."""
        wanted = body.get("filter") or {}
        found = []
        for item, row in self.items.items():
            if row["hidden"] or (exclude_seen and item in history):
                continue
            if "category" in wanted and row["category"] != wanted["category"]:
                continue
            shares = {}
            for age, seen in enumerate(reversed(history)):
                distance = abs(int(item) - int(seen)) % 23
                shares[seen] = shares.get(seen, 0) + 0.8**age / (1 + distance)
            total = sum(shares.values()) or 1 / int(item)
            best = sorted(shares, key=shares.get, reverse=True)[:2]
            because = [
                {"item": seen, "share": round(shares[seen] / total, 3), "name": self.items[seen]["name"]}
                for seen in best
                if seen in self.items
            ]
            found.append((total, item, because))
        found.sort(key=lambda row: (-row[0], row[1]))
        return found

    def answer(self, history, body, *, source="model", exclude_seen=True, fallback=False):
        self.n_asked += 1
        rows = []
        for score, item, because in self.scored(history, body, exclude_seen)[: body.get("k") or 10]:
            row = {"item": item, "score": round(score, 4), "source": source}
            if body.get("explain") and because:
                row["because"] = because
            if body.get("details"):
                row["details"] = self.details(item)
            rows.append(row)
        if body.get("scenario") == "home page":
            pinned = {"item": "20010", "score": None, "source": "pinned", "probability": 0.25}
            rows = [pinned | {"details": self.details("20010")}, *[r for r in rows if r["item"] != "20010"]][
                : len(rows)
            ]
        return {
            "rec_id": f"r{self.n_asked}",
            "items": rows,
            "model": None if fallback else {"version": self.current()["version"]},
            "fallback": fallback,
            "reason": "deadline" if fallback else None,
        }

    def current(self):
        return next(model for model in self.models if model["status"] == "current")

    def status(self):
        days = [(AS_OF - timedelta(days=13 - day)).date().isoformat() for day in range(14)]
        quality = [
            {
                "day": day,
                "version": 1 if place < 6 else 2,
                "n_users": 180 + place * 7 % 40,
                "ndcg": round(0.105 + 0.002 * place + (0.006 if place % 3 == 0 else 0), 4),
                "hit_rate": round(0.31 + 0.004 * place, 4),
                "popularity_ndcg": round(0.071 + (0.004 if place % 4 == 1 else 0), 4),
            }
            for place, day in enumerate(days)
        ]
        current = self.current()
        n_events = sum(len(rows) for _, rows in self.events.values())
        return {
            "version": "1.0",
            "uptime_s": 86_400 + self.n_asked,
            "model": {
                "version": current["version"],
                "class": "EASE",
                "learned_until": current["learned_until"],
                "items": len(self.items),
            },
            "requests": 12_000 + self.n_asked,
            "events": n_events,
            "fallbacks": 3,
            "latency_ms": {"p50": 1.84, "p99": 6.21},
            "requests_per_s": round(2 + self.n_asked % 5 * 0.7, 1),
            "store": {"events": n_events, "users": len(self.events), "items": len(self.items)},
            "quality": quality,
            "demo": self.as_of is not None,
            "as_of": self.as_of and self.as_of.isoformat(),
        }


def _moment(value):
    if value is None:
        return datetime(2012, 1, 1, tzinfo=UTC)
    return datetime.fromisoformat(value) if isinstance(value, str) else datetime.fromtimestamp(value, UTC)


class Handler(BaseHTTPRequestHandler):
    """Routes of the fake service."""

    protocol_version = "HTTP/1.1"
    shop: Shop

    def log_message(self, *arguments):
        pass

    def reply(self, status, body, kind="application/json"):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(data)

    def handle_any(self):
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length) if length else b""
        address = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        path = address.path
        try:
            if self.command == "GET" and (path == "/" or path.startswith("/page/")):
                return self.asset(path)
            parquet = path == "/v1/import" or (path == "/v1/models" and self.command == "POST")
            body = json.loads(raw) if raw and not parquet else raw or None
            if path == "/v1/recommend":
                time.sleep(self.shop.slow.get(body.get("user"), 0))
            with self.shop.lock:
                self.shop.requests.append((self.command, path, query, body))
                if self.shop.down:
                    raise Problem(503, "The store is not available", "the database does not answer: try again later")
                if path.startswith("/health/"):
                    return self.reply(200, {"status": "ready"})
                self.check_key()
                if self.shop.refuses_admin and re.match("/v1/(drift|experiments|jobs|models)", path):
                    raise Problem(403, "Not allowed", "this needs the key of an administrator")
                for method, pattern, function in ROUTES:
                    found = re.fullmatch(pattern, path)
                    if found and method == self.command:
                        arguments = [unquote(group) for group in found.groups()]
                        answer = function(self.shop, *arguments, query=query, body=body)
                        break
                else:
                    raise Problem(404, "Not found", f"there is no {self.command} {path}")
            status, answer = answer if isinstance(answer, tuple) else (200, answer)
            self.reply(status, answer, "application/octet-stream" if isinstance(answer, bytes) else "application/json")
        except Problem as problem:
            self.reply(problem.status, problem.body, "application/problem+json")

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

    def check_key(self):
        given = (self.headers.get("Authorization") or "").removeprefix("Bearer ") or self.headers.get("X-API-Key")
        if self.shop.key is not None and given != self.shop.key:
            raise Problem(401, "A key is needed", "send a valid key as Authorization: Bearer KEY")

    def asset(self, path):
        file = PAGE / ("index.html" if path == "/" else path.removeprefix("/page/"))
        if file.parent != PAGE or not file.is_file():
            return self.reply(404, {})
        return self.reply(200, file.read_bytes(), KINDS[file.suffix] + "; charset=utf-8")


def _events(shop, *, query, body):
    rows = body if isinstance(body, list) else [body]
    counts = {"accepted": 0, "duplicates": 0, "rejected": []}
    for index, row in enumerate(rows):
        if not isinstance(row.get("item"), str):
            counts["rejected"].append({"index": index, "field": "item", "reason": "must be a text"})
        elif row.get("id") is not None and row["id"] in shop.event_ids:
            counts["duplicates"] += 1
        else:
            shop.event_ids.add(row.get("id"))
            shop.add_event(row["user"], row["item"], row.get("event"), _moment(row.get("time")))
            counts["accepted"] += 1
    return counts


def _recommend(shop, *, query, body):
    if not 1 <= (body.get("k") or 10) <= 1000:
        reason = "must be from 1 to 1000"
        raise Problem(422, "Request is not valid", "k must be from 1 to 1000", [{"field": "k", "reason": reason}])
    if "items" in body:
        history = [item for item in body["items"] if item in shop.items]
    else:
        end = _moment(body["at"]) if body.get("at") else datetime.max.replace(tzinfo=UTC)
        rows = shop.events.get(str(body.get("user")), (None, []))[1]
        history = [row["item"] for row in rows if datetime.fromisoformat(row["time"]) < end]
    return shop.answer(history, body, exclude_seen=not body.get("repeats"), fallback=not history)


def _popular(shop, *, query, body):
    wanted = {"k": int(query.get("k", 10)), "details": query.get("details") == "true"}
    if "filter" in query:
        wanted["filter"] = json.loads(query["filter"])
    return shop.answer([], wanted, source="popular")


def _items(shop, *, query, body):
    text = query.get("search", "").lower()
    rows = [row for row in shop.items.values() if text in row["name"].lower() or text in row["item"]]
    first = int(query.get("offset", 0))
    return {"items": rows[first : first + int(query.get("limit", 50))], "total": len(rows)}


def _patch_items(shop, *, query, body):
    for row in body:
        if isinstance(row.get("stock"), int) and row["stock"] < 0:
            reason = "must be at least 0"
            raise Problem(422, "Request is not valid", "stock must be >= 0", [{"field": "stock", "reason": reason}])
        shop.items.setdefault(row["item"], {"hidden": False, "name": None}).update(row)
    return {"written": len(body)}


def _delete_items(shop, *, query, body):
    return {"deleted": sum(shop.items.pop(item, None) is not None for item in body["items"])}


def _users(shop, *, query, body):
    found = [
        {"user": user, "events": len(rows), "last": rows[-1]["time"]}
        for text, (user, rows) in shop.events.items()
        if query.get("search", "") in text
    ]
    found.sort(key=lambda row: -row["events"])
    return {"users": found[: int(query.get("limit", 10))]}


def _history(shop, user, *, query, body):
    if user not in shop.events:
        raise Problem(404, "Unknown user", f"no events of the user {user!r}")
    kind, rows = shop.events[user]
    named = [row | {"name": shop.items[row["item"]]["name"]} for row in rows]
    return {"user": kind, "events": named[-int(query.get("limit", 100)) :]}


def _promote(shop, version, *, query, body):
    chosen = next((model for model in shop.models if model["version"] == int(version)), None)
    if chosen is None:
        raise Problem(404, "Unknown version", f"there is no version {version}")
    if chosen["status"] == "candidate" and not (body or {}).get("force"):
        raise Problem(409, "Not promoted", "NDCG 0.1312 is below 95 % of the 0.1421 of the current version")
    shop.current()["status"] = "previous"
    chosen["status"] = "current"
    return {"version": chosen["version"]}


def _roll_back(shop, *, query, body):
    previous = next((model for model in shop.models if model["status"] == "previous"), None)
    if previous is None:
        raise Problem(409, "Nothing to roll back to", "no previous version is kept")
    shop.current()["status"] = "retired"
    previous["status"] = "current"
    return {"version": previous["version"]}


def _add_job(shop, *, query, body):
    number = len(shop.jobs) + 1
    job = {
        "id": number,
        "kind": body["kind"],
        "status": "waiting",
        "created": datetime.now(UTC).isoformat(),
        "started": None,
        "finished": None,
        "progress": 0.0,
        "result": None,
    }
    shop.jobs.insert(0, job)
    return 202, {"id": number}


def _jobs(shop, *, query, body):
    answer = {"jobs": [dict(job) for job in shop.jobs]}
    for job in shop.jobs:  # each look moves the jobs on
        _move_on(shop, job)
    return answer


def _move_on(shop, job):
    if job["status"] == "running" and job["progress"] >= 0.75:
        failed = shop.fails.get(job["kind"])
        end = _end_of(shop, job["kind"]) if failed is None else {"reason": failed}
        job |= {"status": "done" if failed is None else "failed", "progress": 1.0, "result": end}
    elif job["status"] in ("waiting", "running"):
        job |= {"status": "running", "progress": job["progress"] + 0.25, "result": {"step": "reading all events"}}


def _end_of(shop, kind):
    if kind != "drift":
        return {"skipped": "no new events"}
    if not shop.drift["scores"]:
        return {"skipped": "there is no whole week", "seconds": 0.1}
    last = max(row["period"] for row in shop.drift["scores"])
    found = [row for row in shop.drift["scores"] if row["period"] == last]
    shop.drift["judged"] = "2011-11-15T09:00:00+00:00"
    named = {name: [row["statistic"] for row in found if row["verdict"] == name] for name in ("alarm", "warn")}
    return {"period": last, **named, "seconds": 2.31}


def _job(shop, number, *, query, body):
    job = next(job for job in shop.jobs if job["id"] == int(number))
    answer = dict(job)
    _move_on(shop, job)
    return answer


def _add_experiment(shop, *, query, body):
    if body["name"] in shop.experiments:
        raise Problem(409, f"there is an experiment {body['name']!r} already: a new one needs a new name", "")
    variants = {
        name: {"weight": 1.0, "version": None, "scenario": None} | one for name, one in body["variants"].items()
    }
    shop.experiments[body["name"]] = experiment(body["name"]) | body | {"variants": variants}
    return 201, shop.experiments[body["name"]]


def _stop_experiment(shop, name, *, query, body):
    shop.experiments[name] |= {"status": "stopped", "stop": AS_OF.isoformat()}
    return shop.experiments[name]


def _experiment_result(shop, name, *, query, body):
    if name not in shop.results:
        raise Problem(409, "lists of the control and of another variant must have been shown, got []", "")
    return shop.results[name]


def _put_rules(shop, scenario, *, query, body):
    shop.rules[scenario] = body
    return body


def _delete_rules(shop, scenario, *, query, body):
    return {"deleted": shop.rules.pop(scenario, None) is not None}


def _merge(shop, *, query, body):
    _, rows = shop.events.pop(str(body["from"]), (None, []))
    shop.events.setdefault(str(body["into"]), (body["into"], []))[1].extend(rows)
    return {"moved": len(rows)}


def _delete_user(shop, user, *, query, body):
    shop.events.pop(user, None)
    return 202, {"job": 7}


def _upload(shop, *, query, body):
    if not body.startswith(b"PK"):
        raise Problem(422, "Not a model file", "the file must be one that skrec.save wrote")
    return 201, {"version": 4}


ROUTES = [
    ("GET", "/v1/status", lambda shop, **_: shop.status()),
    ("POST", "/v1/events", _events),
    ("POST", "/v1/recommend", _recommend),
    ("POST", "/v1/similar", lambda shop, *, query, body: shop.answer([body["item"]], body)),
    ("POST", "/v1/basket", lambda shop, *, query, body: shop.answer(body["items"], body)),
    ("GET", "/v1/(?:popular|latest)", _popular),
    ("GET", "/v1/items", _items),
    ("PUT", "/v1/items", _patch_items),
    ("PATCH", "/v1/items", _patch_items),
    ("DELETE", "/v1/items", _delete_items),
    ("GET", "/v1/rules", lambda shop, **_: {"rules": shop.rules}),
    ("PUT", "/v1/rules/([^/]+)", _put_rules),
    ("DELETE", "/v1/rules/([^/]+)", _delete_rules),
    ("GET", "/v1/users", _users),
    ("GET", "/v1/users/([^/]+)/history", _history),
    ("GET", "/v1/users/([^/]+)/export", lambda shop, user, **_: {"user": user, "events": shop.events[user][1]}),
    ("POST", "/v1/users/merge", _merge),
    ("DELETE", "/v1/users/([^/]+)", _delete_user),
    ("GET", "/v1/models", lambda shop, **_: {"models": shop.models}),
    ("POST", "/v1/models", _upload),
    ("POST", r"/v1/models/(\d+)/promote", _promote),
    ("POST", "/v1/models/rollback", _roll_back),
    ("GET", "/v1/jobs", _jobs),
    ("POST", "/v1/jobs", _add_job),
    ("GET", r"/v1/jobs/(\d+)", _job),
    ("GET", "/v1/drift", lambda shop, **_: shop.drift),
    ("GET", "/v1/experiments", lambda shop, **_: {"experiments": list(shop.experiments.values())}),
    ("POST", "/v1/experiments", _add_experiment),
    ("POST", "/v1/experiments/([^/]+)/stop", _stop_experiment),
    ("GET", "/v1/experiments/([^/]+)/result", _experiment_result),
    ("GET", "/v1/export", lambda shop, *, query, body: b"PAR1" + query["table"].encode()),
    ("POST", "/v1/import", lambda shop, *, query, body: {"added": len(body), "duplicates": 0}),
]


class ShopServer(ThreadingHTTPServer):
    """The fake service on a free port, in a thread."""

    daemon_threads = True

    def __init__(self, shop=None, port=0):
        self.shop = Shop() if shop is None else shop
        super().__init__(("127.0.0.1", port), type("Bound", (Handler,), {"shop": self.shop}))
        self.thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __exit__(self, *arguments):
        self.shutdown()
        self.thread.join()
        super().__exit__(*arguments)


if __name__ == "__main__":
    with ShopServer(port=int(sys.argv[1]) if sys.argv[1:] else 8200) as server:
        print(server.url)
        while True:
            time.sleep(3600)
