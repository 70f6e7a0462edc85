"""The report in a real browser: it shows, it fits, it asks for nothing and runs nothing."""

from pathlib import Path

import pytest

from chromium import HOOK, Seen, browser, page, playwright, pytestmark
from fixed_audit import fixed_audit, write_arrays
from straylight.audit.storage import save_audit
from straylight.report.render import write_report

__all__ = ["browser", "page", "pytestmark"]  # fixtures


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_arrays(tmp_path_factory.mktemp("report") / "audit")
    save_audit(fixed_audit(), folder)
    return write_report(folder)


@pytest.fixture
def seen(page: "playwright.Page", report: Path) -> Seen:
    """Open the report, with every section unfolded."""
    found = Seen()
    page.on("console", lambda message: found.errors.append(message.text))
    page.on("pageerror", lambda error: found.errors.append(str(error)))
    page.on("dialog", lambda dialog: found.errors.append(dialog.message))
    page.on("request", lambda request: found.requests.append(request.url))
    page.add_init_script(HOOK)
    page.goto(report.as_uri(), wait_until="load")
    page.evaluate("document.querySelectorAll('details').forEach(item => item.open = true)")
    return found


def test_nothing_is_asked_for_and_nothing_runs(
    page: "playwright.Page", seen: Seen, report: Path
) -> None:
    assert seen.errors == []
    assert {url for url in seen.requests if not url.startswith("data:")} == {report.as_uri()}
    assert page.evaluate("window.alerts") == []


def test_everything_is_shown(page: "playwright.Page", seen: Seen) -> None:
    headline = page.locator("h1")
    assert headline.is_visible()
    assert "of the predictions" in headline.inner_text()
    assert page.locator(".verdict").is_visible()
    broken = "[...document.images].filter(image => !image.naturalWidth).length"
    assert page.evaluate(broken) == 0
    assert page.locator("svg[role=img] circle").count() == 6
    assert page.locator(".curves polyline").count() == 1


def test_nothing_overflows(page: "playwright.Page", seen: Seen) -> None:
    width = page.viewport_size["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    outside = """width => [...document.querySelectorAll("body *")]
        .filter(item => !item.closest(".scroll > *, pre > *, svg"))
        .filter(item => item.getBoundingClientRect().right > width + 0.5)
        .map(item => item.outerHTML.slice(0, 80))"""
    assert page.evaluate(outside, width) == []


def test_tables_that_go_on_are_scrolled_to_their_last_column(
    page: "playwright.Page", seen: Seen
) -> None:
    for table in page.locator("main > section .scroll").all():
        last = table.locator("thead th").last
        table.evaluate("item => item.scrollLeft = item.scrollWidth")
        box = last.bounding_box()
        assert box["x"] + box["width"] <= page.viewport_size["width"] + 0.5
    narrow = page.viewport_size["width"] < 700
    assert page.locator(".swipe").first.is_visible() == narrow


def test_nothing_is_cut_where_it_is_printed(
    browser: "playwright.Browser", page: "playwright.Page", report: Path
) -> None:
    """On the 186 mm that A4 has between its margins."""
    width = round(186 / 25.4 * 96)
    page.set_viewport_size({"width": width, "height": 1000})
    page.emulate_media(media="print")
    page.goto(report.as_uri(), wait_until="load")
    page.evaluate("document.querySelectorAll('details').forEach(item => item.open = true)")
    outside = """width => [...document.querySelectorAll("body *")]
        .filter(item => !item.closest("svg"))
        .filter(item => item.getBoundingClientRect().right > width + 0.5)
        .map(item => item.outerHTML.slice(0, 80))"""
    assert page.evaluate(outside, width) == []
    command = page.locator("pre")
    assert command.evaluate("item => item.scrollWidth <= item.clientWidth")
    whole = "item => getComputedStyle(item).breakInside"
    assert {item.evaluate(whole) for item in page.locator(".matrices > *").all()} == {"avoid"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_legible_in_both_modes(page: "playwright.Page", seen: Seen, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    lightness = """name => {
        const [r, g, b] = getComputedStyle(document.body)[name].match(/[0-9.]+/g).map(Number);
        return (r + g + b) / 765;
    }"""
    difference = page.evaluate(lightness, "backgroundColor") - page.evaluate(lightness, "color")
    assert difference > 0.7 if scheme == "light" else difference < -0.7
