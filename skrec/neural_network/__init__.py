"""Keras nets as scikit-learn estimators: behaviour prediction, item features and user features.

Importing this module does not import TensorFlow; making a net does (the extra `deep`).
"""

from ._cnn import CNNEncoder
from ._lstm import LSTMEncoder
from ._purchase import PurchaseClassifier

__all__ = ["CNNEncoder", "LSTMEncoder", "PurchaseClassifier"]
