"""`straylight attacks`."""

from dataclasses import dataclass
from typing import Any

from rich.console import Console

from straylight.attacks import ATTACKS, CONTROLS
from straylight.terminal import print_json


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
            out.print(f"  {entry['summary']}", highlight=False, soft_wrap=True)
            if settings:
                out.print(f"  {entry['name']}:{settings}", highlight=False, soft_wrap=True)
            out.print(f"  {entry['paper']}, {entry['url']}", highlight=False, soft_wrap=True)
