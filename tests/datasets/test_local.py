"""Loaders of local copies, on small files in the published formats."""

import gzip
import json
import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from skrec.datasets import load_amazon_reviews, load_dunnhumby, load_movielens, load_retailrocket

DATA = Path(os.environ.get("SKREC_DATA", Path(__file__).parents[2] / ".." / "shared" / "data"))

ML_100K = {
    "u.data": "196\t242\t3\t881250949\n196\t51\t5\t881250000\n186\t51\t4\t891717742\n",
    "u.item": "51|Legends of the Fall (1994)|01-Jan-1994||http://x|" + "|".join("0100000000000000001") + "\n"
    "242|Été (1996)|01-Jan-1996||http://x|" + "|".join("1" + "0" * 18) + "\n",
    "u.user": "186|39|F|executive|00000\n196|49|M|writer|55105\n",
}
ML_1M = {
    "ratings.dat": "1::1193::5::978300760\n1::661::3::978300000\n2::661::4::978300001\n",
    "movies.dat": "661::James and the Giant Peach (1996)::Animation|Children's\n1193::Été: 2::Drama\n",
    "users.dat": "1::F::1::10::48067\n2::M::56::16::70072\n",
}
ML_LATEST = {
    "ratings.csv": "userId,movieId,rating,timestamp\n1,31,2.5,1260759144\n1,10,4.0,1260759000\n",
    "movies.csv": 'movieId,title,genres\n10,"American President, The (1995)",Drama\n31,Dangerous,(no genres listed)\n',
}


def folder(path, files, encoding="utf-8"):
    path.mkdir(exist_ok=True)
    for name, text in files.items():
        (path / name).write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return path


def zipped(path, files, inside, encoding="utf-8"):
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(f"{inside}/{name}", text.encode(encoding))
    return path


def lists(column):
    return {user: list(row) for user, row in column.items()}


@pytest.mark.parametrize("form", ["folder", "zip"])
def test_movielens_100k(tmp_path, form):
    make = {"folder": lambda: folder(tmp_path / "ml-100k", ML_100K, "latin-1")}
    make["zip"] = lambda: zipped(tmp_path / "ml-100k.zip", ML_100K, "ml-100k", "latin-1")
    data = load_movielens(make[form]())
    assert lists(data.histories["item"]) == {186: [51], 196: [51, 242]}
    assert lists(data.histories["weight"]) == {186: [4], 196: [5, 3]}
    assert data.events["timestamp"][0] == pd.Timestamp("1997-12-04 15:55:49")
    assert data.item_features.loc[51].tolist() == ["Legends of the Fall (1994)", 1994, "Action|Western"]
    assert data.item_features.loc[242, "title"] == "Été (1996)"
    assert data.user_features.loc[186].tolist() == [39, "F", "executive", "00000"]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_movielens_1m(tmp_path, encoding):
    data = load_movielens(folder(tmp_path / "ml-1m", ML_1M, encoding))
    assert lists(data.histories["item"]) == {1: [661, 1193], 2: [661]}
    assert data.item_features.loc[661, "genres"] == "Animation|Children's"
    assert data.item_features.loc[1193, "title"] == "Été: 2"
    assert pd.isna(data.item_features.loc[1193, "year"])
    assert data.user_features.loc[1].tolist() == [1, "F", 10, "48067"]


def test_movielens_latest(tmp_path):
    data = load_movielens(folder(tmp_path / "ml-latest-small", ML_LATEST))
    assert lists(data.histories["item"]) == {1: [10, 31]}
    assert data.item_features.loc[10].tolist() == ["American President, The (1995)", 1995, "Drama"]
    assert "user_features" not in data


