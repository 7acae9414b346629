"""What do logs of 5, 20 and 100 million events cost on one machine: processor time and peak memory of each step?

Writes a synthetic log to parquet (users by an exponential law, 50 events each on average; 200,000 items by Zipf's law;
text ids, ordered by time; seed 0), stores it as histories on disk, and runs each step in a process of its own: the
matrix, fits, one request, and lists for all users. Processor time is that of all threads, imports left out; the peak is
the largest resident memory of the process, memory-mapped files included. The last columns are what was measured over
what the formulas of the user guide give. ``--peers`` adds polars (group-by) and
implicit (ALS on the finished matrix). ``--picture FILE`` draws how time and memory grow, with slopes.

    python benchmarks/bench_large_log.py [5 20 100] [--only histories item-knn ...] [--folder DIR] [--peers]
        [--picture docs/_static/large_log.png]
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ITEMS = 200_000
GOALS = {  # processor seconds and GiB at 100 million events, on two cores
    "histories": (60, 2),
    "matrix": (6, 1.5),
    "popularity": (10, 2),
    "buy-again": (40, 3),
    "item-knn": (120, 3),
    "rp3beta": (150, 6),
    "transition": (120, 6),
    "als": (50, 3.5),
    "als cg": (50, 3.5),
    "session-knn": (40, 3),
    "session-knn request": (0.005, None),
    "ease": (60, 4),  # 20,000 items, 20 million events
    "lists item-knn": (None, 4),
    "lists als": (None, 4),
    "sasrec": (None, 6),
}
FORMULAS = {  # processor seconds and GiB: a + b * million events, at 200,000 items and 50 events a user
    "histories": ((0.5, 0.55), (0.7, 0.008)),
    "matrix": ((0.2, 0.03), (0.23, 0.0105)),
    "popularity": ((0.2, 0.032), (0.24, 0.0108)),
    "buy-again": ((0.3, 0.1), (0.25, 0.021)),
    "item-knn": ((3, 0.52), (0.66, 0.0137)),
    "rp3beta": ((5, 0.62), (1.15, 0.021)),
    "transition": ((1, 0.31), (0.65, 0.034)),
    "als": ((3, 1.22), (0.35, 0.035)),
    "session-knn": ((0.5, 0.126), (0.4, 0.028)),
}
MOST = {"ease": 20}  # million events beyond which a step is not run


def write_log(path: Path, n_events: int) -> None:
    """Write the synthetic log, a million events at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng, n_users = np.random.default_rng(0), n_events // 50
    activity = np.cumsum(rng.exponential(1, n_users))
    popularity = np.cumsum(1 / np.arange(1, ITEMS + 1))
    number = rng.permutation(ITEMS)
    users = pa.array([f"u{user:08d}" for user in range(n_users)])
    items = pa.array([f"item-{item:06d}" for item in range(ITEMS)])
    schema = pa.schema({"user": pa.string(), "item": pa.string(), "time": pa.timestamp("s")})
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, n_events, 1_000_000):
            n = min(1_000_000, n_events - start)
            user = np.searchsorted(activity / activity[-1], rng.random(n))
            item = number[np.searchsorted(popularity / popularity[-1], rng.random(n)).clip(max=ITEMS - 1)]
            second = 1_700_000_000 + (start + np.sort(rng.random(n)) * n) / n_events * 365 * 86_400
            columns = [users.take(pa.array(user)), items.take(pa.array(item))]
            writer.write_table(pa.table([*columns, pa.array(second.astype(np.int64)).cast(pa.timestamp("s"))], schema))


# ---- the steps: each returns what it wants to be measured, or numbers of its own ------------------------------------


def synthetic(folder: Path):
    """Draw as many histories as the log has users, 50 events each on average, straight into a store."""
    import pyarrow.parquet as pq

    from skrec.datasets import make_histories

    shutil.rmtree(folder / "synthetic", ignore_errors=True)
    n_users = pq.read_metadata(folder / "log.parquet").num_rows // 50
    how = {"mean_length": 50, "repeats": True, "random_state": 0}
    make_histories(n_users, ITEMS, **how, store=folder / "synthetic")
    shutil.rmtree(folder / "synthetic")


