import numpy as np
import pytest

from skrec.base import BaseRecommender
from skrec.utils._users import Users

HISTORIES = [["a", "b"], ["b", "c"], ["b"]]


def test_methods_that_take_a_matrix_still_work_and_are_deprecated():
    with pytest.warns(FutureWarning, match=r"Old defines _fit\(self, matrix, histories\) and _score\(self, matrix\)"):

        class Old(BaseRecommender):
            def __init__(self, *, vectorizer=None, k=2, exclude_seen=False):
                self.vectorizer = vectorizer
                self.k = k
                self.exclude_seen = exclude_seen

            def _fit(self, matrix, histories):
                self.counts_ = matrix.sum(axis=0)
                self.n_events_ = len(histories.codes)

            def _score(self, matrix):
                return np.tile(self.counts_, (matrix.shape[0], 1))

    model = Old().fit(HISTORIES)
    assert model.n_events_ == 5
    assert model.predict([["c"]]).tolist() == [["b", "a"]]


def test_users_are_sliced_with_all_that_belongs_to_them():
    class Seeing(BaseRecommender):
        def __init__(self, *, vectorizer=None, k=2, exclude_seen=False):
            self.vectorizer = vectorizer
            self.k = k
            self.exclude_seen = exclude_seen

        def _fit(self, users):
            self.users_ = users

        def __sklearn_tags__(self):
            tags = super().__sklearn_tags__()
            tags.needs_order = True
            return tags

    users = Seeing().fit(HISTORIES).users_.with_extra(number=np.arange(3), nothing=None)
    some = users[1:3]
    assert isinstance(some, Users) and some.shape == (2, 3)
    assert some.histories.codes.tolist() == [1, 2, 1]
    assert some.extra["number"].tolist() == [1, 2] and some.extra["nothing"] is None
    for array in (users.matrix.data, users.matrix.indices, users.matrix.indptr, users.histories.codes):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
