"""`straylight audit`."""

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import jsonschema
import pytest
from PIL import Image

from commands import audit_words, one_line_refusal, refusal, straylight
from straylight.attacks.adaptation.adapt import Adaptation
from straylight.audit.plan import Plan
from straylight.audit.schema import json_schema
from straylight.cli.audit import ADAPTATION, DEFAULT_METHODS


def test_an_audit_from_the_command_line(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    straylight(*audit_words(world, tmp_path / "a", "--target", "all"))
    printed = capsys.readouterr().out
    written = json.loads((tmp_path / "a" / "audit.json").read_text())
    names = [item["name"] for item in written["perturbations"]]
    assert names[:3] == ["gradient", "gradient to dark", "gradient to light"]
    for name in names[:3]:
        assert name in printed
    assert "random-sign (max of 1)" in printed
    assert str(tmp_path / "a" / "report.html") in printed
    assert (tmp_path / "a" / "report.html").stat().st_size > 10_000


def test_every_threat_model_from_the_command_line(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(world / "medical", tmp_path / "training")
    for file in (tmp_path / "training").rglob("*.png"):
        Image.open(file).rotate(90).save(file)
    methods = [
        "gradient@adapted:steps=1",
        "auto@photographs:image_passes=3000",
        "lift:steps=1",
        "disrupt:steps=1",
    ]
    straylight(
        *audit_words(world, tmp_path / "a", "--method", *methods, "gradient@medical:steps=1"),
        "--training", tmp_path / "training", "--public", world / "model" / "model.safetensors",
        "--adaptation", "n=20,steps=2",
    )  # fmt: skip
    written = json.loads((tmp_path / "a" / "audit.json").read_text())
    found = {i["name"]: (i["role"], i["threat_model"]) for i in written["perturbations"]}
    attack = "attack"
    assert {name: kind for name, kind in found.items() if kind[0] != "control"} == {
        "gradient@adapted": (attack, "T1"),
        "auto@photographs": (attack, "T1"),
        "lift": (attack, "T2"),
        "disrupt": (attack, "T2"),
        "gradient@medical": ("reference", "oracle"),
    }
    assert written["natural"]["adapted"]["n"] == 20
    assert "gradient@medical (oracle)" in capsys.readouterr().out


def test_json_is_for_machines(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    straylight(*audit_words(world, tmp_path / "a", "--json"))
    printed = json.loads(capsys.readouterr().out)
    jsonschema.validate(printed, json_schema())
    (tmp_path / "a" / "report.html").unlink()
    straylight("report", tmp_path / "a", "--json")
    assert json.loads(capsys.readouterr().out) == printed
    assert (tmp_path / "a" / "report.html").exists()


def test_bad_input_is_one_sentence_and_status_2(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "manifest.csv").write_text("file,label\nx.png,dark\n")
    shutil.copytree(world / "model", tmp_path / "pickle")
    (tmp_path / "pickle" / "model.safetensors").write_bytes(b"\x80\x05K\x01.")
    out = tmp_path / "out"
    cases = {
        "zeta must lie in (0, 1]": audit_words(world, out, "--zeta", "nan"),
        "zeta must lie in (0, 1], not 0.0": audit_words(world, out, "--zeta", 0),
        "give either zeta or eps": audit_words(world, out, "--eps", 0.1),
        "there is no attack 'magic'": audit_words(world, out, "--method", "magic"),
        "learns on one of photographs": audit_words(world, out, "--method", "gradient@skin"),
        "give them (--training)": audit_words(world, out, "--method", "gradient", "gradient@medical"),
        "give its weights (--public)": audit_words(world, out, "--method", "lift"),
        "adaptation has no setting 'm'": audit_words(world, out, "--adaptation", "m=3"),
        "an oracle may not learn on what it is scored on": audit_words(
            world, out, "--method", "gradient", "gradient@medical", "--training", world / "medical"
        ),
        "the target 'blue' is not one of the classes dark, light": audit_words(
            world, out, "--target", "blue"
        ),
        "has no image file": audit_words(world, out, "--natural", tmp_path / "empty"),
        "has no model.json": audit_words(world, out, "--model", tmp_path / "empty"),
        "is not a safetensors file": audit_words(world, out, "--model", tmp_path / "pickle"),
        "the file x.png does not exist": audit_words(world, out, "--cohort", tmp_path / "manifest.csv"),
        "has the class deep, which": audit_words(world, out, "--cohort", world / "photos"),
        "cannot be written to": audit_words(world, tmp_path / "manifest.csv" / "out"),
        "has 9 photographs, fewer than the 10": audit_words(world, out, "--photographs", 10),
        "has no audit.json": ["report", tmp_path / "empty"],
    }  # fmt: skip
    for message, arguments in cases.items():
        assert message in refusal(capsys, *arguments)
    assert not out.exists() or not any(out.iterdir())


AUDIT = ("audit", "--model", "no-such", "--natural", "a", "--cohort", "b", "--out", "c")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--norm", "linf", "--eps", "8"], "8 grey levels is --eps-levels 8, in Python eps=8/255"),
        (["--norm", "linf", "--eps", "1.01"], "eps must be at most 1 for linf, not 1.01"),
        (["--norm", "linf", "--eps", "999"], "give at most 1."),
        (["--norm", "linf", "--eps-levels", "256"], "--eps-levels must be at most 255, not 256"),
        (["--zeta", "2"], "so 0.02 means 2 %"),
        (["--zeta", "200%"], "zeta must lie in (0, 1], not 2.0"),
        (["--zeta", "two"], "--zeta must be a number, such as 0.02 or 2%, not 'two'"),
        (["--zeta", "0,02"], "not '0,02'"),
        (["--zeta", "-0.1"], "zeta must lie in (0, 1], not -0.1"),
        (["--eps", "nan"], "eps must be a positive finite number, not nan"),
        (["--eps", "0"], "eps must be a positive finite number, not 0.0"),
        (["--eps", "1/0"], "--eps must be a number, such as 8/255, not '1/0'"),
        (["--eps", "2%"], "--eps must be a number, such as 8/255, not '2%'"),
        (["--zeta", "0.1", "--eps", "1"], "as the budget, not --zeta and --eps"),
        ([], "no budget is given: give either zeta or eps"),
        (["--zeta", "2%", "--method", "magic"], "there is no attack 'magic'"),
        (["--zeta", "2%"], "no-such is not a model"),
        (["--norm", "linf", "--eps", "8/255"], "no-such is not a model"),
    ],
)
def test_budgets_are_told_before_the_model_is_loaded(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in one_line_refusal(capsys, *AUDIT, *words)


def test_the_defaults_in_the_help_are_those_of_the_settings() -> None:
    """The command knows them as text: its help must not load torch."""
    assert Plan(zeta=0.1).untargeted == Plan(zeta=0.1, methods=DEFAULT_METHODS).untargeted
    settings = (f"{name}={value}" for name, value in asdict(Adaptation()).items())
    assert ",".join(settings) == ADAPTATION
