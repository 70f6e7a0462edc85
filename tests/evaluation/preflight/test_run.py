"""Each finding, from a network made to have that fault and no other; and none from a sound one."""

import copy
import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from preflight_cases import (
    HALF,
    LinearNet,
    TunedNet,
    make_classifier,
    make_cohort,
    run_preflight,
)
from straylight.attacks.gradient import Gradient
from straylight.audit.plan import Plan
from straylight.audit.run import run
from straylight.audit.storage import load_audit
from straylight.core.conventions import LEVELS
from straylight.core.errors import InputError
from straylight.core.progress import Silent
from straylight.evaluation.preflight.normalisation import USUAL
from straylight.evaluation.preflight.run import alternate_classes, preflight
from straylight.models.pass_counter import count_passes
from straylight.report.render import write_report


def test_a_sound_classifier_has_no_findings() -> None:
    assert run_preflight(LinearNet()) == ()


def test_it_is_cheap_repeatable_and_leaves_the_generator_alone() -> None:
    cohort, classifier = (
        make_cohort((300, 300)),
        make_classifier(LinearNet(lambda z: z + torch.randn_like(z))),
    )
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    logits = classifier.logits_all(cohort.images)
    torch.manual_seed(7)
    with count_passes(classifier) as passes:
        first = preflight(classifier, cohort, logits)
    assert torch.equal(torch.rand(3), expected)
    torch.manual_seed(8)
    assert preflight(classifier, cohort, logits) == first
    # Three passes over 24 images, one of them for a gradient (what is random is not asked for an image
    # alone); the rest is the test of normalisations, which go around this classifier: at most 7 x 16 + 100.
    assert (passes.forward, passes.backward) == (72, 24)


def test_how_outputs_became_logits_is_a_note() -> None:
    (note,) = preflight(make_classifier(LinearNet(), head="probabilities"), make_cohort((60, 60)))
    assert (note.level, note.check) == ("note", "head")
    assert "probabilities, and their logarithms" in note.message
    assert preflight(make_classifier(LinearNet(), head="logits"), make_cohort((60, 60))) == ()


def test_images_alternate_between_the_classes() -> None:
    labels = torch.tensor([0] * 50 + [1] * 5 + [2] * 20)
    order = alternate_classes(labels)
    assert sorted(order.tolist()) == list(range(75))
    for start in range(0, 15, 3):
        assert sorted(labels[order[start : start + 3]].tolist()) == [0, 1, 2]
    assert labels[order[15:45]].bincount().tolist() == [15, 0, 15]


PLAN = Plan(norm="linf", eps=8 / LEVELS, methods=(Gradient(steps=2, batch_size=4),))


class Listener(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


def test_warnings_go_with_the_audit_and_errors_come_in_its_place(tmp_path: Path) -> None:
    cohort, photographs = make_cohort((30, 30)), make_cohort((5, 5), seed=1).images
    wrong = make_classifier(TunedNet(HALF), USUAL[0])
    listener = Listener()
    audit = run(PLAN, wrong, photographs, cohort, tmp_path, tracker=listener)
    assert audit.preflight == preflight(wrong, cohort)
    assert audit.preflight is not None
    assert listener.lines == [f"preflight, {f.level}: {f.message}" for f in audit.preflight]
    assert load_audit(tmp_path).preflight == audit.preflight
    page = write_report(tmp_path).read_text()
    assert "Found before any attack" in page
    assert "With images from -1 to 1 the accuracy would be" in page
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    random = make_classifier(LinearNet(lambda z: F.dropout(z.detach(), 0.3)))
    with pytest.raises(InputError, match=r"get other outputs.*No gradient reaches"):
        run(PLAN, random, photographs, cohort, tmp_path, force=True)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    with pytest.raises(InputError, match="get other outputs"):
        run(PLAN, random, photographs, cohort, tmp_path / "new")
    assert not any((tmp_path / "new").iterdir())


def test_an_audit_that_did_not_look_is_still_read_and_shown(tmp_path: Path) -> None:
    cohort, photographs = make_cohort((30, 30)), make_cohort((5, 5), seed=1).images
    run(PLAN, make_classifier(TunedNet(HALF), USUAL[0]), photographs, cohort, tmp_path)
    file = tmp_path / "audit.json"
    data = json.loads(file.read_text())
    older = copy.deepcopy(data)
    del older["preflight"]
    file.write_text(json.dumps(older))
    assert load_audit(tmp_path).preflight is None
    assert json.loads(json.dumps(load_audit(tmp_path).to_json())) == older
    page = write_report(tmp_path).read_text()
    assert "Preflight" not in page
    assert "Weak classifier" in page  # as it said then
    data["preflight"][0]["level"] = "error"
    file.write_text(json.dumps(data))
    with pytest.raises(InputError, match="at preflight/0/level"):
        load_audit(tmp_path)