def histories(folder: Path):
    from skrec.feature_extraction import to_histories

    shutil.rmtree(folder / "store", ignore_errors=True)
    to_histories(folder / "log.parquet", user="user", item="item", time="time", store=folder / "store")


def opened(folder: Path):
    from skrec.feature_extraction import open_histories

    return open_histories(folder / "store")


def matrix(folder: Path):
    from skrec.feature_extraction import HistoryVectorizer

    HistoryVectorizer().fit_transform(opened(folder))


def fit(folder: Path, name: str):
    """Fit a model, or return one."""
    from skrec.decomposition import ALS
    from skrec.dummy import PopularityRecommender
    from skrec.feature_extraction import HistoryVectorizer
    from skrec.linear_model import EASE
    from skrec.neighbors import BuyAgainRecommender, ItemKNN, RP3beta, SessionKNN, TransitionRecommender

    models = {
        "popularity": PopularityRecommender(),
        "buy-again": BuyAgainRecommender(),
        "item-knn": ItemKNN(),
        "rp3beta": RP3beta(),
        "transition": TransitionRecommender(),
        "als": ALS(n_components=64, max_iter=1, random_state=0),
        "als cg": ALS(n_components=64, max_iter=1, solver="cg", random_state=0),
        "session-knn": SessionKNN(),
        "ease": EASE(vectorizer=HistoryVectorizer(max_items=20_000)),
    }
    return models[name].fit(opened(folder))


def request(folder: Path):
    """Fit SessionKNN, and measure the requests of single users."""
    log = opened(folder)
    model = fit(folder, "session-knn")
    rows = np.random.default_rng(0).integers(0, len(log), 220)
    asked = [log[int(row)][-10:] for row in rows]
    for one in asked[:20]:
        model.recommend([one])
    started = time.process_time()
    for one in asked[20:]:
        model.recommend([one])
    return {"cpu": (time.process_time() - started) / 200}


def lists(folder: Path, name: str):
    """Write ten recommendations to every user; the time of the fit does not count."""
    from skrec.large import write_recommendations

    model = fit(folder, name)
    path, started, begun = folder / f"{name}.parquet", time.process_time(), time.perf_counter()
    write_recommendations(model, opened(folder), path, verbose=1)
    used = {"cpu": time.process_time() - started, "wall": time.perf_counter() - begun}
    path.unlink()
    return used


def sasrec(folder: Path):
    """Train one epoch of SASRec on a sample of the users."""
    from skrec.neural_network import SASRec

    log = opened(folder)
    n_users = min(20_000, len(log))
    started = time.process_time()
    SASRec(epochs=1, users_per_epoch=n_users, random_state=0).fit(log)
    n_events = n_users * log.n_events / len(log)
    return {"note": f"{n_events / (time.process_time() - started):,.0f} events/s of processor, {n_users:,} users drawn"}


def polars(folder: Path):
    """The limit for histories in memory: polars' group-by."""
    import polars as pl

    frame = pl.scan_parquet(folder / "log.parquet").sort("user", "time", maintain_order=True)
    frame.group_by("user", maintain_order=True).agg("item", "time").collect()


def implicit_als(folder: Path):
    """One sweep of implicit's ALS on the finished matrix, its construction included."""
    import scipy.sparse as sp
    from implicit.cpu.als import AlternatingLeastSquares
    from threadpoolctl import threadpool_limits

    from skrec.feature_extraction import HistoryVectorizer

    rows = sp.csr_matrix(HistoryVectorizer().fit_transform(opened(folder)))
    started = time.process_time()
    with threadpool_limits(1, "blas"):
        AlternatingLeastSquares(64, iterations=1, use_gpu=False, random_state=0).fit(rows, show_progress=False)
    return {"cpu": time.process_time() - started}


STEPS = {
    "make-histories": synthetic,
    "histories": histories,
    "matrix": matrix,
    **{
        name: lambda folder, name=name: fit(folder, name) and None
        for name in (
            "popularity",
            "buy-again",
            "item-knn",
            "rp3beta",
            "transition",
            "als",
            "als cg",
            "session-knn",
            "ease",
        )
    },
    "session-knn request": request,
    "lists item-knn": lambda folder: lists(folder, "item-knn"),
    "lists als": lambda folder: lists(folder, "als"),
    "sasrec": sasrec,
}
PEERS = {"polars group-by": polars, "implicit als": implicit_als}


