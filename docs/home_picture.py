"""Draw the picture of the home page: ``python docs/home_picture.py`` writes ``home.svg`` and ``home_narrow.svg``.

Histories in, rankings out: three customers of Online Retail, what they bought last before November 2011, and what EASE,
which learned from all purchases before November, ranks first. A tick marks what the customer bought in November. The
three have short histories and hits, so that a reader sees both at once; the quality over all customers is in the table
below the picture. Colours are those of the page, in light and dark.
"""

from html import escape
from pathlib import Path

from skrec.datasets import load_online_retail
from skrec.feature_extraction import HistoryVectorizer
from skrec.linear_model import EASE
from skrec.model_selection import split_time

FOLDER = Path(__file__).parent / "_static"
CUSTOMERS = (12589, 17540, 12990)
N_LAST, N_BEST = 3, 3
WIDTH, LINE, PAD = 306, 22, 12
HEIGHT = 34 + LINE * N_LAST + PAD
STYLE = """
.home-picture text { font-family: var(--pst-font-family-base, system-ui, sans-serif); font-size: 12.5px;
  fill: var(--pst-color-text-base, #222832); }
.home-picture .box { fill: var(--pst-color-surface, #f3f4f5); stroke: var(--pst-color-border, #c9c9c9); }
.home-picture .head { font-weight: 600; }
.home-picture .muted { fill: var(--pst-color-text-muted, #48566b); }
.home-picture .model { fill: var(--pst-color-primary, #0a7d91); }
.home-picture .model-text { fill: var(--pst-color-background, #fff); font-weight: 600; }
.home-picture .line { stroke: var(--pst-color-text-muted, #48566b); stroke-width: 1.6; fill: none; }
.home-picture .tip { fill: var(--pst-color-text-muted, #48566b); }
.home-picture .hit { fill: var(--pst-color-success, #28a745); font-weight: 700; }
"""


def answers():
    """Return for each customer the id, the last items, and the best items with whether they were bought later."""
    data = load_online_retail()
    names = data.item_features["description"]
    november = {"at": "2011-11-01", "until": "2011-12-01", "exclude_seen": True, "verbose": 0}
    X, y = split_time(data.histories, **november)
    known = X[X["item"].list.len() > 0]
    model = EASE(vectorizer=HistoryVectorizer(recency=0.9), l2=100).fit(known)
    for customer in CUSTOMERS:
        place = X.index.get_loc(customer)
        history, held_out = list(X["item"].iloc[place]), set(y.iloc[place])
        best = model.recommend([history], k=N_BEST)[0]
        yield customer, [names[item] for item in history[-N_LAST:]], [(names[item], item in held_out) for item in best]


def text(x, y, content, kind=""):
    """Return a line of text."""
    return f'<text x="{x}" y="{y}" class="{kind}">{escape(content)}</text>'


def card(x, y, title, lines):
    """Return a box with a title and numbered or plain lines, each a pair of text and whether it is a hit."""
    parts = [f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="6" class="box"/>']
    parts.append(text(x + PAD, y + 22, title, "head muted"))
    for number, (line, is_hit) in enumerate(lines):
        base = y + 24 + LINE * (number + 1)
        parts.append(text(x + PAD, base, line))
        if is_hit:
            parts.append(text(x + WIDTH - 26, base, "\N{CHECK MARK}", "hit"))
    return parts


def name(description):
    """Return a product's name in small letters, with a capital first one."""
    return " ".join(description.split()).capitalize()


def arrow(x, y, to_x, to_y):
    """Return an arrow to the right or down."""
    tip = f"{to_x},{to_y} {to_x - 9},{to_y - 5} {to_x - 9},{to_y + 5}"
    if x == to_x:
        tip = f"{to_x},{to_y} {to_x - 5},{to_y - 9} {to_x + 5},{to_y - 9}"
    return [f'<path d="M{x} {y} L{to_x} {to_y}" class="line"/>', f'<polygon points="{tip}" class="tip"/>']


def picture(rows, *, is_narrow):
    """Return the picture as SVG: three columns, or one where it is narrow."""
    parts, step = [], HEIGHT + 14
    if is_narrow:
        width, y = WIDTH + 2, 1
        for customer, history, best in rows[:2]:
            parts += card(1, y, f"Customer {customer} bought", [(name(item), False) for item in history])
            parts += arrow(WIDTH / 2, y + HEIGHT + 2, WIDTH / 2, y + HEIGHT + 22)
            parts += [text(WIDTH / 2 + 14, y + HEIGHT + 18, "model.predict", "muted")]
            y += HEIGHT + 26
            parts += card(1, y, "Ranking", [(f"{i}. {name(item)}", hit) for i, (item, hit) in enumerate(best, 1)])
            y += HEIGHT + 26
        height = y - 24
    else:
        width, height, middle = 2 * WIDTH + 250, 26 + step * len(rows) - 12, WIDTH + 125
        parts += [text(1, 16, "Histories in", "head"), text(WIDTH + 249, 16, "Rankings out", "head")]
        for row, (customer, history, best) in enumerate(rows):
            y = 26 + step * row
            parts += card(1, y, f"Customer {customer} bought", [(name(item), False) for item in history])
            parts += arrow(WIDTH + 8, y + HEIGHT / 2, middle - 68, y + HEIGHT / 2)
            parts += arrow(middle + 66, y + HEIGHT / 2, WIDTH + 242, y + HEIGHT / 2)
            ranked = [(f"{i}. {name(item)}", hit) for i, (item, hit) in enumerate(best, 1)]
            parts += card(WIDTH + 249, y, "Ranking", ranked)
        body = height - 26
        parts.append(f'<rect x="{middle - 62}" y="26" width="124" height="{body}" rx="6" class="model"/>')
        for line, words in enumerate(("EASE", ".fit(histories)", ".predict(rows)")):
            place = f'x="{middle}" y="{26 + body / 2 - 18 + 22 * line}" text-anchor="middle" class="model-text"'
            parts.append(f"<text {place}>{words}</text>")
    said = "; ".join(
        f"customer {customer} bought {', '.join(map(name, history))} and is recommended "
        + ", ".join(name(item) + (" (bought later)" if hit else "") for item, hit in best)
        for customer, history, best in rows[: 2 if is_narrow else None]
    )
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" class="home-picture" role="img"'
    kind = "narrow" if is_narrow else "wide"
    return "\n".join(
        [
            f'{head} data-kind="{kind}" aria-label="{escape(said)}">',
            f"<style>{STYLE}</style>",
            *parts,
            "</svg>\n",
        ]
    )


if __name__ == "__main__":
    found = list(answers())
    (FOLDER / "home.svg").write_text(picture(found, is_narrow=False))
    (FOLDER / "home_narrow.svg").write_text(picture(found, is_narrow=True))
    for customer, history, best in found:
        print(customer, history, best)
