"""Helpers for tests of the report: parse a page and its pictures."""

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
from PIL import Image

from straylight.evaluation.metrics import Proportion, format_percent

PNG = re.compile(r"data:image/png;base64,([A-Za-z0-9+/=]+)")


class Tables(HTMLParser):
    """Collects the cells of each table row, all text, and the names of the tags."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.rows: list[list[str]] = []
        self.text: list[str] = []
        self.in_cell = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th"}:
            self.rows[-1].append("")
            self.in_cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag in {"td", "th"}:
            self.in_cell = False

    def handle_data(self, data: str) -> None:
        plain = data.replace("\N{NO-BREAK SPACE}", " ")
        self.text.append(plain)
        if self.in_cell and plain.strip():
            self.rows[-1][-1] = f"{self.rows[-1][-1]} {plain.strip()}".strip()

    def starting_with(self, name: str) -> list[str]:
        return next(row for row in self.rows if row and row[0] == name)


def per_cent(found: Proportion) -> str:
    return f"{format_percent(found.rate)} %"


def span(found: Proportion) -> str:
    low, high = found.ci95
    return f"{format_percent(low)}\N{EN DASH}{format_percent(high)} %"


def pixels(html: str, alt: str) -> np.ndarray:
    """Decode the first picture of that description."""
    tag = next(tag for tag in re.findall(r"<img [^>]+>", html) if f'alt="{alt}' in tag)
    found = PNG.search(tag)
    assert found
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(found[1]))))
