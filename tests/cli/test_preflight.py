"""`straylight preflight`."""

import json
import shutil
from pathlib import Path

import pytest

from commands import audit_words, refusal, straylight


def test_preflight_alone_is_what_an_audit_finds_first(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "two").mkdir()
    shutil.copytree(world / "medical" / "dark", tmp_path / "two" / "dark")
    shutil.copytree(world / "medical" / "light", tmp_path / "two" / "light")
    for file in sorted((tmp_path / "two" / "light").iterdir())[3:]:
        file.unlink()
    subject = ["--model", world / "model", "--cohort", tmp_path / "two"]
    straylight("preflight", *subject, "--json")
    found = json.loads(capsys.readouterr().out)
    assert "fewer than 10 images of light (3)" in found[-1]["message"]
    straylight("preflight", *subject)
    printed = capsys.readouterr().out
    assert [f"{item['level']}: {item['message']}" for item in found] == printed.splitlines()
    straylight(*audit_words(world, tmp_path / "a"), "--cohort", tmp_path / "two")
    assert f"preflight, note: {found[-1]['message']}" in capsys.readouterr().err
    assert json.loads((tmp_path / "a" / "audit.json").read_text())["preflight"] == found


def test_an_error_of_preflight_ends_with_status_2(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("restless.py").write_text(
        "import torch\n"
        "class Restless(torch.nn.Module):\n"
        "    def forward(self, x):\n"
        "        z = torch.nn.functional.dropout(x, 0.5).mean((1, 2, 3)) * 9\n"
        "        return torch.stack([-z, z], 1)\n"
    )
    words = ["--model", "python:restless:Restless", "--classes", "dark", "light", "--size", 32]
    words += ["--mean", 0.5, 0.5, 0.5, "--std", 0.5, 0.5, 0.5, "--cohort", world / "medical"]
    said = refusal(capsys, "preflight", *words)
    assert "The same images get other outputs in a second pass" in said
    assert refusal(capsys, *audit_words(world, tmp_path / "a"), *words) == said
    assert not any((tmp_path / "a").iterdir())
