"""An attack together with what it learns on: parsed, named, recorded and run."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Union, cast, get_args

import torch

from straylight.attacks.ball import Ball
from straylight.attacks.catalogue import ATTACKS, Source, find_name
from straylight.attacks.custom import (
    PYTHON,
    class_name,
    describe_custom,
    load_custom,
    read_settings,
)
from straylight.attacks.custom_run import count_planned, run_checked
from straylight.attacks.protocol import Attack, Snapshot
from straylight.core.errors import InputError, quote_text
from straylight.core.settings import parse_settings
from straylight.core.tensor_files import read_delta
from straylight.data.images import ImageSet
from straylight.models.classifier import Classifier

LONGEST_NAME, LONGEST_VALUE = 80, 40  # characters


@dataclass(frozen=True)
class Method:
    """An attack, and the images that it learns on.

    Attributes:
        attack: Makes the perturbation.
        source: ``photographs`` (as they are), ``adapted`` (by `Adaptation`, from the classifier
            alone), or ``medical`` (an oracle: an upper bound, not an attack of T1).
    """

    attack: Attack
    source: Source = "photographs"

    @classmethod
    def of(cls, given: Union[Attack, "Method", str]) -> "Method":
        """Return a method given as itself, as text, or as an attack, which learns on its usual source.

        Raises:
            InputError: If it is a text that cannot be parsed.
        """
        if isinstance(given, Method):
            return given
        return cls.parse(given) if isinstance(given, str) else cls(given, _usual_source(given))

    @classmethod
    def parse(cls, text: str) -> "Method":
        """Parse ``NAME[@SOURCE][:SETTING=VALUE,SETTING=VALUE]``.

        NAME is in the catalogue, or is ``python:MODULE:CLASS``, a class of the user's own, which is
        imported.

        Raises:
            InputError: If there is no such attack, source or setting, or the value is not a number.

        Example:
            >>> Method.parse("sequential@adapted:epochs=2")
            Method(attack=Sequential(step_size=0.00025, epochs=2), source='adapted')
        """
        prefix, module, text = "", "", text.strip()
        if text.startswith(PYTHON):
            module, _, text = text.removeprefix(PYTHON).partition(":")
            prefix = f"{PYTHON}{module}:"
        head, _, settings = text.partition(":")
        name, at, source = head.partition("@")
        if not prefix and name not in ATTACKS:
            raise InputError(
                f"there is no attack '{quote_text(name)}': the catalogue has {', '.join(ATTACKS)}; one of "
                f"your own is {PYTHON}MODULE:CLASS."
            )
        if at and source not in get_args(Source):
            known = ", ".join(get_args(Source))
            raise InputError(f"an attack learns on one of {known}, not '{quote_text(source)}'.")
        attack: Attack
        if prefix:
            attack = load_custom(prefix + name, settings)
        else:
            attack = parse_settings(ATTACKS[name].make, name, settings)
        return cls(attack, cast(Source, source) if at else _usual_source(attack))

    @property
    def name(self) -> str:
        """Name in the catalogue, or of the class of a user's own attack."""
        return find_name(self.attack) or class_name(self.attack)

    @property
    def run_name(self) -> str:
        """``NAME``, or ``NAME@SOURCE`` where it learns on something other than its usual source."""
        return _join_source(self.name, self.source, _usual_source(self.attack))

    def __str__(self) -> str:
        """Format it as on the command line, with the settings that differ from the defaults.

        >>> str(Method.parse("gradient@adapted:steps=10"))
        'gradient@adapted:steps=10'
        """
        settings = read_settings(self.attack)
        try:
            usual = read_settings(type(self.attack)())
        except Exception:  # a class of a user's own whose settings have no defaults
            usual = {}
        changed = {
            key: quote_text(value, LONGEST_VALUE)
            for key, value in settings.items()
            if usual.get(key, self) != value
        }
        return quote_text(_join_settings(self.run_name, changed), LONGEST_NAME)

    def to_json(self) -> dict[str, Any]:
        """Return the attack's name and settings, and the digest of a file that it starts from or is in.

        Raises:
            InputError: If it starts from a file that is missing, or has settings that cannot be recorded.
        """
        if find_name(self.attack) is None:
            return describe_custom(self.attack)
        data = {"name": self.name, **asdict(self.attack)}  # type: ignore[call-overload]
        if data.get("start"):
            start = read_delta(Path(data["start"]))
            data["start_sha256"] = hashlib.sha256(start.numpy().tobytes()).hexdigest()
        return data

    @staticmethod
    def format_recorded(data: Mapping[str, Any], source: str | None) -> str:
        """Format what `to_json` returned as on the command line, without loading a user's own class.

        >>> Method.format_recorded(Method.parse("gradient:steps=10").to_json(), "adapted")
        'gradient@adapted:steps=10'
        """
        name = data["name"]
        if name not in ATTACKS or "class" in data:
            return _join_settings(
                _join_source(name, source, "photographs"), data.get("settings", {})
            )
        entry = ATTACKS[name]
        usual = Method(entry.make()).to_json()
        changed = {key: value for key, value in data.items() if usual.get(key) != value}
        return _join_settings(_join_source(name, source, entry.source), changed)

    @property
    def threat_model(self) -> str:
        """The attack's own, or ``oracle`` if it learns on medical images."""
        return "oracle" if self.source == "medical" else self.attack.threat_model

    def planned(self, n_photographs: int, n_classes: int, cost: int = 2) -> int:
        """Return how many photographs the attack will have looked at; see `Attack.planned`."""
        count = (
            self.attack.planned if find_name(self.attack) else partial(count_planned, self.attack)
        )
        return count(n_photographs, n_classes, cost)

    def snapshots(
        self,
        classifier: Classifier,
        photographs: ImageSet,
        ball: Ball,
        *,
        target: int | None,
        generator: torch.Generator,
    ) -> Iterator[Snapshot]:
        """Run the attack; what a user's own attack yields is checked."""
        run = self.attack if find_name(self.attack) else partial(run_checked, self.attack)
        yield from run(classifier, photographs, ball, target=target, generator=generator)


def _usual_source(attack: Attack) -> Source:
    """Return what an attack learns on by default: of the catalogue's entry, or photographs."""
    entry = ATTACKS.get(find_name(attack) or "")
    return "photographs" if entry is None else entry.source


def _join_source(name: str, source: str | None, usual: str) -> str:
    """Return ``NAME``, or ``NAME@SOURCE`` if the source is not the usual one."""
    return name if source == usual else f"{name}@{source}"


def _join_settings(name: str, settings: Mapping[str, object]) -> str:
    """Return ``NAME:SETTING=VALUE,...``, or the name alone."""
    return name + ":" * bool(settings) + ",".join(f"{k}={v}" for k, v in settings.items())
