"""MovieLens, in each of the formats GroupLens has published it in."""

import io

from sklearn.utils import Bunch

from ..feature_extraction._events import to_histories
from ._files import Files

_OWNER = "the MovieLens page of GroupLens, grouplens.org/datasets/movielens"
_RATING = ["user_id", "item_id", "rating", "timestamp"]
# the order of the flags in u.item
_GENRES = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama", "Fantasy",
    "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip

_DESCR = """MovieLens

Ratings of films by users of movielens.org, collected by GroupLens at the University of Minnesota.

Harper, F. M. and Konstan, J. A. (2015). The MovieLens Datasets: History and Context. ACM Transactions on Interactive
Intelligent Systems 5(4), article 19. https://doi.org/10.1145/2827872
The terms are in the README of the data set; it may not be redistributed without permission.
"""


def load_movielens(path) -> Bunch:
    r"""Load a local copy of MovieLens.

    Parameters
    ----------
    path : str or Path
        The folder or the zip archive as published: ml-100k (`u.data`), ml-1m and ml-10m (`ratings.dat`), or
        ml-latest, ml-20m, ml-25m and ml-32m (`ratings.csv`).

    Returns
    -------
    sklearn.utils.Bunch
        With the attributes

        events : pandas.DataFrame
            `user_id`, `item_id`, `rating` and `timestamp` (datetimes in UTC), in the order of the file.
        item_features : pandas.DataFrame
            Indexed by `item_id`: `title`, `year` (missing where the title has none) and `genres`, joined by ``|``.
        user_features : pandas.DataFrame
            Indexed by `user_id`: `age`, `gender`, `occupation` and `zip_code`. Only for ml-100k and ml-1m; in the
            latter `age` and `occupation` are the codes that its README explains.
        histories : pandas.DataFrame
            The events as histories; the weight is the rating.
        DESCR : str
            Description and source.

    Raises
    ------
    ValueError
        If the files are not there or not in the published format.

    See Also
    --------
    load_amazon_reviews : Ratings of products.

    Notes
    -----
    A rating is not a liking: a film rated 1 is in the history with weight 1. To learn from likes alone, filter the
    events first and call :func:`~skrec.feature_extraction.to_histories` on the rest.

    References
    ----------
    F. M. Harper and J. A. Konstan. "The MovieLens Datasets: History and Context". ACM TiiS 5(4), 2015.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from skrec.datasets import load_movielens
    >>> temporary = tempfile.TemporaryDirectory()
    >>> folder = pathlib.Path(temporary.name)
    >>> _ = (folder / "u.data").write_text("196\t242\t3\t881250949\n196\t51\t4\t881250000\n")
    >>> _ = (folder / "u.item").write_text("51|Legends (1994)||||" + "|0" * 19 + "\n")
    >>> data = load_movielens(folder)
    >>> data.histories["item"].to_dict()
    {196: [51, 242]}
    >>> temporary.cleanup()
    """
    import pandas as pd

    files = Files(path, _OWNER)
    kind = files.need("u.data", "ratings.dat", "ratings.csv")
    read = {"u.data": _read_100k, "ratings.dat": _read_dat, "ratings.csv": _read_csv}[kind]
    events, items, users = read(files)
    events["timestamp"] = pd.to_datetime(events["timestamp"], unit="s").astype("datetime64[s]")
    items["year"] = items["title"].str.extract(r"\((\d{4})\)\s*$")[0].astype("Int16")
    parts = {
        "events": events,
        "item_features": items.set_index("item_id")[["title", "year", "genres"]],
        "histories": to_histories(events, user="user_id", item="item_id", time="timestamp", weight="rating"),
        "DESCR": _DESCR,
    }
    if users is not None:
        parts["user_features"] = users.set_index("user_id")[["age", "gender", "occupation", "zip_code"]]
    return Bunch(**parts)


def _read_100k(files: Files):
    import pandas as pd

    events = files.read("u.data", pd.read_csv, sep="\t", names=_RATING)
    raw = files.read(files.need("u.item"), pd.read_csv, sep="|", header=None, encoding="latin-1", quoting=3)
    flags = raw.iloc[:, 5:24].to_numpy() == 1
    genres = ["|".join(name for name, on in zip(_GENRES, row, strict=True) if on) for row in flags]
    items = pd.DataFrame({"item_id": raw[0], "title": raw[1], "genres": genres})
    users = None
    if files.first("u.user"):
        names = ["user_id", "age", "gender", "occupation", "zip_code"]
        users = files.read("u.user", pd.read_csv, sep="|", names=names, dtype={"zip_code": str}, quoting=3)
    return events, items, users


def _read_dat(files: Files):
    import pandas as pd

    def table(name: str, names: list[str], **options):
        with files.open(name) as file:
            text = file.read().replace(b"::", b"\t")
        encoding = "utf-8" if _is_utf8(text) else "latin-1"
        options |= {"sep": "\t", "names": names, "encoding": encoding, "quoting": 3}
        return files.read(name, lambda _, **more: pd.read_csv(io.BytesIO(text), **more), **options)

    events = table("ratings.dat", _RATING)
    items = table(files.need("movies.dat"), ["item_id", "title", "genres"])
    users = None
    if files.first("users.dat"):
        users = table("users.dat", ["user_id", "gender", "age", "occupation", "zip_code"], dtype={"zip_code": str})
    return events, items, users


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _read_csv(files: Files):
    import pandas as pd

    names = {"userId": "user_id", "movieId": "item_id"}
    events = files.read("ratings.csv", pd.read_csv, usecols=["userId", "movieId", "rating", "timestamp"])
    items = files.read(files.need("movies.csv"), pd.read_csv, usecols=["movieId", "title", "genres"])
    return events.rename(columns=names), items.rename(columns=names), None
