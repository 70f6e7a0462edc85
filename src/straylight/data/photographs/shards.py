"""Read several archives as one source, such as the WebDataset shards ``shards/{000..009}.tar``."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from os.path import exists
from pathlib import Path

from straylight.core.errors import InputError, quote_text
from straylight.data.files.container import Container, as_value_error
from straylight.data.files.folder_walk import MOST_FILES
from straylight.data.files.open_container import is_container, open_container
from straylight.data.images import SkippedImage

BRACES = re.compile(r"\{([^{}]*(?:,|\.\.)[^{}]*)\}")
RANGE = re.compile(r"(\d+)\.\.(\d+)")
MOST = 100_000  # shards of one source
LONGEST, MOST_BRACES = 2**12, 16  # characters and braces of a pattern


class ShardedContainer(Container):
    """Archives or folders as one container, one open at a time; names start with the shard's path.

    Args:
        spec: The brace pattern.
        shards: Paths that the pattern expands to.
        stack: Closes the open shard.
    """

    def __init__(self, spec: str, shards: list[str], stack: ExitStack) -> None:
        self.spec, self.stack = spec, stack
        self.opened: tuple[str, Container] | None = None
        self.found: dict[str, tuple[str, str]] = {}
        self.places: dict[str, tuple[int, int]] = {}
        others: list[SkippedImage] = []
        self._aliases: dict[str, str] = {}
        for number, shard in enumerate(shards):
            opened = self.shard(shard)
            inside = opened.names()
            others += [SkippedImage(f"{shard}/{it.file}", it.reason) for it in opened.skipped]
            self._aliases |= {f"{shard}/{k}": f"{shard}/{v}" for k, v in opened.aliases.items()}
            if len(self.found) + len(inside) > MOST_FILES:
                raise InputError(f"{spec} has more than {MOST_FILES:,} files: give a subset.")
            self.found |= {f"{shard}/{name}": (shard, name) for name in inside}
            for place, name in enumerate(opened.order(inside)):
                self.places[f"{shard}/{name}"] = number, place

        self._skipped = tuple(others)

    @property
    def skipped(self) -> tuple[SkippedImage, ...]:
        return self._skipped

    @property
    def aliases(self) -> dict[str, str]:
        return self._aliases

    def shard(self, shard: str) -> Container:
        """Open a shard, and close the previous one."""
        if self.opened is None or self.opened[0] != shard:
            self.opened = None
            self.stack.close()
            self.opened = shard, self.stack.enter_context(open_container(Path(shard)))
        return self.opened[1]

    def names(self) -> list[str]:
        return list(self.found)

    def has(self, name: str) -> bool:
        return name in self.found

    def order(self, names: list[str]) -> list[str]:
        return sorted(names, key=self.places.__getitem__)

    def size(self, name: str) -> int:
        shard, inside = self.found[name]
        with as_value_error():
            return self.shard(shard).size(inside)

    def head(self, name: str, largest: int) -> bytes:
        shard, inside = self.found[name]
        with as_value_error():
            return self.shard(shard).head(inside, largest)

    def on_disk(self, name: str) -> Path:
        return Path(self.found[name][0])


def expand_braces(pattern: str) -> list[str]:
    """Expand braces as in bash: numbers keep their leading zeros.

    >>> expand_braces("a/{08..10}.tar"), expand_braces("{a,b}/{0..1}.zip")
    (['a/08.tar', 'a/09.tar', 'a/10.tar'], ['a/0.zip', 'a/1.zip', 'b/0.zip', 'b/1.zip'])

    Raises:
        InputError: If the pattern is too long or expands to too many paths.
    """
    if len(pattern) > LONGEST:
        raise InputError(
            f"{quote_text(pattern)} is longer than {LONGEST} characters: give a shorter one."
        )
    found = BRACES.search(pattern)
    if found is None:
        return [pattern]
    if len(BRACES.findall(pattern)) > MOST_BRACES:
        raise InputError(
            f"{quote_text(pattern)} has more than {MOST_BRACES} pairs of braces: give fewer."
        )
    rest = expand_braces(pattern[found.end() :])
    values = found[1].split(",")
    if numbers := RANGE.fullmatch(found[1]):
        first, last = int(numbers[1]), int(numbers[2])
        padded = any(number != str(int(number)) for number in numbers.groups())
        width = max(map(len, numbers.groups())) if padded else 0
        step = 1 if first <= last else -1
        ends = range(first, last + step, step)
        values = [f"{number:0{width}}" for number in ends[: MOST + 1]]
    if len(values) * len(rest) > MOST:
        raise InputError(f"{pattern} expands to more than {MOST:,} archives: give fewer.")
    return [pattern[: found.start()] + value + end for value in values for end in rest]


def is_source(spec: str) -> bool:
    """Return whether `spec` is a folder, an archive or a brace pattern."""
    return is_container(Path(spec)) or BRACES.search(spec) is not None


@contextmanager
def open_source(spec: str) -> Iterator[Container]:
    """Open a folder, an archive or all shards of a brace pattern for the duration of a context.

    Raises:
        InputError: If one is missing or damaged.
    """
    if exists(spec) or not BRACES.search(spec):
        with open_container(Path(spec)) as container:
            yield container
        return
    shards = list(dict.fromkeys(expand_braces(spec)))
    for shard in shards:
        if not is_container(Path(shard)):
            raise InputError(f"{spec}: {shard} is not a folder or an archive (.zip, .tar).")
    with ExitStack() as stack:
        yield ShardedContainer(spec, shards, stack)
