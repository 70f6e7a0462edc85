"""Load, check and describe a user's own attack: a class that is not in the catalogue."""

import hashlib
import importlib
import inspect
import json
import math
import sys
from dataclasses import asdict, is_dataclass
from operator import attrgetter
from pathlib import Path
from types import CodeType
from typing import Any, cast

from straylight.attacks.protocol import Attack
from straylight.core.checks import describe_value
from straylight.core.errors import InputError, quote_text, reason_of
from straylight.core.settings import LARGEST as LARGEST_NUMBER
from straylight.core.settings import TOO_LARGE

PYTHON = "python:"
GUIDE = "see docs/own-attack.md"
LARGEST = 2**16  # characters of JSON that settings may take
MADE_WITH = (None, None, None)  # classifier, photographs, ball, for a look at a signature


def class_name(attack: object) -> str:
    """Return the name of an attack's class, safe to print."""
    return quote_text(type(attack).__name__, 40)


def check_attack(attack: object) -> None:
    """Check that an object follows the protocol `Attack`.

    Raises:
        InputError: If not; the message names what is missing or wrong.
    """
    if isinstance(attack, type):
        name = quote_text(attack.__name__, 40)
        raise InputError(f"{name} is a class: give an attack made of it, such as {name}().")
    name, found = class_name(attack), cast(Any, attack)
    parts = ("__call__", "threat_model", "takes_target", "planned")
    try:
        if missing := [part for part in parts if not hasattr(found, part)]:
            raise InputError(
                f"{name} is not an attack, since it lacks {', '.join(missing)}: {GUIDE}."
            )
        threat_model, takes_target = found.threat_model, found.takes_target
        inspect.signature(found).bind(*MADE_WITH, target=None, generator=None)
        inspect.signature(found.planned).bind(1, 2, 2)
    except InputError:
        raise
    except Exception as error:  # of a property of the user's own, or of a signature
        raise InputError(f"{name} is not an attack ({reason_of(error)}): {GUIDE}.") from error
    if threat_model not in ("T1", "T2"):
        raise InputError(
            f"the threat_model of {name} must be 'T1' or 'T2', not {describe_value(threat_model)}: {GUIDE}."
        )
    if not isinstance(takes_target, bool):
        raise InputError(
            f"takes_target of {name} must be True or False, not {describe_value(takes_target)}: {GUIDE}."
        )
    read_settings(attack)


def read_settings(attack: object) -> dict[str, Any]:
    """Return the settings of an attack as plain data: the fields of a dataclass, or its attributes.

    Raises:
        InputError: If one is not plain data, and so cannot be recorded or compared.
    """
    try:
        known = is_dataclass(attack) and not isinstance(attack, type)
        raw = asdict(attack) if known else _list_attributes(attack)  # type: ignore[call-overload]
    except Exception as error:  # what cannot be copied
        raise InputError(
            f"the settings of {class_name(attack)} cannot be recorded ({reason_of(error)}): use numbers "
            "and words."
        ) from error
    found = {
        quote_text(key): _to_plain_data(value, f"{class_name(attack)}.{quote_text(key, 40)}")
        for key, value in raw.items()
    }
    if len(json.dumps(found)) > LARGEST:
        raise InputError(f"the settings of {class_name(attack)} are too large to be recorded.")
    return found


def _list_attributes(attack: object) -> dict[str, Any]:
    """Return the attributes of an object, in a dictionary or in slots."""
    slots = [getattr(kind, "__slots__", ()) for kind in type(attack).__mro__]
    names = [n for given in slots for n in ((given,) if isinstance(given, str) else given)]
    names = [
        name for name in names if name not in ("__dict__", "__weakref__") and hasattr(attack, name)
    ]
    return {name: getattr(attack, name) for name in names} | dict(getattr(attack, "__dict__", {}))


def _to_plain_data(value: object, where: str, depth: int = 8) -> Any:  # noqa: ANN401
    """Convert a setting to plain JSON data."""
    item = getattr(value, "item", None)
    if type(value).__module__ == "numpy" and getattr(value, "shape", None) == () and item:
        value = item()
    if value is None or (isinstance(value, int) and abs(value) < 2**63):
        return value
    if isinstance(value, str):
        return quote_text(value, LARGEST)
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, Path):
        return quote_text(value, LARGEST)
    if isinstance(value, list | tuple) and depth:
        return [_to_plain_data(item, where, depth - 1) for item in value]
    if isinstance(value, dict) and depth and all(isinstance(key, str) for key in value):
        return {
            quote_text(key): _to_plain_data(item, where, depth - 1) for key, item in value.items()
        }
    raise InputError(
        f"the setting {where} is {describe_value(value)}: settings are finite numbers, words, and lists "
        "of them, so that an audit can record them."
    )


def describe_custom(attack: object) -> dict[str, Any]:
    """Return an attack's name, settings and class, and the digest of its source."""
    kind = type(attack)
    return {
        "name": class_name(attack),
        "settings": read_settings(attack),
        "class": quote_text(f"{kind.__module__}:{kind.__qualname__}", 200),
        "source_sha256": digest_attack_source(kind),
    }


