"""HDF5 files: plain numbers, and links to other files."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from straylight.core.errors import InputError
from straylight.models.readers.hdf5 import check_hdf5

h5py = pytest.importorskip("h5py")


def file(fill: Callable[[Any], object]) -> io.BytesIO:
    stream = io.BytesIO()
    with h5py.File(stream, "w") as stored:
        stored.create_dataset("layer/kernel", data=np.zeros((2, 2), np.float32))
        fill(stored)
    return stream


def test_groups_of_numbers_are_read() -> None:
    check_hdf5("w.h5", file(lambda stored: None))


@pytest.mark.parametrize(
    ("fill", "message"),
    [
        (lambda f: f.update({"x": h5py.ExternalLink("/etc/passwd", "/")}), "leads to other files"),
        (lambda f: f.update({"x": h5py.SoftLink("/layer")}), "leads to other files"),
        (lambda f: f.create_dataset("x", data=["text"]), "something other than numbers"),
        (lambda f: f.create_dataset("x", (2**30,), "f4", chunks=True), "claims more numbers"),
        (lambda f: f.update({"x": f["layer"]}), "something in it has two names"),
    ],
)
def test_links_texts_and_empty_claims_are_refused(
    fill: Callable[[Any], object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        check_hdf5("w.h5", file(fill))


def test_what_is_not_hdf5_is_refused() -> None:
    with pytest.raises(InputError, match=r"^w\.h5 is not an HDF5 weights file"):
        check_hdf5("w.h5", io.BytesIO(b"nothing"))
