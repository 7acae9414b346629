"""Which recipe suits which log, and what does it cost? The measurements behind `skrec.advice.suggest`, and their test.

``--measure`` fits every recipe on the logs of `advice_logs` and appends to a file of JSON lines what each question
scored and what it cost, on one thread; what the file has already is not measured again. ``--summarise`` writes the
data file that the package ships from it. ``--tables``, the default, prints from the data file: NDCG at 10; how often
the best recipe is among three suggested and what the first one loses, with every set left out in turn, beside constant
answers; and how far off the cost models are. ``--page`` writes the tables and the picture of
docs/user_guide/which_model.md from the data file. ``--small`` measures three recipes on two synthetic logs and prints
the same tables of them.

    python benchmarks/bench_advice.py [--tables] [--page]
    OMP_NUM_THREADS=1 python benchmarks/bench_advice.py --measure [--raw advice.jsonl] [--limit 2700]
        [--recipes ease als] [--logs beauty]
    python benchmarks/bench_advice.py --summarise [--raw advice.jsonl]
    OMP_NUM_THREADS=1 python benchmarks/bench_advice.py --small
"""

import argparse
import json
import tempfile
from pathlib import Path

import advice_measure
import advice_page
import advice_tables

from skrec.advice._suggest_data import from_dict

SMALL = ["popularity", "item-knn", "ease"], ["synthetic: popularity", "synthetic: fashion"]


def small() -> None:
    """Measure a little in a temporary folder and print the tables of it."""
    recipes, logs = SMALL
    with tempfile.TemporaryDirectory() as folder:
        raw, data = Path(folder, "raw.jsonl"), Path(folder, "data.json")
        advice_measure.run(raw, recipes, logs, limit=60)
        advice_tables.summarise(raw, data)
        advice_tables.print_tables(from_dict(json.loads(data.read_text())))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for flag in ("--measure", "--summarise", "--tables", "--page", "--small"):
        parser.add_argument(flag, action="store_true")
    parser.add_argument("--raw", type=Path, default=Path("advice.jsonl"))
    parser.add_argument("--limit", type=float, default=2700, help="processor seconds")
    parser.add_argument("--recipes", nargs="*")
    parser.add_argument("--logs", nargs="*", help="names of logs or of sets")
    given = parser.parse_args()
    if given.small:
        small()
        return
    if given.measure:
        advice_measure.run(given.raw, given.recipes, given.logs, given.limit)
    if given.summarise:
        advice_tables.summarise(given.raw)
    if given.page:
        advice_page.write(advice_tables.shipped())
    if given.tables or not (given.measure or given.summarise or given.page):
        advice_tables.print_tables(advice_tables.shipped())


if __name__ == "__main__":
    main()
