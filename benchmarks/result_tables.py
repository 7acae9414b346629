"""Tables of README.md and docs/benchmarks.md, made of what the benchmarks printed (`run_all.py`)."""

import re
from pathlib import Path

BLOCK = re.compile(r"(<!-- results: (?P<name>[\w-]+) -->\n)(?P<text>.*?)(<!-- end -->)", re.DOTALL)
LAST = (  # column, then the model of bench_quality's rows by its beginning
    ("popularity", "popularity"),
    ("ItemKNN", "ItemKNN"),
    ("ALS", "ALS"),
    ("SLIM", "SLIM"),
    ("EASE", "EASE"),
    ("SessionKNN", "SessionKNN"),
    ("Transition", "TransitionRecommender"),
)
LATER = (
    ("popularity", "popularity"),
    ("last 30 days", "popularity, last 30 days"),
    ("ItemKNN", "ItemKNN"),
    ("ALS", "ALS"),
    ("EASE", "EASE"),
    ("TIFUKNN", "TIFUKNN"),
    ("BuyAgain", "BuyAgainRecommender"),
    ("SessionKNN", "SessionKNN, seasonal"),
)


def quality(result: dict) -> dict[str, dict[str, str]]:
    """Return NDCG@10 by task and model, as bench_quality printed it."""
    tasks: dict[str, dict[str, str]] = {}
    for line in result["output"][1:]:
        task, model, numbers = line[:36].strip(), line[36:64].strip(), line[64:].split()
        tasks.setdefault(task, {})[model] = numbers[1].removeprefix("0")
    return tasks


def _cell(models: dict[str, str], wanted: str) -> str:
    """Return the number of a model, or of one whose name begins so, followed by its settings."""
    if wanted in models:
        return models[wanted]
    return next((value for name, value in models.items() if re.match(rf"{re.escape(wanted)}(,| l2=)", name)), "")


def _table(head: str, rows: list[tuple[str, dict[str, str]]], columns) -> str:
    lines = [f"| {head} | " + " | ".join(label for label, _ in columns) + " |", "|---|" + "--:|" * len(columns)]
    for label, models in rows:
        cells = [_cell(models, model) for _, model in columns]
        best = max(filter(None, cells), key=float)
        lines.append(f"| {label} | " + " | ".join(f"**{cell}**" if cell == best else cell for cell in cells) + " |")
    return re.sub(r"\|  (?=\|)", "| ", "\n".join(lines)) + "\n"


def _quality_table(result: dict, head: str, labels: dict[str, str], columns) -> str:
    tasks = quality(result)
    return _table(head, [(label, tasks[task]) for task, label in labels.items() if task in tasks], columns)


LAST_TASKS = {"beauty": "Amazon Beauty, 22,363 users", "ml100k": "MovieLens-100k, `ua` split"}
LATER_TASKS = {
    "online retail, repeats allowed": "Online Retail from 2011-11-01, repeats allowed",
    "online retail, new items": "Online Retail from 2011-11-01, new items only",
    "dunnhumby, repeats allowed": "Complete Journey, December 2017, repeats allowed",
    "dunnhumby, new items": "Complete Journey, December 2017, new items only",
}


def _said(result: dict) -> str:
    """Say where and when a result was measured."""
    return f"`{result['command']}`, {result['date']}, {result['machine']}"


def _page(results: dict) -> str:
    """Return the page: what each benchmark printed."""
    parts = []
    for result in results.values():
        packages = ", ".join(f"{name} {number}" for name, number in result["packages"].items())
        taken = f"{result['processor_seconds']:,} s of processor time"
        parts += [f"## {result['question']}\n", f"{_said(result)}; {taken}; {packages}.\n"]
        parts += ["```text", *result["output"], "```\n"]
    return "\n".join(parts)


def blocks(results: dict) -> dict:
    """Return the text of each block by its name; those without a result are left out."""
    made = {}
    if "quality" in results:
        made["last-item"] = _quality_table(results["quality"], "last item of each user", LAST_TASKS, LAST)
        made["after-a-date"] = _quality_table(results["quality"], "after a date", LATER_TASKS, LATER)
        made["quality-said"] = _said(results["quality"]) + ".\n"
    made["page"] = _page(results)
    return made


def fill(root: Path, results: dict, *, write: bool) -> list[str]:
    """Fill the blocks of the texts; return the names of the files that differed."""
    made, differ = blocks(results), []
    for path in [root / "README.md", *sorted((root / "docs").glob("*.md"))]:
        text = path.read_text(encoding="utf-8")
        new = BLOCK.sub(lambda found: found[1] + made.get(found["name"], found["text"]) + found[4], text)
        if new != text:
            differ.append(str(path.relative_to(root)))
            if write:
                path.write_text(new, encoding="utf-8")
    return differ
