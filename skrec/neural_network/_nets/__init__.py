"""Keras graphs, layers, losses and optimizers of the nets."""
