"""GRU4Rec: the next item by a recurrent net over the history."""

from skrec.neural_network._keras import load_keras
from skrec.neural_network._sequence import SequenceRecommender

from ..utils._sklearn import StrOptions


class GRU4Rec(SequenceRecommender):
    r"""Recurrent sequential recommendation: which item follows, by a GRU or LSTM over the last events.

    With :math:`e_i` the vector of item :math:`i`, the state after event :math:`t` is
    :math:`h_t = \mathrm{GRU}(h_{t-1}, e_{i_t})`, and the score of item :math:`j` the product of
    :math:`W h_t + b` and :math:`e_j`: the same vectors go in and out [1]_. The loss is the cross-entropy of the item
    that came next at every event of every history; with a good loss the recurrent net is much better than its first
    results said [2]_.

    Parameters
    ----------
    n_components : int, default=64
        Length of the vectors.
    n_units : int, default=128
        Size of the recurrent state.
    cell : {"gru", "lstm"}, default="gru"
        The recurrent cell.
    max_length : int, default=50
        The latest events of a history that are read; bounds memory and time.
    dropout : float, default=0.4
        Share of the numbers set to zero in training, in the input and in the state.
    event_dropout : float, default=0.1
        Share of the events left out of a history at random, others in each epoch: the net also learns what comes a
        little later, which helps where the order of near events says little.
    loss : {"softmax", "gbce", "bpr_max"}, default="softmax"
        Cross-entropy over the items; generalised binary cross-entropy [3]_; BPR-max [2]_.
    n_negatives : int or "auto", default="auto"
        Items drawn for a batch to stand for all others; 0 takes all, which only "softmax" can. "auto" is 0 for
        "softmax" on up to 5,000 items, and 1024 otherwise.
    tied : bool, default=True
        Whether the vectors that are read are also those that score; False learns others for the scores.
    init : {"neighbours", "random"}, default="neighbours"
        What the item vectors are before training: those of items that stand beside the same items are alike (singular
        vectors of the pointwise mutual information of items up to five steps apart [4]_); or random.
    returns : bool, default=False
        Whether items of the history get a bonus, by how many events ago they came last, which is learned with the net
        and then raised by what is best for the held-out users. Set it where people come back to what they had, with
        ``exclude_seen=False``.
    item_features : DataFrame of shape (n_items, n_columns), default=None
        Features of all items of the histories, indexed by item id. Each feature (a word, a label) has a learned vector
        of its own, and an item is its vector and the weighted sum of those of its features.
    item_encoder : transformer, default=None
        Turns `item_features` into numbers; None chooses by the types of the columns. Features that only one item has
        are left out. More than 100 numbers an item are reduced to 64 by TruncatedSVD.
    time_gaps : bool, default=False
        Whether the net also reads the time between an event and the one before; needs the column `time`.
    epochs : int, default=20
        Maximum number of passes over the histories.
    users_per_epoch : int, float or None, default=None
        Users drawn at random for each epoch, others each time, as a number or as a share in (0, 1]; None takes all. An
        epoch then costs that part, which makes logs of 100 million events trainable.
    batch_size : int or "auto", default="auto"
        A training step takes as many events as so many users have on average; "auto" is 128, and fewer where 128 users
        have more than 2,048 events, but 8 at least.
    learning_rate : float, default=0.002
        Step length of the optimizer.
    schedule : {"constant", "cosine"}, default="cosine"
        How the step length changes over the epochs.
    optimizer : str, default="adam"
        Any optimizer Keras knows by name, or "lazy_adam": Adam that moves only the item vectors of a step, which is
        many times faster on large catalogues.
    weight_decay : float, default=0.0
        Share of the weights taken off in each step, times the step length.
    early_stopping : bool, default=True
        Whether the last item of some training users is held out, to stop when the NDCG at `k` of these items has not
        risen for `patience` epochs, and keep the best weights.
    validation_fraction : float, default=0.1
        Share of the users held out for that, 2,000 at most.
    patience : int, default=10
        Epochs to wait for a better score.
    callbacks : list of Keras callbacks, default=None
        Called while training.
    mixed_precision : bool, default=False
        Whether to compute in bfloat16; worth it on a GPU and on processors with AMX.
    jit_compile : bool, default=False
        Whether to compile with XLA; slower on the CPU.
    warm_start : bool, default=False
        Whether a further `fit` goes on from the net that is there; the items must be the same.
    replay : int, default=1000
        Histories that the model keeps, a uniform sample of those it has learned, and trains on again in each
        `partial_fit` beside the new ones; 0 keeps none.
    k : int, default=10
        Number of recommendations.
    exclude_seen : bool, default=True
        Whether a user's own items come last.
    random_state : int, RandomState instance or None, default=None
        Seed of the first weights, the order of the users, dropout and the drawn items.
    verbose : int, default=0
        1 prints a line per epoch, 2 a progress bar.

    Attributes
    ----------
    item_factors_ : ndarray of shape (n_items, n_components)
        The item vectors.
    items_ : ndarray of shape (n_items,)
        Item ids in the order of the scores.
    n_items_ : int
        Number of items.
    popularity_ : ndarray of shape (n_items,)
        Number of training users who have each item.
    history_ : dict of str to list of float
        The loss of each epoch, and `val_score`, the NDCG of the held-out items.
    n_iter_ : int
        Epochs trained.
    vectorizer_ : HistoryVectorizer
        Learned the items.

    See Also
    --------
    SASRec : Attention instead of recurrence.
    skrec.neighbors.SessionKNN : No training, and often as good on short sessions.

    Notes
    -----
    A training epoch costs (events x n_items x n_components) for the full softmax, or (events x n_negatives x
    n_components) for a sample, and (events x n_units x (n_units + n_components)) for the recurrence, one event after
    the other. Users are batched by the length of their history. Needs the extra `deep`.

    `partial_fit` is approximate: one more epoch on the histories passed and on the `replay` kept ones, at the learning
    rate of the constructor held constant, on a new net with the weights so far, so that others go on reading the old
    one. New items begin as the mean of what the net has of the items in the same histories. The net moves towards the
    new events and forgets a little of the old; what is kept for the replay is a uniform sample of the histories as they
    were when learned. Cost: building the net, some seconds, and an epoch of these histories. New items with features:
    ``set_params(item_features=grown)`` first; encoder and classes of time gaps stay those of `fit`. Refit when the
    quality falls.

    References
    ----------
    .. [1] B. Hidasi, A. Karatzoglou, L. Baltrunas and D. Tikk, "Session-based Recommendations with Recurrent Neural
       Networks", ICLR 2016.
    .. [2] B. Hidasi and A. Karatzoglou, "Recurrent Neural Networks with Top-k Gains for Session-based
       Recommendations", CIKM 2018.
    .. [3] A. Petrov and C. Macdonald, "gSASRec: Reducing Overconfidence in Sequential Recommendation Trained with
       Negative Sampling", RecSys 2023.
    .. [4] O. Levy, Y. Goldberg and I. Dagan, "Improving Distributional Similarity with Lessons Learned from Word
       Embeddings", TACL 3, 2015.

    Examples
    --------
    Users walk around a circle of items:

    >>> from skrec.neural_network import GRU4Rec
    >>> histories = [[(start + step) % 12 for step in range(8)] for start in range(12)] * 4
    >>> model = GRU4Rec(16, n_units=16, epochs=60, learning_rate=0.01, batch_size=16, early_stopping=False, k=1,
    ...                 random_state=0)
    >>> model.fit(histories).predict([[3, 4, 5], [9, 10, 11]])
    array([[6],
           [0]])
    """

    _parameter_constraints: dict = {
        **SequenceRecommender._parameter_constraints,
        "n_units": SequenceRecommender._parameter_constraints["n_components"],
        "cell": [StrOptions({"gru", "lstm"})],
    }

    def __init__(
        self,
        n_components=64,
        *,
        n_units=128,
        cell="gru",
        max_length=50,
        dropout=0.4,
        event_dropout=0.1,
        loss="softmax",
        n_negatives="auto",
        tied=True,
        init="neighbours",
        returns=False,
        item_features=None,
        item_encoder=None,
        time_gaps=False,
        epochs=20,
        users_per_epoch=None,
        batch_size="auto",
        learning_rate=0.002,
        schedule="cosine",
        optimizer="adam",
        weight_decay=0.0,
        early_stopping=True,
        validation_fraction=0.1,
        patience=10,
        callbacks=None,
        mixed_precision=False,
        jit_compile=False,
        warm_start=False,
        replay=1000,
        k=10,
        exclude_seen=True,
        random_state=None,
        verbose=0,
    ):
        self.n_components = n_components
        self.n_units = n_units
        self.cell = cell
        self.max_length = max_length
        self.dropout = dropout
        self.event_dropout = event_dropout
        self.loss = loss
        self.n_negatives = n_negatives
        self.tied = tied
        self.init = init
        self.returns = returns
        self.item_features = item_features
        self.item_encoder = item_encoder
        self.time_gaps = time_gaps
        self.epochs = epochs
        self.users_per_epoch = users_per_epoch
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.optimizer = optimizer
        self.weight_decay = weight_decay
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.callbacks = callbacks
        self.mixed_precision = mixed_precision
        self.jit_compile = jit_compile
        self.warm_start = warm_start
        self.replay = replay
        self.k = k
        self.exclude_seen = exclude_seen
        self.random_state = random_state
        self.verbose = verbose

    def _encode_events(self, vectors, codes, real, age):
        layers = load_keras().layers
        kind = {"gru": layers.GRU, "lstm": layers.LSTM}[self.cell]
        hidden = layers.Dropout(self.dropout, name="dropout")(vectors)
        hidden = kind(int(self.n_units), return_sequences=True, name="recurrent")(hidden, mask=real)
        hidden = layers.Dropout(self.dropout, name="state_dropout")(hidden)
        return layers.Dense(int(self.n_components), name="features")(hidden)
