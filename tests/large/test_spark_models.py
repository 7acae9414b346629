"""Models fitted, asked, judged and updated on Spark are those of one machine."""

import doctest
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from skrec import load, save
from skrec.datasets import load_online_retail
from skrec.decomposition import ALS, PPMISVD
from skrec.dummy import PopularityRecommender, RandomRecommender
from skrec.feature_extraction import BM25Transformer, HistoryVectorizer
from skrec.large import _spark_products
from skrec.large import spark as large
from skrec.linear_model import EASE, SLIM
from skrec.metrics import ranking_scores
from skrec.model_selection import split_last
from skrec.neighbors import (
    TIFUKNN,
    BuyAgainRecommender,
    ItemKNN,
    RP3beta,
    SessionKNN,
    TransitionRecommender,
)

SEAM = [
    PopularityRecommender(),
    PopularityRecommender(window=60, count="events"),
    ItemKNN(20, shrinkage=5),
    ItemKNN(20, metric="jaccard", incremental=True),
    RP3beta(20),
    EASE(50),
    EASE(20, length_exponent=0.5, incremental=False),
    EASE(50, method="sparse", n_neighbors=20, incremental=True),
    SLIM(n_jobs=1),
    TransitionRecommender(),
    BuyAgainRecommender(),
    PPMISVD(8, random_state=0),
    SessionKNN(),
    TIFUKNN(),
]


def _arrow(histories):
    """Return a frame of histories as an Arrow table."""
    columns = {name: pa.array(histories[name]) for name in histories.columns}
    if "time" in columns:  # without a zone, Spark would read them in the zone of the session
        columns["time"] = columns["time"].cast(pa.list_(pa.timestamp("us", tz="UTC")))
    return pa.table({"user": pa.array(histories.index), **columns})


@pytest.fixture(scope="module")
def histories():
    """Online Retail: some hundred customers, and one with a third of all events."""
    found = load_online_retail().histories
    found = found[(found.index % 9 == 0) | (found.index == 17841)]
    assert found["item"].list.len().max() > 5000
    return found.reset_index(drop=True)


@pytest.fixture(scope="module")
def frame(spark, histories):
    return spark.createDataFrame(_arrow(histories)).repartition(5, "user").cache()


def _assert_same_model(model, expected, X, rtol=1e-5):
    """Check that two models are equal up to the rounding of float32 sums."""
    assert (model.items_ == expected.items_).all()
    assert model.items_.dtype == expected.items_.dtype
    assert (model.popularity_ == expected.popularity_).all()
    if hasattr(expected, "similarity_"):
        one, other = (sp.csr_array(m.similarity_).sorted_indices() for m in (model, expected))
        assert (one.indptr == other.indptr).all()
        assert (one.indices == other.indices).all()
        np.testing.assert_allclose(one.data, other.data, rtol=rtol, atol=1e-6 * abs(other.data).max())
    found, scores = model.recommend(X, return_scores=True)
    wanted, values = expected.recommend(X, return_scores=True)
    np.testing.assert_allclose(scores, values, rtol=1e-3, atol=1e-5)
    assert (found == wanted).mean() > 0.99  # scores that are equal but for rounding may change places


@pytest.mark.parametrize("model", SEAM, ids=repr)
def test_fit_equals_fit_on_one_machine(frame, histories, model):
    fitted = clone(model)
    assert large.fit(fitted, frame) is fitted
    _assert_same_model(fitted, clone(model).fit(histories), histories[:100], rtol=1e-3)


@pytest.mark.parametrize("n_partitions", [1, 4, 16])
def test_partitions_do_not_matter(spark, histories, n_partitions):
    frame = spark.createDataFrame(_arrow(histories)).repartition(n_partitions)
    expected = ItemKNN(30).fit(histories)
    model = large.fit(ItemKNN(30), frame)
    assert (model.similarity_ != expected.similarity_).nnz == 0
    assert abs(model.similarity_ - expected.similarity_).max() == 0
    found = large.recommend(model, frame, 7).toArrow().sort_by("user")
    assert (np.array(found["items"].to_pylist(), dtype=object) == expected.recommend(histories, 7)).all()
    gram = large.fit(EASE(incremental=True), frame)._statistics["gram"].exact()
    assert (gram != EASE(incremental=True).fit(histories)._statistics["gram"].exact()).nnz == 0


