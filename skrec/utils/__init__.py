"""Shared tools, private to skrec; the checks for a recommender of your own are in :mod:`skrec.testing`."""
