"""What a recommender says of itself, beyond scikit-learn's tags."""

from dataclasses import dataclass, fields

from sklearn.utils import Tags


@dataclass(slots=True)
class RecommenderTags(Tags):
    """scikit-learn's tags and those of a recommender.

    Attributes
    ----------
    personalized : bool, default=True
        Whether the scores of unseen items depend on the history in a way that can be learned. Popularity and
        random recommenders say False: the checks then do not ask them to recognise tastes.
    fit_randomness : bool, default=False
        Whether `fit` depends on the order of the rows beyond rounding, as stochastic training does and models
        that take later rows for newer ones.
    needs_order : bool, default=False
        Whether the model reads the events of a history in their order, and so takes histories and no matrix.
    updates : {"exact", "approximate"} or None, default=None
        What `partial_fit` gives: the model that `fit` on all events gives, one near it, or nothing.
    """

    personalized: bool = True
    fit_randomness: bool = False
    needs_order: bool = False
    updates: str | None = None

    @classmethod
    def extend(cls, tags: Tags) -> "RecommenderTags":
        """Return the same tags with those of a recommender at their defaults."""
        return cls(**{field.name: getattr(tags, field.name) for field in fields(Tags)})
