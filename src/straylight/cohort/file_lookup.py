"""Files that a table names: as it says, or, where only one file fits, without a suffix or a folder."""

import unicodedata
from collections import defaultdict
from contextlib import suppress
from functools import cached_property
from pathlib import Path, PurePosixPath

from straylight.cohort.columns import read_columns
from straylight.cohort.manifest import inside
from straylight.cohort.reading import Reading
from straylight.core.errors import quoted
from straylight.data.files.containers import Container, open_container
from straylight.data.files.non_images import is_companion


class Lookup:
    """Finds the files of a table in a folder or archive.

    A name is that of a file as it is; else of the one file that has it behind some folders, has a suffix
    more, or both; or that has it in another Unicode form. Folders that the container itself lies in may
    stand before it.
    """

    def __init__(self, container: Container) -> None:
        self.container = container

    def find(self, name: str) -> str:
        """Return the file of a name.

        Raises:
            LookupError: If there is none, or several fit; says so.
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
                    f"the file {quoted(name)} could be {quoted(fits[0])} or {quoted(fits[1])} in "
                    f"{self.container.spec}: write it out in the table, or give a folder with one of them "
                    "as --reading root=FOLDER"
                )
            if fits:
                return fits[0]
        raise LookupError(f"the file {quoted(name)} does not exist in {self.container.spec}")

    def _fits(self, name: str) -> list[str]:
        """List the files that a name fits: first with its suffix, else without."""
        wanted = _composed(name)
        last = PurePosixPath(wanted).name
        for names, cut in ((self._by_name, str), (self._by_stem, _without_suffix)):
            fits = [
                file for file in names[last] if f"/{cut(_composed(file))}".endswith(f"/{wanted}")
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
            found[PurePosixPath(_composed(file)).name].append(file)
        return found

    @cached_property
    def _by_stem(self) -> dict[str, list[str]]:
        found = defaultdict(list)
        for file in self._files:
            found[PurePosixPath(_composed(file)).stem].append(file)
        return found


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _without_suffix(name: str) -> str:
    return str(PurePosixPath(name).with_suffix(""))


def manifest_files(path: Path, reading: Reading) -> list[Path]:
    """Return the files on the disk that a table names, whatever its labels: what a digest must see.

    Raises:
        InputError: If the table or the folder of its files cannot be read.
    """
    root = Path(reading.root) if reading.root else path.parent
    found: set[Path] = set()
    with open_container(root) as container:
        lookup = Lookup(container)
        for number, name, _ in read_columns(path, reading.file, reading.label).rows:
            with suppress(LookupError):
                file = lookup.find(inside(path, number, name, root.absolute()))
                found.add(container.on_disk(file))
    return sorted(found)