def test_movielens_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match=r"does not exist: get the data from the MovieLens page"):
        load_movielens(tmp_path / "lost")
    with pytest.raises(ValueError, match=r"has no u.data or ratings.dat or ratings.csv: get the data from the MovieL"):
        load_movielens(tmp_path)
    folder(tmp_path, {"u.data": ML_100K["u.data"]})
    with pytest.raises(ValueError, match=r"has no u.item"):
        load_movielens(tmp_path)
    with pytest.raises(ValueError, match="is a file but not a zip archive"):
        load_movielens(tmp_path / "u.data")


def test_movielens_that_is_damaged(tmp_path):
    folder(tmp_path, {**ML_LATEST, "ratings.csv": "user,movie\n1,2\n"})
    with pytest.raises(ValueError, match=r"ratings.csv is not in the published format"):
        load_movielens(tmp_path)


REVIEWS_2018 = [
    {"reviewerID": "A2", "asin": "B000000001", "overall": 5.0, "unixReviewTime": 1385596800, "vote": "2"},
    {"reviewerID": "A1", "asin": "B000000002", "overall": 4.0, "unixReviewTime": 1385510400, "style": {"a": "b"}},
    {"reviewerID": "A2", "asin": "B000000002", "overall": 1.0, "unixReviewTime": 1285510400, "reviewText": "x\ny"},
]
REVIEWS_2023 = [
    {"user_id": "AE", "asin": "B0", "parent_asin": "B000000001", "rating": 5.0, "timestamp": 1588687728923},
    {"user_id": "AE", "asin": "B1", "parent_asin": "B000000002", "rating": 4.0, "timestamp": 1588687728000},
]


def jsonl(records):
    return "".join(json.dumps(record) + "\n" for record in records)


def test_amazon_prices(tmp_path):
    prices = [
        "$9.99",
        "$1,299.00",
        "$12,345,678",
        "$ 5.50",
        " $7 ",
        "$1,5",
        "1.299,00",
        "$1.00 - $2.00",
        "call",
        None,
        3.5,
    ]
    want = [9.99, 1299, 12345678, 5.5, 7, None, None, None, None, None, 3.5]
    reviews = [{**REVIEWS_2018[0], "asin": f"B00000{number:04}"} for number in range(len(prices))]
    meta = [{"asin": one["asin"], "price": price} for one, price in zip(reviews, prices, strict=True)]
    folder(tmp_path, {"reviews.json": jsonl(reviews), "meta.json": jsonl(meta)})
    found = load_amazon_reviews(tmp_path / "reviews.json", metadata=tmp_path / "meta.json").item_features["price"]
    np.testing.assert_array_equal(found, np.array(want, dtype=float))


@pytest.mark.parametrize("name", ["reviews_5.json", "reviews_5.json.gz"])
def test_amazon_2018_and_2014(tmp_path, name):
    text = jsonl(REVIEWS_2018).encode()
    folder(tmp_path, {name: gzip.compress(text) if name.endswith("gz") else text})
    meta = [
        {"asin": "B000000001", "title": "Brush", "brand": "B", "price": "$9.99", "category": ["Beauty", "Hair"]},
        {"asin": "B000000009", "title": "not reviewed"},
    ]
    old = "{'asin': 'B000000002', 'title': \"it's\", 'price': 3.5, 'categories': [['Beauty', 'Skin'], ['x']]}\n"
    folder(tmp_path, {"meta.json": jsonl(meta) + old})
    data = load_amazon_reviews(tmp_path / name, metadata=tmp_path / "meta.json")
    assert lists(data.histories["item"]) == {"A1": ["B000000002"], "A2": ["B000000002", "B000000001"]}
    assert lists(data.histories["weight"]) == {"A1": [4.0], "A2": [1.0, 5.0]}
    assert data.events["timestamp"][0] == pd.Timestamp("2013-11-28")
    items = data.item_features
    assert items.index.tolist() == ["B000000001", "B000000002"]
    assert items["price"].tolist() == [9.99, 3.5]
    assert items["category"].tolist() == ["Beauty|Hair", "Beauty|Skin"]
    assert items.loc["B000000002", "title"] == "it's"


