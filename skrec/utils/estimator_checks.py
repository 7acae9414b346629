"""The old place of :mod:`skrec.testing`; its names are deprecated here."""

from ._deprecation import moved_names

__getattr__ = moved_names(
    __name__,
    {
        "check_recommender": "skrec.testing.check_recommender",
        "yield_recommender_checks": "skrec.testing.yield_recommender_checks",
    },
    since="0.2",
    removed_in="0.4",
)
