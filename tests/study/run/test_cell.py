"""A cell is known by its identity alone."""

from straylight.study.run.cell import Cell, unique_cells


def test_the_id_follows_from_kind_and_identity_in_any_order() -> None:
    one = Cell(kind="audit", identity={"a": 1, "b": [2]}, inputs="here", labels={"cohort": "c"})
    other = Cell(kind="audit", identity={"b": [2], "a": 1}, inputs="there")
    assert one.id == other.id
    assert one.id.startswith("audit-")
    assert len(one.id) == len("audit-") + 16
    assert Cell(kind="training", identity=one.identity).id.partition("-")[2] == one.id[6:]
    assert Cell(kind="audit", identity={"a": 1}).id != one.id
    assert unique_cells([one, other]) == [one]


def test_a_name_lists_labels_and_methods() -> None:
    labels = {"cohort": "skin", "photographs": 10, "seed": 0}
    cell = Cell(kind="audit", identity={}, labels=labels, methods=("auto", "sga"))
    assert cell.name == "audit skin photographs 10 seed 0: auto, sga"
