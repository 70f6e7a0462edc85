"""Tar archives, listed with suspicion."""

import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from straylight.core.limits import is_bomb

CHUNK = 2**20  # bytes that are read at a time
LONGEST = 2**20  # bytes of a name or of the extended headers: tarfile reads them whole
EXTENDED = (
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
)


class Header(tarfile.TarInfo):
    """A header whose size is looked at before tarfile goes by it.

    A negative one sends tarfile round in circles for ever (CVE-2025-8194), and names of any length are
    read into memory.
    """

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "Header":
        header = super().frombuf(buf, encoding, errors)
        if header.size < 0 or (header.type in EXTENDED and header.size > LONGEST):
            raise tarfile.ReadError("a header claims an absurd size")
        return header


@contextmanager
def open_tar(path: Path) -> Iterator[tarfile.TarFile]:
    """Open a tar archive, compressed or not, for the time of a context."""
    with tarfile.open(path, tarinfo=Header) as file:
        yield file


def members(file: tarfile.TarFile, packed: int) -> Iterator[tarfile.TarInfo]:
    """Yield what is in the archive.

    Args:
        file: The archive.
        packed: Its bytes on the disk.

    Raises:
        tarfile.TarError: If a header is broken, where tarfile would end as if there were no more; or
            before more is unpacked than images pack to; or if there is something after its end.
        Exception: Of the kinds that decompressors raise, if a checksum over the whole is wrong.
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
            f"the header after its first {len(file.getmembers())} entries is broken"
        )
    if len(mark) < tarfile.BLOCKSIZE:
        raise tarfile.ReadError("it ends without the mark of its end: it is cut off")
    # To the last byte: decompressors compare their checksum only there.
    unpacked = file.offset + len(mark)
    while rest := stream.read(CHUNK):
        unpacked += len(rest)
        if rest.count(0) < len(rest):
            raise tarfile.ReadError(
                "something stands after its end: it is several archives, or damaged"
            )
        if is_bomb(packed, unpacked):
            raise tarfile.ReadError("it unpacks to more than 100 times its size")


def why_no_file(item: tarfile.TarInfo) -> str | None:
    """Return why a member is not a file that can be read; None if it is one, or a folder."""
    if item.issym() or item.islnk():
        return "a link"
    if item.issparse():
        return "a sparse file"
    return None if item.isfile() or item.isdir() else "a pipe or a device"
