"""HDF5 files of weights: plain numbers in the file itself, no more than it holds."""

import io
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from straylight.core.errors import InputError, quoted, reason_of
from straylight.core.limits import HARMLESS

FILTERS = {"1", "2", "3"}  # gzip, shuffle, and check sums; others are libraries that HDF5 loads
MOST = 2**16  # groups and arrays: the largest networks have some thousand
DEEPEST = 64
OTHER_FILES = "leads to other files (HDF5 links)"


def import_h5py(spec: str) -> ModuleType:
    """Import the library of HDF5."""
    try:
        import h5py
    except ImportError:
        raise InputError(f"{spec} needs Keras: 'pip install straylight[keras]'.") from None
    found: ModuleType = h5py
    return found


def check_hdf5(spec: str, file: Path | io.BytesIO) -> None:
    """Raise unless a file is HDF5 that holds plain numbers, and all of them itself.

    Raises:
        InputError: If it is not, has links or values in other files, or claims more than it holds.
    """
    library = import_h5py(spec)
    size = file.stat().st_size if isinstance(file, Path) else file.getbuffer().nbytes
    try:
        with library.File(file, "r") as stored:
            wrong = wrong_in(library, stored, 2 * size + 4 * HARMLESS)
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{spec} is no HDF5 file of weights ({reason_of(error)}).") from error
    if wrong:
        raise InputError(f"{spec} {wrong}, and is not read.")


def wrong_in(library: ModuleType, stored: Any, most: int) -> str:  # noqa: ANN401, PLR0911
    """Return what is wrong with a file (nothing: all is well)."""
    claimed = 0
    seen: set[int] = set()
    for group, name in items(library, stored, seen):
        if len(seen) > MOST:
            return f"holds more than {MOST} groups and arrays"
        if not is_inside(group, name):
            return OTHER_FILES
        item = group[name]
        if isinstance(item, library.Group):
            continue
        if not isinstance(item, library.Dataset):
            return f"holds something else than groups and arrays ({quoted(name)})"
        if item.external or item.is_virtual:
            return OTHER_FILES
        if set(item._filters) - {"gzip", "shuffle", "fletcher32"}:
            return f"is packed in an unusual way ({quoted(name)})"
        if item.dtype.kind not in "biuf":
            return f"holds something else than numbers ({quoted(name)})"
        claimed += item.nbytes
        if claimed > most:
            return "claims more numbers than a file of its size can hold"
    return ""


def layer_names(path: Path) -> list[str]:
    """Return the layers of a file that Keras 2 wrote, or Keras 3 in that layout (none: another layout)."""
    with import_h5py(str(path)).File(path, "r") as stored:
        group = stored.get("model_weights", stored)
        # Long lists are cut: layer_names0, layer_names1, ...
        parts = [group.attrs[key] for key in sorted(group.attrs) if key.startswith("layer_names")]
        return [n.decode() if isinstance(n, bytes) else str(n) for part in parts for n in part]


def items(
    library: ModuleType,
    group: Any,  # noqa: ANN401
    seen: set[int],
    depth: int = 0,
) -> Iterator[tuple[Any, str]]:
    """List everything in a file once, through no link."""
    for name in group:
        yield group, name
        if not is_inside(group, name):
            continue
        inner = group[name]
        place: int = library.h5o.get_info(inner.id).addr
        if place in seen:
            raise ValueError("something in it has two names")
        seen.add(place)
        if isinstance(inner, library.Group):
            if depth > DEEPEST:
                raise ValueError("its groups are nested too deeply")
            yield from items(library, inner, seen, depth + 1)


def is_inside(group: Any, name: str) -> bool:  # noqa: ANN401
    """Return whether a name is the thing itself, and no link to a path or a file."""
    kind: type = group.get(name, getlink=True, getclass=True)
    return kind.__name__ == "HardLink"
