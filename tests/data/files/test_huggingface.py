"""Hugging Face data sets from the disk: the same images and labels as in folders, and no traces."""

import io
from pathlib import Path

import pytest
from PIL import Image

from huggingface_rows import write_parquet
from straylight.cohort.load import load_cohort
from straylight.core.errors import InputError
from straylight.data.photographs.load import load_natural

SHAPE = (3, 20, 24)
pytestmark = pytest.mark.usefixtures("no_traces")


def test_no_code_of_a_data_set_is_run(image_folder: Path, tmp_path: Path) -> None:
    script = f"from pathlib import Path\nPath({str(tmp_path / 'executed')!r}).touch()\n"
    (image_folder / "set.py").write_text(script)
    assert len(load_cohort(f"hf:{image_folder}:test", SHAPE)) == 24
    (tmp_path / "table").mkdir()
    (tmp_path / "table" / "test.csv").write_text("image,label\na.png,b\n")
    with pytest.raises(InputError, match="has no files of the split test"):
        load_cohort(f"hf:{tmp_path}/table:test", SHAPE)
    assert not (tmp_path / "executed").exists()


def test_other_things_are_refused(image_folder: Path, tmp_path: Path) -> None:
    image = io.BytesIO()
    Image.new("RGB", (4, 4)).save(image, "png")
    many = write_parquet(tmp_path / "many", {"image": [image.getvalue()], "label": [[0, 1]]})
    none = write_parquet(tmp_path / "none", {"image": [image.getvalue()], "label": [None]})
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "test.parquet").write_bytes(b"PAR1 no")
    (tmp_path / "empty").mkdir()
    for spec, message in [
        (f"hf:{image_folder}", "give hf:NAME:SPLIT or hf:FOLDER:SPLIT"),
        ("hf:", "give hf:NAME:SPLIT or hf:FOLDER:SPLIT"),
        (f"hf:{image_folder}:val", "has the splits test but not val"),
        (f"hf:{many}:test", "row 0: the column label has list: it must have one class"),
        (f"hf:{none}:test", "row 0: the column label has NoneType"),
        (f"hf:{tmp_path}/broken:test", "cannot be read as Parquet"),
        (f"hf:{tmp_path}/empty:test", "has no files of the split test"),
    ]:
        with pytest.raises(InputError, match=message):
            load_cohort(spec, SHAPE)
    with pytest.raises(InputError, match="has the columns dx but not image"):
        load_natural(f"hf:{write_parquet(tmp_path / 'words', {'dx': ['a']})}:test", SHAPE)
