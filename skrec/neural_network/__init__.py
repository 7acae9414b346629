"""Keras nets as scikit-learn estimators: behaviour prediction, item features and user features.

Importing this module does not import TensorFlow; making a net does (the extra `deep`).
"""

from ._cnn import CNNEncoder
from ._export import export_net
from ._gru4rec import GRU4Rec
from ._lstm import LSTMEncoder
from ._multvae import MultVAE
from ._purchase import PurchaseClassifier
from ._sasrec import SASRec
from ._two_tower import TwoTower

__all__ = [
    "CNNEncoder",
    "GRU4Rec",
    "LSTMEncoder",
    "MultVAE",
    "PurchaseClassifier",
    "SASRec",
    "TwoTower",
    "export_net",
]
