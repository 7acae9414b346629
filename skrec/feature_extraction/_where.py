"""Conditions on events, such as "Quantity > 0 and Country in ('France', 'Spain')": read without running code."""

import ast
import re

import numpy as np

from ._event_columns import check_columns

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'[^']*'|\"[^\"]*\")|(?P<name>`[^`]+`)|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<word>[^\W\d]\w*)|(?P<sign><=|>=|==|!=|<>|=|<|>|\(|\)|\[|\]|,|-))"
)
_SIGNS = {"=": "==", "<>": "!="}
_FORM = (
    "write comparisons of columns with and, or, not and in, such as \"Quantity > 0 and Country != 'France'\"; a column "
    "whose name has other signs stands in backticks"
)
_COMPARE = {
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
}


class Where:
    """A condition on the columns of a table of events.

    Parameters
    ----------
    text : str
        The condition: comparisons (``=``, ``!=``, ``<``, ``<=``, ``>``, ``>=``, ``in``) of columns with numbers, quoted
        texts or other columns, joined by ``and``, ``or``, ``not`` and parentheses. Nothing else is read, so that no
        code can run.

    Attributes
    ----------
    columns : list of str
        The columns that it names, in order of first appearance.
    """

    def __init__(self, text: str):
        if not isinstance(text, str):
            raise TypeError(f"where must be a str, got {text!r}: {_FORM}")
        self.text = text
        self.columns: list[str] = []
        try:
            self._tree = ast.parse(self._python(text), mode="eval").body
        except (SyntaxError, RecursionError, MemoryError) as error:
            raise self._error("cannot be read") from error
        self._check(self._tree)

    @property
    def roles(self) -> dict[str, str]:
        """The columns by what they are for, as `check_columns` takes them."""
        return {f"where {number}": name for number, name in enumerate(self.columns)}

    def check_columns(self, columns: list) -> None:
        """Raise where a table lacks a column of the condition."""
        check_columns(self.roles, columns)

    def _error(self, what: str) -> ValueError:
        return ValueError(f"where={self.text!r} {what}: {_FORM}")

    def _python(self, text: str) -> str:
        """Return the condition with numbered names for columns."""
        parts, position, text = [], 0, text.rstrip()
        while position < len(text):
            token = _TOKEN.match(text, position)
            if token is None:
                raise self._error(f"has {text[position:].strip()[:10]!r}, which has no meaning there")
            kind = token.lastgroup or ""
            position, value = token.end(), token.group(kind)
            if kind == "word" and value.lower() in ("and", "or", "not", "in", "true", "false"):
                parts.append(value.title() if value.lower() in ("true", "false") else value.lower())
            elif kind in ("word", "name"):
                name = value.strip("`")
                if name not in self.columns:
                    self.columns.append(name)
                parts.append(f"_{self.columns.index(name)}")
            elif kind == "text":
                parts.append(repr(value[1:-1]))
            else:
                parts.append(_SIGNS.get(value, value))
        return " ".join(parts)

    def _check(self, node) -> None:
        if isinstance(node, ast.BoolOp):
            for value in node.values:
                self._check(value)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            self._check(node.operand)
        elif isinstance(node, ast.Compare):
            if len(node.ops) > 1:
                raise self._error("compares three values at once")
            self._check_value(node.left)
            if not isinstance(node.ops[0], (ast.In, ast.NotIn)):
                self._check_value(node.comparators[0])
            elif isinstance(node.comparators[0], (ast.Tuple, ast.List)):
                for value in node.comparators[0].elts:
                    if isinstance(value, ast.Name):
                        raise self._error("has a column in a list")
                    self._check_value(value)
            elif not isinstance(node.comparators[0], ast.Constant):
                raise self._error("needs a list in parentheses after in")
        else:
            raise self._error("is no comparison")

    def _check_value(self, node) -> None:
        negative = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)
        if not isinstance(
            node.operand if negative else node, (ast.Constant,) if negative else (ast.Constant, ast.Name)
        ):
            raise self._error("compares something that is neither a column nor a value")
        if negative and isinstance(node.operand.value, str):
            raise self._error("has a negative text")

    def mask(self, column) -> np.ndarray:
        """Tell which events fulfil the condition; a missing value fulfils no comparison.

        Parameters
        ----------
        column : callable
            Gives the values of a column, by its name, as a pandas Series.

        Returns
        -------
        ndarray of shape (n_events,), dtype bool
            True where an event stays.
        """
        mask = self._mask(self._tree, column)
        if len(mask) and not mask.any():
            raise ValueError(f"where={self.text!r} fits none of the {len(mask)} events: correct the condition")
        return mask

    def _mask(self, node, column) -> np.ndarray:
        if isinstance(node, ast.BoolOp):
            join = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
            return join.reduce([self._mask(value, column) for value in node.values])
        if isinstance(node, ast.UnaryOp):
            return ~self._mask(node.operand, column)
        left, right, op = node.left, node.comparators[0], node.ops[0]
        if isinstance(op, (ast.In, ast.NotIn)):
            values = right.elts if isinstance(right, (ast.Tuple, ast.List)) else [right]
            found = np.logical_or.reduce([self._compare(left, value, np.equal, column) for value in values])
            return found if isinstance(op, ast.In) else ~found
        return self._compare(left, right, _COMPARE[type(op)], column)

    def _compare(self, left, right, how, column) -> np.ndarray:
        sides = [self._value(node, column) for node in (left, right)]
        series = [side for side in sides if hasattr(side, "iloc")]
        if not series:
            raise self._error("has a comparison without a column")
        there = np.logical_and.reduce([side.notna().to_numpy() for side in series])
        # compared as text only where a quoted text asks for it, or both columns hold text
        as_text = any(isinstance(side, str) for side in sides)
        as_time = any(getattr(side.dtype, "kind", "") == "M" for side in series)
        result = np.zeros(len(there), dtype=bool)
        try:
            values = [self._plain(side, there, as_text, as_time) for side in sides]
        except ValueError:
            if len(series) < 2 or as_time:
                raise
            values = [self._plain(side, there, True, False) for side in sides]  # two columns of text
        result[there] = how(*values)
        return result

    def _value(self, node, column):
        if isinstance(node, ast.Name):
            return column(self.columns[int(node.id[1:])])
        return -node.operand.value if isinstance(node, ast.UnaryOp) else node.value

    def _plain(self, side, there, as_text: bool, as_time: bool):
        import pandas as pd

        from ..utils._time import as_days, as_moment

        if not hasattr(side, "iloc"):
            return as_moment(side, "where", dated=True) if as_time else side
        known = side[there]
        if as_time:
            return as_days(known.to_numpy(), f"where={self.text!r}")
        if as_text:
            return known.astype(str).to_numpy(dtype=object)
        if known.dtype == bool or known.dtype.kind in "iufb":
            return known.to_numpy()
        try:
            return pd.to_numeric(known).to_numpy()
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"where={self.text!r} compares the column {side.name!r} with a number, but it holds other values "
                f"({error}): write the value in quotes"
            ) from error
