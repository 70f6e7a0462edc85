"""Chromium for tests of pages; without it they skip."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on the PATH")

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
HOOK = "window.alerts = []; window.alert = message => window.alerts.push(message);"


@dataclass
class Seen:
    """What the browser told while the page was open."""

    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def browser() -> Iterator["playwright.Browser"]:
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS, headless=True)
        yield opened
        opened.close()


@pytest.fixture(params=[1280, 390], ids=["wide", "narrow"])
def page(
    request: pytest.FixtureRequest, browser: "playwright.Browser"
) -> Iterator["playwright.Page"]:
    opened = browser.new_page(viewport={"width": request.param, "height": 900})
    yield opened
    opened.close()
