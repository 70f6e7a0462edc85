"""NumPy files: what is written is read back, and a header that does not match its data is refused."""

from pathlib import Path

import numpy as np
import pytest

from straylight.core.array_files import read_array, write_array
from straylight.core.bounded_read import sha256_of_file


@pytest.mark.parametrize("order", ["C", "F"])
def test_an_array_is_read_back(tmp_path: Path, order: str) -> None:
    path = tmp_path / "a.npy"
    array = np.asarray(np.arange(12, dtype=np.float32).reshape(3, 4), order=order)  # type: ignore[call-overload]
    digest = write_array(path, array)
    assert digest == sha256_of_file(path)
    assert (read_array(path, sha256=digest) == array).all()
    with pytest.raises(ValueError, match="its digest differs"):
        read_array(path, sha256="0" * 64)
    assert [file.name for file in tmp_path.iterdir()] == ["a.npy"]


def test_a_header_must_match_its_data(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    write_array(path, np.zeros(4, np.uint8))
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(ValueError, match=r"it claims uint8 \(4,\) and has 3 bytes"):
        read_array(path)
    path.write_bytes(whole[:20])
    with pytest.raises(ValueError, match="EOF"):
        read_array(path)
    np.save(path, np.array([{}]), allow_pickle=True)
    with pytest.raises(ValueError, match="it has Python objects"):
        read_array(path)
