"""Settings on the command line."""

from dataclasses import dataclass

import pytest

from straylight.core.errors import InputError
from straylight.core.settings import parse_settings


@dataclass(frozen=True)
class Options:
    steps: int = 10
    rate: float = 0.5
    kind: str = "plain"


def test_settings_replace_defaults() -> None:
    assert parse_settings(Options, "x", "") == Options()
    assert parse_settings(Options, "x", "rate=1,steps=3") == Options(steps=3, rate=1.0)
    assert parse_settings(Options, "x", "kind=a=b") == Options(kind="a=b")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("step=1", "has no setting 'step': it has steps, rate, kind"),
        ("steps=1,steps=2", "has the setting 'steps' twice"),
        ("steps=1.5", "x:steps must be a whole number, not '1.5'"),
        ("rate=nan", "x:rate must be a number, not 'nan'"),
        ("rate=1e99", "x:rate must be a number of at most 9007199254740992, not '1e99'"),
    ],
)
def test_other_settings_are_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_settings(Options, "x", text)
