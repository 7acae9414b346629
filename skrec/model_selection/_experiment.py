"""Online experiments: which variant a user gets, from a hash."""

import hashlib
import math
from collections.abc import Iterable, Mapping
from numbers import Integral, Real

import numpy as np

from ..utils._arguments import check_text, is_no_number, shown
from ..utils._validation import is_missing

HOLDOUT = "holdout"


class Experiment:
    r"""Variants of an online experiment, and the variant of each user.

    The variant is computed from a hash of the user id and the name of the experiment. It is the same in each process,
    on each machine and in each version of Python, nothing is stored, and two experiments divide the users
    independently of each other.

    Parameters
    ----------
    name : str
        Name of the experiment. A new name divides the users anew.
    variants : sequence of str, or dict of str to float
        Names of the variants, at least two, with their weights; a sequence gives all the same weight. "holdout" is
        reserved.
    share : float, default=1.0
        Share of the users who take part, above 0 and at most 1. The others get None. Raise it to ramp up.
    holdout : float, default=0.0
        Share of the users who take part in no experiment, at least 0 and below 1: they get "holdout". These are the
        same users in every experiment with the same `holdout_name`.
    holdout_name : str, default="global"
        Name of the holdout group. A new name draws a new group.
    layer : str, default=None
        Experiments of one layer exclude each other where their `slots` do not overlap. None is a layer of its own.
    slots : pair of float, default=(0.0, 1.0)
        Part of the users of the layer that is open to this experiment, within 0 to 1.

    See Also
    --------
    analyze_experiment : The result of an experiment.
    plan_experiment : How many users an experiment needs.

    Notes
    -----
    **Hash.** :math:`h(\text{salt}, u) \in (0, 1)` is made of 52 bits of BLAKE2b of the user id, keyed by a digest of
    the salt. A user takes part if :math:`h(\text{share}, u)` is below `share`, belongs to the holdout group if
    :math:`h(\text{holdout}, u)` is below `holdout`, and to a slot by :math:`h(\text{layer}, u)`. All four hashes are
    independent, so that a slot that another experiment used before is divided anew.

    **Variant.** The user gets the variant v with the least :math:`-\log h(v, u) / w_v`, weighted rendezvous hashing
    [2]_: the shares are proportional to the weights, and after a change of weights only as many users move as the new
    shares require. When one weight grows, all users who move go to that variant. Raising `share` moves nobody.

    **Ids.** The id is hashed as text: 1 and "1" are the same user, because a log, a data base and a web page often
    disagree about the type of one id. "01" and " 1" are other users. Floats, missing ids and True are refused.

    **Layers** are those of overlapping experiments [1]_: experiments of different layers are independent, those of one
    layer share no user if their slots do not overlap.

    Cost: a hash per variant and three more, some 5 microseconds for two variants.

    References
    ----------
    .. [1] D. Tang et al., "Overlapping experiment infrastructure: more, better, faster experimentation", KDD, 2010.
    .. [2] D. G. Thaler, C. V. Ravishankar, "Using name-based mappings to increase hit rates", IEEE/ACM Transactions on
       Networking, 1998.

    Examples
    --------
    >>> from skrec.model_selection import Experiment
    >>> experiment = Experiment("new ranker", {"control": 1, "hybrid": 1}, share=0.5, holdout=0.05)
    >>> [experiment.assign(user) for user in range(6)]
    ['hybrid', None, None, 'hybrid', None, None]
    >>> wider = experiment.ramp(share=1.0)
    >>> [wider.assign(user) for user in range(6)]
    ['hybrid', 'control', 'control', 'hybrid', 'hybrid', 'control']
    """

    def __init__(self, name, variants, *, share=1.0, holdout=0.0, holdout_name="global", layer=None, slots=(0.0, 1.0)):
        self.name = _filled(name, "name")
        self.variants = _read_variants(variants)
        self.share = _number(share, "share", above=0, most=1)
        self.holdout = _number(holdout, "holdout", least=0, below=1)
        self.holdout_name = _filled(holdout_name, "holdout_name")
        self.layer = None if layer is None else _filled(layer, "layer")
        self.slots = _read_slots(slots)
        self._variants = [(variant, _Hash("variant", self.name, variant), w) for variant, w in self.variants.items()]
        self._share = _Hash("share", self.name)
        self._holdout = _Hash("holdout", self.holdout_name)
        self._layer = _Hash("layer", self.layer) if self.layer is not None else _Hash("own layer", self.name)

    def assign(self, user) -> str | None:
        """Return the variant of a user.

        Parameters
        ----------
        user : str or int
            Id of the user; 1 and "1" are the same.

        Returns
        -------
        str or None
            The variant, "holdout", or None for a user who does not take part.

        Raises
        ------
        TypeError
            If the id is neither text nor an integer.
        """
        key = user_key(user)
        if self.holdout and self._holdout(key) < self.holdout:
            return HOLDOUT
        low, high = self.slots
        if (low > 0 or high < 1) and not low <= self._layer(key) < high:
            return None
        if self.share < 1 and self._share(key) >= self.share:
            return None
        return min(self._variants, key=lambda one: -math.log(one[1](key)) / one[2])[0]

    def assign_many(self, users: Iterable) -> np.ndarray:
        """Return the variants of several users.

        Parameters
        ----------
        users : iterable of str or int
            Ids.

        Returns
        -------
        ndarray of shape (n_users,), dtype object
            What :meth:`assign` returns, for each.
        """
        variants = [self.assign(user) for user in users]
        result = np.empty(len(variants), dtype=object)
        result[:] = variants
        return result

    def ramp(self, *, share=None, weights=None) -> "Experiment":
        """Return the experiment with a larger share of the users, or with other weights.

        Parameters
        ----------
        share : float, default=None
            Share of the users who take part, at least as large as before. No user changes the variant.
        weights : dict of str to float, default=None
            Weights of the same variants. Users move, as few as the new weights require: drop them from the analysis,
            as :func:`analyze_experiment` does, or better raise `share` and leave the weights.

        Returns
        -------
        Experiment
            The new one; the old one stays as it is.

        Raises
        ------
        ValueError
            If the share is smaller than before, or the variants are others.
        """
        if share is not None and _number(share, "share", above=0, most=1) < self.share:
            raise ValueError(
                f"share must be at least {self.share:g}, what it is, got {share!r}: users who have seen a variant "
                "would lose it; stop the experiment and start one of another name"
            )
        if weights is not None and (not isinstance(weights, Mapping) or set(weights) != set(self.variants)):
            raise ValueError(
                f"weights must be a dict of the same variants {list(self.variants)}, got {shown(weights)}: an "
                "experiment with other variants needs another name"
            )
        options = self.to_dict() | {"share": self.share if share is None else share}
        return Experiment(**options | {"variants": self.variants if weights is None else weights})

    def excludes(self, other: "Experiment") -> bool:
        """Tell whether no user can be in this experiment and in another one.

        Parameters
        ----------
        other : Experiment
            The other experiment.

        Returns
        -------
        bool
            True where both have the same layer, and slots that do not overlap.
        """
        same = self.layer is not None and self.layer == other.layer
        return same and (self.slots[1] <= other.slots[0] or other.slots[1] <= self.slots[0])

    def to_dict(self) -> dict:
        """Return the arguments that make the same experiment, of types that JSON has.

        Returns
        -------
        dict
            ``Experiment(**experiment.to_dict())`` is the same experiment.
        """
        names = ("name", "share", "holdout", "holdout_name", "layer")
        return {name: getattr(self, name) for name in names} | {
            "variants": dict(self.variants),
            "slots": list(self.slots),
        }

    def __reduce__(self):
        return _from_dict, (self.to_dict(),)  # hash objects cannot be pickled

    def __eq__(self, other) -> bool:
        return isinstance(other, Experiment) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        defaults = {"share": 1.0, "holdout": 0.0, "holdout_name": "global", "layer": None, "slots": [0.0, 1.0]}
        given = {name: value for name, value in self.to_dict().items() if name in defaults}
        options = [f"{name}={value!r}" for name, value in given.items() if value != defaults[name]]
        return f"Experiment({', '.join([repr(self.name), repr(self.variants), *options])})"


