"""Counters and latencies for Prometheus and for the page."""

import os
import time
from collections import deque
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, multiprocess

_BUCKETS = (
    *(0.0005, 0.00075, 0.001, 0.0015, 0.002, 0.003, 0.004, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075),
    *(0.1, 0.2, 0.5, 1.0, 2.0, 5.0),
)
_WINDOW = 60.0  # seconds over which the page shows latencies and rates


class Telemetry:
    """What a process counts; with several workers each reads the files of all of them."""

    def __init__(self):
        registry = CollectorRegistry()
        self.requests = Counter("skrec_requests", "Requests", ["route", "status"], registry=registry)
        self.latency = Histogram(
            "skrec_request_seconds", "Seconds from request to answer", ["route"], buckets=_BUCKETS, registry=registry
        )
        self.events = Counter("skrec_events", "Events by outcome", ["outcome"], registry=registry)
        self.fallbacks = Counter("skrec_fallbacks", "Answers of popularity by reason", ["reason"], registry=registry)
        self.registry = registry
        self.started = time.time()
        self._outcomes: dict[str, Any] = {}
        self._children: dict[tuple[str, int], tuple[Any, Any]] = {}
        self._past: deque[tuple[float, dict[float, float], float]] = deque()

    def count_events(self, outcome: str, count: int) -> None:
        """Count events of an outcome: accepted, duplicates or rejected."""
        child = self._outcomes.get(outcome)
        if child is None:
            child = self._outcomes[outcome] = self.events.labels(outcome)
        child.inc(count)

    def observe(self, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        found = self._children.get((route, status))
        if found is None:
            found = self._children[route, status] = (
                self.requests.labels(route, str(status)),
                self.latency.labels(route),
            )
        found[0].inc()
        found[1].observe(seconds)

    def _all(self) -> CollectorRegistry:
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return self.registry
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)
        return registry

    def exposition(self) -> bytes:
        """Return the metrics in Prometheus' text format."""
        return generate_latest(self._all())

    def status(self) -> dict[str, Any]:
        """Return the counters that the page shows; latencies and the rate are those of the last minute."""
        totals = {"requests": 0.0, "events": 0.0, "fallbacks": 0.0}
        buckets: dict[float, float] = {}
        for family in self._all().collect():
            for sample in family.samples:
                if sample.name == "skrec_request_seconds_bucket" and sample.labels["route"] == "/v1/recommend":
                    bound = float(sample.labels["le"])
                    buckets[bound] = buckets.get(bound, 0.0) + sample.value
                elif sample.name == "skrec_events_total" and sample.labels["outcome"] != "accepted":
                    continue
                elif sample.name.removesuffix("_total").removeprefix("skrec_") in totals:
                    totals[sample.name.removesuffix("_total").removeprefix("skrec_")] += sample.value
        moment = time.monotonic()
        self._past.append((moment, buckets, totals["requests"]))
        while len(self._past) > 1 and self._past[0][0] < moment - _WINDOW:
            self._past.popleft()
        since, before, n_before = self._past[0]
        recent = {bound: count - before.get(bound, 0.0) for bound, count in buckets.items()}
        if not any(recent.values()):
            recent = buckets
        seconds = max(moment - since, 1e-9)
        return {
            "uptime_s": round(time.time() - self.started, 1),
            **{name: int(value) for name, value in totals.items()},
            "latency_ms": {"p50": _quantile(recent, 0.5), "p99": _quantile(recent, 0.99)},
            "requests_per_s": round((totals["requests"] - n_before) / seconds, 2) if len(self._past) > 1 else 0.0,
        }


def _quantile(buckets: dict[float, float], share: float) -> float | None:
    """Return a quantile in milliseconds from cumulative counts, linear within a bucket; None without requests."""
    bounds = sorted(buckets)
    if not bounds or not buckets[bounds[-1]]:
        return None
    wanted, low, below = share * buckets[bounds[-1]], 0.0, 0.0
    for bound in bounds:
        if buckets[bound] >= wanted:
            if bound == float("inf"):
                return round(1000 * low, 3)
            inside = (wanted - below) / max(buckets[bound] - below, 1e-12)
            return round(1000 * (low + inside * (bound - low)), 3)
        low, below = bound, buckets[bound]
    return None
