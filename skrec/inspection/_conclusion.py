"""The conclusion of a comparison in words, for the report and for the end of `skrec evaluate`."""

from dataclasses import dataclass, field

import numpy as np

from ..metrics import paired_bootstrap

FEW = 30  # users below which chance decides which model is best
_CHANCE = 0.05  # p-values from here on: chance alone may explain a difference
_FLOORS = ("popularity", "popularity-30d", "popular", "random")
_CHEAP = 0.5  # a model is cheaper that fits in at most this share of the time
_LEAST = 1.0  # seconds to fit, and milliseconds of a request, below which a cost does not count
_WORDS = ("", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


@dataclass(frozen=True)
class Conclusion:
    """What follows from a leaderboard.

    Attributes
    ----------
    model : str or None
        The model to use; None where none can be judged.
    sentences : list of str
        The conclusion in words, the model first.
    compared : list of str
        The models that the sentences compare, the one to use first.
    """

    model: str | None
    sentences: list[str]
    compared: list[str] = field(default_factory=list)


def main_metric(leaderboard) -> str:
    """Return the column of the NDCG."""
    return next(name for name in leaderboard.columns if name.startswith("ndcg@") and name.partition("@")[2].isdigit())


def judged(leaderboard):
    """Return the rows of the models that did not fail and have an NDCG, the best first."""
    key = main_metric(leaderboard)
    good = leaderboard[(leaderboard["error"] == "") & leaderboard[key].notna()]
    return good.sort_values(key, ascending=False, kind="stable")


def decimals(leaderboard) -> int:
    """Return the decimals of metrics: three, or four where the best NDCG is below 0.1."""
    best = leaderboard[main_metric(leaderboard)].max()
    return 4 if best < 0.1 else 3


def amount(value: float) -> str:
    """Write seconds or milliseconds: two digits or more, nothing below 0.01."""
    if np.isnan(value):
        return ""
    if value < 0.01:
        return "< 0.01"
    return f"{value:.2f}" if value < 1 else f"{value:.1f}" if value < 10 else f"{value:,.0f}"


def p_text(p_value: float) -> str:
    """Write a p-value with three decimals."""
    return "" if np.isnan(p_value) else "< 0.001" if p_value < 0.0005 else f"{p_value:.3f}"


def is_chance(p_value: float) -> bool:
    """Tell whether chance alone may explain a difference, judged by the p-value as it is written."""
    return not round(p_value, 3) < _CHANCE


def conclude(leaderboard, details=None, *, rows: str = "customers") -> Conclusion:
    """Say which model to use, what it gains over cheaper and simpler ones, at what cost, and what may be chance.

    The model is the best one, unless chance alone may have put it first (p >= 0.05): before popularity, which a
    learned model must beat, or before a model that fits in less than half the time where the best one takes more
    than a second.

    Parameters
    ----------
    leaderboard : pandas.DataFrame
        What :func:`~skrec.model_selection.compare` returned.
    details : dict of str to Bunch, default=None
        The scores of each user, which it returned as well: for the p-value between models that are not the best.
    rows : str, default="customers"
        What the rows are called, a plural.

    Returns
    -------
    Conclusion
        All numbers are those of the leaderboard as it is written; differences are those between written numbers.
    """
    good = judged(leaderboard)
    failed = leaderboard.index[leaderboard["error"] != ""].tolist()
    if not len(good):
        what = f"all {len(failed)} failed" if failed else f"none of the {rows} has a held-out item"
        return Conclusion(None, [f"No model can be judged: {what}."])
    words = _Words(leaderboard, good, details or {}, rows)
    first = words.choose()
    sentences, compared = words.sentences(first)
    scored = leaderboard.attrs.get("n_scored", FEW)
    if scored < FEW:
        which = f"Only {scored} {rows} have" if scored != 1 else f"Only one of the {rows} has"
        sentences.append(f"{which} a held-out item: chance alone may decide which model is best.")
    if failed:
        sentences.append(f"{len(failed)} of {len(leaderboard)} models failed: {listed(failed)}.")
    return Conclusion(first, sentences, compared)


class _Words:
    """Sentences about the models of one leaderboard."""

    def __init__(self, leaderboard, good, details, rows: str):
        self.good, self.details, self.rows = good, details, rows
        self.key = main_metric(leaderboard)
        self.decimals = decimals(leaderboard)
        self.attrs = leaderboard.attrs
        self.metric = self.key.replace("ndcg", "NDCG")
        self.best = good.index[0]
        self.values = {name: round(float(value), self.decimals) for name, value in good[self.key].items()}
        self.fit = good["fit_seconds"].to_dict()

    def choose(self) -> str:
        equal = [name for name in self.good.index if name == self.best or is_chance(self.good.loc[name, "p_value"])]
        floors = [name for name in self._floors() if name in equal]
        if floors:
            return floors[0]
        quick = [name for name in equal if self.fit[name] < _CHEAP * self.fit[self.best]]
        return quick[0] if quick and self.fit[self.best] > _LEAST else self.best

    def sentences(self, first: str) -> tuple[list[str], list[str]]:
        others = [name for name in self.good.index if name != first]
        sentences = [self._use(first)]
        if cost := self._cost(first):
            sentences.append(cost)
        if not others:
            sentences.append(f"Nothing else was compared: compare {first} with popularity before you trust it.")
            return sentences, [first]
        counts = self.fit[first] >= _LEAST
        cheaper = [name for name in others if counts and self.fit[name] <= _CHEAP * self.fit[first]]
        floors = self._floors()
        simplest = floors[:1] or sorted(cheaper, key=lambda name: self.fit[name])[:1]
        named = [self.best] if first != self.best else [cheaper[0] if cheaper else others[0]]
        named += [name for name in simplest if name not in (first, *named)]
        sentences += [self._against(first, name) for name in named]
        if first in floors:
            sentences.append(f"No model is clearly better than {first}: a larger log may tell more.")
        if first == self.best:
            left = self.good["p_value"].drop(named)
            chance = left.index[left.notna() & left.map(is_chance)].tolist()
        else:
            chance = []
        if chance:
            few = f"{listed(chance[:4])}{f' and {len(chance) - 4} more' if len(chance) > 4 else ''}"
            sentences.append(f"Chance alone may explain the difference to {few} as well.")
        return sentences, [first, *named]

    def _floors(self) -> list[str]:
        plain = {str(name).lower().replace("recommender", ""): name for name in reversed(self.good.index)}
        return [plain[name] for name in _FLOORS if name in plain]

    def _use(self, name: str) -> str:
        row = self.good.loc[name]
        value = f"{self.metric} {self._written(name)}"
        if self.key + "_low" in row and row[self.key + "_low"] == row[self.key + "_low"]:
            low, high = (f"{row[self.key + end]:.{self.decimals}f}" for end in ("_low", "_high"))
            value += f", {100 * self.attrs.get('confidence', 0.95):g} % interval {low} to {high}"
        k = self.key.partition("@")[2]
        if f"hit_rate@{k}" not in row:
            return f"Use {name}: {value}."
        length = min(int(k), self.attrs.get("n_items", int(k)))
        written = _WORDS[length] if length < len(_WORDS) else f"{length:,}"
        return f"Use {name}: {self._share(row[f'hit_rate@{k}'])} find something they want in {written} ({value})."

    def _share(self, share: float) -> str:
        scored = self.attrs.get("n_scored")
        if scored is not None and scored < 100:
            return f"{round(share * scored)} of {scored} {self.rows}"
        whole = 100 if share >= 0.095 or share == 0 else 1000
        count = int(share * whole + 0.5)
        if (count == whole) != (share == 1):
            return f"more than {whole - 1} of {whole} {self.rows}"
        if (count == 0) != (share == 0):
            return f"fewer than 1 of {whole:,} {self.rows}"
        return f"{count} of {whole:,} {self.rows}"

    def _cost(self, name: str) -> str:
        request = self.good.loc[name].get("request_ms", np.nan)
        seconds = amount(self.fit[name])
        if not seconds:
            return ""
        asked = "" if np.isnan(request) else f", and a request takes {_less(amount(request))} ms"
        return f"It takes {_less(seconds)} s to fit{asked}."

    def _written(self, name: str) -> str:
        return f"{self.values[name]:.{self.decimals}f}"

    def _against(self, first: str, other: str) -> str:
        step = round(self.values[first] - self.values[other], self.decimals)
        role = ", the simplest model here" if other in self._floors()[:1] else ""
        costs = self._costs(first, other)
        if not step:
            return f"It equals {other}{role} to {self.decimals} decimals ({self._written(other)}){costs}."
        what = f"It is {abs(step):.{self.decimals}f} {'above' if step > 0 else 'below'} {other}{role}{costs}"
        p_value = self._p_value(first, other)
        if np.isnan(p_value):
            return f"{what}; whether chance alone explains the difference is not known."
        may = "may explain" if is_chance(p_value) else "does not explain"
        return f"{what}; chance alone {may} the difference (p {'' if p_value < 0.0005 else '= '}{p_text(p_value)})."

    def _p_value(self, first: str, other: str) -> float:
        """Return the p-value of a difference; NaN where the leaderboard does not hold it and no scores are given."""
        if self.best in (first, other):
            return float(self.good.loc[first if other == self.best else other, "p_value"])
        if first not in self.details or other not in self.details:
            return np.nan
        a, b = (self.details[name].scores[self.key] for name in (first, other))
        return paired_bootstrap(a, b, random_state=0)[3] if np.count_nonzero(~np.isnan(a)) > 1 else np.nan

    def _costs(self, first: str, other: str) -> str:
        """Compare the cost of another model with that of the first."""
        mine, its = (self.good.loc[name].get("request_ms", np.nan) for name in (first, other))
        parts = [
            _ratio(self.fit[first], self.fit[other], "s", "cheaper to fit", "more expensive to fit"),
            _ratio(mine, its, "ms", "faster per request", "slower per request"),
        ]
        parts = [part for part in parts if part]
        return f", which is {' and '.join(parts)}" if parts else ""


def _ratio(first: float, other: float, unit: str, less: str, more: str) -> str:
    """Say how many times less or more `other` takes; nothing below a factor of 1.5 or below one unit."""
    if np.isnan(first) or np.isnan(other) or max(first, other) < _LEAST:
        return ""
    texts = [amount(first), amount(other)]
    mine, its = (float(text.replace(",", "").replace("< ", "")) for text in texts)
    ratio = max(mine / its, its / mine)
    if ratio < 1.5:
        return ""
    times = f"{ratio:,.0f}" if ratio >= 9.95 else f"{ratio:.1f}".removesuffix(".0")
    bound = "over " if any(text.startswith("<") for text in texts) else ""
    amounts = f"{_less(texts[1])} rather than {_less(texts[0])} {unit}"
    return f"{bound}{times} times {less if its < mine else more} ({amounts})"


def _less(text: str) -> str:
    return text.replace("< ", "less than ")


def listed(names) -> str:
    """Write names as a list in a sentence."""
    names = [str(name) for name in names]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