@pytest.mark.parametrize("model", [ItemKNN(20), RP3beta(20), EASE(50), TransitionRecommender()], ids=repr)
def test_small_blocks_and_groups_of_users_do_not_matter(frame, histories, monkeypatch, model):
    monkeypatch.setattr(_spark_products, "_WORK", 10**6)
    monkeypatch.setattr(_spark_products, "_ENTRIES", 20_000)
    blocks = []
    plan = _spark_products.plan_blocks
    monkeypatch.setattr("skrec.large._spark_fit.plan_blocks", lambda *args: blocks.append(plan(*args)) or blocks[-1])
    fitted = large.fit(clone(model), frame)
    assert len(blocks[0].bounds) > 5
    _assert_same_model(fitted, clone(model).fit(histories), histories[:100], rtol=1e-4)


@pytest.mark.parametrize(
    "vectorizer",
    [
        HistoryVectorizer(min_df=3),
        HistoryVectorizer(min_df=0.05, max_items=300),
        HistoryVectorizer(weight="use", binary=False, recency=0.9),
        HistoryVectorizer(vocabulary=["never sold", "85123A"]),
        make_pipeline(HistoryVectorizer(min_df=2, binary=False), BM25Transformer()),
    ],
    ids=lambda vectorizer: repr(vectorizer).replace("\n", ""),
)
def test_vectorizers(frame, histories, vectorizer):
    model = ItemKNN(10, vectorizer=vectorizer)
    expected = clone(model).fit(histories)
    fitted = large.fit(clone(model), frame)
    assert (fitted.items_ == expected.items_).all()
    assert (fitted.popularity_ == expected.popularity_).all()
    assert abs(fitted.similarity_ - expected.similarity_).max() < 1e-6
    assert (fitted.recommend(histories[:50]) == expected.recommend(histories[:50])).mean() > 0.99


def test_event_weights(spark):
    rng = np.random.default_rng(0)
    histories = pd.DataFrame({"item": [rng.integers(0, 20, 6).tolist() for _ in range(40)]})
    histories["event"] = [rng.choice(["view", "buy", "click"], 6).tolist() for _ in range(40)]
    vectorizer = HistoryVectorizer(event_weights={"view": 1, "buy": 3})
    expected = ItemKNN(5, vectorizer=vectorizer).fit(histories)
    fitted = large.fit(ItemKNN(5, vectorizer=vectorizer), spark.createDataFrame(_arrow(histories)))
    assert (fitted.items_ == expected.items_).all()
    assert abs(fitted.similarity_ - expected.similarity_).max() < 1e-6
    wrong = ItemKNN(vectorizer=HistoryVectorizer(event_weights={"sale": 1}))
    with pytest.raises(ValueError, match="no item is left"):
        large.fit(wrong, spark.createDataFrame(_arrow(histories)))


def test_tasks_that_are_repeated_count_once(spark, histories):
    def fail_first(batches):  # at the end of a partition, when its rows have gone out already
        from pyspark import TaskContext

        yield from batches
        if TaskContext.get().partitionId() == 1 and TaskContext.get().attemptNumber() == 0:
            raise RuntimeError("this task fails once")

    frame = spark.createDataFrame(_arrow(histories)).repartition(3, "user")
    frame = frame.mapInArrow(fail_first, frame.schema)
    expected = ItemKNN(20).fit(histories)
    model = large.fit(ItemKNN(20), frame)
    assert (model.popularity_ == expected.popularity_).all()
    assert abs(model.similarity_ - expected.similarity_).max() == 0
    found = large.recommend(model, frame).toArrow().sort_by("user")
    assert found.num_rows == len(histories)
    assert (np.array(found["items"].to_pylist(), dtype=object) == expected.predict(histories)).all()


def test_workers_that_die_count_once(spark, tmp_path):
    """A worker process that is killed loses what it has counted, and its task runs again."""
    histories = pd.DataFrame({"item": [[i % 7, i % 5, i % 3] for i in range(60)]})
    marker = str(tmp_path / "died")

    def die_once(batches):
        import os

        for batch in batches:
            yield batch
            try:
                os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                continue
            os._exit(1)

    frame = spark.createDataFrame(_arrow(histories)).repartition(4, "user")
    model = large.fit(PopularityRecommender(), frame.mapInArrow(die_once, frame.schema))
    assert Path(marker).exists()
    assert (model.popularity_ == PopularityRecommender().fit(histories).popularity_).all()


