"""Look up the files that a table names: exactly, or without suffix or folder if only one matches."""

import unicodedata
from collections import defaultdict
from contextlib import suppress
from functools import cached_property
from pathlib import Path, PurePosixPath

from straylight.cohort.columns import read_columns
from straylight.cohort.manifest import Reading, resolve_inside
from straylight.core.errors import quote_text
from straylight.data.files.container import Container
from straylight.data.files.non_images import is_companion
from straylight.data.files.open_container import open_container


class FileLookup:
    """Looks up the files of a table in a folder or archive.

    A name matches the file of that name; else the only file that has it after some folders, with an
    additional suffix, or both, also in another Unicode form. The name of the container itself may
    precede it.
    """

    def __init__(self, container: Container) -> None:
        self.container = container

    def find(self, name: str) -> str:
        """Return the file that a name matches.

        Raises:
            LookupError: If no file or several files match.
        """
        if self.container.has(name):
            return name
        own = PurePosixPath(self.container.spec).name
        first, _, rest = name.partition("/")
        shorter = [rest] if rest and first == own else []
        if shorter and self.container.has(rest):
            return rest
        for wanted in (name, *shorter):
            fits = self._fits(wanted)
            if len(fits) > 1:
                raise LookupError(
                    f"the file {quote_text(name)} could be {quote_text(fits[0])} or "
                    f"{quote_text(fits[1])} in {self.container.spec}: write its full name in the "
                    "table, or give a folder with only one of them as --reading root=FOLDER"
                )
            if fits:
                return fits[0]
        raise LookupError(f"the file {quote_text(name)} does not exist in {self.container.spec}")

    def _fits(self, name: str) -> list[str]:
        """List the files that a name matches: with its suffix, else without."""
        wanted = _normalize_nfc(name)
        last = PurePosixPath(wanted).name
        for names, cut in ((self._by_name, str), (self._by_stem, _without_suffix)):
            fits = [
                file
                for file in names[last]
                if f"/{cut(_normalize_nfc(file))}".endswith(f"/{wanted}")
            ]
            if fits:
                return sorted(fits)
        return []

    @cached_property
    def _files(self) -> list[str]:
        return [name for name in self.container.names() if not is_companion(name)]

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        found = defaultdict(list)
        for file in self._files:
            found[PurePosixPath(_normalize_nfc(file)).name].append(file)
        return found

    @cached_property
    def _by_stem(self) -> dict[str, list[str]]:
        found = defaultdict(list)
        for file in self._files:
            found[PurePosixPath(_normalize_nfc(file)).stem].append(file)
        return found


def _normalize_nfc(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _without_suffix(name: str) -> str:
    return str(PurePosixPath(name).with_suffix(""))


def manifest_files(path: Path, reading: Reading) -> list[Path]:
    """Return the files on disk that a table names, regardless of its labels, for a digest of the data.

    Raises:
        InputError: If the table or the folder of its files cannot be read.
    """
    root = Path(reading.root) if reading.root else path.parent
    found: set[Path] = set()
    with open_container(root) as container:
        lookup = FileLookup(container)
        for number, name, _ in read_columns(path, reading.file, reading.label).rows:
            with suppress(LookupError):
                file = lookup.find(resolve_inside(path, number, name, root.absolute()))
                found.add(container.on_disk(file))
    return sorted(found)
