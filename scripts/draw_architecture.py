"""Draw the folders of the package and the imports between them: `docs/images/architecture.svg`.

    python scripts/draw_architecture.py

The floors are those of `tests/test_architecture.py`.
`tests/test_docs.py` fails when the picture is not that of the code.
"""

import ast
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "straylight"
PICTURE = ROOT / "docs" / "images" / "architecture.svg"
BOX, ROW, MARGIN = (330, 52), 92, 24
LEFT, MIDDLE, RIGHT = MARGIN, 215, 406
# Where two folders share a floor, or an arrow passes one by.
COLUMNS = {"study": LEFT, "demo": RIGHT, "training": LEFT, "evaluation": RIGHT}
COLUMNS |= {"cohort": LEFT, "attacks": RIGHT}
WORDS = {
    "cli": "the command line",
    "study": "grids of trainings and audits",
    "demo": "the embedded demo",
    "report": "the verdict and the page",
    "audit": "plan, run, resume, results, audit.json",
    "training": "fine-tuning of classifiers",
    "evaluation": "counts, scoring, preflight",
    "cohort": "labelled medical images",
    "attacks": "attacks, controls, adapted photographs",
    "models": "the classifier and its readers",
    "data": "images, their files, photographs",
    "core": "errors, tensors, files, progress",
}
WIDTH = RIGHT + BOX[0] + MARGIN

Graph = dict[str, set[str]]


def floors() -> list[list[str]]:
    """Return the folders from the lowest floor to the highest."""
    tree = ast.parse((ROOT / "tests" / "test_architecture.py").read_text(encoding="utf-8"))
    (value,) = (
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "FLOORS"
    )
    names: list[list[str]] = ast.literal_eval(value)
    return [floor for floor in names if (PACKAGE / floor[0]).is_dir()]


def imports() -> Graph:
    """Return the folders that each folder imports."""
    graph: Graph = {folder: set() for floor in floors() for folder in floor}
    for folder, found in graph.items():
        for file in (PACKAGE / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                found |= {name for name in modules_of(node) if name in graph and name != folder}
    return graph


def modules_of(node: ast.AST) -> set[str]:
    """Return the folders of the package that a statement imports."""
    names: list[str] = []
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.module == "straylight":
        names = [f"straylight.{alias.name}" for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        names = [node.module or ""]
    parts = [name.split(".") for name in names]
    return {part[1] for part in parts if part[0] == "straylight" and len(part) > 1}


def reduced(graph: Graph) -> Graph:
    """Leave out the arrows that follow from others."""
    return {
        folder: {
            name
            for name in found
            if not any(name in reachable(graph, other) for other in found - {name})
        }
        for folder, found in graph.items()
    }


def reachable(graph: Graph, start: str) -> set[str]:
    """Return all folders that a folder stands on."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        new = graph[waiting.pop()] - seen
        seen |= new
        waiting += new
    return seen


def box(folder: str, x: int, y: int) -> str:
    """Draw a folder."""
    return (
        f'<rect class="box" x="{x}" y="{y}" width="{BOX[0]}" height="{BOX[1]}" rx="6"/>\n'
        f'<text class="name" x="{x + 14}" y="{y + 22}">{folder}</text>\n'
        f'<text class="words" x="{x + 14}" y="{y + 41}">{WORDS[folder]}</text>\n'
    )


def arrow(start: tuple[int, int], end: tuple[int, int]) -> str:
    """Draw an import, from the lower edge of a box to the upper edge of another."""
    (x0, y0), (x1, y1) = start, end
    width = BOX[0]
    if x0 == x1 or MIDDLE in (x0, x1):  # straight down
        x0 = x1 = (x0 + x1 + width) // 2
    else:  # between the inner edges of two boxes
        x0, x1 = (x0 + width - 16, x1 + 32) if x0 < x1 else (x0 + 16, x1 + width - 32)
    return f'<line class="arrow" x1="{x0}" y1="{y0 + BOX[1]}" x2="{x1}" y2="{y1 - 8}"/>\n'


def picture() -> str:
    """Return the drawing."""
    levels = floors()[::-1]
    height = MARGIN + len(levels) * ROW
    places = {
        folder: (COLUMNS.get(folder, MIDDLE), MARGIN + level * ROW)
        for level, floor in enumerate(levels)
        for folder in floor
    }
    graph = reduced(imports())
    arrows = "".join(
        arrow(places[folder], places[other]) for folder in places for other in sorted(graph[folder])
    )
    boxes = "".join(box(folder, *place) for folder, place in places.items())
    line = places["attacks"][1] - (ROW - BOX[1]) // 2
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">
<title>The folders of Straylight: imports point down</title>
<style>
text {{ font-family: system-ui, sans-serif; fill: #1c2128; }}
.name {{ font: 600 15px ui-monospace, monospace; }}
.words {{ font-size: 12px; }}
.box {{ fill: #f3f5f7; stroke: #55606e; }}
.arrow {{ stroke: #55606e; stroke-width: 1.5; marker-end: url(#head); }}
.border {{ stroke: #9b2c12; stroke-width: 1.5; stroke-dasharray: 6 4; }}
.rule {{ font-size: 11px; fill: #9b2c12; }}
</style>
<defs>
<marker id="head" viewBox="0 0 10 10" refX="2" refY="5" markerWidth="7" markerHeight="7" orient="auto">
<path d="M0 0 10 5 0 10z" fill="#55606e"/>
</marker>
</defs>
<rect width="{WIDTH}" height="{height}" fill="#fff"/>
{arrows}{boxes}<line class="border" x1="{MARGIN}" y1="{line}" x2="{WIDTH - MARGIN}" y2="{line}"/>
<text class="rule" x="{MARGIN}" y="{line + 16}">An attack imports nothing above this line.</text>
</svg>
"""


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
