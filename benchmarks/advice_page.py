"""The tables and the decision picture of the page "Which model?", written from the data file of `bench_advice`."""

import html
import re
from pathlib import Path

import advice_tables
import numpy as np

from skrec.advice._suggest_data import NAMED, Measurements

DOCS = Path(__file__).parents[1] / "docs"
PAGE, PICTURE = DOCS / "user_guide" / "which_model.md", DOCS / "_static" / "which_model.svg"
ORDER_COUNTS, CATALOGUE_MOVES = 2.0, 0.5  # order gain, popularity shift
# kind of data: the question that leads to it, and the words of the table
KINDS = {
    "sessions": ("Is a row one session?", "next item of a session"),
    "repeats": ("May repeats be recommended?", "purchases, repeats included"),
    "moving": ("Does popularity shift by more than 0.5?", "new items, popularity moves"),
    "order": ("Is the order gain above 2?", "new items, order counts"),
    "tastes": ("", "new items, stable tastes"),
}


def kinds_of(measured: Measurements) -> np.ndarray:
    """Return the kind of data of each log, shape (n_logs,)."""
    found = []
    for character, exclude_seen, sessions in zip(
        measured.characters, measured.exclude_seen, measured.sessions, strict=True
    ):
        if sessions:
            found.append("sessions")
        elif not exclude_seen:
            found.append("repeats")
        elif character["popularity_shift"] > CATALOGUE_MOVES:
            found.append("moving")
        else:
            found.append("order" if character["order_gain"] > ORDER_COUNTS else "tastes")
    return np.array(found)


def by_kind(measured: Measurements) -> dict[str, np.ndarray]:
    """Return the mean NDCG relative to the best of each recipe by kind, each set counted once; (n_recipes,)."""
    kinds, groups = kinds_of(measured), np.array(measured.groups)
    relative = measured.relative
    found = {}
    for kind in KINDS:
        rows = [relative[(kinds == kind) & (groups == group)] for group in dict.fromkeys(groups[kinds == kind])]
        found[kind] = _mean(np.array([_mean(part) for part in rows]))
    return found


def _mean(values: np.ndarray) -> np.ndarray:
    """Return the mean over rows of what is known, NaN where nothing is."""
    known = ~np.isnan(values)
    total = np.where(known, values, 0).sum(axis=0)
    return np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), np.nan)


def _table(header: list[str], rows: list[list[str]], texts: int = 1) -> str:
    marks = ["---"] * texts + ["--:"] * (len(header) - texts)
    return "\n".join("| " + " | ".join(row) + " |" for row in (header, marks, *rows))


def quality_table(measured: Measurements) -> str:
    """Return the table of recipes against kinds of data."""
    found, kinds, groups = by_kind(measured), kinds_of(measured), np.array(measured.groups)
    chosen = [row for row, name in enumerate(measured.recipes) if not name.endswith(NAMED)]
    rows = []
    for recipe in chosen:
        cells = []
        for kind in KINDS:
            value, best = found[kind][recipe], np.nanmax(found[kind][measured.suggestible])
            text = "" if np.isnan(value) else f"{100 * value:.0f}"
            cells.append(f"**{text}**" if value == best else text)
        rows.append([f"`{measured.recipes[recipe]}`", *cells])
    counts = [f"{(kinds == kind).sum()} of {len(set(groups[kinds == kind]))}" for kind in KINDS]
    header = ["recipe", *(text for _, text in KINDS.values())]
    return _table(header, [*rows, ["*logs of sets*", *counts]])


def cost_table(measured: Measurements) -> str:
    """Return the table of costs: medians over the logs, and how far off the cost models are."""
    errors = advice_tables.cost_errors(measured)
    rows = []
    for recipe, name in enumerate(measured.recipes):
        if name.endswith(NAMED):
            continue
        costs = [np.nanmedian(measured.costs[kind][:, recipe]) for kind in advice_tables.COSTS]
        shares = [_within(errors[kind][:, recipe]) for kind in advice_tables.COSTS]
        cells = [f"{_short(cost)} | {share}" for cost, share in zip(costs, shares, strict=True)]
        rows.append([f"`{name}`", *" | ".join(cells).split(" | ")])
    every = [_within(errors[kind][:, measured.suggestible].ravel()) for kind in advice_tables.COSTS]
    rows.append(["*all*", *(cell for share in every for cell in ("", share))])
    within = "within 1.5 times"
    return _table(["recipe", "fit, s", within, "fit, MiB", within, "request, ms", within], rows)


def _within(error: np.ndarray) -> str:
    share = advice_tables.within(error)
    return "" if np.isnan(share) else f"{100 * share:.0f} %"


def _short(cost: float) -> str:
    return f"{cost:.0f}" if cost >= 10 else f"{cost:.2g}"


def error_table(measured: Measurements) -> str:
    """Return the table of how often the advice is right."""
    real = np.array([not group.startswith("synthetic") for group in measured.groups])
    rows = []
    for name, order in advice_tables.choices(measured).items():
        label = f"`{name}`" if name == "suggest" else name
        for part, chosen in (("all", np.ones(len(real), bool)), ("real", real)):
            values = advice_tables.errors(measured, order, chosen).values()
            rows.append([label, f"{part} ({chosen.sum()})", *(f"{100 * value:.1f} %" for value in values)])
    header = ["choice", "logs", *advice_tables.errors(measured, order)]
    return _table(header, rows, texts=2)


