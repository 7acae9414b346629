"""`skrec check`: every command that it prints runs, and the printed commands lead from a CSV file to a service."""

import io
import json
import shlex

import numpy as np
import pandas as pd
import pytest
import typer

from skrec.cli import _evaluate, main
from skrec.cli._app import app


@pytest.fixture(scope="module")
def shop():
    """Orders of 40 customers of four kinds: columns u, i, t, q."""
    rng, n = np.random.default_rng(0), 600
    user = rng.integers(0, 40, n)
    return pd.DataFrame(
        {
            "u": user,
            "i": user % 4 * 8 + rng.zipf(1.6, n) % 8,
            "t": pd.date_range("2024-01-01 09:30", periods=n, freq="5h"),
            "q": rng.integers(-1, 5, n),
        }
    )


def _semicolons(shop):
    text = {"Kundennr.": shop["u"].map("{:05d}".format), "Artikel Nr": "Größe " + shop["i"].astype(str)}
    text |= {"Bestelldatum": shop["t"].dt.strftime("%d.%m.%Y %H:%M"), "Menge": shop["q"]}
    return pd.DataFrame(text).to_csv(sep=";", index=False).encode("latin-1")


def _quotes(shop):
    names = {"u": 'the user\'s "id"', "i": "-item=code", "t": "`when`", "q": "qty (pcs); $(rm)"}
    return shop.rename(columns=names).to_csv(index=False).encode()


def _missing(shop):
    user = (shop["u"] + 17850.0).where(shop.index % 9 > 0)
    frame = pd.DataFrame({"CustomerID": user, "StockCode": shop["i"], "InvoiceDate": shop["t"], "Quantity": shop["q"]})
    frame["Description"] = "Thing <b>\x1b[31m" + shop["i"].astype(str) + "</b>"
    frame["InvoiceDate"] = frame["InvoiceDate"].dt.strftime("%m/%d/%y %I:%M %p")
    return frame.to_csv(index=False).encode()


def _placeholders(shop):
    user = shop["u"].astype(str).where(shop.index % 11 > 0, "guest")
    day = shop["t"].dt.strftime("%Y-%m-%d").where(shop.index % 30 > 0, "0000-00-00")
    return pd.DataFrame({"user_id": user, "sku": shop["i"], "date": day}).to_csv(index=False).encode()


def _clicks(shop):
    kind = np.where(shop["q"] > 3, "transaction", "view")
    frame = pd.DataFrame({"visitorid": shop["u"], "event": kind, "itemid": shop["i"]})
    frame["timestamp"] = shop["t"].astype("datetime64[ms]").astype("int64")
    return "\n".join(map(json.dumps, frame.to_dict("records"))).encode()


