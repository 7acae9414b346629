"""State that can be stored compactly and without pickle."""

import inspect

import numpy as np


class CompactIdState:
    """Mixin that stores arrays of string ids with a fixed width instead of one object per id.

    Model files without pickle hold an object array as one JSON node per element: a million ids would take
    hundreds of megabytes. Strings of a fixed width are stored as plain bytes and become objects again on loading.
    """

    def __getstate__(self):
        state = dict(super().__getstate__())
        for name, value in state.items():
            if _is_id_array(value):
                state[name] = value.astype(str)
        return state

    def __setstate__(self, state):
        state = {
            name: value.astype(object) if isinstance(value, np.ndarray) and value.dtype.kind == "U" else value
            for name, value in state.items()
        }
        parent = getattr(super(), "__setstate__", None)
        if parent is None:
            self.__dict__.update(state)
        else:
            parent(state)
        fill_parameters(self)


def fill_parameters(estimator) -> None:
    """Give parameters that the version which saved the estimator did not have their defaults."""
    names: list[str] = getattr(type(estimator), "_get_param_names", list)()
    missing = [name for name in names if name not in vars(estimator)]
    if missing:
        defaults = inspect.signature(type(estimator).__init__).parameters
        vars(estimator).update({name: defaults[name].default for name in missing if name in defaults})


def _is_id_array(value) -> bool:
    return (
        isinstance(value, np.ndarray)
        and value.dtype == object
        and value.ndim == 1
        and len(value) > 0
        and all(isinstance(one, str) and not one.endswith("\0") for one in value)
    )
