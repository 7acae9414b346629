"""The shop of `skrec serve --demo`: Online Retail, with a model that has learned until November 2011."""

import time
from pathlib import Path

from ._model_files import learned_until, save_model
from ._options import Log
from ._screen import Screen
from ._serve_store import add_histories, add_model, plain_id


def prepare(screen: Screen, settings, store, folder: Path) -> None:
    """Fit a model to Online Retail until November 2011; what customers bought later shows how good it is."""
    if store.current() is not None:
        return
    from ..datasets import load_online_retail
    from ..model_selection import split_time
    from ..recipes import make_recommender
    from ._data import facts

    with screen.working("Reading Online Retail"):
        data = load_online_retail()
    if not store.last_seq():
        add_histories(screen, store, data.histories, item_rows=_catalogue_of(data))
    started = time.perf_counter()
    with screen.working("Fitting EASE to the purchases until 2011-11-01"):
        past = split_time(data.histories, at="2011-11-01")[0]
        past = past[[len(items) > 0 for items in past["item"]]]
        model = make_recommender("ease", exclude_seen=False, time="date").set_params(incremental=True).fit(past)
        notes = {"data": facts(past), "since": None, "until": "2011-11-01", "model": "ease", "time": "date"}
        notes |= learned_until(past)
        columns = {"user": "CustomerID", "item": "StockCode", "time": "InvoiceDate"}
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "model.skrec"
        save_model(model, path, notes, Log([], columns))
    screen.say(f"Fitted in {time.perf_counter() - started:.0f} s to {len(past):,} customers.")
    add_model(screen, settings, store, path)
    store.add_job("drift")


def _catalogue_of(data) -> list[dict]:
    features = data.item_features
    prices = data.events.groupby("StockCode")["UnitPrice"].median() if "UnitPrice" in data.events else {}
    return [
        {
            "item": plain_id(item),
            "name": name if isinstance(name, str) else None,
            "price": round(float(prices[item]), 2) if item in prices else None,
            "category": _kind_of_product(name),
        }
        for item, name in features["description"].items()
    ]


def _kind_of_product(name) -> str | None:
    """Return the last word of a name, which in this shop says what a thing is: a bag, a mug, a holder."""
    words = [word for word in str(name).lower().split() if word.isalpha()] if isinstance(name, str) else []
    return words[-1] if words else None
