"""Archives of torch (zip files): read with suspicion, and written anew from what was looked at.

torch reads zip files with a parser of its own. What it is given is therefore never the file, but an archive
made here of the records that were checked: the two cannot see different things in it.
"""

import io
import zipfile
import zlib
from pathlib import Path

from straylight.errors import InputError

LARGEST = 2**32  # bytes of all records together, unpacked
ROOT = "model"


def read_records(path: Path) -> dict[str, bytes]:
    """Return the records of an archive by their names, without the folder that is around them all.

    Raises:
        InputError: If it cannot be read, has a record twice, or is larger than `LARGEST`.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            if sum(entry.file_size for entry in entries) > LARGEST:
                raise InputError(f"{path} is larger than {LARGEST // 2**30} GiB unpacked.")
            records = {name_of(entry.filename): archive.read(entry) for entry in entries}
    except (zipfile.BadZipFile, OSError, EOFError, RuntimeError, ValueError, zlib.error) as error:
        raise InputError(f"{path} is a broken archive ({error}): export it again.") from error
    if len(records) != len(entries):
        raise InputError(f"{path} has a record twice, and is not read: export it again.")
    return records


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
