"""A program of its own for `test_spark_connect`: a session of Spark Connect with a server in local mode."""

import sys

import numpy as np
import pyarrow as pa
from pyspark.sql import SparkSession

from skrec.feature_extraction import to_histories
from skrec.large import spark as large
from skrec.neighbors import ItemKNN, TransitionRecommender


def main():
    spark = SparkSession.builder.remote("local[2]").getOrCreate()
    assert "connect" in type(spark).__module__
    spark.conf.set("spark.sql.shuffle.partitions", "4")
    rng = np.random.default_rng(0)
    events = pa.table(
        {"user": rng.integers(0, 60, 900), "item": [f"item {i}" for i in rng.zipf(1.4, 900).clip(max=40)]}
        | {"time": pa.array(rng.integers(0, 9, 900) * 10**12, pa.timestamp("us", tz="UTC"))}
    )
    roles = {"user": "user", "item": "item", "time": "time"}
    one = to_histories(events, **roles)
    frame = large.to_histories(spark.createDataFrame(events), **roles).cache()
    assert frame.toArrow().sort_by("user")["item"].to_pylist() == [list(row) for row in one["item"]]

    model, expected = large.fit(ItemKNN(10, incremental=True), frame), ItemKNN(10, incremental=True).fit(one)
    assert abs(model.similarity_ - expected.similarity_).max() == 0
    found = large.recommend(model, frame, 5).toArrow().sort_by("user")
    assert found["items"].to_pylist() == expected.recommend(one, 5).tolist()
    again = large.fit(TransitionRecommender(), frame)
    assert abs(again.similarity_ - TransitionRecommender().fit(one).similarity_).max() < 1e-5
    scores = large.evaluate(model, frame, "item", exclude_seen=False, metrics="recall")
    assert 0 < scores["recall@10"] <= 1 and scores["n_users"] == len(one)

    new = spark.createDataFrame([(100, ["item 1", "new"])], "user int, item array<string>")
    large.update(model, new)
    assert "new" in model.items_
    spark.stop()
    print("equal")


if __name__ == "__main__":
    sys.exit(main())
