"""Versions of the model: files on disk, the one in use, and how another takes its place."""

import logging
import os
import shutil
import stat
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from .. import persistence
from ..utils._archive import default_limit
from ..utils._files import replacing
from ._golden import problems_of
from ._judging import judge_other, worse
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
        self._stamps: WeakKeyDictionary[ServedModel, Any] = WeakKeyDictionary()  # which file each was read from

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
        stamp = self._stamp(version)
        model = self._read(self.path(version), version)
        self._stamps[model] = stamp
        return model

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
        self._stamps[model] = self._stamp(model.version)
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
        rows = self.store.versions(deleted=0)
        for row in rows:
            left = row["status"] == "candidate" and time.time() - row["created"] / 1e6 > _UNFINISHED
            if left and not self.path(row["version"]).exists():
                self.delete(row["version"])
        rows.sort(key=lambda row: (ranks.get(row["status"], 3), -row["version"]))
        used = self.store.versions_in_use()  # by experiments
        last = [row for row in rows[self.settings.keep_versions :] if row["version"] not in used]
        oldest = [row["version"] for row in last if ranks.get(row["status"], 3) > 1]
        gone = [version for version in oldest if self.store.discard(version)]  # unless it was put to use meanwhile
        self.sweep()
        return gone

    def sweep(self) -> None:
        """Delete the files of versions that are deleted: a crash can come between the row and the file."""
        for path in self._files():
            row = self.store.version(int(path.stem[1:]))
            if row is not None and row["status"] == _GONE:
                path.unlink(missing_ok=True)

    def check_folder(self) -> None:
        """Raise an error where no file of any version is there: a folder that is not mounted holds no models.

        Raises
        ------
        FileNotFoundError
            If versions have files, and the folder has none.
        """
        rows = [row for row in self.store.versions(deleted=0) if row["file"]]
        if rows and not self._files():
            raise FileNotFoundError(
                f"the folder of models must hold the files of {len(rows)} versions, and has none: mount it, or put "
                f"them back, or upload a model: {self.folder}"
            )

    def is_writing(self) -> bool:
        """Tell whether a process writes a file that has no number yet."""
        return any(self.folder.glob(".incoming.skrec.*.part"))

    def _files(self) -> list[Path]:
        return [path for path in self.folder.glob("v*.skrec") if path.stem[1:].isdecimal()]

    def _stamp(self, version: int) -> tuple[int, int] | None:
        """Tell the file of a version from one that takes its place later."""
        try:
            status = os.stat(self.path(version))
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns

    # ---- the model in use --------------------------------------------------------------------------------------

    def refresh(self) -> bool:
        """Load the version that the store names as current, where another is in use.

        Returns
        -------
        bool
            Whether `current` was replaced. A file that cannot be loaded leaves it, and is logged.
        """
        with self._lock:
            while True:
                row = self.store.current()
                version = None if row is None else row["version"]
                if version == (None if self.current is None else self.current.version) and not self._is_rewritten():
                    return False
                if version is None:
                    self.current = None
                    return True
                try:
                    model = self.load(version)
                    model.warm_up()
                    self.current = model
                except Exception as error:
                    if ((self.store.current() or {}).get("version")) != version:
                        continue  # another was promoted meanwhile, and the file of this one deleted
                    logger.error("version %s cannot be loaded, the model in use stays: %s", version, error)
                    return False
                return True

    def _is_rewritten(self) -> bool:
        """Tell whether the file of the model in use is another one than was read."""
        model = self.current
        if model is None or model not in self._stamps:
            return False
        stamp = self._stamp(model.version)
        return stamp is not None and stamp != self._stamps[model]

    def touch(self) -> None:
        """Let all processes look again at the files that they use."""
        self.store.advance_models()

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
        return problems_of(model, self.store.kinds.item, samples)

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
        instead_of = None
        if current is not None and current_row is not None and current.version not in (0, version) and not force:
            instead_of = current_row["version"]
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
        if not self.install(model, instead_of=instead_of):
            raise NotPromoted(f"version {instead_of} was replaced during the comparison: promote {version} again")
        return {"version": version, **judgement}

    def install(self, model: ServedModel, *, instead_of: int | None = None) -> bool:
        """Make a version that was checked the current one.

        Parameters
        ----------
        model : ServedModel
            The version.
        instead_of : int, default=None
            The version that must be current still.

        Returns
        -------
        bool
            False, and nothing is changed, if another one is current.

        Raises
        ------
        NotPromoted
            If the file was deleted meanwhile.
        """
        self._fix_kind(model)
        model.warm_up()
        try:
            if not self.store.promote(model.version, instead_of=instead_of):
                return False
        except LookupError as error:
            raise NotPromoted(f"the file of version {model.version} was deleted") from error
        self._use(model)
        return True

    def install_in_place_of(self, version: int, model: ServedModel) -> bool:
        """Make a version the current one in place of one that nobody must go back to; False if that is not current."""
        self._fix_kind(model)
        model.warm_up()
        if not self.store.replace_current(version, model.version):
            return False
        self._use(model)
        return True

    def _use(self, model: ServedModel) -> None:
        with self._lock:
            self.current = model
        if self._is_rewritten():  # without a user, after it was loaded
            self.refresh()

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
        for row in self.store.versions(deleted=0):
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
