"""Which recipe suits which log, and what does it cost? Measures what `skrec.advice.suggest` is made of.

python benchmarks/bench_advice.py --measure [--limit 2700] [--recipes ease als] [--logs beauty]
"""

import argparse
from pathlib import Path

import advice_measure


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--measure", action="store_true")
    parser.add_argument("--raw", type=Path, default=Path("advice.jsonl"))
    parser.add_argument("--limit", type=float, default=2700)
    parser.add_argument("--recipes", nargs="*")
    parser.add_argument("--logs", nargs="*")
    arguments = parser.parse_args()
    if arguments.measure:
        advice_measure.run(arguments.raw, arguments.recipes, arguments.logs, arguments.limit)


if __name__ == "__main__":
    main()
