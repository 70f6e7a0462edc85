"""Tables of the file become dataclasses, whose fields are the schema."""

from dataclasses import dataclass, fields
from typing import Literal

from straylight.attacks.adaptation.adapt import Adaptation
from straylight.audit.plan import Plan
from straylight.study.config.schema import make_record, shared_plan_settings


@dataclass(frozen=True)
class Inner:
    """A table in a table."""

    share: float = 0.5


@dataclass(frozen=True)
class Outer:
    """A table with every kind of field."""

    name: str
    sizes: tuple[float, ...] = ()
    way: Literal["a", "b"] = "a"
    inner: Inner = Inner()


def test_a_table_becomes_the_dataclass_that_it_describes() -> None:
    made = make_record(Outer, {"name": "x", "sizes": [1, 2.5], "inner": {"share": 1}})
    assert made == Outer("x", (1.0, 2.5), "a", Inner(1.0))
    assert type(made.inner.share) is float


def test_every_setting_of_a_plan_is_an_option_of_a_study() -> None:
    """Axes, the budget and the methods are written in their own way, all others as in a plan."""
    own = {"norm", "zeta", "eps", "seed", "methods", "targets", "targeted_methods"}
    assert shared_plan_settings().keys() == {item.name for item in fields(Plan)} - own
    adaptation = shared_plan_settings()["adaptation"]
    assert adaptation["properties"].keys() == {item.name for item in fields(Adaptation)}