# ---- recommendations and metrics -------------------------------------------------------------------------------------


def test_recommend_takes_the_options_of_one_machine(frame, histories):
    model = ItemKNN(20, k=5).fit(histories)
    candidates, exclude = model.items_[:200], model.items_[50:60]
    options = {"k": 6, "candidates": candidates, "exclude": exclude, "exclude_seen": False}
    once = options | {"candidates": iter(candidates.tolist()), "exclude": iter(exclude.tolist())}
    found = large.recommend(model, frame, **once, return_scores=True).toArrow().sort_by("user")
    items, scores = model.recommend(histories, **options, return_scores=True)
    assert found.column_names == ["user", "items", "scores"]
    assert found["items"].to_pylist() == items.tolist()
    np.testing.assert_allclose(np.array(found["scores"].to_pylist()), scores, rtol=1e-6)


def test_recommend_knows_the_moment(frame, histories):
    model = BuyAgainRecommender(k=4, half_life=20, cooldown=0.5).fit(histories)
    for at in (None, "2011-06-01"):
        found = large.recommend(model, frame, at=at).toArrow().sort_by("user")
        assert found["items"].to_pylist() == model.recommend(histories, at=at).tolist()


def test_ids_that_are_numbers_stay_numbers(spark):
    histories = pd.DataFrame({"item": [[1, 2], [2, 3], [1, 3], []]})
    schema = pa.schema([("name", pa.string()), ("item", pa.list_(pa.int64())), ("age", pa.int32())])
    rows = {"name": list("abcd"), "item": histories["item"].tolist(), "age": [1, 2, 3, 4]}
    frame = spark.createDataFrame(pa.table(rows, schema=schema))
    model = large.fit(ItemKNN(k=2, shrinkage=0), frame)
    assert model.items_.dtype == np.int64
    found = large.recommend(model, frame, user="age").toArrow().sort_by("age")
    assert found["items"].to_pylist() == model.predict(histories).tolist()
    assert large.recommend(model, frame).columns == ["name", "items"]


def test_a_saved_model_is_asked_by_its_path(spark, frame, histories, tmp_path):
    model = ALS(8, random_state=0).fit(histories)
    path = save(model, tmp_path / "als.skrec")
    found = large.recommend(path, frame, 3).toArrow().sort_by("user")
    assert found["items"].to_pylist() == load(path).recommend(histories, 3).tolist()


def test_a_worker_loads_a_model_once(frame, histories):
    """The file is read by a worker, not by each batch or task of it."""
    from functools import partial

    from skrec.large._spark_answers import load_model, send_model

    sent, _ = send_model(ItemKNN(9).fit(histories[:50]), frame.sparkSession, ())

    def load_twice(sent, batches):
        import os

        first = load_model(sent)
        for _ in batches:
            assert load_model(sent) is first
        yield pa.RecordBatch.from_pydict({"process": [os.getpid()], "model": [id(first)]})

    found = frame.repartition(12).mapInArrow(partial(load_twice, sent), "process long, model long").toArrow()
    assert found.num_rows == 12
    pairs = set(zip(found["process"].to_pylist(), found["model"].to_pylist(), strict=True))
    assert len(pairs) == len(set(found["process"].to_pylist())) <= 4


def test_evaluate_is_the_mean_of_one_machine(spark, histories):
    X, y = split_last(histories, 3)
    table = _arrow(X).append_column("y", pa.array(y))
    frame = spark.createDataFrame(table).repartition(4)
    model = ItemKNN(50, exclude_seen=False).fit(X)
    scores = ranking_scores(
        y, model.recommend(X, 10), k=[5, 10], metrics=["ndcg", "recall", "auc"], n_items=model.n_items_
    )
    found = large.evaluate(model, frame, k=[5, 10], metrics=["ndcg", "recall", "auc"])
    assert found.pop("n_users") == np.isfinite(scores["ndcg@5"]).sum()
    assert found == pytest.approx({name: np.nanmean(values) for name, values in scores.items()})
    assert large.evaluate(model, frame, metrics="ndcg")["ndcg@10"] == pytest.approx(model.score(X, y))


