"""Check HDF5 weights files: plain numbers stored in the file itself."""

import io
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from straylight.core.errors import InputError, quote_text, reason_of
from straylight.core.limits import HARMLESS

HARMLESS_FILTERS = {"gzip", "shuffle", "fletcher32"}  # others are libraries that HDF5 loads
MOST_ITEMS = 2**16  # groups and arrays: the largest networks have some thousands
DEEPEST = 64
OTHER_FILES = "leads to other files (HDF5 links)"


def _import_h5py(spec: str) -> ModuleType:
    """Import h5py."""
    try:
        import h5py
    except ImportError:
        raise InputError(f"{spec} needs Keras: 'pip install straylight[keras]'.") from None
    found: ModuleType = h5py
    return found


def check_hdf5(spec: str, file: Path | io.BytesIO) -> None:
    """Check that a file is HDF5 and stores plain numbers, all in the file itself.

    Raises:
        InputError: If it does not, links to other files, or claims more than its size allows.
    """
    library = _import_h5py(spec)
    size = file.stat().st_size if isinstance(file, Path) else file.getbuffer().nbytes
    try:
        with library.File(file, "r") as stored:
            fault = _hdf5_fault(library, stored, 2 * size + 4 * HARMLESS)
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{spec} is not an HDF5 weights file ({reason_of(error)}).") from error
    if fault:
        raise InputError(f"{spec} {fault}, and is not read.")


def _hdf5_fault(library: ModuleType, stored: Any, most: int) -> str:  # noqa: ANN401, PLR0911
    """Return what is wrong with a file, as the predicate of a sentence ("": nothing)."""
    claimed = 0
    seen: set[int] = set()
    for group, name in _iterate_items(library, stored, seen):
        if len(seen) > MOST_ITEMS:
            return f"contains more than {MOST_ITEMS} groups and arrays"
        if not _is_hard_link(group, name):
            return OTHER_FILES
        item = group[name]
        if isinstance(item, library.Group):
            continue
        if not isinstance(item, library.Dataset):
            return f"contains something other than groups and arrays ({quote_text(name)})"
        if item.external or item.is_virtual:
            return OTHER_FILES
        if set(item._filters) - HARMLESS_FILTERS:
            return f"is compressed in an unusual way ({quote_text(name)})"
        if item.dtype.kind not in "biuf":
            return f"contains something other than numbers ({quote_text(name)})"
        claimed += item.nbytes
        if claimed > most:
            return "claims more numbers than a file of its size can contain"
    return ""


def hdf5_layer_names(path: Path) -> list[str]:
    """Return the layer names in a weights file with Keras 2's layout (empty for other layouts)."""
    with _import_h5py(str(path)).File(path, "r") as stored:
        group = stored.get("model_weights", stored)
        # Long lists are cut: layer_names0, layer_names1, ...
        parts = [group.attrs[key] for key in sorted(group.attrs) if key.startswith("layer_names")]
        return [n.decode() if isinstance(n, bytes) else str(n) for part in parts for n in part]


def _iterate_items(
    library: ModuleType,
    group: Any,  # noqa: ANN401
    seen: set[int],
    depth: int = 0,
) -> Iterator[tuple[Any, str]]:
    """Yield each group and dataset in a file once, without following links."""
    for name in group:
        yield group, name
        if not _is_hard_link(group, name):
            continue
        inner = group[name]
        place: int = library.h5o.get_info(inner.id).addr
        if place in seen:
            raise ValueError("something in it has two names")
        seen.add(place)
        if isinstance(inner, library.Group):
            if depth > DEEPEST:
                raise ValueError("its groups are nested too deeply")
            yield from _iterate_items(library, inner, seen, depth + 1)


def _is_hard_link(group: Any, name: str) -> bool:  # noqa: ANN401
    """Return whether a name is a hard link, not a link to a path or another file."""
    kind: type = group.get(name, getlink=True, getclass=True)
    return kind.__name__ == "HardLink"
