"""A study's file: what it calls for, and how its faults are told."""

from pathlib import Path

import pytest

from straylight.core.errors import InputError
from straylight.study.config.grid import Grid
from straylight.study.config.toml import TomlDocument
from straylight.training.recipe import Recipe, preset_settings
from studies import TINY, check_refused, named_cells, read_grid

# What is changed in the tiny study, the line that is told, and what is said.
FAULTS = {
    ('title = "A tiny study"', "title = 3"): (1, "title: it must be a text, not 3."),
    ("epochs = 1", "epochs = 1.0"): (7, "training.epochs: it must be a whole number, not 1.0."),
    ("epochs = 1", "epoch = 1"): (7, "training.epoch: there is no such key: the keys here are backbone,"),
    ("epochs = 1", "epochs = 0"): (19, "epochs must be at least 1"),
    ('targets = ["light"]', 'targets = ["red"]'): (15, "'red' is not one of the classes."),
    ('test = "${root}/medical/test"', ""): (11, "cohorts.levels: it lacks test."),
    ("${root}/photos", "${rot}/photos"): (25, "there is no variable 'rot' in [variables]."),
    ("${root}/photos", "$5"): (25, "a $ that begins no ${NAME} is written $$."),
    ('cohort = "levels"', 'cohort = "level"'): (28, "there is no [cohorts.level]: the file has levels."),
    ('norm = "linf"', 'norm = ["linf", "l1"]'): (32, "it must be one of l2, linf, not 'l1'."),
    ("photographs = [4, 8]", "photographs = [4, true]"): (31, "must be a whole number, not True."),
    ("zeta = 0.3", "zeta = 0"): (33, "0 is less than or equal to the minimum of 0"),
    ("zeta = 0.3", "zeta = 0.3\neps_levels = 4"): (27, "give either zeta or eps"),
    ('["gradient:steps=2"]', '["gradientt"]'): (27, "there is no attack 'gradientt'"),
    ('["gradient:steps=2"]\ntargets = "cohort"', '["auto:image_passes=9"]'): (27, "auto cannot try two"),
    ('"cohort"\ncontrol', '["red"]\ncontrol'): (27, "the target 'red' is not one of the classes"),
    ("seed = 1 }]", "sead = 1 }]"): (38, "audits.exclude.sead: there is no such key"),
    ("size = 32", "sise = 32"): (20, "models.small.sise: there is no such key"),
    ("size = 32", 'size = 32\nmodel = "m"'): (19, "give either size (the study trains it) or model"),
    ('backbone = "test_resnet", ', ""): (19, "its training has no backbone."),
    ("epochs = 1", 'recipe = "none such"'): (7, "there is no recipe 'none such'"),
}  # fmt: skip


@pytest.mark.parametrize("change", FAULTS, ids=lambda change: change[1])
def test_a_fault_is_told_with_its_line(tmp_path: Path, change: tuple[str, str]) -> None:
    old, new = change
    line, message = FAULTS[change]
    assert TINY.count(old) == 1
    with pytest.raises(InputError) as told:
        named_cells(read_grid(tmp_path, TINY.replace(old, new)))
    assert str(told.value).startswith(f"{tmp_path / 'study.toml'}, line {line}: ")
    assert message in str(told.value)
    assert "\n" not in str(told.value)


def test_settings_of_training_are_merged_and_any_of_the_recipe_may_be_given(tmp_path: Path) -> None:
    text = TINY.replace('classes = ["dark"', 'training = { epochs = 3 }\nclasses = ["dark"')
    text += 'initialisation = "mild"\n[initialisations.mild]\n'
    text += "training = { weight_decay = 0.5, rotation = 5.0, mean = [0.4, 0.5, 0.6] }\n"
    entry = read_grid(tmp_path, text).entries[0]
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
    assert preset_settings("") == {}


GRID = """[cohorts.c]
test = "t"
classes = ["a", "b"]
[models.m]
model = "x.onnx"
[sources.s]
natural = "n"
[[audits]]
cohort = "c"
model = "m"
source = "s"
photographs = {0}
seed = {0}
zeta = [{1}]
methods = ["gradient"]
"""


def test_a_vast_grid_is_counted_and_not_made(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    numbers = list(range(1, 901))
    path.write_text(GRID.format(numbers, ", ".join(f"0.{n:03d}" for n in numbers)))
    said = check_refused(lambda: Grid(TomlDocument(path)), path)
    assert "729,000,000 audits" in said
    path.write_text(GRID.format([1, 2], "0.1"))
    assert len(Grid(TomlDocument(path)).entries) == 4
