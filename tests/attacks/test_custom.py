"""A user's own attack: loaded, checked and described."""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

import straylight
from paths import ROOT
from shades import Parts, quick
from straylight.attacks.ball import Ball
from straylight.attacks.custom import (
    check_attack,
    describe_custom,
    digest_attack_source,
    load_custom,
    read_settings,
)
from straylight.attacks.method import Method
from straylight.attacks.protocol import Snapshot
from straylight.core.errors import InputError
from straylight.core.progress import Silent
from straylight.data.images import ImageSet
from straylight.models.classifier import Classifier
from straylight.report.render import render


@dataclass(frozen=True)
class Nothing:
    """The perturbation that is zero."""

    steps: int = 1
    share: float = 0.5

    threat_model = "T1"
    takes_target = False

    def planned(self, n_photographs: int, n_classes: int, cost: int = 2) -> int:
        return self.steps

    def __call__(
        self,
        classifier: Classifier,
        photographs: ImageSet,
        ball: Ball,
        *,
        target: int | None,
        generator: torch.Generator,
    ) -> Iterator[Snapshot]:
        yield Snapshot(torch.zeros(1, *photographs.shape), self.steps)


class Unplanned(Nothing):
    planned = None  # type: ignore[assignment]


def test_an_attack_is_loaded_with_settings_of_the_types_of_its_defaults() -> None:
    attack = load_custom(f"python:{__name__}:Nothing", "steps=3,share=0.25")
    assert type(attack) is Nothing
    assert read_settings(attack) == {"steps": 3, "share": 0.25}


@pytest.mark.parametrize(
    ("spec", "settings", "message"),
    [
        (f"python:{__name__}", "", "must be python:MODULE:CLASS"),
        (f"python:{__name__}:Missing", "", "cannot be imported"),
        (f"python:{__name__}:Nothing", "size=3", "has no setting 'size': it has steps, share"),
        (f"python:{__name__}:Nothing", "steps=0.5", "steps must be a whole number, not '0.5'"),
        (f"python:{__name__}:Unplanned", "", "is not an attack"),
    ],
)
def test_what_cannot_be_loaded_is_refused(spec: str, settings: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_custom(spec, settings)


def test_a_class_is_not_an_attack() -> None:
    with pytest.raises(InputError, match=r"give an attack made of it, such as Nothing\(\)"):
        check_attack(Nothing)


def test_a_description_names_the_class_and_the_digest_of_its_file() -> None:
    digest = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    assert digest_attack_source(Unplanned) == digest
    assert describe_custom(Nothing(steps=2)) == {
        "name": "Nothing",
        "settings": {"steps": 2, "share": 0.5},
        "class": f"{__name__}:Nothing",
        "source_sha256": digest,
    }


def example() -> str:
    """The attack that docs/own-attack.md shows."""
    text = (ROOT / "docs" / "own-attack.md").read_text(encoding="utf-8")
    code, _ = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return code


class Halfway(Silent):
    """Stops as a key press would when the controls begin."""

    def start(self, title: str, total: int) -> None:
        if title == "controls":
            raise KeyboardInterrupt


def test_the_attack_of_the_documents_runs_from_both_doors(
    shades: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    Path("shown_attacks.py").write_text(example())
    import shown_attacks  # type: ignore[import-not-found]

    own = shown_attacks.Signs(steps=3, batch_size=4)
    plan = quick(methods=(own, Method(own, "photographs"), "gradient:steps=2"), targets="light")
    audit = straylight.run(plan, *shades, "python", tracker=Silent())
    same = "python:shown_attacks:Signs:steps=3,batch_size=4"
    other = quick(methods=(same, "gradient:steps=2"))
    typed = straylight.run(other, *shades, "typed", tracker=Silent())
    written = json.loads(Path("python/audit.json").read_text())["perturbations"]
    assert [item["name"] for item in written[:6]] == [
        "Signs:steps=3,batch_size=4",
        "Signs:steps=3,batch_size=4 #2",
        "gradient",
        "Signs:steps=3,batch_size=4 to light",
        "Signs:steps=3,batch_size=4 to light #2",
        "gradient to light",
    ]
    assert written[0]["method"] == {
        "name": "Signs",
        "settings": {"steps": 3, "batch_size": 4},
        "class": "shown_attacks:Signs",
        "source_sha256": hashlib.sha256(Path("shown_attacks.py").read_bytes()).hexdigest(),
    }
    assert (written[0]["images_seen"], written[0]["threat_model"]) == (12, "T1")
    files = [np.load(f"{a}/{p.file}") for a, p in (("python", audit.perturbations[0]),)]
    np.testing.assert_array_equal(files[0], np.load(f"typed/{typed.perturbations[0].file}"))
    page = render(audit, Path("python"))
    assert "shown_attacks:Signs" in page
    # On a linear classifier the sign of the gradient is the best there is in L-infinity.
    best = straylight.run(
        quick(norm="linf", zeta=None, eps=0.1, methods=own), *shades, "best", tracker=Silent()
    )
    delta = np.load(f"best/{best.perturbations[0].file}")
    assert np.abs(delta).max() == pytest.approx(0.03 if delta.max() < 0.05 else 0.1, abs=1e-6)


def test_an_attack_that_was_edited_does_not_go_on(
    shades: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("edited_attacks.py").write_text(example())
    plan = quick(methods="python:edited_attacks:Signs:steps=2")
    with pytest.raises(KeyboardInterrupt):
        straylight.run(plan, *shades, "out", tracker=Halfway())
    Path("edited_attacks.py").write_text(example() + "# another\n")
    with pytest.raises(InputError, match="other settings"):
        straylight.run(plan, *shades, "out", tracker=Silent())
    Path("edited_attacks.py").write_text(example())
    assert straylight.run(plan, *shades, "out", tracker=Silent()).perturbations[0].name == "Signs"
