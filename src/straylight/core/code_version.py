"""Code versions: installed packages, and digests of source code without a version of its own."""

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
# Optional packages that read files, decode images or build networks.
ALSO = (
    *("datasets", "h5py", "keras", "medmnist", "pyarrow", "pydicom"),
    *("python-gdcm", "scikit-image", "scipy", "torchvision", "transformers"),
)
ONLY_SHOWS = ("cli/", "report/", "core/progress.py", "__main__.py")
LARGEST_SOURCE = 2**24


def package_versions() -> dict[str, str]:
    """Return the versions of the main packages, for display."""
    return {name: version(name) for name in SHOWN}


@cache
def code_versions() -> dict[str, str]:
    """Return all package versions and the digest of Straylight's source (checkouts share a version)."""
    found = package_versions()
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
    return found | {"source": _digest_sources(files, root)}


def digest_class_source(*kinds: type) -> str:
    """Return the digest of the source files of classes that belong to no installed package.

    The result of a user's network or attack depends on its source, not on its weights alone.
    """
    files = {
        path for kind in kinds for base in kind.__mro__ if (path := _source_file_of_user(base))
    }
    return _digest_sources(sorted(files), None) if files else ""


def _source_file_of_user(kind: type) -> Path | None:
    """Return the source file of a class, unless it comes with Python or an installed package."""
    try:
        path = Path(inspect.getfile(kind)).resolve()
    except (TypeError, OSError):  # built in, or defined in a notebook
        return None
    return None if any(path.is_relative_to(root) for root in _installed_folders()) else path


@cache
def _installed_folders() -> tuple[Path, ...]:
    """Return the folders of Python, its packages and this package."""
    found = {Path(__file__).parents[1], *map(Path, sysconfig.get_paths().values())}
    found |= {Path(folder) for folder in (*site.getsitepackages(), site.getusersitepackages())}
    found.discard(Path(sys.prefix))  # an environment often lies inside its project
    return tuple({path.resolve() for path in found} - {Path(sys.prefix).resolve(), Path("/usr")})


def _digest_sources(files: list[Path], root: Path | None) -> str:
    """Return the digest of files, with their names relative to `root` if it is given."""
    digest = hashlib.sha256()
    for path in files:
        name = "" if root is None else path.relative_to(root).as_posix()
        try:
            data = read_bounded(path, LARGEST_SOURCE)
        except OSError:
            continue
        digest.update(f"{name} {len(data)}\n".encode() + data)
    return digest.hexdigest()
