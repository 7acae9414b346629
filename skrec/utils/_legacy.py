"""Models written before `Users`: ``_fit(matrix, histories)`` and ``_score(matrix)`` still work, with a warning."""

import functools
import inspect
import warnings


def accept_matrix_methods(cls: type) -> None:
    """Let methods of a new class that take a matrix take `Users`.

    Parameters
    ----------
    cls : type
        A subclass of `BaseRecommender`; its own ``_fit`` with two parameters, and its own ``_score`` and ``_weigh``
        whose parameter is named ``matrix``, are wrapped.
    """
    old = []
    if (method := vars(cls).get("_fit")) is not None and len(_parameters(method)) == 2:
        cls._fit = _two_arguments(method)  # type: ignore[attr-defined]
        cls._reads_histories = True  # type: ignore[attr-defined]
        old.append("_fit(self, matrix, histories)")
    for name in ("_score", "_weigh"):
        if (method := vars(cls).get(name)) is not None and _parameters(method) == ["matrix"]:
            setattr(cls, name, _one_argument(method))
            old.append(f"{name}(self, matrix)")
    if old:
        warnings.warn(
            f"{cls.__name__} defines {' and '.join(old)}, which is deprecated since skrec 0.2 and will be removed in "
            "0.4: take one argument `users`, and read users.matrix and users.histories",
            FutureWarning,
            stacklevel=4,
        )


def _parameters(method) -> list[str]:
    try:
        return list(inspect.signature(method).parameters)[1:]
    except (TypeError, ValueError):
        return []


def _two_arguments(method):
    @functools.wraps(method)
    def fit(self, users):
        ordered = getattr(self, "_needs_order", False)
        return method(self, users if ordered else users.matrix, users.histories)

    return fit


def _one_argument(method):
    @functools.wraps(method)
    def score(self, users):
        return method(self, getattr(users, "matrix", users))

    return score
