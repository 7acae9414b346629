"""The report: one file, nothing fetched, everything escaped, bounded in size."""

import json
import re
import sys
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from skrec.datasets import make_histories
from skrec.dummy import PopularityRecommender
from skrec.inspection import write_report
from skrec.inspection._conclusion import conclude
from skrec.inspection._html import Page
from skrec.inspection._report_leaderboard import leaderboard_rows
from skrec.inspection._report_plots import MOST_LINES, few_models
from skrec.inspection._report_question import read_questions
from skrec.linear_model import EASE
from skrec.model_selection import compare, split_last

EVIL = "</script><img src=x onerror=alert('x')> & \"co\""
CHECK = ("group", "fact", "value", "level", "text", "action")


@pytest.fixture(scope="module")
def question():
    X, y = split_last(make_histories(100, 40, random_state=0))
    X.index = [EVIL, *X.index[1:].astype(str)]
    models = {"EASE": EASE(l2=10), EVIL: PopularityRecommender(), "broken": PopularityRecommender(window=-1)}
    board, details = compare(models, X, y, return_per_user=True)
    return {"leaderboard": board, "details": details, "X": X, "y": y, "note": EVIL}


@pytest.fixture
def no_plots(monkeypatch):
    """The plots take most of the time."""
    monkeypatch.setattr("skrec.inspection._report.has_matplotlib", lambda: False)


