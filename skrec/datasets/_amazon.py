"""Amazon reviews, in the formats of 2014, 2018 and 2023."""

import ast
import gzip
import json
from pathlib import Path

from sklearn.utils import Bunch

from ..feature_extraction._events import to_histories
from ._files import checked

_OWNER = "the Amazon review data pages of Julian McAuley's group at UC San Diego"
# (user, item, rating, time, unit of time) in each format of review files
_FIELDS = [
    ("reviewerID", "asin", "overall", "unixReviewTime", "s"),
    ("user_id", "parent_asin", "rating", "timestamp", "ms"),
]
_COLUMNS = ["user_id", "item_id", "rating", "timestamp"]
# columns of the item frame, and what they are called in the metadata of each year
_ITEM = {
    "title": ["title"],
    "brand": ["brand", "store"],
    "price": ["price"],
    "category": ["category", "categories"],
    "description": ["description"],
}

_DESCR = """Amazon reviews

Reviews and ratings of products on amazon.com, with product metadata, collected by Julian McAuley's group.

2014: J. McAuley, C. Targett, Q. Shi and A. van den Hengel. Image-based recommendations on styles and substitutes.
      SIGIR 2015.
2018: J. Ni, J. Li and J. McAuley. Justifying recommendations using distantly-labeled reviews and fine-grained aspects.
      EMNLP 2019.
2023: Y. Hou, J. Li, Z. He, A. Yan, X. Chen and J. McAuley. Bridging language and items for retrieval and
      recommendation. arXiv:2403.03952.
"""


def load_amazon_reviews(path, metadata=None) -> Bunch:
    """Load a local copy of an Amazon review file.

    Parameters
    ----------
    path : str or Path
        A file of reviews, one JSON object a line (``.json``, ``.jsonl``), or of ratings only (``.csv``), as published
        in 2014, 2018 or 2023; also gzipped.
    metadata : str or Path, default=None
        The file of product metadata of the same year and category.

    Returns
    -------
    sklearn.utils.Bunch
        With the attributes

        events : pandas.DataFrame
            `user_id`, `item_id` (the ASIN; of 2023 the parent ASIN), `rating` and `timestamp` (datetimes in UTC), in
            the order of the file.
        item_features : pandas.DataFrame
            Indexed by `item_id`, one row for each item of the events that the metadata knows: `title`, `brand` (of
            2023 the store), `price` (dollars, missing where it is not a number), `category` (its levels joined by
            ``|``) and `description`. Only with `metadata`.
        histories : pandas.DataFrame
            The events as histories; the weight is the rating.
        DESCR : str
            Description and sources.

    Raises
    ------
    ValueError
        If a file is not there or not in one of the published formats.

    See Also
    --------
    load_movielens : Ratings of films.

    Notes
    -----
    The time of a review is a day in the files of 2014 and 2018, so many events of a user share it; they keep the order
    of the file. A review is not a purchase, and the same user may review an item twice.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from skrec.datasets import load_amazon_reviews
    >>> temporary = tempfile.TemporaryDirectory()
    >>> file = pathlib.Path(temporary.name, "reviews.json")
    >>> line = '{"reviewerID": "A1", "asin": "B000142FVW", "overall": 5.0, "unixReviewTime": 1385596800}'
    >>> _ = file.write_text(line)
    >>> load_amazon_reviews(file).histories["item"].to_dict()
    {'A1': ['B000142FVW']}
    >>> temporary.cleanup()
    """
    import pandas as pd

    path = _existing(path, "path")
    plain = path.name.lower().removesuffix(".gz")
    if plain.endswith((".json", ".jsonl")):
        events, unit = _read_reviews(path)
    elif plain.endswith(".csv"):
        events, unit = _read_ratings(path)
    else:
        raise ValueError(f"path={str(path)!r} must end in .json, .jsonl or .csv, with or without .gz: see {_OWNER}")
    events["timestamp"] = pd.to_datetime(events["timestamp"], unit=unit).astype(f"datetime64[{unit}]")
    parts = {"events": events, "DESCR": _DESCR}
    parts["histories"] = to_histories(events, user="user_id", item="item_id", time="timestamp", weight="rating")
    if metadata is not None:
        parts["item_features"] = _read_metadata(_existing(metadata, "metadata"), set(events["item_id"]))
    return Bunch(**parts)


