"""Files for which there is no reader: pickles."""

import pickle
from pathlib import Path

import pytest

from loading import MODULE
from straylight.cli.main import main


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("own_model.py").write_text(MODULE)
    return tmp_path


class Hostile:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path("executed"),)  # type: ignore[return-value]


@pytest.mark.parametrize(
    "suffix", ["pt", "pth", "pt2", "bin", "ckpt", "pkl", "safetensors", "onnx"]
)
def test_no_pickle_is_ever_run(
    suffix: str, module: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(f"m.{suffix}").write_bytes(pickle.dumps(Hostile()))
    words = ["audit", "--model", f"m.{suffix}", "--natural", "builtin:noise", "--cohort", "x"]
    words += ["--out", "out", "--zeta", "0.02", "--classes", "a", "b", "--size", "32"]
    words += ["--mean", "0", "0", "0", "--std", "1", "1", "1"]
    if suffix == "safetensors":
        words[2] = "timm:test_resnet"
        words += ["--weights", "m.safetensors"]
    with pytest.raises(SystemExit) as left:
        main(words)
    assert left.value.code == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert any(word in said for word in ("pickle", "ONNX", "broken archive"))
    assert not Path("executed").exists()