def test_the_guide_holds_out_as_split_time_does(spark, frame, histories):
    from pyspark.sql import functions as F

    from skrec.model_selection import split_time

    at = F.to_timestamp(F.lit("2011-11-01 00:00:00+00:00"))
    before = F.size(F.filter("time", lambda moment: moment < at))
    held_out = frame.select("user", "item", "time", before.alias("n")).filter("n > 0 and n < size(item)")
    parts = ["slice(item, 1, n) as item", "slice(time, 1, n) as time", "slice(item, n + 1, size(item)) as y"]
    found = held_out.selectExpr("user", *parts).toArrow().sort_by("user")
    X, y = split_time(histories, "2011-11-01")
    both = (X["item"].list.len() > 0) & (y.list.len() > 0)
    assert found["user"].to_pylist() == histories.index[both].tolist()
    assert found["item"].to_pylist() == [list(row) for row in X["item"][both]]
    assert [list(dict.fromkeys(row)) for row in found["y"].to_pylist()] == [list(dict.fromkeys(row)) for row in y[both]]


def test_evaluate_refuses_what_has_no_answer(spark, frame, histories):
    model = ItemKNN(5).fit(histories[:50])
    with pytest.raises(ValueError, match="y='y' is not a column of frame"):
        large.evaluate(model, frame)
    with pytest.raises(TypeError, match=r"frame\['user'\] must hold arrays"):
        large.evaluate(model, frame, "user")
    with pytest.raises(ValueError, match="no user has a held-out item in 'y'"):
        large.evaluate(model, frame.selectExpr("*", "array_except(item, item) as y"))
    with pytest.raises(ValueError, match="metrics has the unknown name"):
        large.evaluate(model, frame, "item", metrics="ndcq")
    with pytest.raises(ValueError, match="k is empty"):
        large.evaluate(model, frame, "item", k=[])
    with pytest.raises(ValueError, match="is above the number of items"):
        large.evaluate(model, frame, "item", k=10**6)


# ---- updates ---------------------------------------------------------------------------------------------------------

UPDATABLE = [
    PopularityRecommender(),
    ItemKNN(20, incremental=True),
    RP3beta(20, incremental=True),
    EASE(50, incremental=True),
    TransitionRecommender(incremental=True),
    BuyAgainRecommender(incremental=True),
]


def _cut(histories, at):
    """Return the events before a moment."""
    from skrec.model_selection import split_time

    return split_time(histories, at)[0]


@pytest.mark.parametrize("model", UPDATABLE, ids=repr)
def test_update_equals_fit_on_all(spark, histories, model):
    at = "2011-11-20"
    before = _cut(histories, at)
    changed = before["item"].list.len() < histories["item"].list.len()
    frame = spark.createDataFrame(_arrow(histories[changed])).repartition(3)
    fitted = large.fit(clone(model), spark.createDataFrame(_arrow(before[before["item"].list.len() > 0])))
    held = fitted.items_
    assert large.update(fitted, frame, since=at) is fitted
    expected = clone(model).fit(before[before["item"].list.len() > 0])
    expected.partial_fit(histories[changed], since=at)
    assert len(fitted.items_) > len(held)
    _assert_same_model(fitted, expected, histories[:100], rtol=1e-3)


def test_update_by_numbers_of_known_events(spark):
    histories = pd.DataFrame({"item": [["a", "b"], ["b", "c"], ["a", "c", "d"]], "known": [2, 1, 1]})
    before = pd.DataFrame({"item": [["a", "b"], ["b"], ["a"]]})
    model = large.fit(ItemKNN(incremental=True), spark.createDataFrame(_arrow(before)))
    large.update(model, spark.createDataFrame(_arrow(histories)), since="known")
    expected = ItemKNN(incremental=True).fit(before).partial_fit(histories[["item"]], since=[2, 1, 1])
    _assert_same_model(model, expected, [["a"], ["d"]])
    kept = model.popularity_
    with pytest.raises(TypeError, match=r"since='known' must be a column of integers.* got double: cast it"):
        large.update(
            model, spark.createDataFrame([(["a", "b"], 1.7)], "item array<string>, known double"), since="known"
        )
    missing = spark.createDataFrame([(["a", "b"], None)], "item array<string>, known int")
    with pytest.raises(Exception, match="since='known' has missing values: fill in 0"):
        large.update(model, missing, since="known")
    assert model.popularity_ is kept


