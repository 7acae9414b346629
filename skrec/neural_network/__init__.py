"""Keras nets as scikit-learn estimators: behaviour prediction, item features and user features.

Importing this module does not import TensorFlow; making a net does (the extra `deep`).
"""

__all__: list[str] = []