def _existing(path, name: str) -> Path:
    found = Path(path).expanduser()
    if not found.is_file():
        raise ValueError(f"{name}={str(path)!r} is not a file: get the data from {_OWNER}")
    return found


def _open(path: Path):
    return gzip.open(path, "rb") if path.name.lower().endswith(".gz") else path.open("rb")


def _read_reviews(path: Path):
    import pyarrow as pa
    from pyarrow import json as pajson

    with _open(path) as file:
        first = checked(lambda f: json.loads(f.readline()), file, path)
    fields = next((f for f in _FIELDS if isinstance(first, dict) and set(f[:4]) <= set(first)), None)
    if fields is None:
        raise ValueError(
            f"{path} is not in a published format (a review has {' or '.join(', '.join(f[:4]) for f in _FIELDS)}): "
            f"get it from {_OWNER}"
        )
    types = [pa.string(), pa.string(), pa.float64(), pa.int64()]
    options = pajson.ParseOptions(
        explicit_schema=pa.schema(list(zip(fields[:4], types, strict=True))), unexpected_field_behavior="ignore"
    )
    with _open(path) as file:
        table = checked(
            pajson.read_json,
            file,
            path,
            parse_options=options,
            read_options=pajson.ReadOptions(block_size=16 << 20),  # a review must fit in a block
        )
    return table.select(list(fields[:4])).rename_columns(_COLUMNS).to_pandas(), fields[4]


def _read_ratings(path: Path):
    import pandas as pd

    head = checked(pd.read_csv, path, path, header=None, nrows=1000, dtype=str)
    if head.shape[1] < 4:
        raise ValueError(f"{path} is not in a published format (4 columns expected): get it from {_OWNER}")
    if "timestamp" in head.iloc[0].tolist():
        wanted = list(_FIELDS[1][:4])
        events = checked(pd.read_csv, path, path, usecols=wanted, dtype={"user_id": str, "parent_asin": str})[wanted]
        return events.set_axis(_COLUMNS, axis=1), "ms"
    # without a header: user, item (2014) or item, user (2018); an ASIN always has ten characters
    short = [(head[column].str.len() == 10).mean() for column in (0, 1)]
    names = ["item_id", "user_id"] if short[0] > short[1] else ["user_id", "item_id"]
    events = checked(
        pd.read_csv, path, path, header=None, names=[*names, "rating", "timestamp"], dtype=dict.fromkeys(names, str)
    )
    return events[_COLUMNS], "s"


def _read_metadata(path: Path, wanted: set):
    import pandas as pd

    rows = {}
    with _open(path) as file:
        for line in file:
            if not line.strip():
                continue
            record = checked(_parse, line.decode("utf-8", "replace"), path)
            item = record.get("parent_asin") or record.get("asin")
            if item in wanted:
                rows[item] = {
                    name: _text(next((record[k] for k in keys if record.get(k)), None)) for name, keys in _ITEM.items()
                }
    items = pd.DataFrame.from_dict(rows, orient="index", columns=list(_ITEM)).rename_axis("item_id")
    prices = items["price"].astype(str).str.strip().str.removeprefix("$").str.strip()
    grouped = prices.str.fullmatch(r"[0-9]{1,3}(,[0-9]{3})+([.][0-9]*)?")  # thousands, and not a decimal comma
    items["price"] = pd.to_numeric(prices.where(~grouped, prices.str.replace(",", "")), errors="coerce")
    return items


def _parse(line: str) -> dict:
    try:
        record = json.loads(line)
    except ValueError:
        try:
            record = ast.literal_eval(line)  # the metadata of 2014 are Python literals
        except SyntaxError as error:
            raise ValueError("a line is neither JSON nor a Python literal") from error
    if not isinstance(record, dict):
        raise ValueError("a line is not an object")
    return record


def _text(value):
    if isinstance(value, list):
        while value and isinstance(value[0], list):  # 2014: a list of paths through the categories
            value = value[0]
        return "|".join(map(str, value)) or None
    return value