@pytest.mark.parametrize("name", ["user.id", "user`s id"])
def test_names_that_spark_takes_apart_are_refused(spark, name):
    frame = spark.createDataFrame([(1, ["a", "b"])], "user int, item array<string>").toDF(name, "item")
    with pytest.raises(ValueError, match=f"may have no dot or backtick in their names.* got {name!r}: rename it"):
        large.fit(PopularityRecommender(), frame)


def test_update_refuses_what_was_never_learned(spark):
    columns = "user int, item array<string>, time array<double>, n int"
    model = BuyAgainRecommender(incremental=True)
    large.fit(model, spark.createDataFrame([(1, ["a", "b"], [1.0, 2.0], 0)], columns))
    kept = model.popularity_
    frame = spark.createDataFrame([(9, ["a", "a"], [3.0, 4.0], 1)], columns)
    with pytest.raises(ValueError, match="holds histories that the model has not learned"):
        large.update(model, frame, since="n")
    assert model.popularity_ is kept
    with pytest.raises(ValueError, match="keeps no additive statistics: fit ItemKNN"):
        large.update(ItemKNN().fit([["a"]]), frame)
    with pytest.raises(TypeError, match="since must be a moment or the name of a column"):
        large.update(model, frame, since=[1, 2])


# ---- what cannot be fitted to all users ------------------------------------------------------------------------------


def test_a_sample_is_fitted_on_the_driver(frame, histories):
    model = ALS(4, max_iter=2, random_state=0)
    with pytest.raises(TypeError, match=r"ALS has no statistics that add up over the users.*sample="):
        large.fit(model, frame)
    assert not hasattr(model, "items_")
    all_users = large.fit(clone(model), frame, sample=1)
    np.testing.assert_allclose(all_users.item_factors_, clone(model).fit(histories).item_factors_, rtol=1e-4, atol=1e-6)
    first = large.fit(PopularityRecommender(), frame, sample=0.3, random_state=0)
    again = large.fit(PopularityRecommender(), frame.repartition(2), sample=0.3, random_state=0)
    other = large.fit(PopularityRecommender(), frame, sample=0.3, random_state=1)
    n_users = first._statistics["users"]
    assert 0.2 * len(histories) < n_users < 0.4 * len(histories)
    assert (first.scores_ == again.scores_).all()
    assert other._statistics["users"] != n_users or len(other.items_) != len(first.items_)


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        (RandomRecommender(), TypeError, "has no statistics that add up"),
        (ItemKNN(vectorizer="passthrough"), TypeError, "takes a matrix"),
        (
            ItemKNN(vectorizer=make_pipeline(HistoryVectorizer(), HistoryVectorizer())),
            TypeError,
            "vectorizer must be a",
        ),
        (PopularityRecommender(by="country"), TypeError, "by= is not counted on Spark"),
        (ItemKNN(n_neighbors=0), ValueError, "n_neighbors"),
        (ItemKNN(vectorizer=HistoryVectorizer(min_df=10**6)), ValueError, "no item is left"),
        ("ItemKNN", TypeError, "model must be a recommender of skrec"),
    ],
    ids=repr,
)
def test_fit_refuses(frame, model, error, message):
    with pytest.raises(error, match=message):
        large.fit(model, frame)
    assert not hasattr(model, "items_")


def test_frames_are_checked(spark, histories):
    model = ItemKNN().fit(histories[:20])
    with pytest.raises(TypeError, match="frame must be a Spark DataFrame"):
        large.fit(ItemKNN(), histories)
    with pytest.raises(ValueError, match="without the list column 'item'"):
        large.fit(ItemKNN(), spark.createDataFrame([(1, 2)], "user int, items int"))
    with pytest.raises(TypeError, match=r"frame\['item'\] has the type int, but an array column"):
        large.fit(ItemKNN(), spark.createDataFrame([(1, 2)], "user int, item int"))
    numbers = spark.createDataFrame([(1, [2])], "user int, item array<int>")
    with pytest.raises(TypeError, match="has numbers, but the model has learned strings"):
        large.recommend(model, numbers)
    with pytest.raises(ValueError, match="user='x' is not a column"):
        large.recommend(model, numbers, user="x")
    with pytest.raises(ValueError, match="frame has no column of users"):
        large.recommend(model, numbers.select("item"))
    with pytest.raises(ValueError, match="frame has no row"):
        large.fit(ItemKNN(), numbers.filter("user > 1"))
    with pytest.raises(ValueError, match=r"no event|no item is left"):
        large.fit(ItemKNN(), spark.createDataFrame([(1, [])], "user int, item array<int>"))


