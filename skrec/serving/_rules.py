"""Rules of a scenario: pinned and buried items, factors, items a category, exploration."""

from typing import Any

from ..ensemble import Reranker
from ._memo import Memo


class Scenario:
    """The rules of one scenario, as a body of `RulesIn` that was checked.

    Parameters
    ----------
    body : dict
        ``pin``, ``bury``, ``boost``, ``max_per_category``, ``diversity``, ``explore``, ``temperature``, each optional.
    """

    def __init__(self, body: dict[str, Any]):
        self.body = body
        self.pin: list = list(dict.fromkeys(body.get("pin") or []))
        self.explore: float | None = body.get("explore")
        self.temperature: float | None = body.get("temperature")
        self.reorders = any(body.get(name) for name in ("bury", "boost", "max_per_category", "diversity"))
        self._rerankers: tuple[object, object, Memo] = (None, None, Memo(16))  # of one model and one catalogue

    @staticmethod
    def reranker(scenario: "Scenario | None", model, catalogue, diversity: float | None, exclude_seen: bool):
        """Return a `Reranker` of a model by the rules of a scenario, or None, and the diversity of a request."""
        scenario = _PLAIN if scenario is None else scenario
        of_model, of_catalogue, memo = scenario._rerankers
        if of_model is not model or of_catalogue is not catalogue:
            memo = Memo(16)
            scenario._rerankers = model, catalogue, memo
        return memo.get((diversity, exclude_seen), lambda: scenario._build(model, catalogue, diversity, exclude_seen))

    def _build(self, model, catalogue, diversity: float | None, exclude_seen: bool):
        body = self.body
        factors = {item: float(factor) for item, factor in self._factors(model)}
        categories = {item: row["category"] for item, row in catalogue.rows.items() if row["category"] is not None}
        trade_off = body.get("diversity") if diversity is None else diversity
        varied = bool(trade_off) and (bool(categories) or hasattr(model.estimator, "item_factors_"))
        most = body.get("max_per_category") if categories else None
        reranker = Reranker(
            model.estimator,
            diversity="mmr" if varied else None,
            trade_off=trade_off if varied else 0.3,
            categories=categories or None,
            max_per_category=most,
            boost=factors or None,
            prefit=True,
            exclude_seen=exclude_seen,
            random_state=0,
        )
        return reranker.fit([])

    def _factors(self, model):
        """Yield the factor of the relevance of each item that a rule names; the keys of JSON are texts."""
        whole = model.kind == "integer"
        for item, factor in (self.body.get("boost") or {}).items():
            try:
                key = int(item) if whole else item
            except ValueError:  # written before the ids of the shop were known to be integers
                continue
            if key in model.position:
                yield key, factor
        for item in self.body.get("bury") or []:
            if item in model.position:
                yield item, 0.0


_PLAIN = Scenario({})
