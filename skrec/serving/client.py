"""A typed client of the service, with the standard library only."""

import os
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from ._connections import Connections, ServiceError, encode

__all__ = ["Client", "Recommendations", "ServiceError"]

Id = int | str


@dataclass(frozen=True)
class Recommendations:
    """An answer of the service.

    Parameters
    ----------
    items : list of id
        Item ids, best first.
    scores : list of float or None
        Their scores; None where an item has none, such as a pinned one.
    rec_id : str
        Id of the answer: events that name it are counted as its effect.
    fallback : bool
        Whether popular items stand in for the model's.
    version : int or None
        Version of the model; None if there is none.
    reason : str or None
        Why it is a fallback.
    rows : list of dict
        The items as they came, with `source`, `probability`, `because` and `details` where they were asked for.
    """

    items: list[Any]
    scores: list[float | None]
    rec_id: str
    fallback: bool
    version: int | None
    reason: str | None
    rows: list[dict[str, Any]]

    @classmethod
    def _of(cls, answer: dict[str, Any]) -> "Recommendations":
        rows = answer["items"]
        return cls(
            items=[row["item"] for row in rows],
            scores=[row.get("score") for row in rows],
            rec_id=answer["rec_id"],
            fallback=answer["fallback"],
            version=(answer.get("model") or {}).get("version"),
            reason=answer.get("reason"),
            rows=rows,
        )

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self):
        return iter(self.items)


