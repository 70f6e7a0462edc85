"""Open a folder or an archive as a container of files."""

import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from os.path import isdir, isfile
from pathlib import Path

from straylight.core.errors import InputError, reason_of
from straylight.data.files.archive import TAR, ZIP, Archive, list_tar_members, list_zip_members
from straylight.data.files.container import Container
from straylight.data.files.folder import Folder
from straylight.data.files.regular import check_not_special
from straylight.data.files.tar import open_tar


def is_container(path: Path) -> bool:
    """Return whether `path` is a folder, or an archive by its name."""
    # With os.path, since pathlib raises for names that are too long.
    return isdir(path) or (isfile(path) and path.name.lower().endswith((*ZIP, *TAR)))


@contextmanager
def open_container(path: Path) -> Iterator[Container]:
    """Open a folder or an archive for the duration of a context.

    Raises:
        InputError: If it is neither, or is damaged.
    """
    if path.is_dir():
        yield Folder(path)
        return
    check_not_special(path)
    with ExitStack() as stack:
        try:
            if path.name.lower().endswith(ZIP):
                found = list_zip_members(stack.enter_context(zipfile.ZipFile(path)))
            else:
                packed = path.stat().st_size
                found = list_tar_members(stack.enter_context(open_tar(path)), packed)
            archive = Archive(str(path), *found)
        except Exception as error:
            # Nearly every exception type, including RecursionError for nested headers.
            raise InputError(
                f"{path} cannot be read as a zip or tar archive ({reason_of(error)})."
            ) from error
        yield archive
