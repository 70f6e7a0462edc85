"""Decoded photographs on disk, so that no file is decoded twice. Medical images never come here."""

import errno
import hashlib
import inspect
import json
import logging
import math
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import PIL

from straylight.core.errors import quoted
from straylight.core.strict_json import parse_json
from straylight.core.tensors import Shape
from straylight.data.files import decode, grey_levels, netpbm, raster, selection
from straylight.data.files.selection import Selection, collect
from straylight.data.images import ImageSet, Skipped
from straylight.data.photographs.pixel_file import (
    UnreadableError,
    digest,
    mapped,
    read,
    write_pixels,
)

VARIABLE = "STRAYLIGHT_CACHE"
PIXELS, INFO, FILES, KNOWN = "pixels.npy", "info.json", "files.sha256", "known"
# Only in a folder of this name is anything removed that another process made.
SCRATCH, PARTIAL = "straylight-photographs-unfinished", "partial-"
DIGEST = hashlib.sha256().digest_size
ABANDONED = 3600.0  # seconds without a write, after which nobody is writing any more
SPARE = 2**28  # bytes that are left free on the disk
LOG = logging.getLogger(__name__)


def cache_folder() -> Path:
    """Return `$STRAYLIGHT_CACHE`, or ``straylight`` in the user's folder for caches; makes nothing."""
    if given := os.environ.get(VARIABLE):
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "straylight"


def load_cached(chosen: Selection, shape: Shape) -> ImageSet:
    """Return photographs from the cache, having put them there if need be.

    They are known by the bytes of their files, in order, by `shape`, and by what decodes them: not by
    names or times. Names, sizes and times (`Selection.fingerprint`) only spare reading the files once
    more, and of them nothing but a digest is stored. A cache is written elsewhere and then renamed:
    two processes may make it at once, and what a killed one leaves is never read, and removed later.
    Where a file cannot be read at all, or the folder cannot be used, all are decoded into memory.

    Raises:
        InputError: If not one photograph can be read.
    """
    try:
        folder = cache_folder()
        found = find(chosen, shape, folder) or opened(build(chosen, shape, folder), chosen, shape)
        if found is not None:
            return found
        raise OSError(f"{folder} does not give back what was written")
    except UnreadableError:
        pass
    except (OSError, RuntimeError) as error:  # the latter where there is no home folder
        LOG.warning(
            "photographs are not cached (%s): set %s to another folder, or give --no-cache.",
            *(error, VARIABLE),
        )
    return collect(chosen, shape)[0]


def find(chosen: Selection, shape: Shape, folder: Path) -> ImageSet | None:
    """Look for photographs in the cache: by their fingerprint, or else by their bytes."""
    if chosen.fingerprint is not None and (note := folder / KNOWN / chosen.fingerprint).is_file():
        content = note.read_text(errors="replace")
        return opened(folder / key(content, chosen, shape), chosen, shape)
    if not chosen.near or not folder.is_dir():
        return None
    content = digest({file.index: hashlib.sha256(read(file)).digest() for file in chosen.files()})
    remember(content, chosen, folder)
    return opened(folder / key(content, chosen, shape), chosen, shape)


def opened(folder: Path, chosen: Selection, shape: Shape) -> ImageSet | None:
    """Map a finished cache into memory; None if it is not there, or not as it was written."""
    try:
        info = parse_json((folder / INFO).read_text(encoding="utf-8"))
        skipped = tuple(
            Skipped(quoted(chosen.name(index)), quoted(reason, 120))
            for index, reason in info["skipped"]
        )
        digests = (folder / FILES).read_bytes()
        images = ImageSet(
            *(mapped(folder / PIXELS), chosen.spec, skipped + chosen.skipped),
            files=tuple(digests[k : k + DIGEST] for k in range(0, len(digests), DIGEST)),
        )
        if len(images.files) != len(images):
            return None
        return images if images.shape == shape and images.sha256 == info["sha256"] else None
    except Exception:
        # numpy and what it parses with raise nearly every kind for a damaged file.
        return None


def build(chosen: Selection, shape: Shape, folder: Path) -> Path:
    """Decode all photographs into the cache; return the folder that they are in."""
    with scratch(folder) as partial:
        if (chosen.n or 0) * math.prod(shape) + SPARE > shutil.disk_usage(partial).free:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
        whole = partial / "whole"
        whole.mkdir()
        digests, reasons = write_pixels(whole / PIXELS, chosen, shape)
        content = digest(digests)
        kept = sorted(digests.keys() - reasons.keys())
        (whole / FILES).write_bytes(b"".join(map(digests.__getitem__, kept)))
        pixels = ImageSet(mapped(whole / PIXELS), chosen.spec)
        info = {"sha256": pixels.sha256, "skipped": sorted(reasons.items())}
        (whole / INFO).write_text(json.dumps(info), encoding="utf-8")
        final = folder / key(content, chosen, shape)
        if opened(final, chosen, shape) is None:
            shutil.rmtree(final, ignore_errors=True)
            try:
                whole.rename(final)
            except OSError:  # another process was first
                if not final.is_dir():
                    raise
    remember(content, chosen, folder)
    return final


def key(content: str, chosen: Selection, shape: Shape) -> str:
    """Name of the cache of some content, for a shape and for the code that decodes."""
    code = [
        inspect.getsource(module) for module in (decode, grey_levels, netpbm, raster, selection)
    ]
    parts = [content, shape, chosen.stretched, PIL.__version__, code]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def remember(content: str, chosen: Selection, folder: Path) -> None:
    """Note which content has a fingerprint."""
    if chosen.fingerprint is None:
        return
    with scratch(folder) as partial:
        (partial / "note").write_text(content)
        (folder / KNOWN).mkdir(exist_ok=True)
        (partial / "note").replace(folder / KNOWN / chosen.fingerprint)


@contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """Give a folder of its own inside the cache; those of processes that were killed are removed."""
    own = folder / SCRATCH
    folder.mkdir(parents=True, exist_ok=True)
    own.mkdir(exist_ok=True)
    if own.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(own))
    for partial in own.glob(f"{PARTIAL}*"):
        if partial.is_symlink() or not partial.is_dir():
            continue
        with suppress(OSError):  # it may be gone by now
            written = max(path.stat().st_mtime for path in (partial, *partial.rglob("*")))
            if time.time() - written > ABANDONED:
                shutil.rmtree(partial)
    with tempfile.TemporaryDirectory(prefix=PARTIAL, dir=own) as made:
        yield Path(made)
