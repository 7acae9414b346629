"""Cost models: planted costs are found, and grow as their terms do; what is shipped is whole."""

import numpy as np
import pytest

from skrec.advice._cost import CostModel, fit_terms, machine_unit, request_terms
from skrec.advice._suggest_data import COSTS, Measurements, measurements


def character(n_events, n_users, n_items, has_times=1.0):
    length = n_events / n_users
    return {
        "n_events": n_events,
        "n_users": n_users,
        "n_items": n_items,
        "events_per_user_mean": length,
        "events_per_user_rms": 1.2 * length,
        "has_times": has_times,
    }


def planted(cost_of, n_logs=30, noise=0.0):
    """Return measurements of one recipe with a known cost."""
    rng = np.random.default_rng(0)
    sizes = 10 ** rng.uniform([4, 2, 2], [6, 4, 4], (n_logs, 3))
    characters = [character(*of_log, has_times=float(log % 2)) for log, of_log in enumerate(sizes)]
    costs = np.array([[cost_of(one)] for one in characters]) * np.exp(noise * rng.normal(size=(n_logs, 1)))
    blank = np.full((n_logs, 1), 0.1)
    flags = np.zeros(n_logs, dtype=bool)
    groups = [str(log) for log in range(n_logs)]
    return Measurements(
        groups, groups, ["ease"], characters, flags, flags, blank, blank, dict.fromkeys(COSTS, costs), 1.0, {}
    )


def test_planted_costs_are_found():
    def cost(log):
        return 0.1 + 2e-6 * log["n_events"] + 3e-7 * log["n_items"] ** 2

    model = CostModel(planted(cost))
    for sizes_of_log in ((5e4, 3e3, 2e3), (1e6, 5e4, 1e5)):  # the second far beyond what was measured
        log = character(*sizes_of_log)
        for name in ("fit_seconds", "memory_mib"):
            assert model.predict(log)[name][0] == pytest.approx(cost(log), rel=1e-3)


def test_the_planted_time_of_a_request_is_found():
    def cost(log):
        return 0.2 + 0.1 * log["has_times"] + 1e-5 * log["n_items"]

    model = CostModel(planted(cost))
    log = character(1e6, 1e4, 1e6, has_times=0.0)
    assert model.predict(log)["latency_ms"][0] == pytest.approx(cost(log), rel=1e-3)


def test_noisy_costs_are_found_within_a_factor():
    def cost(log):
        return 0.05 + 1e-5 * log["n_users"] + 1e-10 * log["n_items"] ** 3

    model = CostModel(planted(cost, n_logs=60, noise=0.2))
    rng = np.random.default_rng(1)
    logs = [character(*10 ** rng.uniform([4, 2, 2], [6, 4, 4])) for _ in range(40)]
    ratios = [model.predict(log)["fit_seconds"][0] / cost(log) for log in logs]
    assert np.mean(np.abs(np.log(ratios)) < np.log(1.5)) >= 0.9


def test_terms_never_lower_a_cost():
    small, large = character(1e4, 1e3, 1e2), character(1e7, 1e5, 1e5)
    for terms in (fit_terms, request_terms):
        assert (terms(small) <= terms(large)).all()
    for found in (CostModel(measurements()).predict(log) for log in (small, large)):
        assert all((values[np.isfinite(values)] >= 0).all() for values in found.values())


def test_every_measured_recipe_has_costs():
    measured = measurements()
    for name, values in CostModel(measured).predict(measured.characters[0]).items():
        known = (measured.costs[name] > 0).any(axis=0)
        assert np.isfinite(values[known]).all(), name


def test_the_unit_of_work():
    assert 0 < machine_unit() < 1
    assert machine_unit() == machine_unit()
