"""Folders of the checkout, wherever a test stands."""

from pathlib import Path

TESTS = Path(__file__).parent.parent
ROOT = TESTS.parent
SHARED = ROOT.parent / "shared" / "data"
