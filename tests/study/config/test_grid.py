"""A study's file: what it calls for, and how its faults are told."""

import re
import shutil
from pathlib import Path

import pytest

from paths import ROOT
from straylight.cli.main import main
from straylight.core.errors import InputError
from straylight.study.config.grid import Grid
from straylight.study.config.matrix import expand
from straylight.study.config.toml import Document
from straylight.study.run import digests
from straylight.study.run.cell import Cell
from straylight.study.run.cells import cells_of
from straylight.study.run.digests import Digests, locate
from straylight.training.presets import preset
from straylight.training.recipe import Recipe
from studies import TINY, make_world


def read(tmp_path: Path, text: str, **variables: str) -> Grid:
    path = tmp_path / "study.toml"
    path.write_text(text)
    return Grid(Document(path, variables))


def named(grid: Grid) -> list[Cell]:
    """Cells whose data are known by name only."""
    return cells_of(grid, lambda spec, _: spec)


# What is changed in the tiny study, the line that is told, and what is said.
FAULTS = {
    ('title = "A tiny study"', "title = 3"): (1, "title: it must be a text, not 3."),
    ("epochs = 1", "epochs = 1.0"): (7, "training.epochs: it must be a whole number, not 1.0."),
    ("epochs = 1", "epoch = 1"): (7, "training.epoch: there is no such key: known here are backbone,"),
    ("epochs = 1", "epochs = 0"): (19, "epochs must be at least 1"),
    ('targets = ["light"]', 'targets = ["red"]'): (15, "'red' is none of the classes."),
    ('test = "${root}/medical/test"', ""): (11, "cohorts.levels: it lacks test."),
    ("${root}/photos", "${rot}/photos"): (25, "there is no variable 'rot' in [variables]."),
    ("${root}/photos", "$5"): (25, "a $ that begins no ${NAME} is written $$."),
    ('cohort = "levels"', 'cohort = "level"'): (28, "there is no [cohorts.level]: it has levels."),
    ('norm = "linf"', 'norm = ["linf", "l1"]'): (32, "it must be one of l2, linf, not 'l1'."),
    ("photographs = [4, 8]", "photographs = [4, true]"): (31, "must be a whole number, not True."),
    ("zeta = 0.3", "zeta = 0"): (33, "0 is less than or equal to the minimum of 0"),
    ("zeta = 0.3", "zeta = 0.3\neps_levels = 4"): (27, "give either zeta or eps"),
    ('["gradient:steps=2"]', '["gradientt"]'): (27, "there is no attack 'gradientt'"),
    ('["gradient:steps=2"]\ntargets = "cohort"', '["auto:passes=10"]'): (27, "auto cannot try two goals"),
    ('"cohort"\ncontrol', '["red"]\ncontrol'): (27, "the target 'red' is none of the classes"),
    ("seed = 1 }]", "sead = 1 }]"): (38, "audits.exclude.sead: there is no such key"),
    ("size = 32", "sise = 32"): (20, "models.small.sise: there is no such key"),
    ("size = 32", 'size = 32\nmodel = "m"'): (19, "give either size (it is trained here) or model"),
    ('backbone = "test_resnet", ', ""): (19, "its training has no backbone."),
    ("epochs = 1", 'recipe = "none such"'): (7, "there is no recipe 'none such'"),
}  # fmt: skip


@pytest.mark.parametrize("change", FAULTS, ids=lambda change: change[1])
def test_a_fault_is_told_with_its_line(tmp_path: Path, change: tuple[str, str]) -> None:
    old, new = change
    line, message = FAULTS[change]
    assert TINY.count(old) == 1
    with pytest.raises(InputError) as told:
        named(read(tmp_path, TINY.replace(old, new)))
    assert str(told.value).startswith(f"{tmp_path / 'study.toml'}, line {line}: ")
    assert message in str(told.value)
    assert "\n" not in str(told.value)


def test_what_is_no_toml_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is not TOML: .* line 3"):
        read(tmp_path, "a = 1\nb = 2\nc = \n")
    with pytest.raises(InputError, match="cannot be read"):
        Document(tmp_path / "nowhere.toml")
    with pytest.raises(InputError, match="has no variable 'rot' to set: it has root"):
        read(tmp_path, TINY, rot="x")


def test_lines_of_long_values_are_those_where_they_begin(tmp_path: Path) -> None:
    text = (
        'a = """\n[b]\n"""\n\n# c = 1\n[b] # c\nc = [\n  1, # one\n  2,\n]\n[[d]]\n[[d]]\ne.f = 1\n'
    )
    (tmp_path / "a.toml").write_text(text)
    document = Document(tmp_path / "a.toml")
    places = [("a",), ("b",), ("b", "c"), ("b", "c", 1), ("d", 0), ("d", 1), ("d", 1, "e", "f")]
    assert [document.line(place) for place in places] == [1, 6, 7, 7, 11, 12, 13]
    assert document.line(("b", "missing")) == 6


def test_a_matrix_is_a_product_less_and_more() -> None:
    matrix = {
        "cohort": ["a", "b"],
        "zeta": [0.1, 0.2],
        "methods": ["x", "y"],
        "exclude": [{"cohort": "b", "zeta": 0.2}],
        "include": [{"cohort": "b", "eps_levels": [4, 8]}],
    }
    found = [(i["cohort"], i.get("zeta"), i.get("eps_levels")) for i in expand(matrix)]
    zetas = [("a", 0.1, None), ("a", 0.2, None), ("b", 0.1, None)]
    assert found == [*zetas, ("b", None, 4), ("b", None, 8)]
    assert all(item["methods"] == ["x", "y"] for item in expand(matrix))


