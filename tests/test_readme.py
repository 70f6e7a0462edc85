"""The README is short, shows the finding first, and its example runs."""

import importlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from paths import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Import a script of `benchmarks/`, which import each other."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module


def test_the_first_screen_shows_the_picture_the_commands_and_the_finding() -> None:
    lines = README.splitlines()
    assert len(lines) <= 150
    first = "\n".join(lines[:40])
    for needed in ("![", "make demo", "straylight demo", "<!-- table:attacks-finding -->"):
        assert needed in first
    (table,) = re.findall(r"<!-- table:attacks-finding -->\n\n(.*?)\n\n<!-- end -->", first, re.S)
    rows = [line.split(" | ")[0].strip("| ") for line in table.splitlines()[2:]]
    assert rows == ["skin", "chest", "oct", "mean"]


def test_the_tables_are_those_of_the_results(benchmark: Callable[[str], ModuleType]) -> None:
    results = json.loads((ROOT / "benchmarks" / "results.json").read_text())
    module = benchmark("tables")
    pages = "".join(page.read_text(encoding="utf-8") for page in module.PAGES)
    assert module.fill_tables(pages, results) == pages
    for part in results:
        assert f"<!-- table:{part}" in pages


def test_the_reproduction_is_that_of_its_counts(benchmark: Callable[[str], ModuleType]) -> None:
    module = benchmark("reproduction")
    page = module.PAGE.read_text(encoding="utf-8")
    assert module.fill_tables(page, json.loads(module.COUNTS.read_text())) == page
    assert len(benchmark("tables").MARKER.findall(page)) == len(module.TABLES)


def test_the_python_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ten lines of Python, on small files of the names they use; then those of the tutorial."""
    import numpy as np
    import torch
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    Path("photos").mkdir()
    for number in range(8):
        pixels = rng.integers(0, 256, (30, 30, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(f"photos/{number}.png")
    Path("medical").mkdir()
    for number in range(2):
        Path(f"photos/{number + 6}.png").rename(f"medical/{number}.png")
    Path("test.csv").write_text("file,label\nmedical/0.png,benign\nmedical/1.png,malignant\n")
    (code,) = re.findall(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    network = torch.nn.Sequential(
        torch.nn.AdaptiveAvgPool2d(2), torch.nn.Flatten(), torch.nn.Linear(12, 2)
    )
    small = (
        code.replace("224, 224", "16, 16").replace("n=1000", "n=6").replace("steps=300", "steps=2")
    )
    exec(small, {"network": network})
    assert Path("audits/mine/report.html").exists()
    tutorial = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```", tutorial, re.DOTALL | re.MULTILINE)
    exec(code.replace("audits/skin", "audits/mine"), {})
