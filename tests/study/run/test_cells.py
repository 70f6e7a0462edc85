"""The cells of a grid: audits share their trainings, which come first."""

from pathlib import Path

from studies import TINY, named_cells, read_grid


def test_audits_share_their_training_which_comes_first(tmp_path: Path) -> None:
    cells = named_cells(read_grid(tmp_path, TINY))
    assert [cell.kind for cell in cells] == ["training", "audit", "audit", "audit"]
    assert {cell.needs for cell in cells[1:]} == {(cells[0].id,)}
    several = TINY.replace("seed = [0, 1]", "seed = [0, 1]\ntraining_seed = [0, 1]")
    assert [cell.kind for cell in named_cells(read_grid(tmp_path, several))].count("training") == 2


def test_a_brought_model_is_audited_without_a_training(tmp_path: Path) -> None:
    text = TINY.replace("size = 32", 'model = "timm:test_resnet"\n').replace(
        'training = { backbone = "test_resnet", weights = "none" }',
        'options = { weights = "w.safetensors", classes = ["dark", "light"], mean = [0, 0.5, 1] }',
    )
    (audit, *_) = cells = named_cells(read_grid(tmp_path, text))
    assert {cell.kind for cell in cells} == {"audit"}
    assert audit.needs == ()
    assert audit.inputs.entry.model.options.mean == (0.0, 0.5, 1.0)
    assert audit.inputs.digests["weights"] == "w.safetensors"