class Tags(HTMLParser):
    """Reads a page: tags, links, text, and whether all is closed."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.links, self.open, self.kinds = [], [], [], []
        self.attributes = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes.append(dict(attributes))
        self.links += [value for name, value in attributes if name in ("src", "href")]
        if tag not in ("meta", "img", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def write(path, question, **options):
    example = {"user": EVIL, "history": [EVIL], "recommended": [EVIL], "later": []}
    given = {
        "title": EVIL,
        "data": {EVIL: EVIL},
        "split": [EVIL],
        "examples": [example],
        "names": dict.fromkeys(range(40), EVIL),
        "categories": dict.fromkeys(range(20), EVIL),
        "check": pd.DataFrame([[EVIL, EVIL, 1.5, EVIL, EVIL, None]], columns=CHECK),
        "popularity": dict.fromkeys(range(40), 1),
        "random_state": 7,
    }
    return write_report({EVIL: question}, path, **given | options)


def data_of(text):
    return json.loads(re.search(r'<script type="application/json">(.*?)</script>', text)[1])


def test_report_is_one_safe_file(tmp_path, question):
    pytest.importorskip("matplotlib")
    path = write(tmp_path / "report.html", question)
    text = path.read_text(encoding="utf-8")
    page = Tags(text)
    assert page.open == [] and "link" not in page.tags and page.tags.count("script") == 2
    pictures = [link for link in page.links if not link.startswith("#part-")]
    assert len(pictures) == 4 and all(link.startswith("data:image/svg+xml;base64,") for link in pictures)
    assert page.tags.count("img") == 4 and not any("onerror" in found for found in page.attributes)
    assert "&lt;/script&gt;" in text and "broken failed: ValueError: window must be above 0" in text
    assert re.search(r'<th scope="row">seed</th><td>7</td>', text) and "scikit-learn" in text
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]
    data = data_of(text)
    assert EVIL[:80] in [user[0] for user in data["users"]] and {item[0] for item in data["items"]} == {EVIL[:80]}
    policy = next(found["content"] for found in page.attributes if "http-equiv" in found)
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy


def test_report_is_accessible(tmp_path, question):
    text = write(tmp_path / "report.html", question).read_text(encoding="utf-8")
    page = Tags(text)
    assert page.attributes[0] == {"lang": "en"} and {"main", "header", "nav", "title"} <= set(page.tags)
    levels = [int(tag[1]) for tag in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1 and max(np.diff(levels)) == 1
    assert all(found.get("alt") for tag, found in zip(page.tags, page.attributes, strict=True) if tag == "img")
    tables = re.findall(r"<table.*?</table>", text, re.S)
    assert all("<caption>" in table for table in tables if "<thead>" in table)
    assert text.index("Conclusion</h2>") < text.index("What the numbers mean</h2>") < text.index("The data</h2>")
    fields = [found for tag, found in zip(page.tags, page.attributes, strict=True) if tag == "input"]
    labels = [found["for"] for tag, found in zip(page.tags, page.attributes, strict=True) if tag == "label"]
    assert [field["id"] for field in fields] == labels and len(labels) == 2


def test_report_without_matplotlib(tmp_path, question, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    text = write(tmp_path / "report.html", question).read_text(encoding="utf-8")
    assert "pip install &#x27;skrec-hybrid[plot]&#x27;" in text and "<img" not in text and "NDCG@10" in text


@pytest.mark.parametrize("form", ["frame", "pair", "dict", "question"])
def test_what_compare_returned_is_a_question(no_plots, tmp_path, question, form):
    board, details = question["leaderboard"], question["details"]
    given = {"frame": board, "pair": (board, details), "dict": {"Q": (board, details)}, "question": question}[form]
    text = write_report(given, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Use EASE" in text and ("Find a customer" in text) == (form == "question")
    assert (">Q</h2>" in text) == (form == "dict") and (">Result</h2>" in text) == (form != "dict")


def test_the_old_order_works_with_a_warning(no_plots, tmp_path, question):
    board = {"Q": {"leaderboard": question["leaderboard"]}}
    for name, call in enumerate([lambda p: write_report(p, board), lambda p: write_report(p, questions=board)]):
        with pytest.warns(FutureWarning, match=r"use write_report\(questions, path\) instead") as warned:
            path = call(str(tmp_path / f"{name}.html"))
        assert "Use EASE" in path.read_text(encoding="utf-8") and warned[0].filename == __file__
    with pytest.raises(TypeError, match="needs questions and then the path"):
        write_report("a.html")
    with pytest.raises(TypeError, match="needs questions and then the path"):
        write_report("a.html", path="b.html")
    with pytest.raises(TypeError, match="is it the path"):
        write_report(questions="a.html", path=board)
    with pytest.raises(TypeError, match="path must be the path of a file"):
        write_report(board, board)


def test_wrong_parts_are_named(no_plots, tmp_path, question):
    board, path = question["leaderboard"], tmp_path / "r.html"
    twice = pd.concat([board, board])
    for given, error, text in [
        (twice, ValueError, "must name each model once, but has 'EASE' twice"),
        ({"Q": {**question, "Y": 1}}, ValueError, r"has the parts \['Y'\]"),
        ({"Q": {**question, "y": question["y"][:5]}}, ValueError, "must have one row per user in all of its parts"),
        ({"Q": {**question, "details": [1]}}, TypeError, r"\['details'\] must be the dict that compare returned"),
        (board[["error"]], ValueError, "must have the columns that compare returned"),
        (3, TypeError, "questions must be what compare returned"),
    ]:
        with pytest.raises(error, match=text):
            write_report(given, path)
    for option, error, text in [
        ({"names": {"x": "y"}}, ValueError, "names must be indexed by item id"),
        ({"names": pd.Series(["a", "b"], index=[1, 1])}, ValueError, "names must have one text for each item"),
        ({"categories": ["a"]}, TypeError, "categories must be a dict or a Series"),
        ({"check": pd.DataFrame({"fact": [1]})}, TypeError, "check must be a frame with the columns group, fact"),
        ({"rows": "people"}, ValueError, "rows must be a plural that ends in s"),
    ]:
        with pytest.raises(error, match=text):
            write_report(question, path, **option)
    assert not path.exists()


def test_boards_on_which_nothing_can_be_judged(no_plots, tmp_path, question):
    board = question["leaderboard"]
    failed = board[board["error"] != ""]
    text = write_report(failed, tmp_path / "failed.html").read_text(encoding="utf-8")
    assert "No model can be judged: all 1 failed." in text and "broken failed: ValueError" in text
    nobody = board.assign(error="").assign(**{"ndcg@10": np.nan})
    text = write_report(nobody, tmp_path / "nobody.html").read_text(encoding="utf-8")
    assert "none of the customers has a held-out item" in text
    two = {"leaderboard": failed, "details": {}, "X": question["X"], "y": question["y"]}
    assert "Find a" not in write_report(two, tmp_path / "two.html").read_text(encoding="utf-8")


def test_numbers_of_the_conclusion_stand_in_the_table(no_plots, tmp_path, question):
    text = write_report(question, tmp_path / "r.html").read_text(encoding="utf-8")
    board = question["leaderboard"]
    header, rows = leaderboard_rows(board)
    cells = {row[0]: dict(zip(header, row, strict=True)) for row in rows}
    first = conclude(board, question["details"]).sentences[0]
    assert first in text and f"NDCG@10 {cells['EASE']['NDCG@10']}" in first
    hits = round(float(cells["EASE"]["Hit rate@10"]) * board.attrs["n_scored"])
    assert first.startswith(f"Use EASE: {hits} of {board.attrs['n_scored']} customers find something")
    for name, row in cells.items():
        shown = "".join(f"<td class=number>{cell.replace('<', '&lt;')}</td>" for cell in list(row.values())[1:])
        assert shown in text, name


def test_at_most_six_models_have_a_line(question):
    board = question["leaderboard"].iloc[[0]]
    many = pd.concat([board] * 20)
    many.index = [f"model {number}" for number in range(19)] + ["popularity"]
    many["p_value"], many.attrs = 0.01, board.attrs
    many["ndcg@10"] = np.linspace(0.5, 0.4, 20)
    (read,) = read_questions(many, "customers")
    names = few_models(read)
    assert len(names) == MOST_LINES and "popularity" in names and "model 0" in names


def test_size_is_bounded_for_a_large_catalogue(tmp_path):
    rng = np.random.default_rng(0)
    n_items, n_users = 100_000, 3000
    X = pd.DataFrame({"item": list(rng.integers(0, n_items, (n_users, 40)))})
    y, lists = list(rng.integers(0, n_items, (n_users, 3))), rng.permuted(np.tile(np.arange(40), (n_users, 1)), axis=1)
    lists = lists[:, :10] + rng.integers(0, n_items - 40, (n_users, 1))
    models = {"one": _Fixed(lists)}
    board, details = compare(models, X, y, return_per_user=True, n_resamples=20)
    question = {"leaderboard": board, "details": details, "X": X, "y": y}
    names = {item: f"<&>{item:>100}" for item in range(n_items)}
    text = write_report(question, tmp_path / "r.html", names=names, popularity=(np.arange(n_items), np.arange(n_items)))
    text = text.read_text(encoding="utf-8")
    assert len(text) < 3_500_000 and len(json.dumps(data_of(text))) > 1_000_000
    told = re.search(r"The search holds ([\d,]+) of ([\d,]+) customers .* and ([\d,]+) of ([\d,]+) items", text)
    data = data_of(text)
    assert [int(number.replace(",", "")) for number in told.groups()][:3:2] == [len(data["users"]), len(data["items"])]
    assert told[2] == "3,000"


class _Fixed(PopularityRecommender):
    """Recommends given lists."""

    def __init__(self, lists=None, k=10):
        super().__init__(k=k)
        self.lists = lists

    def predict(self, X):
        return self.lists[: len(X)]


def test_data_of_the_search_must_be_safe():
    with pytest.raises(ValueError, match="without '<'"):
        Page("x").search("</script>", ["a", "b"], "t", "w")


def test_the_check_of_the_log_is_in_words(no_plots, tmp_path, question):
    rows = [
        ["log", "events", 1234567, "info", "1,234,567 events", ""],
        ["log", "share", 0.123456, "info", pd.NA, float("nan")],
        ["ids", "padding", True, "warning", "ids are padded", "strip them"],
        ["log", "command", "skrec fit <x>", "info", "fits", ""],
    ]
    check = pd.DataFrame(rows, columns=CHECK)
    text = write_report(question["leaderboard"], tmp_path / "r.html", check=check).read_text(encoding="utf-8")
    assert "<p>Warning: ids are padded. To do: strip them</p>" in text
    for cells in [("events", "1,234,567 events"), ("share", "0.123"), ("command", "fits: skrec fit &lt;x&gt;"),
                  ("padding", "warning: ids are padded. To do: strip them")]:  # fmt: skip
        assert f'<th scope="row">{cells[0]}</th><td>{cells[1]}</td>' in text
    assert text.count("<caption>Check: log</caption>") == 1
    text = write_report({}, tmp_path / "r.html", check=check[:2]).read_text(encoding="utf-8")
    assert "Nothing needs a correction." in text and "Conclusion" not in text
