"""What a study's file may hold, as a JSON Schema, and its faults in plain words."""

from dataclasses import MISSING, fields
from functools import cache
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import jsonschema
from jsonschema.exceptions import best_match

from straylight.attacks.adaptation.adapt import Adaptation
from straylight.audit.schema import Json
from straylight.models.load import ModelOptions
from straylight.study.config.cost import Throughput
from straylight.study.config.toml import Document, Place
from straylight.training.recipe import Recipe

T = TypeVar("T")
TEXT: Json = {"type": "string", "minLength": 1}
TEXTS: Json = {"type": "array", "items": TEXT, "minItems": 1}
FLAG: Json = {"type": "boolean"}
COUNT: Json = {"type": "integer", "minimum": 0}
SIZE: Json = {"type": "integer", "minimum": 1}
POSITIVE: Json = {"type": "number", "exclusiveMinimum": 0}
NAMES = {str: {"type": "string"}, int: {"type": "integer"}, float: {"type": "number"}, bool: FLAG}


def table(*required: str, **keys: Json) -> Json:
    """Describe a table with these keys and no others."""
    return {
        "type": "object",
        "properties": keys,
        "required": list(required),
        "additionalProperties": False,
    }


def either(one: Json, several: Json) -> Json:
    """Describe a list or something else, so that a fault is told of the one that was given."""
    return {"if": {"type": "array"}, "then": several, "else": one}


def axis(value: Json) -> Json:
    """Describe one value, or a list of them that a product is made over."""
    return either(value, {"type": "array", "items": value, "minItems": 1, "uniqueItems": True})


def of_type(hint: Any) -> Json:  # noqa: ANN401
    """Describe a field by its annotation; what is not known here is left to the field's own check."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint in NAMES:
        return NAMES[hint]
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is tuple:
        return {"type": "array", "items": of_type(arguments[0])}
    if origin is dict:
        return {"type": "object"}
    if origin in (Union, UnionType):
        return {"anyOf": [of_type(item) for item in arguments if item is not type(None)]}
    return {}


def of_fields(make: type, **more: Json) -> Json:
    """Describe a table whose keys are fields of a dataclass, none of them required."""
    hints = get_type_hints(make)
    return table(**{item.name: of_type(hints[item.name]) for item in fields(make)}, **more)


def all_fields(make: type) -> Json:
    """Describe a table of a dataclass whose fields without a default are required."""
    required = [item.name for item in fields(make) if item.default is MISSING]
    return of_fields(make) | {"required": required}


def made(make: type[T], values: Json) -> T:
    """Make a dataclass of a table that follows `of_fields`: lists become tuples, 1 becomes 1.0."""
    hints = get_type_hints(make)
    return make(**{name: as_hinted(value, hints[name]) for name, value in values.items()})


def as_hinted(value: Any, hint: Any) -> Any:  # noqa: ANN401
    """Return a value in the type that a field has."""
    if isinstance(value, list):
        kind = (get_args(hint) or (None,))[0]
        return tuple(as_hinted(item, kind) for item in value)
    return float(value) if hint is float else value


def audits() -> Json:
    """Describe one matrix of audits: axes first, then what all of its audits share."""
    keys: Json = {
        "cohort": axis(TEXT),
        "model": axis(TEXT),
        "initialisation": axis(TEXT),
        "source": axis(TEXT),
        "photographs": axis(SIZE),
        "norm": axis({"enum": ["l2", "linf"]}),
        "zeta": axis(POSITIVE),
        "eps_levels": axis(POSITIVE),
        "seed": axis(COUNT),
        "training_seed": axis(COUNT),
        "methods": TEXTS,
        "targets": either({"enum": ["all", "cohort", "none"]}, TEXTS),
        "targeted_methods": TEXTS,
        "adaptation": of_fields(Adaptation),
        "control_seeds": SIZE,
        "curve": COUNT,
        "public": TEXT,
    }
    several: Json = {"type": "array", "items": table(**keys)}
    whole = keys | {"include": several, "exclude": several}
    return table("cohort", "model", "source", "photographs", "methods", **whole)


@cache
def study_schema() -> Json:
    """Return the schema of a study's file."""
    recipe = of_fields(Recipe)
    named: Json = {"type": "object", "minProperties": 1}
    cohort = table(
        *("test", "classes"),
        test=TEXT, train=TEXT, classes=TEXTS, targets=TEXTS, grey=FLAG, reading=TEXT, note=TEXT,
        n_test=SIZE, n_train=SIZE, training=recipe,
    )  # fmt: skip
    model = table(
        size=SIZE,
        training=recipe,
        model=TEXT,
        options=of_fields(ModelOptions),
        throughput=all_fields(Throughput),
    )
    return table(
        *("cohorts", "models", "sources", "audits"),
        title=TEXT,
        threads=SIZE,
        gpus={"type": "number", "minimum": 0},
        variables={"type": "object", "additionalProperties": {"type": "string"}},
        training=of_fields(Recipe, recipe=TEXT),
        cohorts=named | {"additionalProperties": cohort},
        models=named | {"additionalProperties": model},
        initialisations=named | {"additionalProperties": table(training=recipe)},
        sources=named | {"additionalProperties": table("natural", natural=TEXT)},
        audits={"type": "array", "minItems": 1, "items": audits()},
    )


def check(document: Document) -> None:
    """Check that a study's file follows the schema.

    Raises:
        InputError: If not; the message names the line.
    """
    make: Any = jsonschema.validators.extend
    whole = jsonschema.Draft202012Validator.TYPE_CHECKER.redefine("integer", is_whole)
    validator = make(jsonschema.Draft202012Validator, type_checker=whole)(study_schema())
    error: Any = best_match(validator.iter_errors(document.data))
    if error is None:
        return
    place: Place = tuple(error.absolute_path)
    if error.validator == "additionalProperties":
        known = error.schema["properties"]
        place = (*place, next(key for key in error.instance if key not in known))
        raise document.fault(place, f"there is no such key: known here are {', '.join(known)}")
    raise document.fault(place, in_words(error))


def is_whole(_: object, value: object) -> bool:
    """Return whether a value is a whole number and written as one."""
    return isinstance(value, int) and not isinstance(value, bool)


def in_words(error: Any) -> str:  # noqa: ANN401
    """Say what is wrong with a value."""
    value, wanted = error.instance, error.validator_value
    if error.validator == "required":
        return f"it lacks {', '.join(name for name in wanted if name not in value)}"
    if error.validator == "enum":
        return f"it must be one of {', '.join(map(str, wanted))}, not {value!r}"
    if error.validator == "type":
        kinds = wanted if isinstance(wanted, list) else [wanted]
        return f"it must be {' or '.join(KINDS[kind] for kind in kinds)}, not {value!r}"
    return str(error.message)


KINDS = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a table",
}
