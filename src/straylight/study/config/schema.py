"""The JSON Schema of a study's file, derived from the dataclasses that it fills; errors in words."""

from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import jsonschema
from jsonschema.exceptions import best_match

from straylight.audit.plan import Plan
from straylight.audit.schema import Json
from straylight.models.options import ModelOptions
from straylight.study.config.cost import Throughput
from straylight.study.config.matrix import AXES
from straylight.study.config.toml import Place, TomlDocument
from straylight.training.recipe import Recipe

Record = TypeVar("Record")
TEXT: Json = {"type": "string", "minLength": 1}
TEXTS: Json = {"type": "array", "items": TEXT, "minItems": 1}
FLAG: Json = {"type": "boolean"}
COUNT: Json = {"type": "integer", "minimum": 0}
SIZE: Json = {"type": "integer", "minimum": 1}
POSITIVE: Json = {"type": "number", "exclusiveMinimum": 0}
FORMS: dict[type, Json] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: FLAG,
    dict: {"type": "object"},
}


def _table_schema(*required: str, **keys: Json) -> Json:
    """Return the schema of a table with these keys and no others."""
    return {
        "type": "object",
        "properties": keys,
        "required": list(required),
        "additionalProperties": False,
    }


def _list_or_value_schema(one: Json, several: Json) -> Json:
    """Return the schema of a list or another value; an error names only the one that was given."""
    return {"if": {"type": "array"}, "then": several, "else": one}


def _axis_schema(value: Json) -> Json:
    """Return the schema of an axis: a value, or a list of values to combine."""
    return _list_or_value_schema(
        value, {"type": "array", "items": value, "minItems": 1, "uniqueItems": True}
    )


def _type_schema(hint: Any) -> Json:  # noqa: ANN401
    """Return the schema of an annotation; other types are left to the check of the dataclass."""
    origin, arguments = get_origin(hint), get_args(hint)
    if (origin or hint) in FORMS:
        return FORMS[origin or hint]
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is tuple:
        return {"type": "array", "items": _type_schema(arguments[0])}
    if isinstance(hint, type) and is_dataclass(hint):
        return _fields_schema(hint)
    if origin in (Union, UnionType):
        return {"anyOf": [_type_schema(item) for item in arguments if item is not type(None)]}
    return {}


def _fields_schema(make: type, **more: Json) -> Json:
    """Return the schema of a table whose keys are the fields of a dataclass, all optional."""
    hints = get_type_hints(make)
    return _table_schema(
        **{item.name: _type_schema(hints[item.name]) for item in fields(make)}, **more
    )


def _required_fields_schema(make: type) -> Json:
    """Return the schema of a table of a dataclass; fields without a default are required."""
    required = [item.name for item in fields(make) if item.default is MISSING]
    return _fields_schema(make) | {"required": required}


def make_record(make: type[Record], values: Json) -> Record:
    """Construct a dataclass from a valid table: lists become tuples, and 1 becomes 1.0 for a float."""
    hints = get_type_hints(make)
    return make(**{name: _convert_value(value, hints[name]) for name, value in values.items()})


def _convert_value(value: Any, hint: Any) -> Any:  # noqa: ANN401
    """Convert a value to the type of a field."""
    if isinstance(value, list):
        kind = (get_args(hint) or (None,))[0]
        return tuple(_convert_value(item, kind) for item in value)
    if isinstance(value, dict) and isinstance(hint, type) and is_dataclass(hint):
        return make_record(hint, value)
    return float(value) if hint is float else value


@cache
def shared_plan_settings() -> Json:
    """Return the schemas of the settings of a plan that are neither axes nor written in another way."""
    written_otherwise = {*AXES, "eps", "methods", "targets", "targeted_methods"}
    properties = _fields_schema(Plan)["properties"]
    return {name: form for name, form in properties.items() if name not in written_otherwise}


def _audits_schema() -> Json:
    """Return the schema of one matrix of audits: its axes, then the settings that all audits share."""
    keys: Json = {
        "cohort": _axis_schema(TEXT),
        "model": _axis_schema(TEXT),
        "initialisation": _axis_schema(TEXT),
        "source": _axis_schema(TEXT),
        "photographs": _axis_schema(SIZE),
        "norm": _axis_schema({"enum": ["l2", "linf"]}),
        "zeta": _axis_schema(POSITIVE),
        "eps_levels": _axis_schema(POSITIVE),
        "seed": _axis_schema(COUNT),
        "training_seed": _axis_schema(COUNT),
        "methods": TEXTS,
        "targets": _list_or_value_schema({"enum": ["all", "cohort", "none"]}, TEXTS),
        "targeted_methods": TEXTS,
        "public": TEXT,
    } | shared_plan_settings()
    several: Json = {"type": "array", "items": _table_schema(**keys)}
    whole = keys | {"include": several, "exclude": several}
    return _table_schema("cohort", "model", "source", "photographs", "methods", **whole)


@cache
def _study_schema() -> Json:
    """Return the schema of a study's file."""
    recipe = _fields_schema(Recipe)
    named: Json = {"type": "object", "minProperties": 1}
    cohort = _table_schema(
        *("test", "classes"),
        test=TEXT, train=TEXT, classes=TEXTS, targets=TEXTS, grey=FLAG, reading=TEXT, note=TEXT,
        n_test=SIZE, n_train=SIZE, training=recipe,
    )  # fmt: skip
    model = _table_schema(
        size=SIZE,
        training=recipe,
        model=TEXT,
        options=_fields_schema(ModelOptions),
        throughput=_required_fields_schema(Throughput),
    )
    return _table_schema(
        *("cohorts", "models", "sources", "audits"),
        title=TEXT,
        threads=SIZE,
        gpus={"type": "number", "minimum": 0},
        variables={"type": "object", "additionalProperties": {"type": "string"}},
        training=_fields_schema(Recipe, recipe=TEXT),
        cohorts=named | {"additionalProperties": cohort},
        models=named | {"additionalProperties": model},
        initialisations=named | {"additionalProperties": _table_schema(training=recipe)},
        sources=named | {"additionalProperties": _table_schema("natural", natural=TEXT)},
        audits={"type": "array", "minItems": 1, "items": _audits_schema()},
    )


def check_document(document: TomlDocument) -> None:
    """Check that a study's file follows the schema.

    Raises:
        InputError: If it does not; the message names the line.
    """
    make: Any = jsonschema.validators.extend
    whole = jsonschema.Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer)
    validator = make(jsonschema.Draft202012Validator, type_checker=whole)(_study_schema())
    error: Any = best_match(validator.iter_errors(document.data))
    if error is None:
        return
    place: Place = tuple(error.absolute_path)
    if error.validator == "additionalProperties":
        known = error.schema["properties"]
        place = (*place, next(key for key in error.instance if key not in known))
        raise document.fault(place, f"there is no such key: the keys here are {', '.join(known)}")
    raise document.fault(place, _describe_error(error))


def _is_integer(_: object, value: object) -> bool:
    """Return whether a value is a whole number that is written as one."""
    return isinstance(value, int) and not isinstance(value, bool)


def _describe_error(error: Any) -> str:  # noqa: ANN401
    """Describe an error of a value in words."""
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