def test_amazon_2023(tmp_path):
    folder(tmp_path, {"All_Beauty.jsonl": jsonl(REVIEWS_2023)})
    meta = [{"parent_asin": "B000000001", "title": "Brush", "store": "S", "price": None, "description": ["a", "b"]}]
    folder(tmp_path, {"meta_All_Beauty.jsonl": jsonl(meta)})
    data = load_amazon_reviews(tmp_path / "All_Beauty.jsonl", metadata=tmp_path / "meta_All_Beauty.jsonl")
    assert lists(data.histories["item"]) == {"AE": ["B000000002", "B000000001"]}
    assert data.events["timestamp"][0] == pd.Timestamp("2020-05-05 14:08:48.923")
    assert data.item_features.loc["B000000001", "brand"] == "S"
    assert pd.isna(data.item_features.loc["B000000001", "price"])


RATINGS = {
    "2014": "A2AAAAAAAAAAAA,B000000001,5.0,1385596800\nA1AAAAAAAAAAAA,0000000002,4.0,1385510400\n",
    "2018": "B000000001,A2AAAAAAAAAAAA,5.0,1385596800\n0000000002,A1AAAAAAAAAAAA,4.0,1385510400\n",
    "2023": "user_id,parent_asin,rating,timestamp\n"
    "A2AAAAAAAAAAAA,B000000001,5.0,1385596800000\nA1AAAAAAAAAAAA,0000000002,4.0,1385510400000\n",
}


@pytest.mark.parametrize("year", RATINGS)
def test_amazon_ratings_only(tmp_path, year):
    folder(tmp_path, {"ratings.csv": RATINGS[year]})
    data = load_amazon_reviews(tmp_path / "ratings.csv")
    assert lists(data.histories["item"]) == {"A1AAAAAAAAAAAA": ["0000000002"], "A2AAAAAAAAAAAA": ["B000000001"]}
    assert data.events["timestamp"].tolist() == [pd.Timestamp("2013-11-28"), pd.Timestamp("2013-11-27")]


def test_amazon_files_that_are_wrong(tmp_path):
    with pytest.raises(ValueError, match=r"lost.json' is not a file: get the data from the Amazon review data pages"):
        load_amazon_reviews(tmp_path / "lost.json")
    folder(tmp_path, {"a.txt": "", "b.json": '{"user": 1}\n', "c.json": "no\n", "d.csv": "a,b\n", "e.json.gz": b"no"})
    for name, match in [
        ("a.txt", "must end in .json"),
        ("b.json", "b.json is not in a published format"),
        ("c.json", "c.json is not in the published format"),
        ("d.csv", "4 columns expected"),
        ("e.json.gz", "e.json.gz is not in the published format"),
    ]:
        with pytest.raises(ValueError, match=match):
            load_amazon_reviews(tmp_path / name)
    folder(tmp_path, {"good.json": jsonl(REVIEWS_2018), "cut.json": jsonl(REVIEWS_2018)[:-30], "meta.json": "[1\n"})
    with pytest.raises(ValueError, match=r"cut.json is not in the published format"):
        load_amazon_reviews(tmp_path / "cut.json")
    with pytest.raises(ValueError, match=r"meta.json is not in the published format"):
        load_amazon_reviews(tmp_path / "good.json", metadata=tmp_path / "meta.json")


RETAILROCKET = {
    "events.csv": "timestamp,visitorid,event,itemid,transactionid\n"
    "1433221332117,257597,view,355908,\n"
    "1433222276276,599528,transaction,356475,4000\n"
    "1433221000000,257597,addtocart,248676,\n",
}


