"""Columns of CSV files as Arrow arrays: read as text, then typed by one rule."""

import csv as text_csv
import gzip

from ._event_columns import ZONE, first_line, mixed_zones, plain

INTEGER = r"^(0|-?[1-9][0-9]{0,18})$"  # written as Python writes it, so that it reads back the same


def csv_header(path: str, encoding: str | None = None) -> tuple[list[str], str]:
    """Return the names of the columns of a CSV file and what separates them."""
    try:
        with (gzip.open if path.lower().endswith(".gz") else open)(
            path, "rt", encoding=encoding or "utf-8-sig", newline=""
        ) as file:
            first = file.readline().removeprefix("\ufeff")
            delimiter = max(",;\t|", key=first.count)
            header = next(text_csv.reader([first], delimiter=delimiter), [])
    except LookupError as error:
        raise ValueError(f"encoding={encoding!r} is not known: name one such as 'latin-1' or 'cp1252'") from error
    except (OSError, EOFError, UnicodeError) as error:
        raise ValueError(_not_text(path, encoding, error)) from error
    if not header:
        raise ValueError(f"{path} is empty: a CSV file of events begins with the names of its columns")
    return header, delimiter


def _not_text(path: str, encoding: str | None, error: BaseException) -> str:
    named = encoding or "UTF-8"
    return (
        f"{path} cannot be read as {named} text ({first_line(error)}): name its encoding, such as encoding='latin-1', "
        "or convert it first"
    )


def csv_text(path: str, wanted: list[str] | None, encoding: str | None = None, n_rows: int | None = None):
    """Return columns of a CSV file as an Arrow table of text, nulls where a cell is empty.

    `wanted` None takes all columns, `n_rows` the first rows alone, a block or more.
    """
    import pyarrow as pa
    from pyarrow import csv

    names, delimiter = csv_header(path, encoding)
    how = {
        "read_options": csv.ReadOptions(encoding=encoding or "utf8"),
        "parse_options": csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        "convert_options": csv.ConvertOptions(
            include_columns=wanted,
            column_types=dict.fromkeys(names if wanted is None else wanted, pa.string()),
            strings_can_be_null=True,
            null_values=[""],
            quoted_strings_can_be_null=False,
        ),
    }
    try:
        if n_rows is None:
            return csv.read_csv(path, **how)
        with csv.open_csv(path, **how) as reader:
            batches, n_read = [], 0
            for batch in reader:
                batches.append(batch)
                n_read += len(batch)
                if n_read >= n_rows:
                    break
            return pa.Table.from_batches(batches, reader.schema)
    except UnicodeError as error:
        raise ValueError(_not_text(path, encoding, error)) from error
    except (OSError, pa.ArrowException) as error:
        if "UTF8" in str(error):
            raise ValueError(_not_text(path, encoding, error)) from error
        raise ValueError(f"{path} cannot be read as CSV ({first_line(error)}): check the file") from error


def typed(text, role: str, name: str):
    """Give a column of text its type: see the notes of `to_histories`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    text = plain(text)
    if pc.all(pc.match_substring_regex(text, INTEGER)).as_py() in (True, None):
        try:
            return text.cast(pa.int64())
        except pa.ArrowInvalid:  # beyond 64 bits
            return text
    if role in ("time", "weight"):
        for kind in [pa.float64()] + ([pa.timestamp("us")] if role == "time" else []):
            try:
                return text.cast(kind)
            except pa.ArrowInvalid:
                pass
    return _zoned_times(text, name) if role == "time" else text


def _zoned_times(text, name: str):
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        times = pd.to_datetime(text.to_pandas(), format="ISO8601", utc=True)
    except ValueError:
        return text
    zoned = pc.match_substring_regex(text.drop_null(), ZONE)
    if pc.any(zoned).as_py() and not pc.all(zoned).as_py():
        raise ValueError(mixed_zones(f"time column {name!r}"))
    return pa.array(times.dt.tz_localize(None).dt.as_unit("us"), from_pandas=True)
