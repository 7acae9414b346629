"""Versions of the model: files on disk, the one in use, and how another takes its place."""

import logging
import math
import os
import shutil
import stat
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .. import persistence
from ..utils._archive import default_limit
from ..utils._files import replacing
from ._judging import judge_other
from ._learned import steadily
from ._served import Row, ServedModel

logger = logging.getLogger("skrec.serving")
_N_SAMPLES = 5
_GONE = "deleted"
_UNFINISHED = 600  # seconds after which a candidate must have its file


class RefusedModel(ValueError):
    """A file that holds no model that the service can use; the message says why."""


class NotPromoted(RuntimeError):
    """A version that does not take the place of the current one.

    Parameters
    ----------
    reason : str
        Why.
    judgement : dict, default=None
        The numbers, where it was judged.
    """

    def __init__(self, reason: str, judgement: dict | None = None):
        super().__init__(reason)
        self.judgement = judgement or {}


class Models:
    """The versions of the model that a store names; their files are named by their numbers alone.

    Parameters
    ----------
    settings : Settings
        Folder, largest file, margin, number of files that are kept.
    store : Store
        The store.

    Attributes
    ----------
    current : ServedModel or None
        The model in use. It is replaced by one assignment and never changed, so requests read it without a lock.
    """

    def __init__(self, settings, store):
        self.settings, self.store = settings, store
        self.folder = Path(settings.models)
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.current: ServedModel | None = None
        self._lock = threading.Lock()

    # ---- files -----------------------------------------------------------------------------------------------

    def path(self, version: int) -> Path:
        """Return where the file of a version is."""
        return self.folder / f"v{int(version):06d}.skrec"

    def load(self, version: int) -> ServedModel:
        """Load a version.

        Parameters
        ----------
        version : int
            Its number.

        Returns
        -------
        ServedModel
            The model.

        Raises
        ------
        FileNotFoundError
            If its file was deleted.
        RefusedModel
            If the file is damaged or no model for the service.
        """
        return self._read(self.path(version), version)

    def add_file(self, path: str | os.PathLike, *, note: str | None = None) -> int:
        """Take a model file into the folder, as a candidate.

        Parameters
        ----------
        path : path-like
            A file that `skrec.save` or ``skrec fit`` wrote. It is copied.
        note : str, default=None
            Where it comes from, for people.

        Returns
        -------
        int
            Its version.

        Raises
        ------
        RefusedModel
            If the file is too large, damaged, hostile, holds no recommender that the service can use, fails golden
            requests, or has items of another kind than the store. Nothing of it is left behind.
        OSError
            If the file cannot be read, or the disk is full.
        """
        snapshot, _ = steadily(self.store, lambda _: None)
        place = replacing(self.folder / "incoming.skrec")
        with place as partial:
            self._copy(Path(path), partial)
            model = self._read(partial, 0)
            if problems := self.check(model, self.samples()):
                raise RefusedModel(f"the model must answer requests, and fails: {'; '.join(problems)}")
            learned = {"learned_seq": snapshot.seq, "learned_merge": snapshot.merge, "learned_until": None}
            learned["learned_until"] = model.learned_until
            with self._numbered(place, learned, note, {"origin": "file"}) as version:
                pass
        return version

    def write(self, estimator, notes: dict, *, learned: dict, note: str, quality: dict) -> ServedModel:
        """Write a model that the service has fitted, as a candidate.

        Parameters
        ----------
        estimator : recommender
            The fitted model.
        notes : dict
            Metadata of its file.
        learned : dict
            `learned_seq`, `learned_merge` and `learned_until` of its row in the store.
        note : str
            How it came about, for people.
        quality : dict
            The outcome of its comparison.

        Returns
        -------
        ServedModel
            The model, as it was read back from its file.

        Raises
        ------
        NotPromoted
            If it fails golden requests; its file is not kept.
        """
        place = replacing(self.folder / "incoming.skrec")
        with place as partial:
            persistence.save(estimator, partial, metadata=notes)
            model = self._read(partial, 0)
            if problems := self.check(model, self.samples()):
                raise NotPromoted(f"the new model fails golden requests: {'; '.join(problems)}")
            with self._numbered(place, learned, note, quality) as model.version:
                pass
        return model

    def rewrite(self, version: int, estimator, notes: dict) -> None:
        """Replace the file of a version."""
        persistence.save(estimator, self.path(version), metadata=notes)

    def delete(self, version: int) -> None:
        """Delete the file of a version; its row remains, with the status "deleted"."""
        self.path(version).unlink(missing_ok=True)
        self.store.set_version(version, status=_GONE, learned_until=None)

    def tidy(self) -> list[int]:
        """Delete the oldest files beyond `keep_versions`, and candidates that a crash has left without a file.

        Returns
        -------
        list of int
            The versions whose files were deleted. The current, the previous and uploaded candidates go last.
        """
        ranks = {"current": 0, "previous": 1, "candidate": 2}
        rows = [row for row in self.store.versions() if row["status"] != _GONE]
        for row in rows:
            left = row["status"] == "candidate" and time.time() - row["created"] / 1e6 > _UNFINISHED
            if left and not self.path(row["version"]).exists():
                self.delete(row["version"])
        rows.sort(key=lambda row: (ranks.get(row["status"], 3), -row["version"]))
        gone = [row["version"] for row in rows[self.settings.keep_versions :] if ranks.get(row["status"], 3) > 1]
        for version in gone:
            self.delete(version)
        return gone

    # ---- the model in use --------------------------------------------------------------------------------------

    def refresh(self) -> bool:
        """Load the version that the store names as current, where another is in use.

        Returns
        -------
        bool
            Whether `current` was replaced. A file that cannot be loaded leaves it, and is logged.
        """
        with self._lock:
            row = self.store.current()
            version = None if row is None else row["version"]
            if version == (None if self.current is None else self.current.version):
                return False
            if version is None:
                self.current = None
                return True
            try:
                self.current = self.load(version)
            except Exception as error:
                logger.error("version %s cannot be loaded, the model in use stays: %s", version, error)
                return False
            return True

    def samples(self) -> list[list[Row]]:
        """Return histories for golden requests: of the most active users, and an empty one."""
        users = [found[0] for found in self.store.search_users("", _N_SAMPLES)]
        return [[]] + [self.store.read(user=user, limit=self.settings.max_history)[1] for user in users]

    def check(self, model: ServedModel, samples: list[list[Row]]) -> list[str]:
        """Answer golden requests.

        Parameters
        ----------
        model : ServedModel
            The model.
        samples : list of list of (item, time, event, value)
            Histories.

        Returns
        -------
        list of str
            What is wrong; empty if nothing is.
        """
        kind = self.store.kinds.item
        if kind is not None and model.kind != kind:
            return [f"item ids must be of the kind {kind}, as in the store, and those of the model are {model.kind}"]
        if not model.ids:
            return ["it knows no item"]
        own: list[list[Row]] = [[(item, 0, None, None)] for item in model.ids[:2]]
        problems = []
        for rows in [*samples, *own]:
            if problem := _problem(model, rows):
                problems.append(problem)
        return list(dict.fromkeys(problems))

    def promote(self, version: int, *, force: bool = False) -> dict[str, Any]:
        """Let a version take the place of the current one.

        Parameters
        ----------
        version : int
            The version.
        force : bool, default=False
            Whether it need not be as good as the current one.

        Returns
        -------
        dict
            `version`, and the outcome of the comparison, where there was one.

        Raises
        ------
        LookupError
            If there is no such version.
        NotPromoted
            If its file is not there, is damaged, or fails golden requests; without `force` also if its NDCG is below
            that of the current one by more than the margin. It is then stored as rejected, with the numbers.
        """
        row = self.store.version(version)
        if row is None:
            raise LookupError(f"there is no version {version}")
        model = self._usable(row)
        self.refresh()
        current, current_row = self.current, self.store.current()
        judgement: dict[str, Any] = {}
        if current is not None and current_row is not None and current.version not in (0, version) and not force:
            _, table = steadily(self.store, lambda snapshot: self.store.events(upto_seq=snapshot.seq))
            try:
                judgement = judge_other(model, row, current, current_row, table, self.settings) if len(table) else {}
            except (ValueError, TypeError) as error:
                judgement = {"judged": False, "passed": False, "reason": f"it cannot be fitted to compare it: {error}"}
            self.store.set_version(version, quality={**(row["quality"] or {}), **judgement})
            if judgement and not judgement["passed"]:
                if row["status"] == "candidate":
                    self.store.set_version(version, status="rejected")
                raise NotPromoted(f"version {version} is not promoted: {worse(judgement)}", judgement)
        self.install(model)
        return {"version": version, **judgement}

    def install(self, model: ServedModel) -> None:
        """Make a version that was checked the current one."""
        self._fix_kind(model)
        self.store.promote(model.version)
        with self._lock:
            self.current = model

    def roll_back(self) -> int:
        """Let the previous version take the place of the current one.

        Returns
        -------
        int
            The version that is current now.

        Raises
        ------
        NotPromoted
            If there is none, or its file is not there or damaged.
        """
        for row in self.store.versions():
            if row["status"] == "previous":
                self.install(self._usable(row))
                return row["version"]
        raise NotPromoted("there is no previous version to go back to")

    # ---- shared work -------------------------------------------------------------------------------------------

    def _usable(self, row: dict) -> ServedModel:
        version = row["version"]
        try:
            model = self.load(version)
        except FileNotFoundError as error:
            raise NotPromoted(f"the file of version {version} was deleted") from error
        except (RefusedModel, OSError) as error:
            raise NotPromoted(f"version {version} cannot be loaded: {error}") from error
        if problems := self.check(model, self.samples()):
            raise NotPromoted(f"version {version} fails golden requests: {'; '.join(problems)}")
        return model

    def _fix_kind(self, model: ServedModel) -> None:
        if self.store.kinds.item is None:
            self.store.fix_kinds(item=model.kind)

    def _copy(self, path: Path, partial: str) -> None:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))  # a pipe without a writer does not block
        try:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise RefusedModel("a model must be a file, and this is a folder, a device or a pipe")
            if status.st_size > self.settings.max_model_bytes:
                raise RefusedModel(
                    f"a model file must have at most {self.settings.max_model_bytes:,} bytes (max_model_bytes), and "
                    f"this one has {status.st_size:,}"
                )
            with open(handle, "rb", closefd=False) as file, open(partial, "wb") as target:
                shutil.copyfileobj(file, target, 2**20)
        finally:
            os.close(handle)

    def _read(self, path: str | Path, version: int) -> ServedModel:
        try:
            limit = max(self.settings.max_model_bytes, default_limit(os.stat(path).st_size))
            estimator, header = persistence.load(path, max_size=limit, return_metadata=True)
            return ServedModel(version, estimator, header["metadata"])
        except (ValueError, TypeError, MemoryError) as error:
            text = str(error).replace(str(path), "the file") or type(error).__name__
            raise RefusedModel(text) from error

    @contextmanager
    def _numbered(self, place: replacing, learned: dict, note: str | None, quality: dict):
        """Give a file that is written a number; it takes its place when the block of `place` ends."""
        version = self.store.add_version("", note=note, quality=quality, status="candidate", **learned)
        place.path = self.path(version)
        try:
            yield version
            self.store.set_version(version, file=place.path.name)
        except BaseException:
            self.store.set_version(version, status=_GONE)
            raise


def worse(judgement: dict) -> str:
    """Say why a model has not passed."""
    if not judgement.get("judged"):
        return str(judgement.get("reason"))
    return (
        f"NDCG@{judgement['k']} is {judgement['ndcg']:.4f}, that of the current model {judgement['current_ndcg']:.4f} "
        f"({judgement['n_users']:,} users, {judgement['on']}): lower by more than the margin of "
        f"{judgement['margin']:.0%} and twice the standard error of the difference, {judgement['difference_error']:.4f}"
    )


def _problem(model: ServedModel, rows: list[Row]) -> str | None:
    """Return what is wrong with the answer for a history."""
    who = f"a user with {len(rows)} events"
    try:
        items, scores = model.recommend(rows, 10)
    except Exception as error:
        return f"{who} gives {type(error).__name__}: {error}"
    least = min(10, len(model.ids) - len({row[0] for row in rows}))
    if len(items) < least:
        return f"{who} gets {len(items)} items of {len(model.ids)}"
    if len(set(items)) < len(items) or any(item not in model.position for item in items):
        return f"{who} gets items twice, or items that it does not know"
    if not all(math.isfinite(score) for score in scores):
        return f"{who} gets scores that are not finite"
    return None
