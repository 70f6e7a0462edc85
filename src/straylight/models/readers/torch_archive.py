"""Archives of torch and Keras (zip files): read with suspicion, and written anew from what was checked.

torch reads zip files with a parser of its own. What it is given is therefore never the file, but an archive
made here of the records that were checked: the two cannot see different things in it.
"""

import io
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from straylight.core.errors import InputError, quoted, reason_of
from straylight.core.limits import HARMLESS, is_bomb

LARGEST = 2**32  # bytes of all records together, unpacked
MOST = 2**16  # records: the largest networks have some thousand tensors
END = 22  # bytes of the last record of a zip file, which says how many there are
CODE = 4 * HARMLESS  # bytes of text, the only part that torch packs
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ENCRYPTED = 1
ROOT = "model"


def read_records(path: Path, wanted: Callable[[str], bool] | None = None) -> dict[str, bytes]:
    """Return the records of an archive by their names, without the folder that is around them all.

    Args:
        path: The archive.
        wanted: Returns whether a record is needed: others are not unpacked (default: all are).

    Raises:
        InputError: If it cannot be read, has a record twice, or unpacks to more than it may.
    """
    try:
        size = path.stat().st_size
        check_count(path)
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            named = {name_of(entry.filename): entry for entry in entries}
            if len(named) != len(entries):
                raise InputError(f"{path} has a record twice, and is not read: export it again.")
            chosen = {n: e for n, e in named.items() if wanted is None or wanted(n)}
            check_sizes(path, list(chosen.values()), size)
            return {name: archive.read(entry) for name, entry in chosen.items()}
    except InputError:
        raise
    except (zipfile.BadZipFile, OSError, EOFError, RuntimeError, ValueError, zlib.error) as error:
        raise InputError(
            f"{path} is a broken archive ({reason_of(error)}): copy it or export it again."
        ) from error


def check_count(path: Path) -> None:
    """Raise if the end of an archive counts more records than any network has: listing them takes time."""
    with path.open("rb") as stream:
        stream.seek(0, io.SEEK_END)
        length = stream.tell()
        stream.seek(max(0, length - 2**16 - END - 76))
        tail = stream.read()
    place = tail.rfind(b"PK\5\6")
    comment = int.from_bytes(tail[place + 20 : place + END], "little")
    # What was cut off ends in the midst of something, perhaps behind an archive within it.
    if place < 0 or place + END + comment != len(tail):
        raise zipfile.BadZipFile("it ends without the record that lists it, as if it was cut off")
    count = int.from_bytes(tail[place + 10 : place + 12], "little")
    directory = int.from_bytes(tail[place + 12 : place + 16], "little")
    larger = tail.rfind(b"PK\6\6")  # of zip64
    if larger >= 0:
        count = max(count % 0xFFFF, int.from_bytes(tail[larger + 32 : larger + 40], "little"))
        directory = int.from_bytes(tail[larger + 40 : larger + 48], "little")
    # An entry of the directory has 46 bytes and its name; the count alone could lie.
    if count > MOST or directory > MOST * 256:
        raise InputError(f"{path} claims {count} records, which no network has, and is not read.")


def check_sizes(path: Path, entries: list[zipfile.ZipInfo], size: int) -> None:
    """Raise if records would unpack to much more than there is, or need a password or another method."""
    for entry in entries:
        if entry.flag_bits & ENCRYPTED or entry.compress_type not in METHODS:
            raise InputError(
                f"{path} has a record that is encrypted or packed in an unusual way "
                f"({quoted(entry.filename)}): export it again."
            )
        if is_bomb(entry.compress_size, entry.file_size):
            raise InputError(
                f"{path} is a decompression bomb: {quoted(entry.filename)} would unpack to "
                f"{entry.file_size // 2**20} MiB."
            )
    total = sum(entry.file_size for entry in entries)
    if total > min(LARGEST, 2 * size + CODE):
        raise InputError(
            f"{path} of {size / 2**20:.1f} MiB would unpack to {total // 2**20} MiB, and is not read."
        )


def name_of(name: str) -> str:
    """Return a record's name without the outermost folder, if it is in one.

    >>> name_of("net/code/__torch__.py")
    'code/__torch__.py'
    """
    return name.partition("/")[2] or name


def write_records(records: dict[str, bytes]) -> io.BytesIO:
    """Write an archive of torch in memory."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, content in records.items():
            archive.writestr(f"{ROOT}/{name}", content)
    stream.seek(0)
    return stream
