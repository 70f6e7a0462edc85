"""What the options of a command name is loaded, and skipped files are named."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from commands import audit_words, printed, straylight
from straylight.cli.load import print_skipped_files
from straylight.data.images import ImageSet, SkippedImage


def test_skipped_files_are_named(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(world / "photos", tmp_path / "photos")
    (tmp_path / "photos" / "cut.jpg").write_bytes(b"\xff\xd8\xff")
    straylight(*audit_words(world, tmp_path / "a", "--natural", tmp_path / "photos"))
    assert "skipped cut.jpg" in capsys.readouterr().err
    written = json.loads((tmp_path / "a" / "audit.json").read_text())
    assert written["natural"]["n"] == 9
    assert [item["file"] for item in written["natural"]["skipped"]] == ["cut.jpg"]


@pytest.mark.parametrize("n", [0, 3, 5])
def test_three_skipped_files_are_named_and_all_are_counted(n: int) -> None:
    skipped = tuple(SkippedImage(f"[b]{k}.png", "broken") for k in range(n))
    images = ImageSet(torch.zeros(1, 3, 2, 2, dtype=torch.uint8), "photos", skipped)
    said = printed(lambda err: print_skipped_files(images, err)).splitlines()
    named = [f"skipped [b]{k}.png: broken" for k in range(min(n, 3))]
    assert said == named + [f"{n} files of photos skipped."] * (n > 0)