def digest_attack_source(kind: type) -> str:
    """Compute the digest of the files that define a class and its bases.

    If there is one file, it is that file's digest. For a class typed into an interpreter or a notebook, it
    is the digest of the compiled functions.
    """
    found: dict[str, str] = {}
    for base in kind.__mro__:
        if base.__module__.partition(".")[0] in {"builtins", "typing", "abc", "straylight"}:
            continue
        try:
            file = Path(inspect.getfile(base))
            found.setdefault(str(file), hashlib.sha256(file.read_bytes()).hexdigest())
        except (OSError, TypeError):
            text = repr([(name, _describe_code(part)) for name, part in sorted(vars(base).items())])
            found[repr(base)] = hashlib.sha256(text.encode()).hexdigest()
    digests = list(found.values())
    return (
        digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
    )


def _describe_code(part: object) -> object:
    """Describe what a function computes, regardless of where it was written; else return the value."""
    part = getattr(part, "fget", None) or getattr(part, "__func__", None) or part
    code = part if isinstance(part, CodeType) else getattr(part, "__code__", None)
    if code is None:
        return part if isinstance(part, str | int | float | bool | None) else type(part).__name__
    constants = [
        _describe_code(item) if isinstance(item, CodeType) else sorted(map(repr, item))
        if isinstance(item, frozenset) else repr(item)
        for item in code.co_consts
    ]  # fmt: skip
    usual = [_describe_code(item) for item in getattr(part, "__defaults__", None) or ()]
    return code.co_code.hex(), constants, code.co_names, code.co_varnames, usual


def load_custom(spec: str, settings: str) -> Attack:
    """Load an attack from ``python:MODULE:CLASS``; MODULE may be in the working folder.

    Raises:
        InputError: If there is no such class, it cannot be made with these settings, or is not an attack.
    """
    module, _, name = spec.removeprefix(PYTHON).partition(":")
    quoted_spec = quote_text(spec)
    if not (module and name):
        raise InputError(
            f"{quoted_spec} must be {PYTHON}MODULE:CLASS, such as {PYTHON}my_attacks:MyAttack."
        )
    sys.path.insert(0, str(Path.cwd()))
    try:
        kind: object = attrgetter(name)(importlib.import_module(module))
    except (Exception, SystemExit) as error:  # users' own code raises what it likes
        raise InputError(
            f"{quoted_spec} cannot be imported ({describe_error(error)}): give {PYTHON}MODULE:CLASS, a "
            "class in a module of the working folder or of the installation."
        ) from error
    finally:
        sys.path.remove(str(Path.cwd()))
    if not isinstance(kind, type):
        raise InputError(f"{quoted_spec} is a {type(kind).__name__}, not a class: {GUIDE}.")
    try:
        attack: object = kind()
        if settings:
            attack = kind(**_parse_settings(read_settings(attack), settings, quoted_spec))
    except InputError:
        raise
    except (Exception, SystemExit) as error:
        raise InputError(
            f"{quoted_spec} cannot be made ({describe_error(error)}): each of its settings needs a "
            "default, and is given as NAME=VALUE."
        ) from error
    check_attack(attack)
    return cast(Attack, attack)


def _parse_settings(usual: dict[str, Any], text: str, name: str) -> dict[str, Any]:
    """Parse ``SETTING=VALUE,SETTING=VALUE`` by the types of the default values."""
    found: dict[str, Any] = {}
    for pair in filter(None, text.split(",")):
        key, _, value = pair.partition("=")
        if key not in usual:
            has = f"it has {', '.join(map(quote_text, usual))}" if usual else "it has none"
            raise InputError(f"{name} has no setting '{quote_text(key)}': {has}.")
        if key in found:
            raise InputError(f"{name} has the setting '{quote_text(key)}' twice: give it once.")
        kind = type(usual[key])
        try:
            if kind is bool:
                found[key] = {"true": True, "false": False}[value.lower()]
            else:
                found[key] = kind(value) if kind in (int, float, str) else json.loads(value)
                if (
                    kind in (int, float) and not abs(found[key]) <= LARGEST_NUMBER
                ):  # NaN is not either
                    raise ValueError(TOO_LARGE if abs(found[key]) > LARGEST_NUMBER else "NaN")
        except (ValueError, KeyError, RecursionError) as error:
            most = f" of at most {LARGEST_NUMBER}" * (error.args == (TOO_LARGE,))
            words = {int: f"a whole number{most}", float: f"a number{most}", bool: "true or false"}
            raise InputError(
                f"{name}:{quote_text(key)} must be {words.get(kind, 'JSON')}, not "
                f"'{quote_text(value, 40)}'."
            ) from None
    return found


def describe_error(error: BaseException) -> str:
    """Return the type of an error and the first line of its message."""
    kind, said = quote_text(type(error).__name__, 40), reason_of(error)
    return kind if said == kind else f"{kind} ({said})"
