"""HDF5 files of weights, which may not lead to other files."""

import io
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from straylight.errors import InputError
from straylight.readers.brought import reason_of

if TYPE_CHECKING:
    import h5py


def import_h5py(spec: str) -> ModuleType:
    """Import the library of HDF5."""
    try:
        import h5py
    except ImportError:
        raise InputError(f"{spec} needs Keras: 'pip install straylight[keras]'.") from None
    found: ModuleType = h5py
    return found


def check_hdf5(spec: str, file: Path | io.BytesIO) -> None:
    """See that a file is HDF5, with all that it holds in itself.

    Raises:
        InputError: If it is not, or has links or values in other files.
    """
    library = import_h5py(spec)
    try:
        with library.File(file, "r") as stored:
            away = any(leads_away(group, name) for group, name in items(stored))
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise InputError(f"{spec} is no HDF5 file of weights ({reason_of(error)}).") from error
    if away:
        raise InputError(f"{spec} leads to other files (HDF5 links), and is not read.")


def layer_names(path: Path) -> list[str]:
    """Return the layers of a file that Keras 2 wrote, or Keras 3 in that layout (none: another layout)."""
    with import_h5py(str(path)).File(path, "r") as stored:
        group = stored.get("model_weights", stored)
        # Long lists are cut: layer_names0, layer_names1, ...
        parts = [group.attrs[key] for key in sorted(group.attrs) if key.startswith("layer_names")]
        return [n.decode() if isinstance(n, bytes) else str(n) for part in parts for n in part]


def items(group: "h5py.Group") -> Iterator[tuple["h5py.Group", str]]:
    """List everything in a file, through no link."""
    for name in group:
        yield group, name
        inner = group[name] if is_inside(group, name) else None
        if isinstance(inner, MutableMapping):  # h5py's groups are
            yield from items(inner)  # type: ignore[arg-type]


def is_inside(group: "h5py.Group", name: str) -> bool:
    """Tell whether a name is the thing itself, and no link to a path or a file."""
    kind: type = group.get(name, getlink=True, getclass=True)  # type: ignore[no-untyped-call]
    return kind.__name__ == "HardLink"


def leads_away(group: "h5py.Group", name: str) -> bool:
    """Tell whether an item is a link, or its values lie in another file."""
    if not is_inside(group, name):
        return True
    item = group[name]
    return bool(getattr(item, "external", None) or getattr(item, "is_virtual", False))
