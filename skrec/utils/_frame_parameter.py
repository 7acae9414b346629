"""Estimators that take frames or Series by item id as constructor parameters."""

from importlib.util import find_spec

import numpy as np

from ._histories import is_frame


class FrameParameter:
    """Mixin, first of the bases, for constructor parameters that hold a frame or Series; `_frames` names them.

    A clone holds the same frame, not a copy of it; `repr` gives its shape; and pickle and model files hold it as Arrow
    bytes in an array, so that no code is needed to read it. A frame that Arrow cannot hold, of pictures for instance,
    is pickled as it is and cannot be written to a model file.
    """

    _frames: tuple[str, ...] = ("item_features",)

    def _held(self, attributes: dict) -> dict:
        return {name: attributes[name] for name in self._frames if _is_table(attributes.get(name))}

    def __sklearn_clone__(self):
        held = self._held(vars(self))
        bare = super(FrameParameter, _with(self, dict.fromkeys(held))).__sklearn_clone__()
        return bare.set_params(**held)

    def __repr__(self, N_CHAR_MAX=700):
        shapes = {name: _Shape(frame) for name, frame in self._held(vars(self)).items()}
        return super(FrameParameter, _with(self, shapes)).__repr__(N_CHAR_MAX=N_CHAR_MAX)

    def __getstate__(self):
        state = dict(super().__getstate__())
        return state | {name: _to_bytes(frame) for name, frame in self._held(state).items()}

    def __setstate__(self, state):
        state = dict(state)
        for name in self._frames:
            if isinstance(state.get(name), np.ndarray):
                state[name] = _from_bytes(state[name])
        super().__setstate__(state)


class _Shape:
    """What `repr` shows of a frame or Series."""

    def __init__(self, frame):
        self.text = f"<{len(frame)} items" + (f", {frame.shape[1]} columns>" if len(frame.shape) == 2 else ">")

    def __repr__(self):
        return self.text


def shallow(estimator):
    """Return another estimator with the same attributes, none of them copied."""
    other = type(estimator).__new__(type(estimator))
    other.__dict__.update(vars(estimator))
    return other


def _with(estimator, attributes: dict):
    other = shallow(estimator)
    other.__dict__.update(attributes)
    return other


def _is_table(value) -> bool:
    return is_frame(value) or (hasattr(value, "iloc") and hasattr(value, "to_frame"))


def _to_bytes(frame):
    """Return a frame or Series as bytes in an array, or as it is if Arrow cannot hold its cells."""
    import pyarrow as pa

    try:
        if not hasattr(frame, "iloc"):
            table, library = frame.to_arrow(), "polars"
        elif frame.ndim == 2:
            table, library = pa.Table.from_pandas(frame), "pandas"
        else:
            table, library = pa.Table.from_pandas(frame.to_frame("value")), "pandas Series"
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return frame
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), b"skrec": library.encode()})
    sink = pa.BufferOutputStream()
    compressed = pa.ipc.IpcWriteOptions(compression="zstd" if pa.Codec.is_available("zstd") else None)
    with pa.ipc.new_stream(sink, table.schema, options=compressed) as writer:
        writer.write_table(table)
    return np.frombuffer(sink.getvalue(), dtype=np.uint8)


def _from_bytes(data: np.ndarray):
    import pyarrow as pa

    table = pa.ipc.open_stream(pa.py_buffer(np.ascontiguousarray(data))).read_all()
    library = table.schema.metadata[b"skrec"]
    if library == b"polars" and find_spec("polars") is not None:
        import polars

        return polars.from_arrow(table)
    frame = table.to_pandas()
    if library == b"polars":
        return frame.set_index("item")
    return frame["value"].rename(None) if library == b"pandas Series" else frame
