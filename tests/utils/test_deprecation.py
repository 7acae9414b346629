import inspect
import pickle
import sys
import types
import warnings
from typing import NamedTuple

import pytest
from sklearn.base import BaseEstimator, clone

from skrec.linear_model import EASE
from skrec.utils._deprecation import deprecated, moved_names

VERSIONS = {"since": "0.2", "removed_in": "0.4"}


@deprecated(**VERSIONS, instead="skrec.new")
def old_function(a, b=2):
    """Add two numbers.

    With `+`.
    """
    return a + b


@deprecated(**VERSIONS, instead="skrec.New")
class OldEstimator(BaseEstimator):
    """An estimator."""

    def __init__(self, alpha=1.0):
        self.alpha = alpha


@deprecated(**VERSIONS, instead="skrec.New")
class OldTuple(NamedTuple):
    a: int
    b: int = 2


@deprecated(**VERSIONS, instead="skrec.New")
class Empty:
    pass


def test_a_deprecated_function_warns_in_the_caller_and_works():
    with pytest.warns(
        FutureWarning, match=r"old_function is deprecated since skrec 0.2.*removed in 0.4: use skrec.new"
    ) as seen:
        assert old_function(1, b=4) == 5
    assert [warning.filename for warning in seen] == [__file__]


def test_signature_and_docstring_are_kept():
    assert str(inspect.signature(old_function)) == "(a, b=2)"
    summary, note, rest = old_function.__doc__.split("\n\n")
    assert summary == "Add two numbers." and rest == "With `+`."
    assert note.startswith(".. deprecated:: 0.2\n   ") and "`skrec.new`" in note
    assert Empty.__doc__.startswith(".. deprecated:: 0.2")


def test_a_deprecated_estimator_warns_and_remains_an_estimator():
    with pytest.warns(FutureWarning, match="use skrec.New instead") as seen:
        model = OldEstimator(alpha=3)
    assert [warning.filename for warning in seen] == [__file__]
    assert isinstance(model, OldEstimator) and model.get_params() == {"alpha": 3}
    with pytest.warns(FutureWarning):
        assert clone(model).alpha == 3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert pickle.loads(pickle.dumps(model)).alpha == 3  # loading is no use of the name


def test_subclasses_warn():
    class Child(OldEstimator):
        pass

    with pytest.warns(FutureWarning, match="OldEstimator is deprecated"):
        assert Child(2).alpha == 2


def test_a_class_whose_new_takes_the_arguments():
    with pytest.warns(FutureWarning):
        assert OldTuple(1) == (1, 2)


def test_wrong_arguments_are_still_refused():
    with pytest.warns(FutureWarning), pytest.raises(TypeError):
        Empty(1)
    with pytest.warns(FutureWarning), pytest.raises(TypeError):
        old_function()


def test_only_functions_and_classes():
    with pytest.raises(TypeError, match="needs a function or a class, got int"):
        deprecated(**VERSIONS, instead="x")(3)


@pytest.fixture
def old_module(monkeypatch):
    module = types.ModuleType("old_place")
    module.__getattr__ = moved_names("old_place", {"Model": "skrec.linear_model.EASE"}, **VERSIONS)
    monkeypatch.setitem(sys.modules, "old_place", module)
    return module


def test_a_moved_name_is_the_object_itself(old_module):
    with pytest.warns(FutureWarning, match=r"old_place.Model is deprecated.*use skrec.linear_model.EASE") as seen:
        from old_place import Model
    assert Model is EASE
    assert [warning.filename for warning in seen] == [__file__]


def test_other_names_of_the_old_module_do_not_exist(old_module):
    with pytest.raises(AttributeError, match="module 'old_place' has no attribute 'Other'"):
        _ = old_module.Other


def test_targets_name_a_module_and_a_name():
    with pytest.raises(ValueError, match=r"targets\['A'\] must be a module and a name"):
        moved_names("old_place", {"A": "EASE"}, **VERSIONS)
