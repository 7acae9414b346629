"""Archives of model files: what they may unpack to, checked before anything is unpacked."""

import io
import math
import struct
import zipfile
import zlib

import numpy as np

BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, struct.error, ValueError)
_SURE = 64 * 2**20  # bytes that any file may unpack to
_RATIO = 100  # further bytes for each byte of the file
_LARGE = 2**20
_SAMPLE = 2**16


class RefusedArchive(ValueError):
    """An archive that is damaged, or unpacks to more than it may."""


class CompactArchive(zipfile.ZipFile):
    """An archive to write: members are compressed where it helps, and not further than load allows."""

    def writestr(self, zinfo_or_arcname, data, compress_type=None, compresslevel=None):
        """Write a member; see `zipfile.ZipFile`."""
        data = data.encode() if isinstance(data, str) else data
        if compress_type is None and len(data) > _SAMPLE:
            view = memoryview(data).cast("B")
            starts = [len(view) * part // 4 for part in (0, 1, 2, 3)]
            sample = np.mean([len(zlib.compress(view[at : at + _SAMPLE], 1)) for at in starts]) / _SAMPLE
            if sample > 0.5 or (len(view) > _LARGE and sample < 2 / _RATIO):
                compress_type = zipfile.ZIP_STORED
        super().writestr(zinfo_or_arcname, data, compress_type, compresslevel)

    @property
    def unpacked(self) -> int:
        """Bytes of all members, unpacked."""
        return sum(member.file_size for member in self.infolist())


def default_limit(n_bytes: int) -> int:
    """Return the bytes that a file of `n_bytes` may unpack to unless the caller allows more."""
    return _SURE + _RATIO * n_bytes


def check_members(archive: zipfile.ZipFile, limit: int) -> None:
    """Raise where the members are not plain, or unpack to more than `limit` bytes; reads the directory alone."""
    names = archive.namelist()
    if len(set(names)) < len(names):
        raise RefusedArchive("it has two members of one name")
    for member in archive.infolist():
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise RefusedArchive(f"its member {member.filename!r} is compressed in a way that save does not use")
        if member.flag_bits & 1:
            raise RefusedArchive(f"its member {member.filename!r} is encrypted")
    total = sum(member.file_size for member in archive.infolist())
    if total > limit:
        raise RefusedArchive(f"it unpacks to {total:,} bytes, more than the {limit:,} that max_size allows")


def check_array(archive: zipfile.ZipFile, name: str) -> None:
    """Raise unless a member is an array of plain values of exactly the size that its header names."""
    with archive.open(name) as stream:
        _check_npy(stream, archive.getinfo(name).file_size, name)


def check_sparse(archive: zipfile.ZipFile, name: str, limit: int) -> None:
    """Raise unless a member is an archive of such arrays."""
    with zipfile.ZipFile(io.BytesIO(archive.read(name))) as inner:
        check_members(inner, limit)
        for member in inner.infolist():
            if not member.filename.endswith(".npy"):
                raise RefusedArchive(f"its member {name!r} holds {member.filename!r}, which is no array")
            check_array(inner, member.filename)


def _check_npy(stream, n_bytes: int, name: str) -> None:
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    if version not in ((1, 0), (2, 0), (3, 0)):
        raise RefusedArchive(f"its array {name!r} has the unknown version {version}")
    shape, _, dtype = read(stream) if version != (3, 0) else _read_header_3(stream)
    if dtype.hasobject:
        raise RefusedArchive(f"its array {name!r} holds objects")
    if any(size < 0 for size in shape) or math.prod(shape) * dtype.itemsize != n_bytes - stream.tell():
        raise RefusedArchive(f"its array {name!r} has not the size that its header names")


def _read_header_3(stream):
    """Read a header with names in UTF-8; NumPy has no public function for it."""
    import ast

    (length,) = struct.unpack("<I", stream.read(4))
    if length > 10_000:
        raise RefusedArchive("an array has a header of more than 10,000 bytes")
    header = ast.literal_eval(stream.read(length).decode())
    return header["shape"], header["fortran_order"], np.lib.format.descr_to_dtype(header["descr"])
