"""Tables of all models: ``python docs/models_table.py`` writes them into ``user_guide/models.md``.

Abilities come from the tags, signatures and docstrings of the estimators, numbers from
``_data/models.json`` (`measure_models.py`). The rest stands in `FACTS`.
"""

import importlib
import inspect
import json
import re
from pathlib import Path

from numpydoc.docscrape import NumpyDocString
from public_api import public_names
from sklearn.utils import get_tags

from skrec.base import BaseRecommender
from skrec.inspection import explain

DOCS = Path(__file__).parent
PAGE = DOCS / "user_guide" / "models.md"
# name: page of the guide, what it uses of times, what of the user's own repeats, cost of fit, memory, when to use it
FACTS = {
    "PopularityRecommender": (
        ("baselines", "with `window`, `half_life`", "", "events", "items; with times events"),
        "Always, as the baseline; as the fallback of another model.",
    ),
    "RandomRecommender": (
        ("baselines", "", "", "events", "items"),
        "To see what chance reaches.",
    ),
    "ItemKNN": (
        ("neighbors", "in the vectorizer", "", "sum of squared lengths", "items x `n_neighbors`"),
        "Large catalogues, similar items, exact updates.",
    ),
    "RP3beta": (
        ("neighbors", "in the vectorizer", "", "sum of squared lengths", "items x `n_neighbors`"),
        "As ItemKNN, with fewer popular items.",
    ),
    "TransitionRecommender": (
        ("sessions", "", "", "events x `window`", "pairs within `window`"),
        "The next item depends on the latest ones: reviews, baskets, sessions.",
    ),
    "SessionKNN": (
        ("sessions", "with `half_life`", "", "events x log(events)", "events"),
        "Visits of anonymous people; new items where tastes move.",
    ),
    "BuyAgainRecommender": (
        ("repeat_models", "yes", "made for them", "events x log(events)", "items"),
        "Customers buy the same things again.",
    ),
    "TIFUKNN": (
        ("repeat_models", "as baskets", "made for them", "events x log(events)", "pairs of user and item"),
        "Baskets that repeat, up to some 100,000 users.",
    ),
    "ContentRecommender": (
        ("content", "in the vectorizer", "", "features", "features"),
        "Items without events; titles, categories, descriptions.",
    ),
    "EASE": (
        ("linear_models", "in the vectorizer", "as counts", "items³", "items²"),
        "The first model for up to some 20,000 items.",
    ),
    "SLIM": (
        ("linear_models", "in the vectorizer", "as counts", "items x working set²", "pairs that occur together"),
        "As EASE, with sparse weights.",
    ),
    "ALS": (
        ("matrix_factorization", "in the vectorizer", "as counts", "events x d² + (users + items) x d³", "items x d"),
        "Millions of users; embeddings of users and items.",
    ),
    "BPR": (
        ("matrix_factorization", "in the vectorizer", "", "events x d", "items x d"),
        "Embeddings, trained to rank.",
    ),
    "PureSVD": (
        ("matrix_factorization", "in the vectorizer", "as counts", "events x d + (users + items) x d²", "items x d"),
        "Embeddings in one step; the start of a net.",
    ),
    "PPMISVD": (
        ("matrix_factorization", "", "", "events x `window` + items x d²", "items x d"),
        "Item vectors of what stands together, also for long tails.",
    ),
    "SASRec": (
        ("sequence_nets", "with `time_gaps`", "with `returns`", "events x items x d an epoch", "items x d"),
        "Ten thousand ordered histories or more; a part of a hybrid.",
    ),
    "GRU4Rec": (
        ("sequence_nets", "with `time_gaps`", "with `returns`", "events x items x d an epoch", "items x d"),
        "As SASRec, by a recurrent net.",
    ),
    "MultVAE": (
        ("multvae", "in the vectorizer", "", "users x items x d an epoch", "items x d"),
        "Many users, a catalogue of some ten thousand items, no order.",
    ),
    "TwoTower": (
        ("two_tower", "", "", "events x batch x d an epoch", "items x (d + features)"),
        "Features of users and items; vectors for an index.",
    ),
    "BlendRecommender": (
        ("blend", "as its parts", "as its parts", "its parts, twice", "its parts"),
        "Better than its best part at the cost of a weighted sum.",
    ),
    "TwoStageRecommender": (
        ("two_stage", "as its parts", "as its parts", "its parts, twice or more, and a classifier", "its parts"),
        "The best quality, features of users and items.",
    ),
    "Reranker": (
        ("reranking", "as its model", "as its model", "its model", "its model"),
        "Variety, rules of the shop, value.",
    ),
    "AutoRecommender": (
        ("auto", "as the choice", "as the choice", "within `budget`", "the choice"),
        "No time to choose.",
    ),
}
WRAPPERS = {  # name: what it learns from, update, forget, items without events, explain
    "BlendRecommender": ("as its parts", "as its parts", "as its parts", "as its parts", "leave-one-out"),
    "TwoStageRecommender": ("as its parts, features", "approximate", "refit", "as its parts", "leave-one-out"),
    "Reranker": ("as its model", "as its model", "as its model", "as its model", "as its model"),
    "AutoRecommender": ("as the choice", "as the choice", "as the choice", "as the choice", "as the choice"),
}