def _sessions(shop):
    frame = pd.DataFrame({"session_id": shop.index // 4, "item_id": shop["i"]})
    return frame.to_csv(index=False, sep="\t").encode()


def _baskets(shop):
    ordered = shop.sort_values(["u", "t"])
    number = ordered.groupby("u").cumcount() // 3 + 1
    return ordered[["u", "i"]].assign(order_number=number).rename(columns={"u": "uid", "i": "pid"}).to_csv(index=False)


def _excel(shop):
    days = (shop["t"] - pd.Timestamp("1899-12-30")) / pd.Timedelta("1D")
    return pd.DataFrame({"customer": shop["u"], "product": shop["i"], "date": days}).to_csv(index=False).encode()


def _one(shop):
    return b"user,item\n1,a\n"


def _parquet(shop):
    frame = shop.assign(t=shop["t"].dt.strftime("%Y-%m-%d %H:%M:%S")).rename(columns={"u": "user", "i": "item"})
    target = io.BytesIO()
    frame.to_parquet(target)
    return target.getvalue()


def _printed(out):
    return [line.strip() for line in out.splitlines() if line.startswith("  skrec ")]


SHAPES = {
    "semi colons.csv": _semicolons,
    "quo'tes.csv": _quotes,
    "-missing.csv": _missing,
    "placeholders.csv": _placeholders,
    "clicks.jsonl": _clicks,
    "sessions.csv": _sessions,
    "baskets.csv": _baskets,
    "excel.csv": _excel,
    "one.csv": _one,
    "texts.parquet": _parquet,
}


@pytest.mark.parametrize("name", SHAPES)
def test_every_printed_command_runs(shop, tmp_path, monkeypatch, run, name):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_evaluate, "chosen_names", lambda models, time: models or ["popularity", "ease"])
    content = SHAPES[name](shop)
    (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    code, out, err = run("check", "--", name)
    assert (code, err) == (0, "")
    assert all(one.isprintable() or one == "\n" for one in out)
    commands = [shlex.split(line)[1:] for line in _printed(out)]
    assert [words[0] for words in commands] == ["suggest", *([] if name == "one.csv" else ["evaluate", "auto"]), "fit"]
    for words in commands:
        if words[0] == "auto":
            if name not in ("semi colons.csv", "baskets.csv"):
                continue  # seconds each
            words += ["--model", "popularity", "--model", "item-knn", "--no-settings"]
        code, out, err = run(*words)
        assert code == 0, err
        assert all(one.isprintable() or one == "\n" for one in out)
    for line in _printed(out):  # of fit
        words = shlex.split(line)[1:]
        if words[0] == "recommend":
            assert run(*words)[0] == 0
        else:
            _parsed_serve(words)


def _parsed_serve(words):
    """Parse the options of `skrec serve`, and return them."""
    assert words[0] == "serve"
    return typer.main.get_command(app).commands["serve"].make_context("serve", words[1:], obj=_Obj()).params


class _Obj:
    verbose = quiet = False


def test_the_printed_commands_lead_from_a_csv_file_to_a_service(shop, tmp_path, monkeypatch, run):
    """Only printed commands run; each next one is printed by the one before."""
    monkeypatch.chdir(tmp_path)
    days = shop["t"].dt.strftime("%d.%m.%Y %H:%M")
    kunde = shop["u"].map("{}.0".format).where(shop.index % 9 > 0)
    orders = pd.DataFrame({"Menge": shop["q"], "Kunde": kunde, "Bestellt am": days, "Preis €": 2.5})
    orders = orders.assign(
        **{"Artikel-Nr": shop["i"].map("A{:03d}".format), "Bezeichnung": "Größe " + shop["i"].astype(str)}
    )
    orders.to_csv("bestellungen 2024.csv", sep=";", index=False, encoding="cp1252")
    command, ran = "skrec check 'bestellungen 2024.csv'", []
    for step, following in [("check", "suggest"), ("suggest", "evaluate"), ("evaluate", "fit"), ("fit", "recommend"),
                            ("recommend", "serve")]:  # fmt: skip
        words = shlex.split(command)
        assert words[:2] == ["skrec", step]
        code, out, err = run(*words[1:])
        assert code == 0, err
        ran.append(step)
        command = next(line for line in _printed(out) if line.split()[1] == following)
    options = _parsed_serve(shlex.split(command)[1:])
    assert options["model_file"].is_file() and options["log"] == ["bestellungen 2024.csv"]
    assert ran == ["check", "suggest", "evaluate", "fit", "recommend"]


def test_fit_and_check_count_the_same_events(shop, tmp_path, monkeypatch, run):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "log.csv").write_bytes(_missing(shop))
    facts = json.loads(run("check", "log.csv", "--json")[1])
    found = {(row["group"], row["fact"]): row["value"] for row in facts}
    assert len(facts) > 30 and found["log", "events"] < len(shop)
    out = run(*shlex.split(found["commands", "fit"])[1:])[1]
    assert (
        f"{found['log', 'events']:,} events of {found['log', 'users']} users and {found['log', 'items']} items" in out
    )


def test_facts_are_written_as_tables_and_as_a_page(shop, tmp_path, monkeypatch, run):
    monkeypatch.chdir(tmp_path)
    shop.rename(columns={"u": "user", "i": "<script>item"}).to_csv("log.csv", index=False)
    for name in ("facts.csv", "facts.parquet", "facts.json", "facts.html"):
        code, out, _ = run("check", "log.csv", "-o", name, "-q")
        assert code == 0 and out.count("  skrec ") == 4
    table = pd.read_csv("facts.csv", dtype=str, keep_default_na=False)
    assert table.equals(pd.read_parquet("facts.parquet").astype(str))
    assert [row["fact"] for row in json.loads((tmp_path / "facts.json").read_text())] == table["fact"].tolist()
    page = (tmp_path / "facts.html").read_text()
    assert "&lt;script&gt;item" in page and "<script>item" not in page
    assert run("check", "log.csv", "-o", "facts.xls")[0] == 2


def test_a_pipe_is_read(shop, tmp_path, monkeypatch, run):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(_semicolons(shop).decode("latin-1").encode())))
    code, out, _ = run("check", "-")
    assert code == 0 and run(*shlex.split(_printed(out)[-1])[1:])[0] == 0


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("", 2, "is empty"),
        ("user,item\n", 2, "the log has no rows"),
        ("user,item\n1,2\n3\n", 2, "cannot be read as CSV"),
        ("user,user,sku\n1,1,2\n", 2, "rename"),
        ("1,2\n3,4\n", 2, "not like names of columns"),
    ],
)
def test_what_is_wrong_is_said_without_a_traceback(tmp_path, run, text, code, said):
    path = tmp_path / "log.csv"
    path.write_text(text)
    got, out, err = run("check", path)
    assert got == code and said in " ".join((out + err).split()) and "unexpected" not in err and not _printed(out)


def test_options_are_checked(shop, tmp_path, run):
    path = tmp_path / "log.csv"
    shop.to_csv(path, index=False)
    for words, said in [
        (["--user", "usr"], "--user 'usr' is not a column of the log"),
        (["--rows", "0"], "--rows must be at least 1"),
        (["--where", "q > 100"], "fits none of the 600 events"),
    ]:
        code, _, err = run("check", path, *words)
        assert code == 2 and said in err
    assert main(["check", str(tmp_path / "lgo.csv")]) == 2
    code, out, _ = run("check", path, "--user", "i", "--item", "u", "--where", "q > 0", "--weight", "q")
    fit = shlex.split(_printed(out)[-1])
    assert code == 0 and fit[fit.index("--user") + 1] == "i" and fit[fit.index("--weight") + 1] == "q"
    assert fit[fit.index("--where") + 1] == "q > 0"
