"""Code versions: of packages as they are installed, of source as its bytes are."""

import hashlib
import importlib
import importlib.metadata
from pathlib import Path

import pytest
from torch import nn

import straylight
from straylight.attacks.gradient import Gradient
from straylight.core.code_version import code_versions, digest_class_source, package_versions


def test_versions_are_those_that_are_installed() -> None:
    for versions in (package_versions(), code_versions()):
        packages = {name: text for name, text in versions.items() if name != "source"}
        assert {"straylight", "torch", "numpy"} <= packages.keys()
        assert packages == {name: importlib.metadata.version(name) for name in packages}


def test_the_source_is_every_file_that_figures_depend_on() -> None:
    root = Path(straylight.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root).as_posix()
        if name.partition("/")[0] in ("cli", "report") or name in (
            "__main__.py",
            "core/progress.py",
        ):
            continue  # what is shown, and not computed
        digest.update(f"{name} {path.stat().st_size}\n".encode() + path.read_bytes())
    assert code_versions()["source"] == digest.hexdigest()


def test_a_class_of_ones_own_is_known_by_its_file_and_those_of_its_bases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_base_y.py").write_text("import torch\nclass Base(torch.nn.Module): ...\n")
    (tmp_path / "own_net_y.py").write_text("import own_base_y\nclass Net(own_base_y.Base): ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    net = importlib.import_module("own_net_y").Net
    parts = [(tmp_path / name).read_bytes() for name in ("own_base_y.py", "own_net_y.py")]
    expected = hashlib.sha256(b"".join(b" %d\n" % len(part) + part for part in parts)).hexdigest()
    assert digest_class_source(net) == digest_class_source(net, nn.Linear) == expected
    (tmp_path / "own_base_y.py").write_text("# changed\n")
    assert digest_class_source(net) != expected


def test_a_class_of_an_installed_package_is_known_by_the_version() -> None:
    assert digest_class_source(nn.Linear, Gradient, dict, Path) == ""
