"""The table of a comparison as people read it, and what its numbers mean."""

import numpy as np

from ._conclusion import amount, decimals, judged, main_metric, p_text
from ._displays import metric_title

_MEANINGS = {
    "ndcg": "how many of the right items are among the {k} recommended and how far up, from 0 to 1; 1 has all of "
    "them first",
    "recall": "share of the items taken later that are among the {k}, mean over the {rows}",
    "hit_rate": "share of the {rows} with at least one right item among the {k}",
    "precision": "share of the {k} that are right, mean over the {rows}",
    "mrr": "1 over the place of the first right item, 0 where there is none, mean over the {rows}",
    "map": "precision, averaged over the places of the right items",
    "coverage": "share of all items that anybody is recommended; low where all get the same best sellers",
}
_COSTS = {
    "fit_seconds": ("fit s", "seconds to learn from the whole log, on this machine"),
    "request_ms": ("request ms", "milliseconds for one of the {rows} alone, the median; one that asks waits this long"),
    "peak_mib": ("peak MiB", "memory that learning took on top of what the process held: a lower bound"),
    "users_per_second": ("users/s", "{rows} per second where all are answered at once"),
}


def leaderboard_rows(leaderboard) -> tuple[list[str], list[list[str]]]:
    """Return the header and the cells of a leaderboard as people read it; failed models are left out."""
    good, key, digits = judged(leaderboard), main_metric(leaderboard), decimals(leaderboard)
    others, coverage = _metrics(leaderboard)
    costs = [name for name in _COSTS if name in good]
    header = ["model", metric_title(key), f"{_percent(leaderboard)} % interval", "p vs best"]
    header += [*map(metric_title, [*others, *coverage]), *(_COSTS[name][0] for name in costs)]
    rows = []
    for name, row in good.iterrows():
        low, high = (row.get(f"{key}_{end}", np.nan) for end in ("low", "high"))
        interval = "" if np.isnan(low) else f"{low:.{digits}f}-{high:.{digits}f}"
        cells = [str(name), f"{row[key]:.{digits}f}", interval, p_text(row.get("p_value", np.nan))]
        cells += [f"{row[other]:.{digits}f}" for other in others]
        cells += [f"{100 * row[name]:.0f} %" for name in coverage]
        rows.append([*cells, *(_cost(cost, row[cost]) for cost in costs)])
    return header, rows


def meanings(leaderboard, rows: str) -> list[tuple[str, str]]:
    """Return what each column of the table means, one line each."""
    others, coverage = _metrics(leaderboard)
    key, words = main_metric(leaderboard), {"k": main_metric(leaderboard).partition("@")[2], "rows": rows}
    lines = [(metric_title(name), _MEANINGS.get(name.partition("@")[0])) for name in (key, *others, *coverage)]
    lines[1:1] = [
        (
            f"{_percent(leaderboard)} % interval",
            "confidence interval of the mean, by a bootstrap over the {rows}: what chance among the {rows} explains",
        ),
        (
            "p vs best",
            "how often chance alone makes a difference to the best model this large, one by one over the {rows}; from "
            "0.05 on, chance may explain it. Not corrected for the number of models",
        ),
    ]
    lines += [_COSTS[name] for name in _COSTS if name in leaderboard]
    return [(title, f"{text.format(**words)}.") for title, text in lines if text is not None]


def _metrics(leaderboard) -> tuple[list[str], list[str]]:
    """Return the columns of the metrics beside NDCG, and that of coverage."""
    key = main_metric(leaderboard)
    names = [name for name in leaderboard.columns if "@" in name and name.partition("@")[2].isdigit() and name != key]
    return [name for name in names if not name.startswith("coverage")], [n for n in names if n.startswith("coverage")]


def _percent(leaderboard) -> str:
    return f"{100 * leaderboard.attrs.get('confidence', 0.95):g}"


def _cost(name: str, value: float) -> str:
    if np.isnan(value):
        return ""
    return amount(value) if name in ("fit_seconds", "request_ms") else f"{value:,.0f}"
