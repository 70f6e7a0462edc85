"""`straylight attacks`."""

import json

import pytest

from commands import straylight
from straylight.cli.main import main


def test_the_catalogue(capsys: pytest.CaptureFixture[str]) -> None:
    straylight("attacks", "--json")
    entries = json.loads(capsys.readouterr().out)
    assert {entry["name"]: entry["role"] for entry in entries} == {
        "auto": "attack",
        "gradient": "attack",
        "sequential": "attack",
        "sga": "attack",
        "lift": "attack",
        "disrupt": "attack",
        "random-sphere": "control",
        "random-sign": "control",
        "perlin": "control",
        "gabor": "control",
        "phase-randomised": "control",
    }
    straylight("attacks")
    printed = capsys.readouterr().out
    assert all(entry["url"] in printed and entry["summary"] in printed for entry in entries)


def test_the_list_of_attacks_mentions_those_of_ones_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["attacks"])
    assert "python:MODULE:CLASS" in capsys.readouterr().out
