"""check_log: columns by name and by content, times and their unit, what is suspicious, and what is silent."""

import json
import shlex

import numpy as np
import pandas as pd
import pytest

from skrec.advice import check_log, log_character
from skrec.advice._check_read import recognise_encoding
from skrec.advice._check_time import guess_time
from skrec.advice._column_names import name_scores
from skrec.feature_extraction import to_histories
from skrec.inspection import profile_log


@pytest.fixture(scope="module")
def log():
    """A shop of 20 users: columns user, item, time and amount."""
    rng, n = np.random.default_rng(0), 300
    return pd.DataFrame(
        {
            "user": rng.integers(0, 20, n),
            "item": rng.integers(0, 15, n),
            "time": pd.date_range("2023-01-02 08:15", periods=n, freq="7h"),
            "amount": rng.integers(1, 5, n),
        }
    )


def _facts(frame):
    """Return the values by group and fact."""
    return {(row.group, row.fact): row.value for row in frame.itertuples()}


def _texts(frame, level):
    return " | ".join(frame.loc[frame["level"] == level, "text"])


@pytest.mark.parametrize(
    ("name", "role"),
    [
        *(
            (name, "user")
            for name in ["customer_id", "CustomerID", "visitorid", "userId", "reviewerID", "household_key"]
        ),
        *((name, "user") for name in ["Kundennummer", "id_cliente", "müşteri_no", "用户ID", "user name", "клиент"]),
        *(
            (name, "item")
            for name in ["sku", "StockCode", "itemid", "asin", "movieId", "PRODUCT_ID", "Artikelnr", "codice_prodotto"]
        ),
        *((name, "item") for name in ["商品编号", "товар", "Artikelnr", "codice_prodotto"]),
        *(
            (name, "time")
            for name in ["timestamp", "InvoiceDate", "unixReviewTime", "created_at", "Bestelldatum", "fecha_compra"]
        ),
        *((name, "time") for name in ["时间", "order_date", "event_time", "дата"]),
        *((name, "weight") for name in ["qty", "Quantity", "Menge", "rating", "quantità"]),
        *((name, "event") for name in ["event_type", "behavior", "action"]),
        *((name, "name") for name in ["title", "Description", "product_name", "Bezeichnung", "item_title"]),
    ],
)
def test_names_say_roles_in_several_languages(name, role):
    scores = name_scores(name)
    assert max(scores, key=scores.get) == role and scores[role] >= 0.6


@pytest.mark.parametrize("name", ["Country", "UnitPrice", "category_code", "order_dow", "customer_since", "birth_date"])
def test_names_of_attributes_say_nothing_clearly(name):
    assert max(name_scores(name).values()) < 0.5


@pytest.mark.parametrize(
    ("form", "kind", "time_format", "time_unit"),
    [
        ("%Y-%m-%d %H:%M:%S", "iso", None, None),
        ("%d.%m.%Y %H:%M", "format", "%d.%m.%Y %H:%M", None),
        ("%m/%d/%Y %H:%M", "format", "%m/%d/%Y %H:%M", None),
        ("%d %b %Y", "format", "%d %b %Y", None),
        ("%Y%m%d", "format", "%Y%m%d", None),
        ("%Y-%m-%d %H:%M:%S UTC", "format", "%Y-%m-%d %H:%M:%S UTC", None),
        ("s", "unit", None, None),
        ("ms", "unit", None, None),
        ("ns", "unit", None, None),
        ("days", "unit", None, "D"),
        ("excel", "excel", None, None),
        ("count", "number", None, None),
    ],
)
@pytest.mark.parametrize("as_text", [False, True])
def test_times_and_their_unit(log, form, kind, time_format, time_unit, as_text):
    time = log["time"]
    if "%" in form:
        values = time.dt.strftime(form)
    elif form in ("s", "ms", "ns"):
        values = time.dt.as_unit(form).astype("int64")
    elif form == "count":
        values = pd.Series(np.arange(len(time)))
    else:
        start = "1970-01-01" if form == "days" else "1899-12-30"
        values = (time.dt.normalize() - pd.Timestamp(start)) // pd.Timedelta("1D")
    found = guess_time(values.astype(str) if as_text else values, named=True)
    assert (found.kind, found.time_format, found.time_unit) == (kind, time_format, time_unit)


