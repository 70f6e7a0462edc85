"""Tables of well-known data sets."""

from pathlib import Path

import pytest

from image_folders import TINY_SHAPE, read_levels, write_picture
from straylight.cohort.load import load_cohort

# As the data sets publish them.
TABLES = {
    "HAM10000": (
        "lesion_id,image_id,dx,dx_type,age,sex,localization\n"
        "HAM_1,ISIC_1,bkl,histo,80.0,male,scalp\nHAM_2,ISIC_2,nv,histo,80.0,male,scalp\n",
        ("nv", "bkl"),
        [1, 0],
    ),
    "HAM10000 in capitals": (
        "lesion_id,image_id,dx\nHAM_1,ISIC_1,bkl\nHAM_2,ISIC_2,nv\n",
        ("NV", "BKL"),
        [1, 0],
    ),
    "ISIC 2018": (
        "image,MEL,NV\nISIC_1,1.0,0.0\nISIC_2,0.0,1.0\n",
        ("NV", "MEL"),
        [1, 0],
    ),
    "ISIC without a model": ("image,MEL,NV\nISIC_1,0.0,1.0\nISIC_2,1.0,0.0\n", None, [1, 0]),
    "numbers": ("file,label\nISIC_1.png,1\nISIC_2.png,0\n", ("NV", "MEL"), [1, 0]),
    "floats": ("file,label\nISIC_1.png,1.0\nISIC_2.png,0.0\n", ("NV", "MEL"), [1, 0]),
    "truths": ("file,label\nISIC_1.png,True\nISIC_2.png,False\n", ("NV", "MEL"), [1, 0]),
    "classes that are numbers": (
        "file,label\nISIC_1.png,2.0\nISIC_2.png,10.0\n",
        ("10", "2"),
        [1, 0],
    ),
    "semicolons": ("file;label\nISIC_1.png;MEL\nISIC_2.png;NV\n", ("NV", "MEL"), [1, 0]),
    "tabs": ("file\tlabel\nISIC_1.png\tMEL\nISIC_2.png\tNV\n", ("NV", "MEL"), [1, 0]),
    "other case": ("\ufeff File , LABEL\nISIC_1.png,MEL \nISIC_2.png,NV\n", ("NV", "MEL"), [1, 0]),
    "NIH": (
        "Image Index,Finding Labels,Follow-up #\nISIC_1.png,Effusion|Mass,0\nISIC_2.png,No Finding,1\n",
        ("no Effusion", "Effusion"),
        [1, 0],
    ),
    "CheXpert": (
        "Path,Sex,Effusion\nset/ISIC_1.png,Male,1.0\nset/ISIC_2.png,Male,0.0\n",
        ("no Effusion", "Effusion"),
        [1, 0],
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_case_11_published_tables_are_read(tmp_path: Path, name: str) -> None:
    text, classes, expected = TABLES[name]
    for number in (1, 2):
        write_picture(
            tmp_path / "set" / f"images_00{number}" / "images" / f"ISIC_{number}.png", 50 * number
        )
    (tmp_path / "set" / "labels.csv").write_text(text, encoding="utf-8")
    cohort = load_cohort(tmp_path / "set" / "labels.csv", TINY_SHAPE, classes)
    assert cohort.labels.tolist() == expected
    assert read_levels(cohort.images) == [50, 100]
