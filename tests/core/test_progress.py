"""Progress is shown wherever the tracker stands, and names are printed as they are."""

import pytest
from rich.console import Console

import straylight
from commands import printed, refusal
from straylight.core.progress import ProgressLines, Silent, print_plain, with_progress

ESCAPE = "\x1b[31m"


def test_no_name_turns_or_colours_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(lambda out: print_plain(out, f"{ESCAPE}a\u202eb\udcff")) == (
        "\\x1b[31ma\\u202eb\\udcff\n"
    )
    assert printed(lambda out: print_plain(out, "one\n\u2068\u05d0\u2069")) == "one\n\u05d0\n"

    def track(out: Console) -> None:
        lines = ProgressLines(out)
        lines.start("to \u202eb", 1)
        lines.advance(1)

    assert printed(track) == "to \\u202eb: 100 %, 0 s, 0 s left\n"
    assert ESCAPE not in refusal(capsys, "report", f"no{ESCAPE}where")


def test_progress_is_shown_wherever_the_tracker_stands() -> None:
    given = []

    @with_progress
    def work(n: int, tracker: straylight.Tracker | None = None) -> int:
        given.append(tracker)
        return n

    mine = Silent()
    assert (work(1), work(2, None), work(3, mine), work(4, tracker=mine)) == (1, 2, 3, 4)
    assert [type(tracker).__name__ for tracker in given[:2]] == ["ProgressLines"] * 2
    assert given[2:] == [mine, mine]
