"""What does to_histories cost in seconds and memory, and how does it compare with pandas' groupby?

Each case runs in a process of its own. "Extra memory" is the peak of resident memory during the call less what was
resident before it, over the size of the events; it includes the result. The ratio is one of CPU seconds. Linux only.

    python benchmarks/bench_to_histories.py              20 million events
    python benchmarks/bench_to_histories.py --events 2e6
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

CASES = {
    "pandas, integer ids": ("pandas", "int"),
    "pandas, integer ids, sorted by time": ("pandas", "int", "sorted"),
    "pandas, text ids": ("pandas", "text"),
    "polars, integer ids": ("polars", "int"),
    "polars, text ids": ("polars", "text"),
    "parquet, integer ids, DuckDB": ("duckdb", "int"),
    "parquet, integer ids, pyarrow": ("pyarrow", "int"),
    "parquet, text ids, DuckDB": ("duckdb", "text"),
}
BASELINE = {"groupby, integer ids": ("groupby", "int"), "to_histories, same events": ("pandas", "int")}


def make_table(n: int, ids: str, order: str):
    """Draw events: 20 a user, items by Zipf's law, times over two years in seconds."""
    import pyarrow as pa

    rng = np.random.default_rng(0)
    columns = {
        "user": rng.integers(0, max(n // 20, 1), n),
        "item": (rng.pareto(1, n) * 100).astype(np.int64) % 100_000,
        "time": rng.integers(1_300_000_000, 1_363_000_000, n).astype("datetime64[s]").astype("datetime64[us]"),
    }
    if order == "sorted":
        columns["time"].sort()
    table = pa.table(columns)
    if ids == "text":
        for name in ("user", "item"):
            table = table.set_column(table.column_names.index(name), name, table[name].cast(pa.string()))
    return table


def write(n: int, ids: str, order: str, path: str):
    import pyarrow.parquet as pq

    pq.write_table(make_table(n, ids, order), path)


def run(how: str, path: str):
    """Do one case and print its figures."""
    import pandas as pd  # noqa: F401, loaded before memory is read
    import pyarrow.parquet as pq

    from skrec.feature_extraction import _event_files, to_histories

    names = {"user": "user", "item": "item", "time": "time"}
    size = pq.ParquetFile(path).read().nbytes
    if how in ("pandas", "groupby"):
        events = pq.ParquetFile(path).read().to_pandas()
    elif how == "polars":
        import polars as pl

        events = pl.read_parquet(path)
    else:
        _event_files.has_duckdb = lambda: how == "duckdb"
        events = path
    release()
    before = reset_peak()
    start, start_cpu = time.perf_counter(), time.process_time()
    if how == "groupby":
        result = events.sort_values(["user", "time"], kind="stable").groupby("user").agg(list)
    else:
        result = to_histories(events, **names)
    seconds, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    extra = peak() - before
    print(json.dumps({"seconds": seconds, "cpu": cpu, "extra": extra, "size": size, "rows": len(result)}))


def release():
    """Give freed memory back, so that the peak is not hidden in what the preparation left."""
    import ctypes
    import gc

    import pyarrow as pa

    gc.collect()
    pa.default_memory_pool().release_unused()
    ctypes.CDLL("libc.so.6").malloc_trim(0)


def status(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {field}")


def reset_peak() -> int:
    Path("/proc/self/clear_refs").write_text("5")
    return status("VmRSS")


def peak() -> int:
    return status("VmHWM")


def call(*arguments):
    command = [sys.executable, __file__, *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def report(cases: dict, n: int, folder: str) -> dict:
    print(f"\n{n:,} events\n{'case':40s}{'events, MB':>12s}{'seconds':>10s}{'of CPU':>10s}{'extra memory':>14s}")
    seconds = {}
    for name, (how, ids, *order) in cases.items():
        path = Path(folder, f"{n}-{ids}-{''.join(order)}.parquet")
        if not path.exists():
            call("--write", n, ids, *(order or ["shuffled"]), path)
        figures = json.loads(call("--run", how, path))
        seconds[name] = figures["cpu"]
        ratio = figures["extra"] / figures["size"]
        times = f"{figures['seconds']:10.2f}{figures['cpu']:10.2f}"
        print(f"{name:40s}{figures['size'] / 1e6:12.0f}{times}{ratio:13.2f}x", flush=True)
    return seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=float, default=20e6, help="number of events, 20 a user")
    parser.add_argument("--baseline-events", type=float, default=2e6, help="number of events for pandas' groupby")
    parser.add_argument("--run", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--write", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        return run(*options.run)
    if options.write:
        n, *rest = options.write
        return write(int(n), *rest)
    with tempfile.TemporaryDirectory() as folder:
        report(CASES, int(options.events), folder)
        slow, fast = report(BASELINE, int(options.baseline_events), folder).values()
        print(f"to_histories is {slow / fast:.0f} times as fast as groupby")


if __name__ == "__main__":
    main()