def test_retailrocket(tmp_path):
    data = load_retailrocket(folder(tmp_path, RETAILROCKET))
    assert lists(data.histories["item"]) == {257597: [248676, 355908], 599528: [356475]}
    assert lists(data.histories["event"]) == {257597: ["addtocart", "view"], 599528: ["transaction"]}
    assert data.events["timestamp"].is_monotonic_increasing
    assert data.events["transactionid"].dropna().tolist() == [4000]
    assert "item_features" not in data
    properties = {
        "item_properties_part1.csv": "timestamp,itemid,property,value\n"
        "1435460400000,355908,categoryid,1338\n1441508400000,355908,888,1116713 960601 n277.200\n"
        "1441508400000,248676,categoryid,7\n",
        "item_properties_part2.csv": "timestamp,itemid,property,value\n1439089200000,355908,categoryid,99\n",
    }
    data = load_retailrocket(folder(tmp_path, properties))
    assert data.item_features["categoryid"].to_dict() == {248676: 7, 355908: 99}


def test_retailrocket_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match=r"has no events.csv: get the data from the Retailrocket .* Kaggle"):
        load_retailrocket(tmp_path)


DUNNHUMBY = {
    "transaction_data.csv": "household_key,BASKET_ID,DAY,PRODUCT_ID,QUANTITY,SALES_VALUE,STORE_ID,RETAIL_DISC,"
    "TRANS_TIME,WEEK_NO,COUPON_DISC,COUPON_MATCH_DISC\n"
    "2375,26984851472,2,1004906,2,1.39,364,-0.6,1631,1,0,0\n"
    "2375,26984851400,1,1033142,1,0.82,364,0,30,1,0,0\n"
    "2375,26984851400,1,999,0,0,364,0,30,1,0,0\n",
    "product.csv": "PRODUCT_ID,MANUFACTURER,DEPARTMENT,BRAND,COMMODITY_DESC,SUB_COMMODITY_DESC,CURR_SIZE_OF_PRODUCT\n"
    "1004906,69,PRODUCE,Private,POTATOES,POTATOES RUSSET,5 LB\n",
    "hh_demographic.csv": "AGE_DESC,MARITAL_STATUS_CODE,INCOME_DESC,HOMEOWNER_DESC,HH_COMP_DESC,HOUSEHOLD_SIZE_DESC,"
    "KID_CATEGORY_DESC,household_key\n65+,A,35-49K,Homeowner,2 Adults No Kids,2,None/Unknown,2375\n",
}


def test_dunnhumby(tmp_path):
    data = load_dunnhumby(folder(tmp_path, DUNNHUMBY))
    assert lists(data.histories["item"]) == {2375: [1033142, 1004906]}
    assert lists(data.histories["weight"]) == {2375: [1, 2]}
    assert lists(data.histories["time"])[2375] == pytest.approx([1 + 30 / 1440, 2 + (16 * 60 + 31) / 1440])
    assert len(data.events) == 3
    assert data.item_features.loc[1004906, ["department", "product_category"]].tolist() == ["PRODUCE", "POTATOES"]
    assert data.user_features.loc[2375, "income"] == "35-49K"


def test_dunnhumby_files_that_are_wrong(tmp_path):
    with pytest.raises(ValueError, match=r"has no transaction_data.csv or .*: get the data from .*dunnhumby"):
        load_dunnhumby(tmp_path)
    folder(tmp_path, {"transaction_data.csv": "a,b\n1,2\n"})
    with pytest.raises(ValueError, match=r"transaction_data.csv is not in the published format \(no column 'househ"):
        load_dunnhumby(tmp_path)


def test_dunnhumby_real(tmp_path):
    source = DATA / "dunnhumby_cj_transactions.parquet"
    if not source.exists():
        pytest.skip(f"{source.name} is not there; SKREC_DATA names the folder of real data")
    for name in ("transactions", "products", "demographics"):
        shutil.copy(DATA / f"dunnhumby_cj_{name}.parquet", tmp_path / f"{name}.parquet")
    data = load_dunnhumby(tmp_path)
    assert len(data.events) == 1_469_307
    assert data.histories.shape == (2_469, 3)
    assert data.events["product_id"].isin(data.item_features.index).mean() > 0.99
