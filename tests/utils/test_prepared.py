"""What is prepared for a model: made once, kept beside it, gone with what it was made from."""

import copy
import gc
import pickle
import weakref

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone

from skrec import persistence
from skrec.decomposition import ALS
from skrec.linear_model import EASE
from skrec.utils import _prepared
from skrec.utils._frame_parameter import shallow
from skrec.utils._prepared import _kept, id_table, item_order, prepared

A = [[1, 2], [2, 3], [2, 4, 1]]
B = [["x", "y"], ["y", "z", "y"]]


def test_made_once_for_the_same_objects():
    made, model, source = [], EASE(), np.arange(3)

    def make(array):
        made.append(array)
        return array.sum()

    assert [prepared(model, "sum", make, source) for _ in range(3)] == [3, 3, 3]
    assert len(made) == 1
    assert prepared(model, "sum", make, source.copy()) == 3  # equal, but another object
    assert prepared(EASE(), "sum", make, source) == 3
    assert len(made) == 3


def test_swapped_attributes_are_seen():
    model = EASE().fit(A)
    assert model.recommend([[1]], k=4).shape == (1, 4)
    model.popularity_ = np.array([0, 0, 9, 0])
    assert item_order(model)[0][0] == 2
    model.items_ = model.vectorizer_.items_ = np.array([10, 20, 30, 40])
    assert set(id_table(model)) == {10, 20, 30, 40}
    assert_array_equal(np.sort(model.recommend([[10]], k=4)), [[10, 20, 30, 40]])


def test_a_vectorizer_with_other_items_is_not_taken_for_the_models_own():
    model = EASE().fit(A)
    model.vectorizer_ = copy.copy(model.vectorizer_)
    model.vectorizer_.items_ = model.items_[::-1].copy()
    assert_array_equal(model.recommend([[1]]), model.recommend(([1], [1]))[:1])


def test_refitting_drops_it():
    model = EASE().fit(A)
    model.recommend([[1]])
    old = weakref.ref(model.items_)
    assert id(model) in _kept
    model.fit(B)
    assert id(model) not in _kept
    gc.collect()
    assert old() is None
    assert_array_equal(model.recommend([["x"]], k=1), [["y"]])


def test_it_goes_with_the_model():
    model = EASE().fit(A)
    model.recommend([[1]])
    held = weakref.ref(model)
    before = len(_kept)
    del model
    gc.collect()
    assert held() is None
    assert len(_kept) == before - 1


def test_models_that_are_equal_or_have_no_hash():
    class Equal(EASE):
        def __eq__(self, other):
            return True

    one, other = Equal().fit(A), Equal().fit(B)
    assert_array_equal(one.recommend([[2]], k=1), EASE().fit(A).recommend([[2]], k=1))
    assert_array_equal(other.recommend([["x"]], k=1), [["y"]])
    assert id_table(one) != id_table(other)


def test_it_is_no_part_of_the_model(tmp_path):
    model, asked = (ALS(2, max_iter=2, random_state=0).fit(A) for _ in range(2))
    asked.recommend([[1]], return_scores=True)
    assert vars(model).keys() == vars(asked).keys()
    assert pickle.dumps(model) == pickle.dumps(asked)
    assert model.get_params() == asked.get_params()
    assert vars(clone(asked)).keys() == vars(clone(model)).keys()
    loaded = persistence.load(persistence.save(asked, tmp_path / "model.skrec"))
    assert vars(loaded).keys() == vars(model).keys()


def test_copies_have_their_own():
    model = ALS(2, max_iter=2, random_state=0).fit(A)
    answer = model.recommend([[1]], k=4, return_scores=True)
    for other in (shallow(model), copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert id(other) not in _kept
        assert_array_equal(other.recommend([[1]], k=4, return_scores=True), answer)
    other = shallow(model)
    other.item_factors_ = -model.item_factors_[::-1].copy()
    changed = other.recommend([[1]], k=4, return_scores=True)
    assert not np.array_equal(changed[1], answer[1])
    assert_array_equal(model.recommend([[1]], k=4, return_scores=True), answer)


def test_ids_that_a_dict_cannot_tell():
    class Model:
        pass

    for items, known in [
        (np.array([1.0, 2.0]), False),
        (np.array([1, 2], dtype=np.uint64), True),
        (np.array([1, 2**63], dtype=np.uint64), False),
        (np.array(["a", "b"], dtype=object), True),
        (np.array(["a", np.str_("b")], dtype=object), False),
        (np.array([1, 2], dtype=object), False),
    ]:
        model = Model()
        model.items_ = items
        assert (id_table(model) is not None) == known


@pytest.mark.parametrize("ids", [np.arange(5, 500, 5), np.array(sorted(f"item {n}" for n in range(99)), dtype=object)])
def test_ids_of_a_large_catalogue_are_searched_in_their_order(monkeypatch, ids):
    expected = _prepared._id_table(ids)
    monkeypatch.setattr(_prepared, "_MOST_IDS", 10)
    table = _prepared._id_table(ids)
    assert isinstance(table, _prepared.SortedIds)
    others = [-3, 7, 10**18, 2**63] if ids.dtype.kind == "i" else ["", "item 1000", "zzz"]
    for one in [*ids.tolist(), *others]:
        assert table.get(one, -1) == expected.get(one, -1)
    assert _prepared._id_table(ids[::-1].copy()) is None
