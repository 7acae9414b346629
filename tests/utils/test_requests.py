import numpy as np
import pandas as pd
import pytest

from skrec.neighbors import ItemKNN

HISTORIES = [["a", "b", "c"], ["a", "b"], ["b", "c", "d"], ["d", "a"]]


@pytest.fixture(scope="module")
def model():
    return ItemKNN(k=3).fit(HISTORIES)


@pytest.mark.parametrize(
    "exclude",
    [
        ["b", "c"],
        ("b", "c"),
        {"b", "c"},
        np.array(["b", "c"]),
        pd.Series(["b", "c"]),
        (item for item in ["b", "c"]),
        map(str, ["b", "c"]),
        dict.fromkeys(["b", "c"]).keys(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_exclude_is_any_collection_read_once(model, exclude):
    assert model.recommend([["a"]], exclude=exclude).tolist() == [["d", "a"]]


def test_exclude_by_user(model):
    X = [["a"], ["a"], ["a"]]
    lists = [None, ["b"], np.nan]
    expected = model.recommend(X[:1], k=3)[0].tolist()
    for exclude in (lists, np.array([None, ["b"], None], dtype=object), (one for one in lists), {1: ["b"]}):
        answer = model.recommend(X, k=3, exclude=exclude)
        assert answer[0].tolist() == answer[2].tolist() == expected
        assert "b" not in answer[1]
    frame = pd.DataFrame({"item": X}, index=["u", "v", "w"])
    assert "b" not in model.recommend(frame, exclude={"v": ["b"]})[1]
    assert model.recommend(X, exclude=[None] * 3)[0].tolist() == expected


@pytest.mark.parametrize(
    ("options", "kind", "match"),
    [
        ({"exclude": "b"}, TypeError, "exclude must be a list of ids, got 'b'"),
        ({"exclude": {7: ["b"]}}, ValueError, "exclude names the user 7, who is not in X"),
        ({"exclude": [["b"], "c"]}, TypeError, "exclude has one list of ids per user, but 'c'"),
        ({"exclude": pd.DataFrame({"item": ["b"]})}, TypeError, "exclude must hold ids, got a frame"),
        ({"candidates": {"b": 1}}, TypeError, "candidates must be a list of ids, got a dict"),
        ({"candidates": [["b"]]}, TypeError, "candidates must be one list of ids"),
        ({"exclude_seen": "false"}, TypeError, "exclude_seen must be True or False"),
        ({"return_scores": "false"}, TypeError, "return_scores must be True or False"),
        ({"k": True}, ValueError, "k must be an integer"),
    ],
)
def test_malformed_options_are_told_for_what_they_are(model, options, kind, match):
    with pytest.raises(kind, match=match):
        model.recommend([["a"]], **options)


BIG = [2**63 + 5, 2**60 + 1, 2**60 + 2, 2**53 + 1]


@pytest.mark.parametrize(
    "wrap", [list, lambda ids: np.array(ids, dtype=np.uint64), lambda ids: [np.uint64(i) for i in ids]]
)
def test_large_integers_stay_what_they_are(wrap):
    model = ItemKNN(k=4).fit([wrap(BIG[:2]), wrap([BIG[0], BIG[2]]), wrap(BIG[2:])])
    assert sorted(model.items_.tolist()) == sorted(BIG)
    assert model.recommend([wrap(BIG[:1])], candidates=[BIG[2]]).tolist() == [[BIG[2]]]
    assert BIG[1] not in model.recommend([BIG[:1]], exclude=[BIG[1]])
    assert model.recommend([[-1]], exclude=[-5, BIG[1]]).shape == (1, 3)


def test_ids_that_no_type_holds_together_are_an_error():
    with pytest.raises(TypeError, match="beyond 64 bits"):
        ItemKNN().fit([[2**63 + 1, -1]])
    with pytest.raises(ValueError, match=r"beyond 2\*\*53"):
        ItemKNN().fit([[2.0**60, 1.0]])


def test_an_arrow_table_is_a_frame_of_users():
    pa = pytest.importorskip("pyarrow")
    model = ItemKNN(k=3).fit(pa.table({"item": HISTORIES}))
    assert (
        model.recommend(pa.table({"item": [["a"]]})).tolist() == ItemKNN(k=3).fit(HISTORIES).predict([["a"]]).tolist()
    )
    with pytest.raises(ValueError, match="without the list column 'item'"):
        ItemKNN().fit(pa.table({"u": [1, 2], "i": [3, 4]}))


def test_matrix_frames_name_their_columns():
    values = np.array([[1.0, 1, 0], [0, 1, 1], [1, 1, 1]])
    plain = ItemKNN(k=3, vectorizer="passthrough").fit(pd.DataFrame(values))
    assert plain.predict(pd.DataFrame(values)).tolist() == plain.predict(values).tolist()
    frame = pd.DataFrame(values, columns=[30, 10, 20])
    named = ItemKNN(k=3, vectorizer="passthrough").fit(frame)
    assert named.predict(frame).tolist() == named.items_[plain.predict(values)].tolist()
    assert set(named.items_.tolist()) == {10, 20, 30}
    for model, other in ((named, frame[[10, 20, 30]]), (plain, frame), (named, pd.DataFrame(values))):
        with pytest.raises(ValueError, match="X has other columns than in fit"):
            model.predict(other)


@pytest.mark.parametrize("value", [np.inf, np.nan, 1j, "a"], ids=str)
def test_errors_of_a_matrix_name_x(value):
    matrix = np.array([[1, 0, value], [0, 1, 0]], dtype=None)
    with pytest.raises((TypeError, ValueError), match=r"^X must be a user x item matrix of finite numbers"):
        ItemKNN(vectorizer="passthrough").fit(matrix)


@pytest.mark.parametrize(
    "value", [3, [1, 2], [[1], None], {"a": 1}, np.ones((2, 2, 2)), pd.Series([[1], [2]])], ids=str
)
def test_what_is_no_matrix_names_x(value):
    model = ItemKNN(vectorizer="passthrough").fit(np.eye(3))
    for call in (ItemKNN(vectorizer="passthrough").fit, model.recommend):
        with pytest.raises((TypeError, ValueError), match=r"^X "):
            call(value)


def test_a_dict_of_exclusions_needs_rows_that_can_be_counted():
    model = ItemKNN().fit([[1, 2], [2, 3]])
    with pytest.raises(TypeError, match=r"^X must be a sequence"):
        model.recommend((row for row in [[1], [2]]), exclude={0: [3]})


def test_a_duration_is_no_number_of_items():
    model = ItemKNN().fit([[1, 2], [2, 3]])
    with pytest.raises(ValueError, match="k must be an integer"):
        model.recommend([[1]], k=np.timedelta64(3, "D"))


@pytest.mark.parametrize("at", [np.ones((2, 2)), np.array([]), pd.DataFrame({"a": [1]}), 10**400], ids=str)
def test_a_moment_is_one_moment(at):
    with pytest.raises((TypeError, ValueError), match=r"^at "):
        ItemKNN().fit([[1, 2], [2, 3]]).recommend([[1]], at=at)