def test_day_and_month_that_both_fit_are_told_apart_by_order_and_said():
    days = pd.date_range("2023-03-01", periods=12)
    found = guess_time(pd.Series(days.strftime("%d/%m/%Y")), named=True)
    assert found.time_format == "%d/%m/%Y" and found.others == ["%m/%d/%Y"] and found.warn
    assert "2023-01-03 to 2023-12-03" in found.text and "2023-03-01 to 2023-03-12" in found.text


def test_a_few_times_that_are_none_are_named():
    text = ["2023-01-02"] * 40 + ["2023-01-03"] * 40 + ["0000-00-00"]
    text += [f"2023-02-{day:02d}" for day in range(1, 29)]
    found = guess_time(pd.Series(text), named=True)
    assert found.kind == "iso" and found.bad == ["0000-00-00"] and found.warn
    assert guess_time(pd.Series(["12:30", "13:45"]), named=True).kind == "none"
    mixed = guess_time(pd.Series(["2023-01-02 10:00:00+01:00", "2023-01-02 10:00:00"]), named=True)
    assert mixed.kind == "none" and "zone" in mixed.text


def test_columns_without_names_are_guessed_by_content_and_that_is_said(log):
    frame = log.rename(columns={"user": "a", "item": "b", "time": "c", "amount": "d"})
    found = check_log(frame)
    assert found.attrs["columns"] == {"user": "a", "item": "b", "time": "c"}
    warned = found[(found["group"] == "columns") & (found["level"] == "warning")]
    assert set(warned["fact"]) == {"user", "item"} and warned["text"].str.contains("does not say so").all()
    named = check_log(frame, user="b", item="a")
    assert named.attrs["columns"]["user"] == "b" and "as asked" in " ".join(named["text"])


