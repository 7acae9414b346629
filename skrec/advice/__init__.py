"""Advice before a model is fitted: what a log is like, which recipe suits it, and what that costs."""

__all__: list[str] = []