class Client:
    """Client of a service started by ``skrec serve``.

    Parameters
    ----------
    url : str
        Address of the service, such as ``"http://127.0.0.1:8000"``.
    key : str, default=None
        Key, where the service needs one; `models`, `jobs`, export and import need that of an administrator.
    timeout : float, default=5.0
        Seconds to wait for the network; uploads, promotions, export and import have a `timeout` of their own.

    See Also
    --------
    skrec.persistence.save : Write the model files that the service reads.

    Notes
    -----
    A client may be shared by threads: each keeps a connection of its own. Events without an id are given one, so that a
    repeated request cannot store an event twice. Requests that only read, and events, are sent again once if the
    service had closed the connection meanwhile.

    Examples
    --------
    >>> from skrec.serving.client import Client
    >>> client = Client("http://127.0.0.1:8000")
    >>> client.events({"user": 17850, "item": "85123A"})  # doctest: +SKIP
    {'accepted': 1, 'duplicates': 0, 'rejected': []}
    >>> client.recommend(17850, k=3, filter={"in_stock": True}).items  # doctest: +SKIP
    ['22423', '47566', '85099B']
    """

    def __init__(self, url: str, key: str | None = None, timeout: float = 5.0):
        self.url, self.timeout = url.rstrip("/"), timeout
        self._connections = Connections(self.url, key, timeout)

    def __repr__(self) -> str:
        return f"Client({self.url!r})"

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections of all threads; a later request opens a new one."""
        self._connections.close()

    # Events and answers

    def events(self, events: Mapping[str, Any] | Iterable[Mapping[str, Any]]) -> dict[str, Any]:
        """Store one event or many; they count in the next answer.

        Parameters
        ----------
        events : dict or list of dict
            Each with `user`, `item`, and where there are any `id`, `event`, `time` (a datetime, ISO text or seconds
            since 1970; a datetime without a zone is UTC), `value`, `session` and `rec_id`.

        Returns
        -------
        dict
            Numbers ``accepted`` and ``duplicates``, and ``rejected``, a list of ``{index, field, reason}``.
        """
        rows = [events] if isinstance(events, Mapping) else events
        named = [{"id": uuid.uuid4().hex, **{name: row[name] for name in row if row[name] is not None}} for row in rows]
        return self._json("POST", "/v1/events", named, again=True)

    def recommend(
        self,
        user: Id | None = None,
        k: int = 10,
        *,
        items: Iterable[Id] | None = None,
        session: str | None = None,
        scenario: str | None = None,
        filter: Mapping[str, Any] | None = None,
        candidates: Iterable[Id] | None = None,
        exclude: Iterable[Id] | None = None,
        repeats: bool | None = None,
        diversity: float | None = None,
        explain: bool = False,
        at: datetime | str | float | None = None,
        details: bool = False,
    ) -> Recommendations:
        """Recommend items to a user, to a session or for given items.

        Parameters
        ----------
        user : id, default=None
            The user; one of `user`, `items` and `session` is needed.
        k : int, default=10
            Number of items.
        items : list of ids, default=None
            The history in place of a stored one, oldest first.
        session : str, default=None
            The session of a visitor without a user id.
        scenario : str, default=None
            Name of the rules to apply.
        filter : dict, default=None
            What items must fulfil: ``{"category": "Tea", "price": {"max": 10}, "in_stock": True}``.
        candidates, exclude : list of ids, default=None
            The only items, and items to leave out.
        repeats : bool, default=None
            Whether items of the history may be recommended; None takes the model's setting.
        diversity : float, default=None
            Weight of diversity in the ranking.
        explain : bool, default=False
            Whether `rows` has the reasons in ``because``.
        at : datetime, str or float, default=None
            The moment of asking; None is now.
        details : bool, default=False
            Whether `rows` has the catalogue's columns in ``details``.

        Returns
        -------
        Recommendations
            The items, their scores, and how they came about.
        """
        body = {
            "user": user,
            "items": _listed(items),
            "session": session,
            "k": k,
            "scenario": scenario,
            "filter": filter,
            "candidates": _listed(candidates),
            "exclude": _listed(exclude),
            "repeats": repeats,
            "diversity": diversity,
            "explain": explain or None,
            "at": at,
            "details": details or None,
        }
        return self._ask("/v1/recommend", body)

    def similar(
        self, item: Id, k: int = 10, *, filter: Mapping[str, Any] | None = None, details: bool = False
    ) -> Recommendations:
        """Find items similar to one.

        Parameters
        ----------
        item : id
            The item.
        k : int, default=10
            Number of items.
        filter : dict, default=None
            As in `recommend`.
        details : bool, default=False
            As in `recommend`.

        Returns
        -------
        Recommendations
            The items and their similarities.
        """
        return self._ask("/v1/similar", {"item": item, "k": k, "filter": filter, "details": details or None})

    def basket(
        self, items: Iterable[Id], k: int = 10, *, filter: Mapping[str, Any] | None = None, details: bool = False
    ) -> Recommendations:
        """Find items that go with those of a basket.

        Parameters
        ----------
        items : list of ids
            The basket.
        k : int, default=10
            Number of items.
        filter : dict, default=None
            As in `recommend`.
        details : bool, default=False
            As in `recommend`.

        Returns
        -------
        Recommendations
            The items and their scores.
        """
        return self._ask("/v1/basket", {"items": _listed(items), "k": k, "filter": filter, "details": details or None})

    def popular(
        self, k: int = 10, *, filter: Mapping[str, Any] | None = None, details: bool = False
    ) -> Recommendations:
        """Return the items that most users bought lately.

        Parameters
        ----------
        k : int, default=10
            Number of items.
        filter : dict, default=None
            As in `recommend`.
        details : bool, default=False
            As in `recommend`.

        Returns
        -------
        Recommendations
            The items, most popular first.
        """
        return self._list("/v1/popular", k, filter, details)

    def latest(self, k: int = 10, *, filter: Mapping[str, Any] | None = None, details: bool = False) -> Recommendations:
        """Return the newest items.

        Parameters
        ----------
        k : int, default=10
            Number of items.
        filter : dict, default=None
            As in `recommend`.
        details : bool, default=False
            As in `recommend`.

        Returns
        -------
        Recommendations
            The items, newest first.
        """
        return self._list("/v1/latest", k, filter, details)

    # Catalogue, rules, users

    def items(self, search: str = "", limit: int = 50, offset: int = 0) -> dict[str, Any]:
        """Return items of the catalogue.

        Parameters
        ----------
        search : str, default=""
            Part of a name or id.
        limit, offset : int
            How many, and how many to pass over.

        Returns
        -------
        dict
            The list ``items`` and their number ``total``.
        """
        return self._json("GET", "/v1/items", query={"search": search, "limit": limit, "offset": offset})

    def put_items(self, items: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
        """Write items whole: what is not given is emptied.

        Parameters
        ----------
        items : list of dict
            Each with `item`, and `name`, `category`, `price`, `stock`, `hidden`, `image` or columns of your own.

        Returns
        -------
        dict
            The number ``written``.
        """
        return self._json("PUT", "/v1/items", list(items), again=True)

    def patch_items(self, items: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
        """Change the given columns of items, such as stock or price; it holds from the next answer on.

        Parameters
        ----------
        items : list of dict
            Each with `item` and what changes.

        Returns
        -------
        dict
            The number ``written``.
        """
        return self._json("PATCH", "/v1/items", list(items), again=True)

    def delete_items(self, items: Iterable[Id]) -> dict[str, Any]:
        """Delete items from the catalogue.

        Parameters
        ----------
        items : list of ids
            The items.

        Returns
        -------
        dict
            The number ``deleted``.
        """
        return self._json("DELETE", "/v1/items", {"items": _listed(items)})

    def rules(self) -> dict[str, Any]:
        """Return the rules of all scenarios.

        Returns
        -------
        dict
            Rules by the name of the scenario.
        """
        answer = self._json("GET", "/v1/rules")
        return answer.get("rules", answer)

    def put_rules(self, scenario: str, rules: Mapping[str, Any]) -> dict[str, Any]:
        """Write the rules of a scenario.

        Parameters
        ----------
        scenario : str
            Its name.
        rules : dict
            `pin` and `bury` (lists of ids), `boost` (factor by id), `max_per_category`, `diversity`, `explore`,
            `temperature`.

        Returns
        -------
        dict
            The answer of the service.
        """
        return self._json("PUT", f"/v1/rules/{_path(scenario)}", rules, again=True)

    def delete_rules(self, scenario: str) -> dict[str, Any]:
        """Delete the rules of a scenario.

        Parameters
        ----------
        scenario : str
            Its name.

        Returns
        -------
        dict
            The answer of the service.
        """
        return self._json("DELETE", f"/v1/rules/{_path(scenario)}")

    def merge_users(self, source: Id, target: Id) -> dict[str, Any]:
        """Move the events of one user to another, such as those of a visitor who logs in.

        Parameters
        ----------
        source, target : id
            Whose events move, and to whom; later events of `source` go to `target` as well.

        Returns
        -------
        dict
            The number ``moved``.
        """
        return self._json("POST", "/v1/users/merge", {"from": source, "into": target})

    def delete_user(self, user: Id) -> dict[str, Any]:
        """Delete all that is stored about a user, and have the models forget it.

        Parameters
        ----------
        user : id
            The user.

        Returns
        -------
        dict
            The id ``job`` of the job by which the models forget; `job` tells when it is done.
        """
        return self._json("DELETE", f"/v1/users/{_path(user)}")

    def export_user(self, user: Id) -> dict[str, Any]:
        """Return all that is stored about a user.

        Parameters
        ----------
        user : id
            The user.

        Returns
        -------
        dict
            The rows by table.
        """
        return self._json("GET", f"/v1/users/{_path(user)}/export")

    # Administration

    def models(self) -> list[dict[str, Any]]:
        """Return the versions of the model.

        Returns
        -------
        list of dict
            Newest first, with ``version``, ``status``, ``created``, ``learned_until``, ``quality`` and ``note``.
        """
        return self._json("GET", "/v1/models")["models"]

    def upload_model(self, path: str | os.PathLike, *, timeout: float = 600.0) -> dict[str, Any]:
        """Send a model file; it becomes a version that can be promoted.

        Parameters
        ----------
        path : path
            File of ``skrec fit`` or of `skrec.persistence.save`.
        timeout : float, default=600.0
            Seconds to wait.

        Returns
        -------
        dict
            The number ``version``.
        """
        with Path(path).open("rb") as file:
            return self._json("POST", "/v1/models", file, timeout=timeout)

    def promote(self, version: int, *, force: bool = False, timeout: float = 600.0) -> dict[str, Any]:
        """Have a version answer from now on, if it passes its check against the current one.

        Parameters
        ----------
        version : int
            The version.
        force : bool, default=False
            Whether it is promoted though it is worse.
        timeout : float, default=600.0
            Seconds to wait.

        Returns
        -------
        dict
            The answer of the service.
        """
        return self._json("POST", f"/v1/models/{version:d}/promote", {"force": force}, timeout=timeout)

    def roll_back(self) -> dict[str, Any]:
        """Have the previous version answer again.

        Returns
        -------
        dict
            The answer of the service.
        """
        return self._json("POST", "/v1/models/rollback", {})

    def jobs(self) -> list[dict[str, Any]]:
        """Return the jobs.

        Returns
        -------
        list of dict
            Newest first, with ``id``, ``kind``, ``status``, ``progress`` and ``result``.
        """
        return self._json("GET", "/v1/jobs")["jobs"]

    def add_job(self, kind: str) -> int:
        """Ask the trainer for a job.

        Parameters
        ----------
        kind : {"update", "refit", "drift", "attribute"}
            Whether new events are learned, or everything anew, or drift is judged, or events without a `rec_id` are
            attributed to the list that showed their item last.

        Returns
        -------
        int
            Id of the job.
        """
        return self._json("POST", "/v1/jobs", {"kind": kind})["id"]

    def drift(self) -> dict[str, Any]:
        """Return the drift of the shop and of the answers by week, as it was judged last.

        Returns
        -------
        dict
            ``judged`` (when), ``scores`` (a dict per week and statistic with its ``value``, ``z`` and ``verdict``),
            ``gauges`` and ``notes``.
        """
        return self._json("GET", "/v1/drift")

    def job(self, job: int) -> dict[str, Any]:
        """Return one job.

        Parameters
        ----------
        job : int
            Its id.

        Returns
        -------
        dict
            As in `jobs`.
        """
        return self._json("GET", f"/v1/jobs/{job:d}")

    # Experiments

    def experiments(self) -> list[dict[str, Any]]:
        """Return the experiments, oldest first.

        Returns
        -------
        list of dict
            Name, variants, share, ``status`` ("planned", "running" or "stopped"), ``start``, ``stop``, and a
            ``problem`` where a version of the model is missing.
        """
        return self._json("GET", "/v1/experiments")["experiments"]

    def add_experiment(
        self,
        name: str,
        variants: Mapping[str, Mapping[str, Any]],
        *,
        start: datetime | str | float | None = None,
        stop: datetime | str | float | None = None,
        **options: Any,
    ) -> dict[str, Any]:
        """Start an experiment.

        Parameters
        ----------
        name : str
            Its name, which divides the users.
        variants : dict of str to dict
            What each variant gives: ``weight``, ``version`` (of the model) and ``scenario`` (of rules), each optional.
        start, stop : datetime, str or float, default=None
            When; None starts now, and stops by `stop_experiment`.
        **options
            ``control``, ``share``, ``holdout``, ``holdout_name``, ``layer``, ``slots``, ``scenario``,
            ``planned_users`` and ``attribution_days``.

        Returns
        -------
        dict
            The experiment.
        """
        times = {name: moment for name, moment in (("start", start), ("stop", stop)) if moment is not None}
        given = {which: dict(variant) for which, variant in variants.items()}
        return self._json("POST", "/v1/experiments", {"name": name, "variants": given, **options, **times})

    def ramp_experiment(self, name: str, share: float) -> dict[str, Any]:
        """Let a larger share of the users take part; nobody changes the variant.

        Parameters
        ----------
        name : str
            The experiment.
        share : float
            The share, at least what it was.

        Returns
        -------
        dict
            The experiment.
        """
        return self._json("POST", f"/v1/experiments/{_path(name)}/ramp", {"share": share})

    def stop_experiment(self, name: str) -> dict[str, Any]:
        """Stop an experiment; later events do not count.

        Parameters
        ----------
        name : str
            The experiment.

        Returns
        -------
        dict
            The experiment.
        """
        return self._json("POST", f"/v1/experiments/{_path(name)}/stop", {})

    def experiment_result(
        self, name: str, *, event: str | None = None, bounds: str = "sequential", timeout: float = 600.0
    ) -> dict[str, Any]:
        """Compare the variants of an experiment, user by user.

        Parameters
        ----------
        name : str
            The experiment.
        event : str, default=None
            The kind of events that count, such as "purchase"; None is all.
        bounds : {"sequential", "fixed"}, default="sequential"
            Whether the intervals hold at every look, or at one alone.
        timeout : float, default=600.0
            Seconds to wait.

        Returns
        -------
        dict
            ``table``, ``users``, ``over_time``, ``notes`` and ``text``; see
            :func:`skrec.model_selection.analyze_experiment`.
        """
        query = {"bounds": bounds} | ({} if event is None else {"event": event})
        return self._json("GET", f"/v1/experiments/{_path(name)}/result", query=query, timeout=timeout)

    def export_table(self, table: str, path: str | os.PathLike, *, timeout: float = 600.0) -> Path:
        """Write a table of the service into a parquet file.

        Parameters
        ----------
        table : {"events", "items", "rules", "impressions", "attributions", "merges"}
            The table.
        path : path
            The file; it is there only once it is complete.
        timeout : float, default=600.0
            Seconds to wait.

        Returns
        -------
        pathlib.Path
            The file.
        """
        path = Path(path)
        part = path.with_name(path.name + ".part")
        try:
            with part.open("wb") as file:
                self._connections.save(f"/v1/export?{urlencode({'table': table})}", file, timeout=timeout)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        return path

    def import_table(self, table: str, path: str | os.PathLike, *, timeout: float = 600.0) -> dict[str, Any]:
        """Send a parquet file into a table of the service.

        Parameters
        ----------
        table : str
            As in `export_table`.
        path : path
            The file.
        timeout : float, default=600.0
            Seconds to wait.

        Returns
        -------
        dict
            The answer of the service.
        """
        with Path(path).open("rb") as file:
            return self._json("POST", "/v1/import", file, query={"table": table}, timeout=timeout)

    def status(self) -> dict[str, Any]:
        """Return the counters, the model in use and its quality by day.

        Returns
        -------
        dict
            As the page shows them.
        """
        return self._json("GET", "/v1/status")

    def ready(self) -> bool:
        """Tell whether the service can answer.

        Returns
        -------
        bool
            False also if nothing answers.
        """
        try:
            self._json("GET", "/health/ready")
        except ServiceError:
            return False
        return True

    def _ask(self, path: str, body: dict[str, Any]) -> Recommendations:
        given = {name: value for name, value in body.items() if value is not None}
        return Recommendations._of(self._json("POST", path, given, again=True))

    def _list(self, path: str, k: int, filter: Mapping[str, Any] | None, details: bool) -> Recommendations:
        query = {"k": k, "filter": None if filter is None else encode(filter), "details": "true" if details else None}
        return Recommendations._of(self._json("GET", path, query=query))

    def _json(self, method: str, path: str, body: Any = None, *, query=None, timeout=None, again=False) -> Any:
        given = {name: value for name, value in (query or {}).items() if value not in (None, "")}
        path = f"{path}?{urlencode(given)}" if given else path
        return self._connections.json(method, path, body, timeout=timeout, again=again or method == "GET")


def _listed(items: Iterable[Id] | None) -> list[Any] | None:
    if isinstance(items, str):
        raise TypeError(f"items must be a list of ids, got the text {items!r}")
    return None if items is None else list(items)


def _path(value: Id) -> str:
    return quote(str(value), safe="")
