"""The tour: a real shop, all models, two questions."""

import shlex
import time
from pathlib import Path

from sklearn.frozen import FrozenEstimator

from ..recipes import COUNTED, ENSEMBLES, make_recommender, recipe_names
from ..utils._histories import read_histories
from ._advice import say_conclusion
from ._data import facts, write_table
from ._dates import parse_moment
from ._evaluate import ask, popularity, show_leaderboard
from ._hold_out import hold_out, known_names
from ._model_files import save_model
from ._options import Log
from ._screen import Screen, UserError

AT = parse_moment("2011-11-01", "--at")
COLUMNS = {"user": "CustomerID", "item": "StockCode", "time": "InvoiceDate", "name": "Description"}
_REPEATS = "What do customers buy next, old or new?"
_NEW = "Which items do they buy that they never had?"
_ONLY_ONCE = ("fit_seconds", "peak_mib")


def run(screen: Screen, folder: Path) -> None:
    """Run the demo and write its files to a folder."""
    from ..datasets import load_online_retail

    started = time.perf_counter()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--output-dir {folder} cannot be made: {error.strerror}") from error

    with screen.working("Reading Online Retail"):
        data = load_online_retail()
    histories, names = data.histories, data.item_features["description"]
    described = facts(histories)
    screen.say(f"Online Retail, a shop for gifts: {described['events']} purchases of {described['users']} customers,")
    screen.say(f"{described['items']} products, {described['time']}. {described['repeats']}.\n")

    repeats = hold_out(histories, "time", AT, False, True)
    for sentence in repeats.sentences:
        screen.say(sentence)
    described_by = {"k": 10, "time": "date", "item_names": known_names(names, repeats.X)}
    models = {name: make_recommender(name, exclude_seen=False, **described_by) for name in recipe_names(nets=False)}
    first, details = ask(screen, models, repeats, 10, keep=True)
    screen.say()
    show_leaderboard(screen, first, f"1. {_REPEATS} (--include-seen)")
    best = say_conclusion(screen, first, details).model

    # the same fitted models, asked again; those that counted or weighed learn once more without repeats
    new = hold_out(histories, "time", AT, True, True)
    fitted = {name: FrozenEstimator(clone_fitted(details[name].estimator)) for name in models if name in details}
    fitted |= {name: make_recommender(name, exclude_seen=True, **described_by) for name in (*COUNTED, *ENSEMBLES)}
    second, details_new = ask(screen, fitted, new, 10)
    for column in _ONLY_ONCE:
        second[column] = first[column].reindex(second.index)
    screen.say()
    show_leaderboard(screen, second, f"2. {_NEW} (--exclude-seen)")
    say_conclusion(screen, second, details_new)

    examples = _examples(repeats, details[best].recommendations, names)
    screen.say(f"\nThree customers, what {best} recommends, and what they bought later (* recommended before):")
    for example in examples:
        rows = [("had lately", example["history"]), ("recommended", example["recommended"])]
        rows = [(name, "; ".join(texts)) for name, texts in [*rows, ("bought later", example["later"])]]
        if not screen.quiet:
            screen.table([f"customer {example['user']}", ""], rows)

    with screen.working("Writing the files"):
        model = make_recommender(best, exclude_seen=False, time="date", item_names=names).fit(histories)
        notes = {"data": described, "since": None, "until": None, "model": best, "time": "date"}
        save_model(model, folder / "model.skrec", notes, Log([], COLUMNS), names)
        write_table(data.events[[*COLUMNS.values(), "Quantity"]], folder / "events.parquet")
        write_table(first.reset_index(), folder / "leaderboard.csv")
        _write_report(folder / "report.html", data, described, (repeats, first, details), (new, second, details_new))
    screen.show(_ending(folder, best, time.perf_counter() - started))


def clone_fitted(model):
    """Return the fitted model with `exclude_seen`, sharing what was learned."""
    import copy

    return copy.copy(model).set_params(exclude_seen=True)


def _examples(question, recommendations, names, n: int = 3) -> list[dict]:
    """Take the first customers with a moderate history and several later purchases: not picked by the answer."""
    past, held = read_histories(question.X), read_histories(question.y)
    rows = [row for row in range(len(past)) if 8 <= past.lengths[row] <= 40 and held.lengths[row] >= 5][:n]
    examples = []
    for row in rows:
        history = list(dict.fromkeys(question.X["item"].iloc[row][::-1]))
        later, recommended = list(question.y.iloc[row]), list(recommendations[row][:6])
        marked = [names[item] + (" *" if item in recommended else "") for item in later]
        marked.sort(key=lambda text: not text.endswith(" *"))
        examples.append(
            {
                "user": question.X.index[row],
                "history": [names[item] for item in history[:6]],
                "recommended": [names[item] for item in recommended],
                "later": marked[:6] + ([f"and {len(marked) - 6} more"] if len(marked) > 6 else []),
            }
        )
    return examples


def _write_report(path: Path, data, described: dict, first: tuple, second: tuple) -> None:
    from ..inspection import write_report

    questions = {}
    for heading, (question, leaderboard, details), note in [
        (_REPEATS, first, "Items that a customer already has may be recommended again."),
        (_NEW, second, "Items that a customer already has come last and are no right answer."),
    ]:
        part = {"leaderboard": leaderboard, "details": details, "X": question.X, "y": question.y, "note": note}
        questions[heading] = part
    write_report(
        questions,
        path,
        title="Online Retail: recommenders compared",
        data={**described, "source": " ".join(data.DESCR.split("\n\n")[-1].split())},
        split=first[0].sentences,
        names=data.item_features["description"],
        popularity=popularity(first[0].X),
        random_state=0,
    )


def _ending(folder: Path, best: str, seconds: float) -> str:
    log, model, report = (shlex.quote(str(folder / name)) for name in ("events.parquet", "model.skrec", "report.html"))
    own = shlex.quote(str(folder / "my-model.skrec"))
    columns = " ".join(f"--{role} {name}" for role, name in COLUMNS.items())
    return f"""Done in {seconds:.0f} s. The files are in {folder}; open {report} in a browser.

What to do next:

  skrec recommend {model} {log} --users 17850
  skrec recommend {model} {log} --users 17850 --exclude-seen
  skrec fit {log} {columns} --model {best} --include-seen -o {own}

Your own log: put its path and the names of its columns in place of these."""