def run_step(folder: Path, name: str) -> None:
    """Run one step in this process and print what it took as JSON."""
    import skrec.feature_extraction  # noqa: F401, imports do not count

    started, begun = time.process_time(), time.perf_counter()
    own = (STEPS | PEERS)[name](folder) or {}
    used = {"cpu": time.process_time() - started, "wall": time.perf_counter() - begun} | own
    facts = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    used["peak"] = int(facts["VmHWM"].split()[0]) / 2**20  # ru_maxrss would be at least that of the parent
    print(json.dumps(used))


def measure(folder: Path, name: str) -> dict:
    """Run one step in a process of its own; how it failed where it did."""
    command = [sys.executable, __file__, "--folder", str(folder), "--step", name]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"MKL_NUM_THREADS": "2"})
    if done.returncode:
        return {"failed": f"exit code {done.returncode}"}
    return json.loads(done.stdout.splitlines()[-1])


def draw(results: dict, path: str) -> None:
    """Draw processor time and peak memory against events, with the slope between the first and the last size."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(11, 5), layout="constrained")
    for axis, what, label in zip(axes, ("cpu", "peak"), ("processor seconds", "peak memory, GiB"), strict=True):
        for name, by_size in results.items():
            points = sorted((size, used[what]) for size, used in by_size.items() if what in used)
            if len(points) < 2 or name == "session-knn request":
                continue
            (a, low), (b, high) = points[0], points[-1]
            slope = np.log(high / low) / np.log(b / a)
            axis.plot(*zip(*points, strict=True), marker="o", label=f"{name} ({slope:.2f})")
        axis.set(xscale="log", yscale="log", xlabel="million events", ylabel=label)
        axis.set_xticks(sorted({size for one in results.values() for size in one}), minor=False)
        axis.xaxis.set_major_formatter("{x:g}")
        axis.legend(fontsize=7, title="slope in parentheses")
    figure.savefig(path, dpi=110)


def main() -> None:
    """Write the logs, run the steps and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("millions", nargs="*", type=int, default=[5, 20, 100])
    parser.add_argument("--only", nargs="+", choices=[*STEPS, *PEERS])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--picture")
    parser.add_argument("--step", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        run_step(options.folder, options.step)
        return
    names = options.only or [*STEPS, *(PEERS if options.peers else [])]
    results: dict = {}
    with tempfile.TemporaryDirectory(prefix="skrec-") as own:
        print(
            f"{'step':22}{'million events':>15}{'cpu s':>9}{'wall s':>9}{'GiB':>7}   goal at 100 million; over formula"
        )
        for size in options.millions:
            folder = (options.folder or Path(own)) / str(size)
            folder.mkdir(parents=True, exist_ok=True)
            if not (folder / "log.parquet").exists():
                write_log(folder / "log.parquet", size * 10**6)
            if "histories" not in names and not (folder / "store").exists():
                histories(folder)
            for name in names:
                if size > MOST.get(name, size):
                    continue
                used = measure(folder, name)
                results.setdefault(name, {})[size] = used
                row = f"{name:22}{size:15}"
                if "failed" in used:
                    print(f"{row}   {used['failed']}", flush=True)
                    continue
                goal = ", ".join("-" if one is None else f"{one:g}" for one in GOALS.get(name, (None, None)))
                digits = 4 if used["cpu"] < 0.1 else 1
                row += f"{used['cpu']:9.{digits}f}{used['wall']:9.0f}{used['peak']:7.2f}   {goal:12}"
                if name in FORMULAS:
                    (a, b), (c, d) = FORMULAS[name]
                    row += f"{used['cpu'] / (a + b * size):6.2f}{used['peak'] / (c + d * size):6.2f}"
                print(f"{row}   {used.get('note', '')}".rstrip(), flush=True)
    if options.picture:
        draw(results, options.picture)


if __name__ == "__main__":
    main()
