"""SASRec: the next item by self-attention over the history."""

from numbers import Integral, Real

from skrec.neural_network._forward import AttentionPass
from skrec.neural_network._keras import load_keras
from skrec.neural_network._nets._attention import causal_attention
from skrec.neural_network._nets._frequency import frequency_filter
from skrec.neural_network._sequence import SequenceRecommender
from skrec.utils._prepared import prepared

from ..utils._sklearn import Interval


class SASRec(SequenceRecommender):
    r"""Self-attentive sequential recommendation: which item follows, by attention over the last events.

    With :math:`e_i` the vector of item :math:`i` and :math:`p_a` that of an event's age :math:`a` (1 for the last
    event), the history is :math:`x_t = e_{i_t} + p_{a_t}`. Each block lets every event look at itself and what came
    before it,

    .. math:: x \leftarrow x + \operatorname{softmax}\big(Q K^\top / \sqrt{d} + B\big) V, \qquad
              x \leftarrow x + W_2 \operatorname{relu}(W_1 x),

    each part reading a layer-normalised :math:`x` [1]_; :math:`B` is 0, or with ``distances=True`` a learned number for
    how far apart two events are [6]_. With :math:`\alpha` = `frequency` above 0, the first line is
    :math:`x \leftarrow x + (1 - \alpha) \, a + \alpha f`, with the attention :math:`a` as above and a filter in the
    frequency domain that weighs the low and the high frequencies of the events [7]_,

    .. math:: f_t = l_t + \beta^2 \odot (x_t - l_t), \qquad l_t = \sum_{n=0}^{t} h_n x_{t-n}, \qquad
              h_n = \frac{1}{N} \Big( 1 + 2 \sum_{k=1}^{2} \cos \frac{2 \pi k n}{N} \Big),

    where :math:`N` is `max_length` and :math:`\beta` is learned, one number a component. The score of item :math:`j` is
    the product of the last :math:`x` and :math:`e_j`: the same vectors go in and out. The loss is the cross-entropy of
    the item that came next at every event of every history; with all items, or a good sample, in its sum, it is worth
    more than a larger net [2]_ [3]_.

    Parameters
    ----------
    n_components : int, default=64
        Length of the vectors.
    n_blocks : int, default=1
        Number of blocks.
    n_heads : int, default=1
        Attention heads of a block; must divide `n_components`.
    distances : bool, default=False
        Whether attention has a learned number for each class of distance between two events: worth it on histories of
        a hundred events, not on those of ten.
    frequency : float, default=0.0
        Share in [0, 1) of each block's output, before its dense part, that comes from the frequency layer beside
        attention; 0 leaves the layer out.
    max_length : int, default=50
        The latest events of a history that are read; bounds memory and time. It is also the length of the transform
        of the frequency layer.
    dropout : float, default=0.4
        Share of the numbers set to zero in training, in the input and behind each part of a block.
    event_dropout : float, default=0.1
        Share of the events left out of a history at random, others in each epoch: the net also learns what comes a
        little later, which helps where the order of near events says little.
    loss : {"softmax", "gbce", "bpr_max"}, default="softmax"
        Cross-entropy over the items; generalised binary cross-entropy [3]_; BPR-max [4]_.
    n_negatives : int or "auto", default="auto"
        Items drawn for a batch to stand for all others; 0 takes all, which only "softmax" can. "auto" is 0 for
        "softmax" on up to 5,000 items, and 1024 otherwise.
    tied : bool, default=True
        Whether the vectors that are read are also those that score; False learns others for the scores.
    init : {"neighbours", "random"}, default="neighbours"
        What the item vectors are before training: those of items that stand beside the same items are alike (singular
        vectors of the pointwise mutual information of items up to five steps apart [5]_); or random.
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
    GRU4Rec : Recurrent instead of attention.
    skrec.neighbors.SessionKNN : No training, and often as good on short sessions.
    skrec.neighbors.TransitionRecommender : The next item from counts.

    Notes
    -----
    A training epoch costs (events x n_items x n_components) for the full softmax, which is most of it, or (events x
    n_negatives x n_components) for a sample; attention adds (events x max_length x n_components), and the frequency
    layer as much again. Users are batched by
    the length of their history, so padding costs little. Needs the extra `deep`.

    `partial_fit` is approximate: one more epoch on the histories passed and on the `replay` kept ones, at the
    learning rate of the constructor held constant, on a new net with the weights so far, so that others go on
    reading the old one. New items begin as the mean of what the net has of the items in the same histories. The net
    moves towards the new events and forgets a little of the old; what is kept for the replay is a uniform sample of
    the histories as they were when learned. Cost: building the net, some seconds, and an epoch of these histories,
    on Online Retail an eighth of a refit with 8 epochs. After an update with the last 5 % of the events, 69 %
    (MovieLens-100k) and 68 % (Online Retail) of the 10 recommendations were those of a refit, 62 and 70 % without
    it, 63 and 72 % in a refit with another seed (``benchmarks/bench_approximate.py``). New items with features:
    ``set_params(item_features=grown)`` first; encoder and classes of time gaps stay those of `fit`. Refit when the
    quality falls.

    References
    ----------
    .. [1] W.-C. Kang and J. McAuley, "Self-Attentive Sequential Recommendation", ICDM 2018.
    .. [2] A. Klenitskiy and A. Vasilev, "Turning Dross Into Gold Loss: is BERT4Rec really better than SASRec?",
       RecSys 2023.
    .. [3] A. Petrov and C. Macdonald, "gSASRec: Reducing Overconfidence in Sequential Recommendation Trained with
       Negative Sampling", RecSys 2023.
    .. [4] B. Hidasi and A. Karatzoglou, "Recurrent Neural Networks with Top-k Gains for Session-based
       Recommendations", CIKM 2018.
    .. [5] O. Levy, Y. Goldberg and I. Dagan, "Improving Distributional Similarity with Lessons Learned from Word
       Embeddings", TACL 3, 2015.
    .. [6] C. Raffel et al., "Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer",
       JMLR 21, 2020.
    .. [7] Y. Shin, J. Choi, H. Wi and N. Park, "An Attentive Inductive Bias for Sequential Recommendation beyond the
       Self-Attention", AAAI 2024.

    Examples
    --------
    Users walk around a circle of items:

    >>> from skrec.neural_network import SASRec
    >>> histories = [[(start + step) % 12 for step in range(8)] for start in range(12)] * 4
    >>> model = SASRec(16, epochs=60, learning_rate=0.01, batch_size=16, early_stopping=False, random_state=0, k=1)
    >>> model.fit(histories).predict([[3, 4, 5], [9, 10, 11]])
    array([[6],
           [0]])
    """

    _parameter_constraints: dict = {
        **SequenceRecommender._parameter_constraints,
        "n_blocks": [Interval(Integral, 1, None, closed="left")],
        "n_heads": [Interval(Integral, 1, None, closed="left")],
        "distances": ["boolean"],
        "frequency": [Interval(Real, 0, 1, closed="left")],
    }

    def __init__(
        self,
        n_components=64,
        *,
        n_blocks=1,
        n_heads=1,
        distances=False,
        frequency=0.0,
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
        self.n_blocks = n_blocks
        self.n_heads = n_heads
        self.distances = distances
        self.frequency = frequency
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

    def _check_sizes(self):
        super()._check_sizes()
        if self.n_components % self.n_heads:
            raise ValueError(
                f"n_heads={self.n_heads} does not divide n_components={self.n_components}: choose a divisor"
            )

    def _encode_events(self, vectors, codes, real, age):
        keras = load_keras()
        layers, near_zero = keras.layers, keras.initializers.RandomNormal(stddev=0.02)
        size, dropout = int(self.n_components), self.dropout
        ages = layers.Embedding(int(self.max_length) + 2, size, near_zero, name="ages")(age)
        hidden = layers.Dropout(dropout, name="dropout")(layers.Add(name="input")([vectors, ages]))
        for block in range(self.n_blocks):
            normed = layers.LayerNormalization(name=f"attention_norm_{block}")(hidden)
            part = self._attention(f"attention_{block}", normed, real)
            part = layers.Dropout(dropout, name=f"attention_dropout_{block}")(part)
            if self.frequency:
                mix = frequency_filter()(int(self.max_length), float(self.frequency), dropout, name=f"filter_{block}")
                part = mix(normed, part, real)
            hidden = layers.Add(name=f"attended_{block}")([hidden, part])
            part = layers.LayerNormalization(name=f"dense_norm_{block}")(hidden)
            part = layers.Dense(size, "relu", name=f"dense_{block}_1")(part)
            part = layers.Dropout(dropout, name=f"dense_dropout_{block}_1")(part)
            part = layers.Dense(size, name=f"dense_{block}_2")(part)
            part = layers.Dropout(dropout, name=f"dense_dropout_{block}_2")(part)
            hidden = layers.Add(name=f"block_{block}")([hidden, part])
        return layers.LayerNormalization(name="features")(hidden)

    def _attention(self, name, events, real):
        if self.distances:
            return causal_attention()(int(self.n_heads), self.dropout, name=name)(events, real)
        width = int(self.n_components) // self.n_heads
        attend = load_keras().layers.MultiHeadAttention(self.n_heads, width, dropout=self.dropout, name=name)
        return attend(events, events, attention_mask=real[:, None, :], use_causal_mask=True)

    def _last_single(self, codes):
        model = self.net_.model_
        forward = prepared(self, "forward pass", self._forward_pass, model, self.item_factors_)
        return None if forward is None or len(codes) >= len(forward.ages) else forward(codes)

    def _forward_pass(self, model, item_factors) -> AttentionPass | None:
        """Return the net's encoder in NumPy; None where it computes in another precision."""
        if any(layer.compute_dtype != "float32" for layer in model.encoder.layers):
            return None
        read = model.encoder.get_layer("items")
        return AttentionPass(model.encoder, item_factors if model.named is read else self._vectors_in(read))
