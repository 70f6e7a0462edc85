"""Bounded reading: sizes, digests, and what is not a regular file."""

import hashlib
import os
import sys
from pathlib import Path

import pytest

from straylight.core.bounded_read import read_bounded, sha256_of, sha256_of_file


def test_a_file_is_read_up_to_the_bound(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    assert read_bounded(path, 5) == b"12345"
    with pytest.raises(OSError, match="it has 5 bytes, and at most 4 are read"):
        read_bounded(path, 4)
    assert sha256_of_file(path) == sha256_of(b"12345") == hashlib.sha256(b"12345").hexdigest()


def test_a_folder_is_named() -> None:
    with pytest.raises(OSError, match="it is a folder"):
        read_bounded(Path(__file__).parent, 100)


@pytest.mark.skipif(sys.platform == "win32", reason="makes a pipe")
def test_a_pipe_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="it is a pipe"):
        sha256_of_file(tmp_path / "pipe")
