"""List untrusted tar archives safely."""

import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from straylight.core.limits import is_bomb

CHUNK = 2**20  # bytes to read at a time
LONGEST = 2**20  # bytes of a name or an extended header, which tarfile reads completely
EXTENDED = (
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
)


class CheckedHeader(tarfile.TarInfo):
    """A tar header whose size is checked before tarfile uses it.

    A negative size makes tarfile loop for ever (CVE-2025-8194), and names of any length are read into
    memory.
    """

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "CheckedHeader":
        header = super().frombuf(buf, encoding, errors)
        if header.size < 0 or (header.type in EXTENDED and header.size > LONGEST):
            raise tarfile.ReadError("a header claims an absurd size")
        return header


@contextmanager
def open_tar(path: Path) -> Iterator[tarfile.TarFile]:
    """Open a tar archive, compressed or not, for the duration of a context."""
    with tarfile.open(path, tarinfo=CheckedHeader) as file:
        yield file


def iterate_members(file: tarfile.TarFile, packed: int) -> Iterator[tarfile.TarInfo]:
    """Yield the members of an archive.

    Args:
        file: The archive.
        packed: Its size on disk in bytes.

    Raises:
        tarfile.TarError: If a header is damaged, where tarfile would stop silently; if the archive is a
            decompression bomb; or if data follows its end.
        Exception: Of the types that decompressors raise, if the checksum of the archive is wrong.
    """
    end = 0
    for item in file:
        if item.size < 0 or item.offset < end:
            raise tarfile.ReadError("a header claims an absurd size")
        end = item.offset_data
        if is_bomb(packed, end + item.size):
            raise tarfile.ReadError("it unpacks to more than 100 times its size")
        yield item
    stream = file.fileobj
    assert stream is not None  # it is open
    stream.seek(file.offset)
    mark = stream.read(tarfile.BLOCKSIZE)
    if mark.strip(b"\0"):
        raise tarfile.ReadError(
            f"the header after its first {len(file.getmembers())} entries is damaged"
        )
    if len(mark) < tarfile.BLOCKSIZE:
        raise tarfile.ReadError("it has no end marker: it is truncated")
    # To the last byte: decompressors check their checksum only there.
    unpacked = file.offset + len(mark)
    while rest := stream.read(CHUNK):
        unpacked += len(rest)
        if rest.count(0) < len(rest):
            raise tarfile.ReadError("data follows its end: it is several archives, or damaged")
        if is_bomb(packed, unpacked):
            raise tarfile.ReadError("it unpacks to more than 100 times its size")


def reason_not_file(item: tarfile.TarInfo) -> str | None:
    """Return why a member is not a readable file; None if it is a file or a folder."""
    if item.issym() or item.islnk():
        return "a link"
    if item.issparse():
        return "a sparse file"
    return None if item.isfile() or item.isdir() else "a pipe or a device"
