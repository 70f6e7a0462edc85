"""Read the zip archives of torch and Keras with strict checks, and write new ones from the checked records.

torch reads zip files with its own parser. It never gets the user's file, but a new archive made from the
checked records, so that the two parsers cannot see different content.
"""

import io
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from straylight.core.errors import InputError, quote_text, reason_of
from straylight.core.limits import HARMLESS, is_bomb

MOST_UNPACKED_BYTES = 2**32  # bytes of all records together, unpacked
MOST_RECORDS = 2**16  # records: the largest networks have some thousands of tensors
END_RECORD_BYTES = 22  # bytes of a zip file's end record, which counts the others
CODE_BYTES = 4 * HARMLESS  # bytes of source code, the only part that torch compresses
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ENCRYPTED = 1
ROOT = "model"


def read_records(path: Path, wanted: Callable[[str], bool] | None = None) -> dict[str, bytes]:
    """Read the records of an archive by name, without their common root folder.

    Args:
        path: The archive.
        wanted: Returns whether a record is needed; others are not unpacked (default: all are).

    Raises:
        InputError: If it cannot be read, has a duplicate record, or unpacks to more than the limit.
    """
    try:
        size = path.stat().st_size
        _check_record_count(path)
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            named = {_strip_root_folder(entry.filename): entry for entry in entries}
            if len(named) != len(entries):
                raise InputError(f"{path} has a record twice, and is not read: export it again.")
            chosen = {n: e for n, e in named.items() if wanted is None or wanted(n)}
            _check_record_sizes(path, list(chosen.values()), size)
            return {name: archive.read(entry) for name, entry in chosen.items()}
    except InputError:
        raise
    except (zipfile.BadZipFile, OSError, EOFError, RuntimeError, ValueError, zlib.error) as error:
        raise InputError(
            f"{path} is a broken archive ({reason_of(error)}): copy it or export it again."
        ) from error


def _check_record_count(path: Path) -> None:
    """Raise if an archive claims more records than any network has: listing them takes time."""
    with path.open("rb") as stream:
        stream.seek(0, io.SEEK_END)
        length = stream.tell()
        stream.seek(max(0, length - 2**16 - END_RECORD_BYTES - 76))
        tail = stream.read()
    place = tail.rfind(b"PK\5\6")
    comment = int.from_bytes(tail[place + 20 : place + END_RECORD_BYTES], "little")
    # A truncated file ends in the middle of a record, perhaps after an archive nested in it.
    if place < 0 or place + END_RECORD_BYTES + comment != len(tail):
        raise zipfile.BadZipFile("it ends without its directory, as if it was cut off")
    count = int.from_bytes(tail[place + 10 : place + 12], "little")
    directory = int.from_bytes(tail[place + 12 : place + 16], "little")
    larger = tail.rfind(b"PK\6\6")  # of zip64
    if larger >= 0:
        count = max(count % 0xFFFF, int.from_bytes(tail[larger + 32 : larger + 40], "little"))
        directory = int.from_bytes(tail[larger + 40 : larger + 48], "little")
    # A directory entry has 46 bytes and a name; the count alone could be wrong.
    if count > MOST_RECORDS or directory > MOST_RECORDS * 256:
        raise InputError(f"{path} claims {count} records, which no network has, and is not read.")


def _check_record_sizes(path: Path, entries: list[zipfile.ZipInfo], size: int) -> None:
    """Raise if records are encrypted, compressed otherwise, or far larger than the file when unpacked."""
    for entry in entries:
        if entry.flag_bits & ENCRYPTED or entry.compress_type not in METHODS:
            raise InputError(
                f"{path} has a record that is encrypted or compressed in an unusual way "
                f"({quote_text(entry.filename)}): export it again."
            )
        if is_bomb(entry.compress_size, entry.file_size):
            raise InputError(
                f"{path} is a decompression bomb: {quote_text(entry.filename)} would unpack to "
                f"{entry.file_size // 2**20} MiB."
            )
    total = sum(entry.file_size for entry in entries)
    if total > min(MOST_UNPACKED_BYTES, 2 * size + CODE_BYTES):
        raise InputError(
            f"{path} of {size / 2**20:.1f} MiB would unpack to {total // 2**20} MiB, and is not read."
        )


def _strip_root_folder(name: str) -> str:
    """Return a record's name without its root folder.

    >>> _strip_root_folder("net/code/__torch__.py")
    'code/__torch__.py'
    """
    return name.partition("/")[2] or name


def write_records(records: dict[str, bytes]) -> io.BytesIO:
    """Write a torch archive in memory."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, content in records.items():
            archive.writestr(f"{ROOT}/{name}", content)
    stream.seek(0)
    return stream