def recommenders() -> dict[str, type]:
    """Return the public recommenders by name."""
    found = {}
    for module, names in public_names().items():
        for name in names:
            value = getattr(importlib.import_module(module), name)
            if inspect.isclass(value) and issubclass(value, BaseRecommender) and value is not BaseRecommender:
                found[name] = value
    return found


def _made(kind: type):
    """Return an instance that can be updated where the class can, with None for what has no default."""
    parameters = inspect.signature(kind).parameters
    given = {name: None for name, parameter in parameters.items() if parameter.default is parameter.empty}
    return kind(**given, **({"incremental": True} if "incremental" in parameters else {}))


def _link(name: str, kind: type) -> str:
    module = next(module for module, names in public_names().items() if name in names)
    return f"{{class}}`~{module}.{name}`"


def _learns(name: str, kind: type) -> str:
    """Name what a model reads of a log."""
    if name in WRAPPERS:
        return WRAPPERS[name][0]
    if name == "ContentRecommender":
        return "item features"
    parameters = inspect.signature(kind).parameters
    reads = ["order" if get_tags(_made(kind)).needs_order else "which items"]
    named = {"by": "segments of users", "item_features": "item features", "user_features": "user features"}
    return ", ".join(reads + [text for parameter, text in named.items() if parameter in parameters])


def _extra(kind: type) -> str:
    """Name the extra that a class needs, as in its docstring."""
    found = re.search(r"[Nn]eeds the\s+extra `(\w+)`", inspect.getdoc(kind))
    return f"`{found[1]}`" if found else ""


def _ability_row(name: str, kind: type) -> list[str]:
    attributes = {entry.name for entry in NumpyDocString(inspect.getdoc(kind))["Attributes"]}
    vectors = [
        "yes" if hasattr(kind, "transform") else "",
        "yes" if attributes & {"similarity_", "item_factors_"} else "",
    ]
    if name in WRAPPERS:
        _, update, forget, new_items, explained = WRAPPERS[name]
        return [_link(name, kind), update, forget, new_items, *vectors, explained, _extra(kind)]
    updates = get_tags(_made(kind)).updates
    needs = ", `incremental`" if updates and "incremental" in inspect.signature(kind).parameters else ""
    exact = re.search(r'"exact" splits the score.*?: (.*?)\. "leave', inspect.getdoc(explain), re.DOTALL)[1]
    return [
        _link(name, kind),
        (updates or "refit") + needs,
        "exact" if updates == "exact" else "refit",
        "yes" if kind._with_new_items is not BaseRecommender._with_new_items else "",
        *vectors,
        "exact" if name in re.split(r"[,\s]+", exact) else "leave-one-out",
        _extra(kind),
    ]


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}".removeprefix("0") if digits == 4 else f"{value:,.{digits}f}"


def _measured_rows(measured: dict) -> list[list[str]]:
    best = {key: max(values[key] for values in measured.values()) for key in ("repeats", "new")}
    kinds, rows = recommenders(), []
    for name in FACTS:
        if (values := measured.get(name)) is None:
            continue
        scores = [_number(values[key], 4) for key in best]
        scores = [
            f"**{score}**" if values[key] == best[key] else score for key, score in zip(best, scores, strict=True)
        ]
        costs = [_number(values[key], 2) for key in ("fit_s", "request_ms")] + [_number(values["file_mb"], 1)]
        rows.append([_link(name, kinds[name]), *scores, *costs])
    return rows


def _table(heads: list[str], rows: list[list[str]], n_numbers: int = 0) -> str:
    marks = ["---"] * (len(heads) - n_numbers) + ["--:"] * n_numbers
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [heads, marks, *rows])


def tables() -> dict[str, str]:
    """Return the tables by name."""
    kinds = recommenders()
    if missing := set(kinds) ^ set(FACTS):
        raise ValueError(f"FACTS must name every public recommender and no other: {sorted(missing)}")
    measured = json.loads((DOCS / "_data" / "models.json").read_text())
    if unknown := set(measured) - set(FACTS):
        raise ValueError(f"_data/models.json has unknown models: {sorted(unknown)}")
    choice, cost, ability = [], [], []
    for name, ((page, times, repeats, fit, memory), when) in FACTS.items():
        link = _link(name, kinds[name])
        choice.append([link, _learns(name, kinds[name]), times, repeats, f"{when} [Guide]({page}.md)"])
        cost.append([link, fit, memory])
        ability.append(_ability_row(name, kinds[name]))
    heads = [
        "model",
        "update",
        "forget",
        "items without events",
        "`transform`",
        "`similar_items`",
        "`explain`",
        "extra",
    ]
    return {
        "choice": _table(["model", "learns from", "times", "repeats", "when to use it"], choice),
        "measured": _table(
            ["model", "repeats allowed", "new items", "fit, s", "request, ms", "file, MB"], _measured_rows(measured), 5
        ),
        "cost": _table(["model", "time of `fit` grows with", "memory of the model grows with"], cost),
        "abilities": _table(heads, ability),
    }


def page_text(text: str) -> str:
    """Return the page with the tables between its marks as they should be."""
    for name, table in tables().items():
        begin, end = f"<!-- table {name}, by docs/models_table.py -->\n", "<!-- end -->"
        pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
        if not pattern.search(text):
            raise ValueError(f"the page has no place for the table {name!r}")
        text = pattern.sub(lambda _, new=f"{begin}{table}\n{end}": new, text)
    return text


if __name__ == "__main__":
    PAGE.write_text(page_text(PAGE.read_text()))
