"""Pipes, sockets and devices are never opened."""

import os
import socket
from pathlib import Path

import pytest

from image_folders import TINY_SHAPE, write_picture
from straylight.cohort.load import load_cohort
from straylight.core.errors import InputError
from straylight.data.photographs.load import load_natural


def test_pipes_sockets_and_devices_are_never_opened(tmp_path: Path) -> None:
    write_picture(tmp_path / "A" / "a.png")
    os.mkfifo(tmp_path / "A" / "pipe.png")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tmp_path / "A" / "s.png"))
    (tmp_path / "A" / "zero.png").symlink_to("/dev/zero")
    for images in (load_cohort(tmp_path, TINY_SHAPE).images, load_natural(tmp_path, TINY_SHAPE)):
        assert len(images) == 1
        assert {item.file: item.reason.split(",")[0] for item in images.skipped} == {
            "A/pipe.png": "a named pipe",
            "A/s.png": "a socket",
            "A/zero.png": "a device",
        }
    for name in (
        "pipe",
        "pipe.npz",
        "pipe.csv",
        "pipe.zip",
        "pipe.tar.gz",
        "pipe.parquet",
        "X_a.npy",
    ):
        os.mkfifo(tmp_path / name)
        for load in (load_cohort, load_natural):
            with pytest.raises(InputError, match="is a named pipe: give a file or a folder"):
                load(tmp_path / name, TINY_SHAPE)
    for spec in ("/dev/zero", "/dev/null"):
        for load in (load_cohort, load_natural):
            with pytest.raises(InputError, match="is a device: give a file"):
                load(spec, TINY_SHAPE)