def test_what_else_was_possible_is_said(log):
    frame = log.assign(session_id=np.arange(len(log)) // 3, product_id=log["item"])
    found = check_log(frame).set_index("fact")
    assert "user='session_id'" in found.loc["user", "action"] and "item='product_id'" in found.loc["item", "action"]


@pytest.mark.parametrize("change", ["shuffled", "renamed"])
def test_the_order_of_rows_and_the_ids_change_no_number(log, change):
    first = check_log(log)
    if change == "shuffled":
        second = check_log(log.sample(frac=1, random_state=1).sort_values("time", kind="stable"))
    else:
        second = check_log(log.assign(user=log["user"].map("u{}".format), item=log["item"].map("i{}".format)))
    numbers = [_facts(one[one["group"].isin(["log", "character", "suspicious"])]) for one in (first, second)]
    assert numbers[0] == numbers[1]


def test_the_described_log_is_that_of_to_histories(log, tmp_path):
    lacking = log.assign(
        user=log["user"].where(log.index % 7 > 0),
        item=log["item"].map("{:03d}".format),
        Quantity=log["amount"].where(log.index % 5 > 0, -1),
    ).drop(columns="amount")
    path = tmp_path / "log.csv"
    lacking.to_csv(path, index=False)
    for source in (path, lacking):
        found = check_log(source)
        assert found.attrs["reading"] == {"where": "Quantity > 0", "drop_missing": True}
        histories = to_histories(source, **found.attrs["columns"], **found.attrs["reading"])
        facts, profile = _facts(found), profile_log(histories)
        assert facts["log", "events"] == profile.n_events < len(log) and facts["log", "users"] == profile.n_users
        expected = {name: value for name, value in log_character(histories).items() if value == value}
        got = {fact: value for (group, fact), value in facts.items() if group == "character" and fact in expected}
        assert len(got) > 15 and got == {name: expected[name] for name in got}
        called = eval(found.set_index("fact").loc["python", "value"], {"to_histories": to_histories, "events": source})
        assert called.equals(histories)


def test_what_is_suspicious_is_counted():
    n = 1200
    time = pd.Timestamp("2024-05-01") + pd.to_timedelta(np.arange(n) * 3600, unit="s")
    user = np.array([f"u{number % 40:02d}" for number in range(n)], dtype=object)
    user[:45] = "bot"
    times = time.to_numpy().copy()
    times[:45] = np.datetime64("2024-05-01") + np.arange(45) * np.timedelta64(1, "s")
    times[50], times[51] = np.datetime64("1970-01-01"), np.datetime64("2190-01-01")
    item = np.array([f"i{number % 9}" for number in range(n)], dtype=object)
    item[100:600] = "postage"
    item[60], item[61], item[62], item[63] = " i1", "I2", "null", "1.2E+12"
    user[70:80], user[81] = "guest", "007"
    user[82], user[83] = "7", "one\x1b[31m"
    frame = pd.DataFrame({"user": user, "item": item, "time": times, "qty": np.where(np.arange(n) % 100 == 5, 0, 1)})
    frame = pd.concat([frame, frame.iloc[200:203]], ignore_index=True)
    found = check_log(frame)
    facts = _facts(found)
    expected = {
        ("suspicious", "exact duplicates"): 3,
        ("suspicious", "weight zero"): 12,
        ("suspicious", "item id says it is absent"): 1,
        ("suspicious", "user is a placeholder"): 10,
        ("suspicious", "one item has most events"): 503,
        ("suspicious", "users with an inhuman rate"): 1,
        ("ids", "item with surrounding spaces"): 1,
        ("ids", "item with case variants"): 2,
        ("ids", "item rounded by a spreadsheet"): 1,
        ("ids", "user with leading zeros"): 1,
        ("ids", "user with unprintable characters"): 1,
        ("time", "time before 2000"): 1,
        ("time", "time in the future"): 1,
    }
    assert {key: facts.get(key) for key in expected} == expected
    assert all(text.isprintable() for text in [*found["text"], *found["action"]])
    assert found.attrs["reading"]["where"] == "user not in ('guest') and item not in ('null')"


def test_users_with_extremely_many_events_are_named():
    users = np.repeat(np.arange(60), 5)
    frame = pd.DataFrame({"user": np.append(users, np.full(700, 99)), "item": np.arange(1000) % 80})
    row = check_log(frame).set_index("fact").loc["users with extremely many events"]
    assert row["value"] == 1 and "99 has 700" in row["text"]


def test_a_number_that_stands_for_nobody():
    users = np.append(np.arange(2000) % 400, np.full(900, -1))
    found = check_log(pd.DataFrame({"user": users, "item": np.arange(2900) % 70}))
    assert found.set_index("fact").loc["user -1", "value"] == 900


def _options(frame):
    """Return the words of the actions as a shell reads them, from the first option on."""
    actions = [text for text in frame["action"] if "--where" in text or "--weight" in text]
    return [shlex.split(text[text.index("--") :])[:2] for text in actions]


def test_options_in_actions_are_quoted_for_a_shell(log, tmp_path):
    kinds = np.where(log.index % 9 == 0, "it's $(touch x)", "view")
    frame = log.assign(kind=kinds).rename(columns={"kind": "event type", "amount": "order qty"})
    frame.to_csv(tmp_path / "log.csv", index=False)
    found = check_log(tmp_path / "log.csv")
    assert ["--weight", "order qty"] in _options(found)
    (where,) = [value for option, value in _options(found) if option == "--where"]
    assert where == '`event type` == "it\'s $(touch x)"'
    events = to_histories(str(tmp_path / "log.csv"), **{role: role for role in ("user", "item", "time")}, where=where)
    assert events["item"].list.len().sum() == (log.index % 9 == 0).sum()
    users = np.append(np.arange(2000) % 400, np.full(900, -1))
    pd.DataFrame({"User ID": users, "item": np.arange(2900) % 70}).to_csv(tmp_path / "log.csv", index=False)
    assert ["--where", "`User ID` != -1"] in _options(check_log(tmp_path / "log.csv"))
    found = check_log(frame)  # a table: parameters of the function
    assert any("weight='order qty'" in text for text in found["action"]) and not _options(found)


def test_times_that_cannot_be_read_are_named(log):
    text = log["time"].dt.strftime("%Y-%m-%d").where(log.index % 2 == 0, log["time"].dt.strftime("%d/%m/%Y"))
    row = check_log(log.assign(time=text)).set_index("fact").loc["time"]
    assert row["level"] == "warning" and "'time' has text such as '2023-01-02'" in row["text"]


def test_a_date_of_the_items_is_no_time_of_events(log):
    found = check_log(log.assign(time=pd.Timestamp("2020-01-01") + pd.to_timedelta(log["item"], "D")))
    assert found.set_index("fact").loc["one time for each item", "value"] == 15
    assert "one time for each item" not in set(check_log(log)["fact"])
    days = log.rename(columns={"time": "order_date"})
    days.insert(0, "ship_date", days["order_date"] + pd.Timedelta("3D"))
    assert check_log(days).attrs["columns"]["time"] == "order_date"


def test_a_rating_below_zero_is_no_cancelled_order(log):
    rated = log.assign(amount=log["amount"].where(log.index % 5 > 0, -1)).rename(columns={"amount": "rating"})
    found = check_log(rated)
    assert "where" not in found.attrs["reading"] and ("suspicious", "weight negative") in _facts(found)


def test_basket_numbers_orders_and_sessions(log):
    ordered = log.sort_values(["user", "time"])
    number = ordered.groupby("user").cumcount() // 3 + 1
    found = check_log(ordered.drop(columns="time").assign(order_number=number))
    assert found.attrs["columns"]["time"] == "order_number" and ("time", "basket numbers") in _facts(found)
    orders = log.rename(columns={"user": "InvoiceNo"})
    found = check_log(orders)
    assert found.attrs["sessions"] and "name a column of customers" in " ".join(found["action"])
    assert check_log(log.rename(columns={"user": "session_id"})).attrs["sessions"]
    assert not check_log(log).attrs["sessions"]


def test_tables_of_every_kind_tell_the_same(log, tmp_path):
    polars = pytest.importorskip("polars")
    import pyarrow as pa

    log.to_parquet(tmp_path / "log.parquet")
    log.to_csv(tmp_path / "log.csv.gz", index=False, sep="\t")
    log.assign(time=log["time"].astype(str)).to_json(tmp_path / "log.jsonl", orient="records", lines=True)
    half = [log.iloc[:100], log.iloc[100:]]
    for number, part in enumerate(half):
        part.to_csv(tmp_path / f"part-{number}.csv", index=False)
    expected = _facts(check_log(log))
    sources = [tmp_path / "log.parquet", tmp_path / "log.csv.gz", tmp_path / "log.jsonl", tmp_path / "part-*.csv"]
    sources += [polars.from_pandas(log), polars.from_pandas(log).lazy(), pa.Table.from_pandas(log)]
    for source in sources:
        found = check_log(source)
        assert found.attrs["columns"] == {"user": "user", "item": "item", "time": "time"}
        got = _facts(found)
        assert {key: got.get(key) for key in expected if key[0] in ("log", "character")} == {
            key: value for key, value in expected.items() if key[0] in ("log", "character")
        }


def test_a_large_log_is_checked_by_its_first_rows_and_counted_as_a_whole(log, tmp_path):
    late = log.assign(user=log["user"].astype("Int64"))
    late.loc[290:, "user"] = pd.NA
    late.loc[280, "amount"] = -3
    late = late.rename(columns={"amount": "qty"})
    late.to_csv(tmp_path / "log.csv", index=False)
    found = check_log(tmp_path / "log.csv", max_rows=100)
    assert "the first 100 are checked" in _texts(found, "warning") and _facts(found)["log", "events"] == 100
    pytest.importorskip("duckdb")
    assert _facts(found)["file", "rows"] == 300
    assert found.attrs["reading"] == {"where": "qty > 0", "drop_missing": True}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("user,item,time\n", "no rows"),
        ("1,2,2024-01-01\n1,3,2024-01-02\n", "not like names of columns"),
        ("user,user,sku\n1,1,2\n", "not 'user'"),
        ("user\x1b[31m,item\n1,2\n", "that can be used"),
        ("user,item\n,a\n,b\n", "no column of users"),
        ("price,note\n1.5,hello\n2.5,hello\n", "no column of"),
        ("product,category\n" + "".join(f"p{n},c{n % 3}\n" for n in range(30)), "looks like a list of items"),
    ],
)
def test_logs_that_no_model_can_learn_from_are_errors_without_commands(tmp_path, text, error):
    (tmp_path / "log.csv").write_text(text)
    found = check_log(tmp_path / "log.csv")
    assert error in _texts(found, "error") and found.attrs["commands"] == {}
    assert all(one.isprintable() for one in found["text"])


