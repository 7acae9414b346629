"""The types that a model file may hold, by their full names; nothing else is imported because a file names it."""

SKREC = frozenset(
    {
        "skrec.advice._auto.AutoRecommender",
        "skrec.decomposition._als.ALS",
        "skrec.decomposition._bpr.BPR",
        "skrec.decomposition._ppmi_svd.PPMISVD",
        "skrec.decomposition._pure_svd.PureSVD",
        "skrec.dummy.PopularityRecommender",
        "skrec.dummy.RandomRecommender",
        "skrec.ensemble._blend.BlendRecommender",
        "skrec.ensemble._listwise.ListwiseRanker",
        "skrec.ensemble._pair_features.ItemColumns",
        "skrec.ensemble._pair_features.PairFeatures",
        "skrec.ensemble._ranker.BoostedRanker",
        "skrec.ensemble._reranker.Reranker",
        "skrec.ensemble._rules.Rules",
        "skrec.ensemble._two_stage.TwoStageRecommender",
        "skrec.ensemble._value.PurchaseCalibration",
        "skrec.feature_extraction._behavior.BehaviorFeatures",
        "skrec.feature_extraction._bm25.BM25Transformer",
        "skrec.feature_extraction._vectorizer.HistoryVectorizer",
        "skrec.inspection._drift.DriftMonitor",
        "skrec.linear_model._ease.EASE",
        "skrec.linear_model._slim.SLIM",
        "skrec.model_selection._same_users.SameUsers",
        "skrec.neighbors._buy_again.BuyAgainRecommender",
        "skrec.neighbors._content.ContentRecommender",
        "skrec.neighbors._item_knn.ItemKNN",
        "skrec.neighbors._rp3beta.RP3beta",
        "skrec.neighbors._session_knn.SessionKNN",
        "skrec.neighbors._tifu_knn.TIFUKNN",
        "skrec.neighbors._transition.TransitionRecommender",
        "skrec.neural_network._cnn.CNNEncoder",
        "skrec.neural_network._gru4rec.GRU4Rec",
        "skrec.neural_network._lstm.LSTMEncoder",
        "skrec.neural_network._multvae.MultVAE",
        "skrec.neural_network._purchase.PurchaseClassifier",
        "skrec.neural_network._sasrec.SASRec",
        "skrec.neural_network._tables.Table",
        "skrec.neural_network._tokens.Tokens",
        "skrec.neural_network._two_tower.TwoTower",
        "skrec.utils._cooccurrence.Cooccurrence",
        "skrec.utils._statistics.Grouped",
        "skrec.utils._statistics.Records",
        "skrec.utils._statistics.Rows",
        "skrec.utils._statistics.Statistics",
        "skrec.feature_extraction._item_encoders.NumberEncoder",
        "skrec.feature_extraction._item_encoders.TagEncoder",
        "skrec.feature_extraction._item_encoders.TextEncoder",
    }
)
MOVED = {  # names in files of earlier versions, and what they are called now
    "skrec.utils._item_encoders.NumberEncoder": "skrec.feature_extraction._item_encoders.NumberEncoder",
    "skrec.utils._item_encoders.TagEncoder": "skrec.feature_extraction._item_encoders.TagEncoder",
    "skrec.utils._item_encoders.TextEncoder": "skrec.feature_extraction._item_encoders.TextEncoder",
}
SCORING = frozenset(
    {
        "sklearn.metrics._scorer._PassthroughScorer",
        "sklearn.metrics._scorer._Scorer",
        "sklearn.utils._metadata_requests.MetadataRequest",
        "sklearn.utils._metadata_requests.MethodMetadataRequest",
    }
)
SPARSE = frozenset(
    f"scipy.sparse._{kind}.{kind}_{form}"
    for kind in ("bsr", "coo", "csc", "csr", "dia")
    for form in ("array", "matrix")
)
# values that are built by a call of their type with the values beside it
CALLED = frozenset(
    {
        "builtins.range",
        "datetime.date",
        "datetime.datetime",
        "datetime.time",
        "datetime.timedelta",
        "datetime.timezone",
        "decimal.Decimal",
        "fractions.Fraction",
        "pandas.Timedelta",
        "pandas.Timestamp",
        "zoneinfo.ZoneInfo",
    }
)
# of Keras: what nets are made of, by module; a class that runs or reads what its configuration names is not among them
KERAS_MODULES = frozenset(
    {
        "keras.constraints",
        "keras.initializers",
        "keras.layers",
        "keras.losses",
        "keras.metrics",
        "keras.optimizers",
        "keras.optimizers.schedules",
        "keras.regularizers",
        "keras.src.ops.core",
        "keras.src.ops.math",
        "keras.src.ops.nn",
        "keras.src.ops.numpy",
    }
)
KERAS_CLASSES = frozenset(
    {
        "keras.DTypePolicy",
        "keras.Model",
        "keras.Sequential",
        "keras.models.Sequential",
        "keras.src.models.functional.Functional",
        "keras.src.models.sequential.Sequential",
        "keras.dtype_policies.DTypePolicy",
    }
)
KERAS_REFUSED = frozenset(
    {
        "FlaxLayer",
        "IntegerLookup",  # this and the two further on read a vocabulary from any path
        "JaxLayer",
        "Lambda",
        "StringLookup",
        "TFSMLayer",
        "TextVectorization",
        "TorchModuleWrapper",
    }
)
KERAS_VALUES = frozenset({"__bytes__", "__ellipsis__", "__keras_tensor__", "__numpy__", "__slice__", "__tensor__"})
