"""Returns: what a net adds to the scores of the items that a history holds already, by how long ago they came."""

import numpy as np

from skrec.neural_network._ages import age_classes, of_age
from skrec.neural_network._keras import load_tensorflow


def add_bonus(scores: np.ndarray, codes: np.ndarray, lengths: np.ndarray, bonus: np.ndarray):
    """Add to the scores of each user's own items the bonus of the age at which they last came, in place.

    Parameters
    ----------
    scores : ndarray of shape (n_users, n_items)
        The scores.
    codes : int ndarray of shape (n_events,)
        The items of all users' events, one user after the other, in order.
    lengths : int ndarray of shape (n_users,)
        The number of events of each user.
    bonus : ndarray of shape (N_AGES,)
        The bonus of each class of age.
    """
    row = np.repeat(np.arange(len(lengths)), lengths)
    age = np.repeat(np.cumsum(lengths), lengths) - np.arange(len(row))
    _, last = np.unique((row * scores.shape[1] + codes)[::-1], return_index=True)
    last = len(codes) - 1 - last
    scores[row[last], codes[last]] += bonus[age_classes(age[last])]


def history_logits(codes, hidden, vectors, bonus):
    """Return what each position says of the items that came up to it.

    Parameters
    ----------
    codes : int tensor of shape (n_users, length)
        The items read, 0 for padding.
    hidden : tensor of shape (n_users, length, n_components)
        What the net says at each position.
    vectors : tensor of shape (n_users, length, n_components)
        The vectors that score the items read.
    bonus : tensor of shape (N_AGES,)
        The bonus of each class of age.

    Returns
    -------
    logits : tensor of shape (n_users, length, length)
        The logit, at a position, of the item at another, without its bonus.
    bonus : tensor of shape (length, length)
        The bonus.
    last : bool tensor of shape (n_users, length, length)
        Where the other position is the latest place of its item up to this one.
    """
    tf = load_tensorflow()
    place, following = _places(codes)
    back = place[:, None] - place[None, :]  # steps from the place of an item to the position that asks
    last = (back >= 0)[None] & (place[:, None] < following[:, None, :]) & (codes > 0)[:, None, :]
    return tf.matmul(hidden, vectors, transpose_b=True), of_age(tf.maximum(back, 0) + 1, bonus), last


def with_bonus(scores, codes, bonus):
    """Return the scores (n_users, n_items) at the end of the items read, with the bonus; for nets outside Python."""
    tf = load_tensorflow()
    place, following = _places(codes)
    length = tf.size(place)
    more = tf.where(following == length, of_age(length - place, bonus)[None, :], 0.0)
    row = tf.repeat(tf.range(tf.shape(codes)[0]), length)
    cell = tf.stack([row, tf.reshape(codes, [-1])], axis=1)
    padded = tf.pad(scores, [[0, 0], [1, 0]])  # code 0, which is no item, comes first
    return tf.tensor_scatter_nd_add(padded, cell, tf.reshape(more, [-1]))[:, 1:]


def _places(codes):
    """Return the places 0, 1, ... of a row, and where the item of each place comes next, their number for nowhere."""
    tf = load_tensorflow()
    place = tf.range(tf.shape(codes)[1])
    again = tf.equal(codes[:, :, None], codes[:, None, :]) & (place[:, None] < place[None, :])[None]
    return place, tf.reduce_min(tf.where(again, place, tf.size(place)), axis=2)