def test_audits_share_their_training_which_comes_first(tmp_path: Path) -> None:
    cells = named(read(tmp_path, TINY))
    assert [cell.kind for cell in cells] == ["training", "audit", "audit", "audit"]
    assert {cell.needs for cell in cells[1:]} == {(cells[0].id,)}
    several = TINY.replace("seed = [0, 1]", "seed = [0, 1]\ntraining_seed = [0, 1]")
    assert [cell.kind for cell in named(read(tmp_path, several))].count("training") == 2


def test_settings_of_training_are_merged_and_any_of_the_recipe_may_be_given(tmp_path: Path) -> None:
    text = TINY.replace('classes = ["dark"', 'training = { epochs = 3 }\nclasses = ["dark"')
    text += 'initialisation = "mild"\n[initialisations.mild]\n'
    text += "training = { weight_decay = 0.5, rotation = 5.0, mean = [0.4, 0.5, 0.6] }\n"
    entry = read(tmp_path, text).entries[0]
    assert entry.recipe == Recipe(
        backbone="test_resnet",
        weights="none",
        epochs=3,
        batch_size=8,
        learning_rate=0.1,
        weight_decay=0.5,
        rotation=5.0,
        mean=(0.4, 0.5, 0.6),
    )
    assert preset("") == {}


def test_an_identity_is_of_contents_not_of_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests, "SETTLED", -1.0)
    world = make_world(tmp_path / "one")
    shutil.copytree(world, tmp_path / "two")

    def ids(folder: Path, cache: dict[str, str] | None = None, **variables: str) -> list[str]:
        grid = Grid(Document(folder / "tiny.toml", variables))
        return [cell.id for cell in cells_of(grid, Digests({} if cache is None else cache).of)]

    cache: dict[str, str] = {}
    first = ids(world, cache)
    assert len(cache) == 3
    assert ids(world, cache) == first
    assert ids(world, root=str(tmp_path / "two")) == first
    photo = next((tmp_path / "two" / "photos").iterdir())
    photo.write_bytes(photo.read_bytes() + b"\0")
    changed = ids(world, root=str(tmp_path / "two"))
    assert changed[0] == first[0]
    assert not set(changed[1:]) & set(first[1:])
    (world / "medical/train/dark/0.png").rename(world / "medical/train/dark/9.png")
    assert not set(ids(world, cache)) & set(first)


@pytest.mark.parametrize("name", ["minagi2022", "minagi2022-small"])
def test_the_shipped_studies_are_understood(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    file = ROOT / "studies" / f"{name}.toml"
    main(["study", str(file), "--dry-run"])
    printed = capsys.readouterr().out
    trainings, audits = re.findall(r"all (\d+) cells of kind", printed)
    said = re.search(r"# In all: (\d+) trainings and (\d+) audits", file.read_text())
    assert said is not None
    assert said.groups() == (trainings, audits)


def test_a_dry_run_lists_cells_and_what_they_take(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = make_world(tmp_path / "w")
    main(["study", str(world / "tiny.toml"), "--dry-run", "--set", "root=elsewhere"])
    lines = capsys.readouterr().out.splitlines()
    # 1 epoch: 14 images forwards and backwards, 2 held out forwards; 100 passes a second.
    assert lines[1].split() == ["30", "0", "s", "training", "levels", "small"]
    # Two runs of 2 steps of 32: 2 * 64 passes and 4 photographs each; 2 * 2 + 4 perturbations scored
    # twice, and once without, on 20 images.
    passes = 2 * (128 + 4) + (2 * (2 * 2 + 4) + 1) * 20
    assert lines[2].split()[:3] == [str(passes), "2", "s"]
    assert lines[-1].startswith("Not here: elsewhere/medical/test, elsewhere/medical/train")
    assert not (tmp_path / "tiny").exists()


@pytest.mark.parametrize("words", [["a=1", "--set", "root=elsewhere"], ["a=1", "root=elsewhere"]])
def test_several_variables_are_given_either_way(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = make_world(tmp_path / "w") / "tiny.toml"
    file.write_text(file.read_text().replace("[variables]", "[variables]\na = '2'"))
    main(["study", str(file), "--dry-run", "--set", *words])
    assert "Not here: elsewhere/medical/test" in capsys.readouterr().out


def test_a_brought_model_is_audited_without_a_training(tmp_path: Path) -> None:
    text = TINY.replace("size = 32", 'model = "timm:test_resnet"\n').replace(
        'training = { backbone = "test_resnet", weights = "none" }',
        'options = { weights = "w.safetensors", classes = ["dark", "light"], mean = [0, 0.5, 1] }',
    )
    (audit, *_) = cells = named(read(tmp_path, text))
    assert {cell.kind for cell in cells} == {"audit"}
    assert audit.needs == ()
    assert audit.inputs.entry.model.options.mean == (0.0, 0.5, 1.0)
    assert audit.inputs.digests["weights"] == "w.safetensors"


def test_specs_of_every_kind_are_located(tmp_path: Path) -> None:
    for name in ("000.tar", "001.tar", "a.npz"):
        (tmp_path / name).write_bytes(name.encode())
    assert locate(f"imagenet:{tmp_path}") == ([tmp_path], "imagenet")
    assert locate(f"{tmp_path}/a.npz:test") == ([tmp_path / "a.npz"], "test")
    shards = f"{tmp_path}/{{000..001}}.tar"
    assert locate(shards) == ([tmp_path / "000.tar", tmp_path / "001.tar"], shards)
    assert locate("builtin:photos") == ([], "builtin:photos")
    with pytest.raises(InputError, match="does not exist"):
        locate("imagenet:nowhere")
    made = Digests({})
    assert made.of(f"{tmp_path}/a.npz:test") != made.of(f"{tmp_path}/a.npz:train")
