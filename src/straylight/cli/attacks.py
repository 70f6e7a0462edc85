"""`straylight attacks`."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from straylight.cli.output import print_json

if TYPE_CHECKING:
    import rich.console

OWN = (
    "Your own attack is python:MODULE:CLASS, such as --method python:mine:Own:steps=50 "
    "(docs/own-attack.md)."
)


@dataclass(frozen=True, kw_only=True)
class AttacksCommand:
    """List the attacks and controls with their settings and papers.

    For example:
      straylight attacks
    """

    json: bool = False
    """Print the list as JSON."""

    def run(self, out: "rich.console.Console", err: "rich.console.Console") -> None:
        from straylight.attacks.catalogue import ATTACKS, CONTROLS
        from straylight.core.progress import print_plain

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
            print_plain(out, f"  {entry['summary']}")
            if settings:
                print_plain(out, f"  {entry['name']}:{settings}")
            print_plain(out, f"  {entry['paper']}, {entry['url']}")
        print_plain(out, OWN)