def test_options_are_checked_before_a_job_starts(frame, histories):
    model = ItemKNN().fit(histories[:20])
    with pytest.raises(ValueError, match="k must be an integer of at least 1"):
        large.recommend(model, frame, 0)
    with pytest.raises(ValueError, match="candidates holds none"):
        large.recommend(model, frame, candidates=["unknown"])
    with pytest.raises(ValueError, match="exclude leaves no item"):
        large.recommend(model, frame, exclude=model.items_)
    with pytest.raises(TypeError, match="exclude must hold ids that nobody gets"):
        large.recommend(model, frame, exclude=[["a"], ["b"]])


@pytest.mark.parametrize("name", large.__all__)
def test_the_examples_of_the_docstrings_run(spark, name):
    found = doctest.DocTestFinder().find(getattr(large, name), name, globs={"spark": spark})
    for test in found:
        for example in test.examples:
            example.options.pop(doctest.SKIP, None)
        failed, attempted = doctest.DocTestRunner(verbose=False).run(test)
        assert attempted and not failed


# ---- without Spark ---------------------------------------------------------------------------------------------------


def test_importing_loads_no_spark():
    code = "import sys, skrec, skrec.large.spark; skrec.large.spark.fit; assert 'pyspark' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_tables_have_a_bounded_number_of_events():
    pytest.importorskip("pyspark")
    from skrec.large._spark_frames import read_tables

    rng = np.random.default_rng(0)
    for limit in (1, 7, 50, 10**6):
        rows = [list(range(n)) for n in rng.integers(0, 20, 60)]
        rows[13] = list(range(90))
        batches = [pa.RecordBatch.from_pydict({"item": rows[start : start + 7]}) for start in range(0, 60, 7)]
        tables = list(read_tables(batches, limit))
        assert [row for table in tables for row in table["item"].to_pylist()] == rows
        sizes = [sum(map(len, table["item"].to_pylist())) for table in tables]
        assert all(size <= limit or table.num_rows == 1 for size, table in zip(sizes, tables, strict=True))
        assert all(table.num_rows for table in tables)


def test_blocks_cover_the_items_and_share_the_work():
    rng = np.random.default_rng(0)
    work = rng.zipf(1.3, 1000).clip(max=10**6) * 10**5
    work[100:200] = 0
    blocks = _spark_products.plan_blocks(work, 10**6, 16)
    assert blocks.bounds[0] == 0 and blocks.bounds[-1] == 1000 and (np.diff(blocks.bounds) > 0).all()
    assert len(blocks.bounds) <= 17 and (blocks.parts == 1).all()
    each = np.add.reduceat(work, blocks.bounds[:-1])
    assert each.max() <= work.sum() / 16 + work.max()
    many = _spark_products.plan_blocks(work, 10**12, 16)
    assert len(many.bounds) > 17 and many.parts.max() > 1
    assert (np.add.reduceat(work, many.bounds[:-1]) / many.parts <= 2 * _spark_products._ENTRIES).all()
    nothing = _spark_products.plan_blocks(np.zeros(3, dtype=np.int64), 0, 16)
    assert nothing.bounds.tolist() == [0, 3]


def test_matrices_travel_unchanged():
    rng = np.random.default_rng(0)
    for dtype in (np.float32, np.float64):
        for ones in (True, False):
            matrix = sp.random_array((20, 30), density=0.2, format="csr", rng=rng, dtype=dtype)
            if ones:
                matrix.data[:] = 1
            row = {"block": 0, "part": 0, "number": 0}
            row |= _spark_products._written("left", None) | _spark_products._written("right", matrix)
            (batch,) = _spark_products._batches([row])
            read = _spark_products._read(pa.Table.from_batches([batch]), 0, "right", 30)
            assert read.dtype == dtype and read.shape == matrix.shape and abs(read - matrix).max() == 0
