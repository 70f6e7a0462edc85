"""Files of Hugging Face data sets in folders."""

import socket
from pathlib import Path

import pytest

from image_folders import TINY_SHAPE, read_levels, write_picture
from straylight.cohort.load import load_cohort
from straylight.core.errors import InputError
from straylight.data.photographs.load import load_natural


def test_unclear_26_hf_reads_inside_its_folder_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fsspec

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("nothing is opened by an address")

    for name in ("a", "b"):
        for number in range(2):
            write_picture(tmp_path / "set" / "test" / name / f"{number}.png", 100)
            write_picture(tmp_path / "other" / name / f"{number}.png", 200)
    (tmp_path / "set" / "test" / "a" / "link.png").symlink_to(tmp_path / "other" / "a" / "0.png")
    (tmp_path / "set" / "test" / "linked").symlink_to(tmp_path / "other")
    (tmp_path / "set" / "set.py").write_text("raise SystemExit(9)\n")
    monkeypatch.setattr(fsspec, "open", refuse)
    monkeypatch.setattr(socket, "socket", refuse)
    for files in ("../other/**", "http://127.0.0.1:9/x.zip", "zip://*::http://127.0.0.1:9/x.zip"):
        named = f"data_files:\n  - split: test\n    path: '{files}'"
        text = f"---\nconfigs:\n- config_name: default\n  {named}\n---\n"
        (tmp_path / "set" / "README.md").write_text(text)
        for images in (
            load_cohort(f"hf:{tmp_path}/set:test", TINY_SHAPE).images,
            load_natural(f"hf:{tmp_path}/set:test", TINY_SHAPE, cache=False),
        ):
            assert read_levels(images) == [100] * 4
            assert {item.file for item in images.skipped} == {"test/a/link.png", "test/linked"}
    with pytest.raises(InputError, match="is neither a folder nor a data set name on the hub"):
        load_cohort(f"hf:{tmp_path}/gone:test", TINY_SHAPE)


def test_unclear_26_rows_name_no_other_files(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    data = write_picture(tmp_path / "good.png", 40).read_bytes()
    paths = [
        *(
            str(tmp_path / "good.png"),
            "http://127.0.0.1:9/a.png",
            "../good.png",
            "file:///etc/passwd",
        ),
        *(
            "zip://a.png::http://127.0.0.1:9/a.zip",
            f"simplecache::{tmp_path}/good.png",
            "/dev/zero",
        ),
        f"http://127.0.0.1:9/::{tmp_path}/set/test.parquet",
    ]
    rows = [{"bytes": data, "path": None}, *({"bytes": None, "path": path} for path in paths)]
    (tmp_path / "set").mkdir()
    parquet.write_table(
        pa.table({"image": rows, "label": ["a"] * len(rows)}), tmp_path / "set" / "test.parquet"
    )
    images = load_cohort(f"hf:{tmp_path}/set:test", TINY_SHAPE).images
    assert read_levels(images) == [40]
    assert [item.reason for item in images.skipped] == ["the row has no image"] * len(paths)
