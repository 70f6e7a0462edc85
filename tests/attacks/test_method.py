"""Methods parsed, named and recorded."""

import pytest

from straylight.attacks.auto import Auto
from straylight.attacks.gradient import Gradient
from straylight.attacks.method import Method
from straylight.attacks.sequential import Sequential
from straylight.core.errors import InputError


def test_settings_become_text_and_back() -> None:
    assert Method.parse("gradient:steps=7,kappa=0.5") == Method(Gradient(steps=7, kappa=0.5))
    assert Method.parse("auto") == Method(Auto(), "adapted")
    assert Method.parse("auto@photographs:image_passes=900") == Method(Auto(image_passes=900))
    assert Method(Sequential(epochs=3)).to_json() == {
        "name": "sequential",
        "step_size": 0.00025,
        "epochs": 3,
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("deepfool", "there is no attack 'deepfool'"),
        ("gradient:step=3", "gradient has no setting 'step'"),
        (
            "gradient:loss=hinge",
            "there is no loss 'hinge': gradient has margin, cross-entropy, cosine",
        ),
        ("gradient:steps=many", "gradient:steps must be a whole number, not 'many'"),
        ("gradient:steps=0", "gradient needs steps >= 1"),
        ("sequential:step_size=nan", "sequential:step_size must be a number, not 'nan'"),
        ("gradient@skin", "learns on one of photographs, adapted, medical, not 'skin'"),
        ("lift:depth=0", r"lift needs steps >= 1, batch_size >= 1 and depth in \(0, 1\]"),
        ("disrupt:depth=1.5", r"disrupt needs steps >= 1, batch_size >= 1 and depth in \(0, 1\]"),
        ("auto:image_passes=0", "auto needs image_passes >= 1"),
        ("auto:batch_size=0", "gradient needs steps >= 1"),
        ("sga:outer=5", "sga needs"),
    ],
)
def test_wrong_methods_are_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Method.parse(text)