def log_table(measured: Measurements) -> str:
    """Return the table of the logs: what they are like, their best recipe, and what is suggested from other sets."""
    order = advice_tables.choices(measured)["suggest"]
    rows = []
    for row, name in enumerate(measured.logs):
        character = measured.characters[row]
        scores = np.where(measured.suggestible, measured.ndcg[row], np.nan)
        best = int(np.nanargmax(scores))
        cells = [f"{character[key]:,.0f}" for key in ("n_users", "n_items", "n_events")]
        cells += [f"{100 * character['repeat_share']:.0f} %"]
        cells += ["" if np.isnan(value := character[key]) else f"{value:.2f}" for key in _SHOWN]
        suggested = ", ".join(f"`{measured.recipes[recipe]}`" for recipe in order[row, :3])
        lost = f"{100 * (1 - scores[order[row, 0]] / scores[best]):.1f} %"
        rows.append([name, *cells, f"`{measured.recipes[best]}`", f"{scores[best]:.4f}", suggested, lost])
    header = ["log", "users", "items", "events", "repeats", "order gain", "popularity shift", "best", "its NDCG@10"]
    return _table([*header, "suggested", "lost by the first"], rows)


_SHOWN = ("order_gain", "popularity_shift")
TABLES = {"quality": quality_table, "errors": error_table, "costs": cost_table, "logs": log_table}


def facts_line(measured: Measurements) -> str:
    """Return one sentence on what was measured."""
    about, sizes = measured.about, [character["n_events"] for character in measured.characters]
    return (
        f"Measured {about['measured']} on {about['machine']}: {len(measured.logs)} logs of "
        f"{len(set(measured.groups))} sets, {min(sizes):,.0f} to {max(sizes):,.0f} events each, NDCG at {about['k']} "
        f"on {about['part']}, seed {about['seed']}."
    )


def page(text: str, measured: Measurements) -> str:
    """Return the page with its tables written anew, each between two comments."""
    parts = {**{name: make(measured) for name, make in TABLES.items()}, "facts": facts_line(measured)}
    for name, part in parts.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        if not pattern.search(text):
            raise ValueError(f"the page needs the comments <!-- {name} --> and <!-- end -->, but has none")
        text = pattern.sub(lambda match, part=part: f"{match[1]}\n{part}\n\n{match[2]}", text)
    return text


def picture(measured: Measurements) -> str:
    """Return the decision picture as SVG: a question a row, and the best recipes of what it leads to."""
    found, step, height = by_kind(measured), 86, 70
    names = np.array(measured.recipes)
    lines = []
    for place, (kind, (question, words)) in enumerate(KINDS.items()):
        y = 16 + place * step
        scores = np.where(measured.suggestible & ~np.isnan(found[kind]), found[kind], -1)
        order = np.argsort(-scores, kind="stable")[:3]
        best = ", ".join(f"{names[recipe]} {100 * found[kind][recipe]:.0f}" for recipe in order)
        if question:
            lines += [_box(16, y, 290, height, [question], "question"), _arrow(306, y + 35, 396, y + 35, "yes")]
            lines += [_arrow(161, y + height, 161, y + step, "no")] if place < len(KINDS) - 2 else []
        else:
            lines += [f'<path class="line" d="M161 {y - step + height} V{y + 35} H390" marker-end="url(#head)"/>']
            lines += [f'<text class="word" x="172" y="{y - step + height + 18}">no</text>']
        lines += [_box(396, y, 388, height, [words, best], "answer")]
    style = (
        ".question{fill:#e8eef9;stroke:#3b5b92}.answer{fill:#eaf5ea;stroke:#3c7a3c}.line{stroke:#667;fill:none}"
        ".word{fill:#667;font-size:13px}text{fill:#222;font-family:sans-serif;font-size:14px}.best{font-weight:bold}"
        "@media(prefers-color-scheme:dark){.question{fill:#22304a}.answer{fill:#1f3a24}text{fill:#eee}.word{fill:#aab}}"
    )
    total = 16 + len(KINDS) * step
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 {total}" role="img" '
        'aria-label="Which recipe: a question a row, the best measured recipes beside it">'
        f"<style>{style}</style>"
        '<defs><marker id="head" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#667"/></marker></defs>\n' + "\n".join(lines) + "\n</svg>\n"
    )


def _box(x: int, y: int, width: int, height: int, texts: list[str], kind: str) -> str:
    middle, top = x + width // 2, y + height // 2 + 5 - 11 * (len(texts) - 1)
    rows = [
        f'<text class="{"best" if row else ""}" x="{middle}" y="{top + 22 * row}" text-anchor="middle">'
        f"{html.escape(text)}</text>"
        for row, text in enumerate(texts)
    ]
    return f'<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{height}" rx="8"/>' + "".join(rows)


def _arrow(x: int, y: int, to_x: int, to_y: int, word: str) -> str:
    line = f'<path class="line" d="M{x} {y}L{to_x - 6 * (to_x > x)} {to_y}" marker-end="url(#head)"/>'
    return line + f'<text class="word" x="{x + 11}" y="{y - 6 if to_x > x else y + 14}">{word}</text>'


def write(measured: Measurements) -> None:
    """Write the tables of the page and the picture."""
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), measured), encoding="utf-8")
    PICTURE.write_text(picture(measured), encoding="utf-8")
    print(f"wrote the tables of {PAGE.name} and {PICTURE.name}")
