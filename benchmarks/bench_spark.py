"""Spark in local mode on two cores against one process: the same histories, models and recommendations, and the cost.

    python benchmarks/bench_spark.py [5]

Writes a synthetic log of some million events (50 a user, 200,000 items with text ids, Zipf) to parquet, and does each
step in one process and on Spark. Processor seconds count all threads and processes, the JVM and the Python workers
among them; peak memory is that of the Python process so far, which is the driver of Spark. Needs Java.
"""

import argparse
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from skrec.feature_extraction import HistoryVectorizer, to_histories
from skrec.large import spark as large
from skrec.large._spark_fit import count_statistics, set_items
from skrec.linear_model import EASE
from skrec.neighbors import ItemKNN
from skrec.utils._histories import read_histories

N_ITEMS = 200_000
GRAM_ITEMS = 5_000
ROLES = {"user": "user", "item": "item", "time": "time"}


def write_log(folder: Path, n_events: int, n_files: int = 8) -> None:
    """Write the events in the order of their times."""
    rng = np.random.default_rng(0)
    n_users = n_events // 50
    share = np.cumsum(1 / np.arange(1, N_ITEMS + 1))
    names = pa.array([f"item-{number:06d}" for number in rng.permutation(N_ITEMS)])
    activity = np.cumsum(rng.exponential(1, n_users))
    seconds = np.sort(rng.integers(0, 365 * 86_400, n_events)) + 1_600_000_000
    for number, times in enumerate(np.array_split(seconds, n_files)):
        items = np.searchsorted(share, rng.random(len(times)) * share[-1])
        users = np.searchsorted(activity, rng.random(len(times)) * activity[-1])
        table = {"user": users.astype(np.int32), "item": names.take(pa.array(items))}
        table["time"] = pa.array(times * 10**6, pa.timestamp("us", tz="UTC"))
        pq.write_table(pa.table(table), folder / f"{number:02d}.parquet")


def processor_seconds() -> float:
    """Return the seconds of this process and all that descend from it."""
    children: dict[int, list] = {}
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                fields = (path / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append((int(path.name), sum(map(int, fields[11:15]))))
    ticks, waiting = 0, [os.getpid()]
    while waiting:
        for process, own in children.get(waiting.pop(), []):
            ticks += own
            waiting.append(process)
    return sum(os.times()[:4]) + ticks / os.sysconf("SC_CLK_TCK")


def measured(name: str, where: str, work):
    """Return what `work` returns, and print its cost."""
    start, clock = processor_seconds(), time.perf_counter()
    result = work()
    spent, passed = processor_seconds() - start, time.perf_counter() - clock
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"| {name} | {where} | {spent:.1f} | {passed:.1f} | {peak:.2f} |", flush=True)
    return result


def gram(vectorizer, users=None, frame=None) -> np.ndarray:
    """Return EASE's Gram matrix, from one machine's histories or a frame of Spark."""
    model = EASE(vectorizer=vectorizer)
    if frame is not None:
        set_items(model, frame)
        return count_statistics(model, frame)["gram"].toarray()
    matrix = vectorizer.fit_transform(users)
    return (matrix.T @ matrix).toarray()


def start_spark(folder: Path):
    """Return a session of two cores."""
    os.environ["PYSPARK_PYTHON"] = sys.executable
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]").config("spark.driver.memory", "4g")
    for name, value in {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.shuffle.partitions": "16",
        "spark.local.dir": str(folder / "spark"),
        "spark.sql.session.timeZone": "UTC",
    }.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return session


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("millions", type=float, nargs="?", default=5)
    n_events = int(parser.parse_args().millions * 10**6)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log, stored = folder / "log", str(folder / "histories")
        log.mkdir()
        write_log(log, n_events)
        print(f"{n_events:,} events of {n_events // 50:,} users, {N_ITEMS:,} items, 2 cores\n")
        print("| step | where | processor s | wall s | peak GiB |\n|---|---|--:|--:|--:|")
        one = measured("histories", "one process", lambda: to_histories(str(log / "*.parquet"), **ROLES))
        users = read_histories(one)
        knn = measured("ItemKNN, fit", "one process", lambda: ItemKNN().fit(one))
        vectorizer = HistoryVectorizer(max_items=GRAM_ITEMS)
        wanted = measured(f"EASE, Gram matrix of {GRAM_ITEMS:,} items", "one process", lambda: gram(vectorizer, users))
        items = measured("10 items for every user", "one process", lambda: knn.recommend(one, 10))

        spark = measured("start", "Spark", lambda: start_spark(folder))
        events = spark.read.parquet(str(log))
        measured("histories", "Spark", lambda: large.to_histories(events, **ROLES).write.parquet(stored))
        frame = spark.read.parquet(stored)
        other = measured("ItemKNN, fit", "Spark", lambda: large.fit(ItemKNN(), frame))
        got = measured(f"EASE, Gram matrix of {GRAM_ITEMS:,} items", "Spark", lambda: gram(vectorizer, frame=frame))
        answers = str(folder / "answers")
        measured("10 items for every user", "Spark", lambda: large.recommend(knn, frame, 10).write.parquet(answers))

        print("\nequal to one process:")
        table = pq.read_table(stored).sort_by("user")
        again = read_histories(table)
        ties = np.array_equal(again.ids[again.codes], users.ids[users.codes]) and np.array_equal(again.time, users.time)
        print(f"- histories: {np.array_equal(again.indptr, users.indptr) and ties}")
        same = np.array_equal(other.similarity_.indices, knn.similarity_.indices)
        difference = abs(other.similarity_ - knn.similarity_).max()
        print(f"- ItemKNN: pattern {same}, {knn.similarity_.nnz:,} entries, largest difference {difference:.1e}")
        print(f"- Gram matrix: largest difference {np.abs(got - wanted).max():.1e} of {wanted.max():.0f}")
        found = (
            pq.read_table(answers).sort_by("user")["items"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
        )
        print(f"- recommendations: {(found.reshape(items.shape) == items).mean():.6f} of the ids")
        spark.stop()


if __name__ == "__main__":
    main()
