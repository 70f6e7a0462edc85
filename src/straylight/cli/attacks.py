"""`straylight attacks`."""

from dataclasses import dataclass
from typing import Any

from rich.console import Console

from straylight.attacks.catalogue import ATTACKS, CONTROLS
from straylight.cli.output import print_json
from straylight.core.progress import say

OWN = "One of your own is python:MODULE:CLASS, such as --method python:mine:Own:steps=50 (docs/attacks.md)."


@dataclass(frozen=True, kw_only=True)
class AttacksCommand:
    """List the attacks and controls, their settings and their papers.

    For example:
      straylight attacks
    """

    json: bool = False
    """Print the catalogue as JSON."""

    def run(self, out: Console, err: Console) -> None:
        entries: list[dict[str, Any]] = [
            {
                "name": name,
                "role": role,
                "threat_model": entry.threat_model,
                "summary": entry.summary,
                "settings": vars(entry.make()),
                "paper": entry.paper,
                "url": entry.url,
            }
            for role, catalogue in (("attack", ATTACKS), ("control", CONTROLS))
            for name, entry in catalogue.items()
        ]
        if self.json:
            print_json(out, entries)
            return
        for entry in entries:
            settings = ",".join(f"{key}={value}" for key, value in entry["settings"].items())
            out.print(f"[bold]{entry['name']}[/bold]  {entry['role']}, {entry['threat_model']}")
            say(out, f"  {entry['summary']}")
            if settings:
                say(out, f"  {entry['name']}:{settings}")
            say(out, f"  {entry['paper']}, {entry['url']}")
        say(out, OWN)