def _from_dict(options: dict) -> Experiment:
    return Experiment(**options)


class _Hash:
    """A number in (0, 1) of each user, for one salt."""

    def __init__(self, *parts: str):
        salt = b"".join(len(part.encode()).to_bytes(8, "big") + part.encode() for part in ("skrec", *parts))
        key = hashlib.blake2b(salt, digest_size=32).digest()
        self._keyed = hashlib.blake2b(digest_size=8, key=key)

    def __call__(self, key: bytes) -> float:
        keyed = self._keyed.copy()
        keyed.update(key)
        return ((int.from_bytes(keyed.digest(), "big") >> 12) + 0.5) * 2.0**-52


def user_key(user) -> bytes:
    """Return what is hashed of a user id: its text. Raise a TypeError for what is no id."""
    if isinstance(user, str):
        return user.encode("utf-8", "surrogatepass")
    if isinstance(user, Integral) and not is_no_number(user):
        return str(int(user)).encode()
    if is_missing(user):
        raise TypeError("user must be text or an integer, got a missing id: leave out rows without a user")
    raise TypeError(f"user must be text or an integer, got {shown(user)}: pass the id as it stands in the log")


def _filled(value, name: str) -> str:
    if not check_text(value, name).strip():
        raise ValueError(f"{name} must not be empty, got {value!r}")
    return value


def _number(value, name: str, *, least=None, above=None, most=None, below=None) -> float:
    bounds = [(least, "at least"), (above, "above"), (most, "at most"), (below, "below")]
    text = " and ".join(f"{word} {bound:g}" for bound, word in bounds if bound is not None)
    if is_no_number(value) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number {text}, got {shown(value)}")
    right = math.isfinite(value)
    right = right and (least is None or value >= least) and (above is None or value > above)
    if not (right and (most is None or value <= most) and (below is None or value < below)):
        raise ValueError(f"{name} must be a number {text}, got {value!r}")
    return float(value)


def _read_variants(variants) -> dict[str, float]:
    if isinstance(variants, (str, bytes)) or not isinstance(variants, Iterable):
        raise TypeError(f"variants must be a dict of name to weight or a list of names, got {shown(variants)}")
    if not isinstance(variants, Mapping):
        names = list(variants)
        variants = dict.fromkeys(names, 1.0)
        if len(variants) < len(names):
            raise ValueError(f"variants has a name twice, got {names}")
    weights = {_filled(name, "a variant"): _number(w, f"variants[{name!r}]", above=0) for name, w in variants.items()}
    if len(weights) < 2 or HOLDOUT in weights:
        raise ValueError(f"variants must be at least two, and none of them {HOLDOUT!r}, got {list(weights)}")
    return weights


def _read_slots(slots) -> tuple[float, float]:
    if isinstance(slots, (str, bytes)) or not isinstance(slots, Iterable) or len(slots := list(slots)) != 2:
        raise TypeError(f"slots must be a pair of numbers from 0 to 1, got {shown(slots)}")
    low, high = (_number(end, "slots", least=0, most=1) for end in slots)
    if low >= high:
        raise ValueError(f"slots must be a pair (low, high) with low below high, got {(low, high)}")
    return low, high
