"""The code that computes: versions, and the digest of source that a version does not name."""

import hashlib
import inspect
import site
import sys
import sysconfig
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from straylight.core.bounded_read import read_bounded

SHOWN = ("straylight", "torch", "timm", "numpy", "pillow")
# What else reads files, decodes images or builds networks, where it is installed.
ALSO = (
    *("datasets", "h5py", "keras", "medmnist", "pyarrow", "pydicom"),
    *("python-gdcm", "scikit-image", "scipy", "torchvision", "transformers"),
)
ONLY_SHOWS = ("cli/", "report/", "core/progress.py", "__main__.py")
LARGEST_SOURCE = 2**24


def versions() -> dict[str, str]:
    """Return the versions of what computes, for a reader."""
    return {name: version(name) for name in SHOWN}


@cache
def code() -> dict[str, str]:
    """Return all versions, and the digest of this package's own source: a checkout has one version."""
    found = versions()
    for name in ALSO:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    root = Path(__file__).parents[1]
    files = sorted(
        path
        for path in root.rglob("*.py")
        if not path.relative_to(root).as_posix().startswith(ONLY_SHOWS)
    )
    return found | {"source": digest_of_sources(files, root)}


def code_of(*kinds: type) -> str:
    """Digest of the source in which classes stand that belong to no installed package.

    A network or an attack of a user's own computes what its source says, not its weights alone.
    """
    files = {path for kind in kinds for base in kind.__mro__ if (path := own_source(base))}
    return digest_of_sources(sorted(files), None) if files else ""


def own_source(kind: type) -> Path | None:
    """Return the file in which a class stands, unless it comes with Python or an installed package."""
    try:
        path = Path(inspect.getfile(kind)).resolve()
    except (TypeError, OSError):  # built in, or typed into a notebook
        return None
    return None if any(path.is_relative_to(root) for root in installed()) else path


@cache
def installed() -> tuple[Path, ...]:
    """Return the folders of Python, of its packages, and of this one."""
    found = {Path(__file__).parents[1], *map(Path, sysconfig.get_paths().values())}
    found |= {Path(folder) for folder in (*site.getsitepackages(), site.getusersitepackages())}
    found.discard(Path(sys.prefix))  # a project often lies around its environment
    return tuple({path.resolve() for path in found} - {Path(sys.prefix).resolve(), Path("/usr")})


def digest_of_sources(files: list[Path], root: Path | None) -> str:
    """Digest of files, with their names below `root`, or without."""
    digest = hashlib.sha256()
    for path in files:
        name = "" if root is None else path.relative_to(root).as_posix()
        try:
            data = read_bounded(path, LARGEST_SOURCE)
        except OSError:
            continue
        digest.update(f"{name} {len(data)}\n".encode() + data)
    return digest.hexdigest()
