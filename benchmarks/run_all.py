"""Run the benchmarks whose numbers the README and the documentation read, and keep what they print.

``python benchmarks/run_all.py`` runs them whole, one after the other, and writes what each printed, with date, machine
and seconds, to ``benchmarks/results.json``; names of runs after it run these alone. ``--write`` fills the tables of
README.md and docs/benchmarks.md from that file; ``--check`` ends with 1 where they differ from it. ``--small`` runs
each on little data, keeps nothing, and ends with 1 where a script fails or prints no number. What needs data that are
not there is left out, which is said.

    python benchmarks/run_all.py [--small] [--write] [--check] [quality metrics ...]
"""

import argparse
import datetime
import json
import os
import platform
import re
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import result_tables

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "results.json"
PACKAGES = ("numpy", "scipy", "scikit-learn", "pandas", "pyarrow", "implicit", "numba")


@dataclass(frozen=True)
class Run:
    """A benchmark: what it answers, its script, and the arguments of the whole and of the small form."""

    question: str
    script: str
    small: tuple[str, ...]
    whole: tuple[str, ...] = ()
    needs_data: bool = False
    one_thread: bool = False


RUNS = {
    "quality": Run(
        "How good is each model? Test parts, each touched once; parameters from validation parts",
        "bench_quality.py",
        ("ml100k",),
        needs_data=True,
    ),
    "advice": Run(
        "How often is the advice right, and how far off are its costs?",
        "bench_advice.py",
        ("--small",),
        one_thread=True,
    ),
    "import": Run("What does `import skrec` cost?", "bench_import.py", ()),
    "metrics": Run("How fast are the metrics, beside ranx?", "bench_metrics.py", ("2000",), ("100000",)),
    "requests": Run(
        "What does a request of one user cost?", "bench_requests.py", ("--calls", "40", "--models", "Popularity")
    ),
}


def machine() -> str:
    """Describe the machine in words."""
    model = "unknown processor"
    if Path("/proc/cpuinfo").exists():
        named = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
        model = named[1] if named else model
    return f"{os.cpu_count()} cores, {model}, {platform.system()}, Python {platform.python_version()}"


def execute(run: Run, arguments) -> dict:
    """Run a script; return what it printed and what it took."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, str(FOLDER / run.script), *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1"} if run.one_thread else None
    done = subprocess.run(command, capture_output=True, text=True, cwd=FOLDER.parent, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{run.script} ended with {done.returncode}:\n{done.stderr[-3000:]}")
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    if not re.search(r"\d", done.stdout):
        sys.exit(f"{run.script} printed no number")
    return {
        "question": run.question,
        "command": " ".join(["python", f"benchmarks/{run.script}", *arguments]),
        "date": datetime.date.today().isoformat(),
        "machine": machine(),
        "packages": {name: version(name) for name in PACKAGES},
        "seconds": round(time.perf_counter() - started, 1),
        "processor_seconds": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1),
        "output": lines,
    }


def data_missing(run: Run) -> bool:
    """Tell whether a run needs files that are not here."""
    import protocols

    return run.needs_data and not protocols.DATA.exists()


def main() -> None:
    """Run, keep, write or check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="run", help=", ".join(RUNS))
    for flag in ("--small", "--write", "--check"):
        parser.add_argument(flag, action="store_true")
    given = parser.parse_args()
    if unknown := set(given.names) - set(RUNS):
        parser.error(f"unknown runs {sorted(unknown)}: known are {', '.join(RUNS)}")
    kept = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    for name in given.names or ([] if given.write or given.check else RUNS):
        run = RUNS[name]
        if data_missing(run):
            print(f"{name}: left out, its data are not here (SKREC_DATA)")
            continue
        result = execute(run, run.small if given.small else run.whole)
        print(f"{name}: {result['processor_seconds']} s of processor", flush=True)
        if not given.small:
            kept = {one: result if one == name else kept[one] for one in RUNS if one == name or one in kept}
            RESULTS.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    differ = result_tables.fill(FOLDER.parent, kept, write=given.write) if given.write or given.check else []
    if differ and given.check:
        sys.exit(
            f"{', '.join(differ)}: not what benchmarks/results.json says; run python benchmarks/run_all.py --write"
        )


if __name__ == "__main__":
    main()
