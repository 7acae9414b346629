"""The report: one file, nothing fetched, everything escaped."""

import re
import sys
from html.parser import HTMLParser

import pytest

from skrec.datasets import make_histories
from skrec.dummy import PopularityRecommender
from skrec.inspection import write_report
from skrec.linear_model import EASE
from skrec.model_selection import compare, split_last

EVIL = "<script>alert('x')</script> & \"co\""


@pytest.fixture
def question():
    X, y = split_last(make_histories(100, 40, random_state=0))
    models = {"EASE": EASE(l2=10), EVIL: PopularityRecommender(), "broken": PopularityRecommender(window=-1)}
    board, details = compare(models, X, y, return_per_user=True)
    return {"leaderboard": board, "details": details, "y": y, "note": EVIL}


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.links, self.open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.links += [value for name, value in attributes if name in ("src", "href")]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def write(path, question):
    example = {"user": EVIL, "history": [EVIL], "recommended": [EVIL], "later": []}
    return write_report(
        path,
        {EVIL: question},
        title=EVIL,
        data={EVIL: EVIL},
        split=[EVIL],
        examples=[example],
        popularity=dict.fromkeys(range(40), 1),
        random_state=7,
    )


def test_report_is_one_safe_file(tmp_path, question):
    pytest.importorskip("matplotlib")
    path = write(tmp_path / "report.html", question)
    text = path.read_text(encoding="utf-8")
    page = Tags(text)
    assert page.open == [] and "script" not in page.tags and "link" not in page.tags
    assert len(page.links) == 3 and all(link.startswith("data:image/svg+xml;base64,") for link in page.links)
    assert "&lt;script&gt;" in text and "broken failed: ValueError: window must be above 0" in text
    assert re.search(r"<td>seed</td><td>7</td>", text) and "scikit-learn" in text
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


def test_report_without_matplotlib(tmp_path, question, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    text = write(tmp_path / "report.html", question).read_text(encoding="utf-8")
    assert "pip install &#x27;skrec-hybrid[plot]&#x27;" in text and "<img" not in text and "NDCG@10" in text


def test_report_of_a_leaderboard_alone(tmp_path, question):
    path = write_report(tmp_path / "report.html", {"Q": {"leaderboard": question["leaderboard"]}})
    assert "Some customers" not in path.read_text(encoding="utf-8")
