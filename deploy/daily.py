"""A day of a recommendation service: check it, refit its model, offer it another; the exit code says what came of it.

    python daily.py check               0 all well, 1 not ready or a job failed, 3 look at it
    python daily.py refit               0 promoted, 1 failed, 3 the model in use was kept
    python daily.py offer model.skrec   the same, for a model that was fitted elsewhere

The environment has SKREC_URL (default http://127.0.0.1:8000) and SKREC_KEY, the key of an administrator where the
service needs one. `skrec` itself ends with 0, 1, 2 and 130, so 3 is free.
"""

import argparse
import os
import sys
import time
from datetime import UTC, datetime, timedelta

from skrec.serving import Client, ServiceError

WELL, FAILED, KEPT = 0, 1, 3
DAYS = 7  # of quality that are compared with popularity
STALE = timedelta(days=2)  # after the model's last event


def check(client: Client) -> int:
    """Look at readiness, the newest job of each kind, the age of the model, and its quality in the last days."""
    if not client.ready():
        return say(FAILED, "the service is not ready")
    status = client.status()
    if status["model"] is None:
        return say(FAILED, "there is no model: every answer is popularity")
    newest = {job["kind"]: job for job in reversed(client.jobs())}
    for job in newest.values():
        if job["status"] == "failed":
            return say(FAILED, f"job {job['id']} ({job['kind']}) failed: {(job['result'] or {}).get('reason')}")
    learned = status["model"]["learned_until"]
    if learned is not None and datetime.now(UTC) - datetime.fromisoformat(learned) > STALE:
        return say(KEPT, f"the last event that version {status['model']['version']} has learned is of {learned}")
    days = status["quality"][-DAYS:]
    users = sum(day["n_users"] for day in days)
    if users:
        ndcg, popular = (
            sum(day[name] * day["n_users"] for day in days) / users for name in ("ndcg", "popularity_ndcg")
        )
        text = f"NDCG@10 {ndcg:.4f}, popularity {popular:.4f} ({users:,} users on {len(days)} days)"
        return say(WELL if ndcg >= popular else KEPT, text)
    return say(WELL, "no day has been measured yet")


def refit(client: Client, timeout: float = 6 * 3600) -> int:
    """Ask for a refit, wait for it, and report whether its version is in use."""
    number, end = client.add_job("refit"), time.monotonic() + timeout
    while (job := client.job(number))["status"] in ("waiting", "running"):
        if time.monotonic() > end:
            return say(FAILED, f"job {number} is {job['status']} after {timeout / 3600:g} hours")
        time.sleep(1)
    result = job["result"] or {}
    if job["status"] == "failed":
        return say(FAILED, f"job {number} failed: {result.get('reason')}")
    if result.get("promoted"):
        return say(WELL, f"version {result['version']} is in use: {result['judgement']}")
    return say(KEPT, f"kept the model in use: {result.get('reason') or result.get('skipped')}")


def offer(client: Client, path: str) -> int:
    """Upload a model, and promote it if it is as good as the one in use."""
    version = client.upload_model(path)["version"]
    try:
        found = client.promote(version)
    except ServiceError as error:
        if error.status == 409:  # worse than the one in use, with the numbers
            return say(KEPT, error.detail)
        raise
    return say(WELL, f"version {version} is in use: {found}")


def say(code: int, text: str) -> int:
    """Print a line and return the exit code."""
    print(text, file=sys.stdout if code == WELL else sys.stderr)
    return code


def main(argv=None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check")
    commands.add_parser("refit")
    commands.add_parser("offer").add_argument("model")
    given = parser.parse_args(argv)
    client = Client(os.environ.get("SKREC_URL", "http://127.0.0.1:8000"), os.environ.get("SKREC_KEY"))
    try:
        if given.command == "offer":
            return offer(client, given.model)
        return check(client) if given.command == "check" else refit(client)
    except (ServiceError, OSError) as error:
        return say(FAILED, str(error))


if __name__ == "__main__":
    sys.exit(main())
