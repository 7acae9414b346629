"""Import the installed package and run one example of an extra: ``smoke.py core`` or ``smoke.py EXTRA``."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

HISTORIES = [["tea", "milk"], ["tea", "milk", "sugar"], ["nails", "hammer"], ["hammer", "nails", "saw"]] * 5


def core():
    """Fit, recommend, save and load; the time of the import."""
    import sklearn  # noqa: F401, what skrec adds to it is measured

    started = time.perf_counter()
    import skrec

    seconds = time.perf_counter() - started
    assert seconds < 0.1, f"import skrec took {seconds:.3f} s after scikit-learn"
    from skrec.datasets import load_online_retail
    from skrec.linear_model import EASE

    model = EASE(l2=0.5, k=2).fit(HISTORIES)
    assert model.predict([["tea"]]).tolist() == [["milk", "sugar"]]
    with tempfile.TemporaryDirectory() as folder:
        skrec.save(model, Path(folder) / "model.skrec")
        assert skrec.load(Path(folder) / "model.skrec").predict([["saw"]]).tolist() == [["hammer", "nails"]]
    assert len(load_online_retail().histories) > 4000
    print(f"skrec {skrec.__version__}, imported in {seconds:.4f} s")


def plot():
    """Draw a comparison."""
    import matplotlib as mpl

    mpl.use("agg")
    from skrec.dummy import PopularityRecommender
    from skrec.inspection import ComparisonDisplay
    from skrec.linear_model import EASE
    from skrec.model_selection import compare, split_last

    X, y = split_last(HISTORIES)
    ComparisonDisplay.from_comparison(compare({"ease": EASE(l2=1), "popularity": PopularityRecommender()}, X, y)).plot()


def rank():
    """Fit two stages with LambdaMART."""
    from skrec.datasets import make_histories
    from skrec.ensemble import TwoStageRecommender
    from skrec.ensemble._listwise import listwise_ranker
    from skrec.linear_model import EASE

    model = TwoStageRecommender([("ease", EASE())], ranker=listwise_ranker(0), random_state=0)
    assert model.fit(make_histories(100, 30, random_state=0)).predict([[0]]).shape == (1, 10)


def large():
    """Store a log as histories on disk."""
    import pandas as pd

    from skrec.feature_extraction import open_histories, to_histories

    events = pd.DataFrame({"user": [1, 1, 2], "item": ["a", "b", "a"], "time": pd.to_datetime(["2026-01-01"] * 3)})
    with tempfile.TemporaryDirectory() as folder:
        events.to_parquet(Path(folder) / "log.parquet")
        store = Path(folder) / "store"
        to_histories(Path(folder) / "log.parquet", user="user", item="item", time="time", store=store)
        assert len(open_histories(store)) == 2


def spark():
    """Turn a Spark frame into histories."""
    from pyspark.sql import SparkSession

    from skrec.large.spark import to_histories

    session = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
    events = session.createDataFrame([(1, "a", 1), (1, "b", 2), (2, "a", 1)], ["user", "item", "time"])
    assert to_histories(events, user="user", item="item", time="time").count() == 2
    session.stop()


def fast():
    """Run a compiled loop."""
    from skrec.datasets import make_histories
    from skrec.neighbors import ItemKNN

    assert ItemKNN().fit(make_histories(200, 50, random_state=0)).predict([[0]]).shape == (1, 10)


def deep():
    """Train a net for an epoch."""
    from skrec.datasets import make_histories
    from skrec.neural_network import SASRec

    net = SASRec(n_components=8, epochs=1, random_state=0).fit(make_histories(100, 30, random_state=0))
    assert net.predict([[0, 1]]).shape == (1, 10)


def serve():
    """Start the service with a model and ask it."""
    import socket

    from skrec.serving import Client, ServiceError

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        rows = [f"{user},{item}" for user, history in enumerate(HISTORIES) for item in history]
        (Path(folder) / "log.csv").write_text("\n".join(["user,item", *rows]))
        skrec = Path(sys.executable).parent / "skrec"
        fit = ["fit", "log.csv", "--user", "user", "--item", "item", "--model", "ease", "-o", "model.skrec", "-q"]
        subprocess.run([skrec, *fit], cwd=folder, check=True)
        command = [skrec, "serve", "model.skrec", "--port", str(port)]
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            with Client(f"http://127.0.0.1:{port}") as client:
                found = None
                for _ in range(120):
                    try:
                        found = list(client.recommend(items=["tea"], k=2))
                        break
                    except ServiceError:
                        time.sleep(0.5)
                assert found == ["milk", "sugar"], found
        finally:
            process.terminate()
            process.wait(30)


RUN = {"core": core, "plot": plot, "rank": rank, "large": large, "spark": spark, "fast": fast, "deep-cpu": deep}
RUN["serve"] = serve

if __name__ == "__main__":
    RUN[sys.argv[1]]()
