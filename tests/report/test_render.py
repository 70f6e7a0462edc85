"""The report shows what the audit counted, escapes what others wrote, and needs nothing else."""

import re
from pathlib import Path

import pytest

from fixed_audit import (
    NAMES,
    fixed_audit,
    write_arrays,
)
from paths import TESTS
from report_pages import PNG, Tables
from straylight import Audit
from straylight.audit.storage import save_audit
from straylight.core.errors import InputError
from straylight.report.render import render, write_report

GOLD = TESTS / "gold"


def test_gold(folder: Path) -> None:
    actual = PNG.sub("data:image/png;base64,...", render(fixed_audit(), folder))
    gold = GOLD / "report.html"
    if gold.is_file() and actual == gold.read_text(encoding="utf-8"):
        return
    (GOLD / "actual").mkdir(exist_ok=True)
    (GOLD / "actual" / "report.html").write_text(actual, encoding="utf-8")
    pytest.fail(
        "the report changed: look at tests/gold/actual/report.html, and if it is right, "
        "cp tests/gold/actual/report.html tests/gold/report.html"
    )


def test_hostile_text_stays_text(folder: Path) -> None:
    html = render(fixed_audit(), folder)
    assert not Tables(html).tags & {"script", "b", "i", "iframe", "object"}
    assert "onerror=alert" in html  # as text: every < of it is escaped
    assert not re.search(r"<img(?! src=\"data:)", html)
    shown = "".join(Tables(html).text)
    for text in (NAMES[0], NAMES[2], fixed_audit().model.spec, "<img src=x onerror=alert(2)>"):
        assert text in shown


def test_the_page_needs_nothing_from_outside(folder: Path) -> None:
    html = render(fixed_audit(), folder)
    sources = re.findall(r"(?:src|srcset|poster|action)=\"([^\"]{0,11})", html)
    assert set(sources) == {"data:image/"}
    assert "url(" not in html
    assert "@import" not in html
    assert "default-src 'none'" in html


def test_write_report_reads_the_folder(folder: Path) -> None:
    with pytest.raises(InputError, match=r"has no audit\.json"):
        write_report(folder)
    save_audit(fixed_audit(), folder)
    path = write_report(folder)
    assert path == folder / "report.html"
    assert path.read_text(encoding="utf-8") == render(fixed_audit(), folder)


def test_text_that_turns_is_kept_in_its_place(tmp_path: Path) -> None:
    audit = fixed_audit()
    names = ("\u202eevil", "\u05d0\u05d1", "plain")
    model = type(audit.model)(**vars(audit.model) | {"class_names": names, "spec": "\u2067x"})
    cohort = type(audit.cohort)(
        **vars(audit.cohort) | {"class_names": names, "note": "\u202enote", "examples": None}
    )
    kept = tuple(item for item in audit.perturbations if item.target is None)
    page = render(
        Audit(**vars(audit) | {"model": model, "cohort": cohort, "perturbations": kept}),
        write_arrays(tmp_path / "a"),
    )
    assert not re.search("[\u202a-\u202e\u2066\u2067]", page)
    assert "<bdi>\\u202eevil</bdi>" in page
    assert "<bdi>\u05d0\u05d1</bdi>" in page
    assert "\u2068\u05d0\u05d1\u2069 20" in page


def test_a_page_is_bounded(tmp_path: Path) -> None:
    audit = fixed_audit()
    skipped = tuple({"file": f"{n}.png", "reason": "x" * 99} for n in range(100_000))
    cohort = type(audit.cohort)(
        **vars(audit.cohort) | {"skipped": skipped, "note": "n" * 10_000_000}
    )
    page = render(Audit(**vars(audit) | {"cohort": cohort}), write_arrays(tmp_path / "a"))
    assert len(page) < 400_000
    assert "100,000 files of the medical images left out" in page
    assert "99,800 more" in page
    assert "(9,934,464 characters more)" in page