@pytest.mark.parametrize(
    ("users", "items", "error"),
    [([1, "b", 2], [1, 2, 3], "several types"), ([1, 2, 3], [["a", "b"], ["a"], ["c"]], "list in a cell")],
)
def test_cells_of_mixed_types_and_lists_are_errors(tmp_path, users, items, error):
    rows = [{"user": user, "item": item} for user, item in zip(users * 3, items * 3, strict=True)]
    (tmp_path / "log.jsonl").write_text("\n".join(map(json.dumps, rows)))
    for source in (tmp_path / "log.jsonl", pd.DataFrame(rows)):
        found = check_log(source)
        assert error in _texts(found, "error") and found.attrs["commands"] == {}


@pytest.mark.parametrize("encoding", [None, "latin-1", "cp1252", "utf-16"])
def test_encodings_are_recognised(tmp_path, encoding):
    text = "Kunde;Artikel\n1;Größe\n" + ("2;“Maß”\n" if encoding != "latin-1" else "2;Maß\n")
    (tmp_path / "log.csv").write_bytes(text.encode(encoding or "utf-8"))
    assert recognise_encoding(str(tmp_path / "log.csv")) == encoding
    assert check_log(tmp_path / "log.csv").attrs["reading"].get("encoding") == encoding


def test_wide_tables_are_read(log):
    more = pd.DataFrame(np.zeros((len(log), 300), dtype=int), columns=[f"f{number}" for number in range(300)])
    assert check_log(pd.concat([more, log], axis=1)).attrs["columns"]["user"] == "user"


def test_errors_name_the_parameter(log, tmp_path):
    with pytest.raises(ValueError, match="user='usr' is not a column of the log; did you mean 'user'"):
        check_log(log, user="usr")
    with pytest.raises(ValueError, match="max_rows"):
        check_log(log, max_rows=0)
    with pytest.raises(TypeError, match="events must be"):
        check_log([])
    with pytest.raises(ValueError, match="encoding='latin-1' is for files"):
        check_log(log, encoding="latin-1")
    with pytest.raises(ValueError, match="give one of them"):
        check_log(log, time_format="%Y", time_unit="s")
    (tmp_path / "log.csv").write_text("")
    with pytest.raises(ValueError, match="is empty"):
        check_log(tmp_path / "log.csv")
    assert "as asked" in " ".join(check_log(log.assign(time=range(300)), time="time", time_unit="D")["text"])
