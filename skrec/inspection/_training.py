"""A plot of how a net was trained."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..utils._arguments import as_floats
from ._displays import _Display, style


class TrainingDisplay(_Display):
    """Loss of each epoch, and beside it what the held-out part said.

    Create it with `from_estimator`.

    Parameters
    ----------
    loss : array-like of shape (n_epochs,)
        Training loss.
    held_out : array-like of shape (n_epochs,), default=None
        Loss or score of the held-out part.
    name : str, default="validation score"
        What the held-out numbers are.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the loss.
    held_out_ax_ : matplotlib Axes
        Axes of the held-out numbers, on the right; only with `held_out`.
    figure_ : matplotlib Figure
        The figure around them.

    See Also
    --------
    skrec.neural_network.SASRec : Has a `history_`, as every net.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("agg")
    >>> from skrec.inspection import TrainingDisplay
    >>> display = TrainingDisplay([3.0, 2.0, 1.5], [0.1, 0.3, 0.2]).plot()
    >>> display.ax_.get_ylabel(), display.best_epoch
    ('Training loss', 2)
    """

    def __init__(self, loss, held_out=None, *, name="validation score"):
        self.loss = as_floats(loss, "loss")
        self.held_out = None if held_out is None else as_floats(held_out, "held_out")
        self.name = name

    @classmethod
    def from_estimator(cls, estimator, *, ax=None) -> "TrainingDisplay":
        """Draw the training of a fitted net.

        Parameters
        ----------
        estimator : estimator
            A fitted net of `skrec.neural_network`.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        TrainingDisplay
            The display.
        """
        check_is_fitted(estimator, "history_")
        history = estimator.history_
        for key, name in (("val_score", "Score of the held-out part"), ("val_loss", "Loss of the held-out part")):
            if len(history.get(key, ())) == len(history["loss"]):  # epochs of partial_fit hold nothing out
                return cls(history["loss"], history[key], name=name).plot(ax=ax)
        return cls(history["loss"]).plot(ax=ax)

    @property
    def best_epoch(self) -> int | None:
        """Number of the epoch, from 1, whose held-out number is best; None without."""
        if self.held_out is None:
            return None
        return int((self.held_out.argmin if "loss" in self.name.lower() else self.held_out.argmax)()) + 1

    def plot(self, ax=None) -> "TrainingDisplay":
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        TrainingDisplay
            The display itself.
        """
        epochs = np.arange(1, len(self.loss) + 1)
        ax = self._axes(ax, title="Training", x="Epoch", y="Training loss")
        ax.plot(epochs, self.loss, markersize=4, **style(0))
        if self.held_out is not None:
            beside = self.held_out_ax_ = ax.twinx()
            beside.plot(epochs, self.held_out, markersize=4, **style(1))
            beside.axvline(self.best_epoch, color="#888888", linewidth=1, linestyle=":")
            beside.set_ylabel(f"{self.name} (best: epoch {self.best_epoch})", color=style(1)["color"])
            beside.spines[["top"]].set_visible(False)
        return self
