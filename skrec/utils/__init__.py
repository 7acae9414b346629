"""Shared tools. Third parties will want :mod:`skrec.utils.estimator_checks`."""
