"""Cache decoded photographs on disk. Medical images are never cached."""

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

from straylight.core.conventions import Shape
from straylight.core.errors import quote_text
from straylight.core.strict_json import parse_json
from straylight.data.files import decode, grey_levels, netpbm, raster, selection
from straylight.data.files.selection import Selection, decode_selection
from straylight.data.images import ImageSet, SkippedImage
from straylight.data.photographs.pixel_file import (
    UnreadableFileError,
    digest_of_files,
    map_pixels,
    read_file_bytes,
    write_pixels,
)

VARIABLE = "STRAYLIGHT_CACHE"
PIXELS, INFO, FILES, KNOWN = "pixels.npy", "info.json", "files.sha256", "known"
# Files of other processes are removed only in a folder of this name.
SCRATCH, PARTIAL = "straylight-photographs-unfinished", "partial-"
DIGEST = hashlib.sha256().digest_size
ABANDONED = 3600.0  # seconds without a write, after which a partial folder is abandoned
SPARE = 2**28  # bytes to leave free on the disk
LOG = logging.getLogger(__name__)


def cache_folder() -> Path:
    """Return `$STRAYLIGHT_CACHE`, or ``straylight`` in the user's cache folder, without creating it."""
    if given := os.environ.get(VARIABLE):
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "straylight"


def load_cached(chosen: Selection, shape: Shape) -> ImageSet:
    """Load photographs from the cache, and add them to it if they are missing.

    An entry is identified by the bytes of its files in order, by `shape` and by the decoder's source, not
    by names or times. A digest of names, sizes and times (`Selection.fingerprint`) only avoids reading
    the files again. An entry is written to a temporary folder and then renamed, so several processes
    may create it at once; leftovers of killed processes are never read and are removed later. If a
    file is unreadable or the folder is unusable, all photographs are decoded into memory.

    Raises:
        InputError: If no photograph can be read.
    """
    try:
        folder = cache_folder()
        found = _find_cached(chosen, shape, folder) or _open_cached(
            _build_cache(chosen, shape, folder), chosen, shape
        )
        if found is not None:
            return found
        raise OSError(f"{folder} does not return what was written")
    except UnreadableFileError:
        pass
    except (OSError, RuntimeError) as error:  # the latter where there is no home folder
        LOG.warning(
            "photographs are not cached (%s): set %s to another folder, or give --no-cache.",
            *(error, VARIABLE),
        )
    return decode_selection(chosen, shape)[0]


def _find_cached(chosen: Selection, shape: Shape, folder: Path) -> ImageSet | None:
    """Find photographs in the cache by their fingerprint, or else by their bytes; None if missing."""
    if chosen.fingerprint is not None and (note := folder / KNOWN / chosen.fingerprint).is_file():
        content = note.read_text(errors="replace")
        return _open_cached(folder / _cache_key(content, chosen, shape), chosen, shape)
    if not chosen.is_local or not folder.is_dir():
        return None
    content = digest_of_files(
        {file.index: hashlib.sha256(read_file_bytes(file)).digest() for file in chosen.files()}
    )
    _note_fingerprint(content, chosen, folder)
    return _open_cached(folder / _cache_key(content, chosen, shape), chosen, shape)


def _open_cached(folder: Path, chosen: Selection, shape: Shape) -> ImageSet | None:
    """Map a finished cache entry into memory; None if it is missing or damaged."""
    try:
        info = parse_json((folder / INFO).read_text(encoding="utf-8"))
        skipped = tuple(
            SkippedImage(quote_text(chosen.name(index)), quote_text(reason, 120))
            for index, reason in info["skipped"]
        )
        digests = (folder / FILES).read_bytes()
        images = ImageSet(
            *(map_pixels(folder / PIXELS), chosen.spec, skipped + chosen.skipped),
            files=tuple(digests[k : k + DIGEST] for k in range(0, len(digests), DIGEST)),
        )
        if len(images.files) != len(images):
            return None
        return images if images.shape == shape and images.sha256 == info["sha256"] else None
    except Exception:
        # numpy raises nearly every exception type for a damaged file.
        return None


def _build_cache(chosen: Selection, shape: Shape, folder: Path) -> Path:
    """Decode all photographs into the cache; return the folder of the entry."""
    with _partial_folder(folder) as partial:
        if (chosen.n or 0) * math.prod(shape) + SPARE > shutil.disk_usage(partial).free:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
        whole = partial / "whole"
        whole.mkdir()
        digests, reasons = write_pixels(whole / PIXELS, chosen, shape)
        content = digest_of_files(digests)
        kept = sorted(digests.keys() - reasons.keys())
        (whole / FILES).write_bytes(b"".join(map(digests.__getitem__, kept)))
        pixels = ImageSet(map_pixels(whole / PIXELS), chosen.spec)
        info = {"sha256": pixels.sha256, "skipped": sorted(reasons.items())}
        (whole / INFO).write_text(json.dumps(info), encoding="utf-8")
        final = folder / _cache_key(content, chosen, shape)
        if _open_cached(final, chosen, shape) is None:
            shutil.rmtree(final, ignore_errors=True)
            try:
                whole.rename(final)
            except OSError:  # another process was first
                if not final.is_dir():
                    raise
    _note_fingerprint(content, chosen, folder)
    return final


def _cache_key(content: str, chosen: Selection, shape: Shape) -> str:
    """Return the name of a cache entry, from the content, the shape and the source of the decoder."""
    code = [
        inspect.getsource(module) for module in (decode, grey_levels, netpbm, raster, selection)
    ]
    parts = [content, shape, chosen.stretched, PIL.__version__, code]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _note_fingerprint(content: str, chosen: Selection, folder: Path) -> None:
    """Record the content digest of a fingerprint."""
    if chosen.fingerprint is None:
        return
    with _partial_folder(folder) as partial:
        (partial / "note").write_text(content)
        (folder / KNOWN).mkdir(exist_ok=True)
        (partial / "note").replace(folder / KNOWN / chosen.fingerprint)


@contextmanager
def _partial_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder inside the cache; remove those of killed processes."""
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
