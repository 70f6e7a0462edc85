"""Attacks of a user's own: a class that is not in the catalogue, loaded, checked and described."""

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
from straylight.core.checks import said
from straylight.core.errors import InputError, quoted, reason_of
from straylight.core.settings import LARGEST as LARGEST_NUMBER
from straylight.core.settings import TOO_LARGE

PYTHON = "python:"
GUIDE = "see docs/attacks.md, 'An attack of your own'"
LARGEST = 2**16  # characters of JSON that settings may take
MADE_WITH = (None, None, None)  # classifier, photographs, ball, for a look at a signature


def class_name(attack: object) -> str:
    """Return the name of an attack's class, fit to print."""
    return quoted(type(attack).__name__, 40)


def check_attack(attack: object) -> None:
    """Check that an object follows the protocol `Attack`.

    Raises:
        InputError: If not; the message names what is missing or wrong.
    """
    if isinstance(attack, type):
        name = quoted(attack.__name__, 40)
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
            f"the threat_model of {name} must be 'T1' or 'T2', not {said(threat_model)}: {GUIDE}."
        )
    if not isinstance(takes_target, bool):
        raise InputError(
            f"takes_target of {name} must be True or False, not {said(takes_target)}: {GUIDE}."
        )
    settings_of(attack)


def settings_of(attack: object) -> dict[str, Any]:
    """Return the settings of an attack as plain data: the fields of a dataclass, or its attributes.

    Raises:
        InputError: If one is no plain data, and so cannot be recorded or compared.
    """
    try:
        known = is_dataclass(attack) and not isinstance(attack, type)
        raw = asdict(attack) if known else _attributes(attack)  # type: ignore[call-overload]
    except Exception as error:  # what cannot be copied
        raise InputError(
            f"the settings of {class_name(attack)} cannot be recorded ({reason_of(error)}): use numbers "
            "and words."
        ) from error
    found = {
        quoted(key): _plain(value, f"{class_name(attack)}.{quoted(key, 40)}")
        for key, value in raw.items()
    }
    if len(json.dumps(found)) > LARGEST:
        raise InputError(f"the settings of {class_name(attack)} are too large to be recorded.")
    return found


def _attributes(attack: object) -> dict[str, Any]:
    """Return the attributes of an object, in a dictionary or in slots."""
    slots = [getattr(kind, "__slots__", ()) for kind in type(attack).__mro__]
    names = [n for given in slots for n in ((given,) if isinstance(given, str) else given)]
    names = [
        name for name in names if name not in ("__dict__", "__weakref__") and hasattr(attack, name)
    ]
    return {name: getattr(attack, name) for name in names} | dict(getattr(attack, "__dict__", {}))


def _plain(value: object, where: str, depth: int = 8) -> Any:  # noqa: ANN401
    """Return a value as JSON has it."""
    item = getattr(value, "item", None)
    if type(value).__module__ == "numpy" and getattr(value, "shape", None) == () and item:
        value = item()
    if value is None or (isinstance(value, int) and abs(value) < 2**63):
        return value
    if isinstance(value, str):
        return quoted(value, LARGEST)
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, Path):
        return quoted(value, LARGEST)
    if isinstance(value, list | tuple) and depth:
        return [_plain(item, where, depth - 1) for item in value]
    if isinstance(value, dict) and depth and all(isinstance(key, str) for key in value):
        return {quoted(key): _plain(item, where, depth - 1) for key, item in value.items()}
    raise InputError(
        f"the setting {where} is {said(value)}: settings are finite numbers, words, and lists "
        "of them, so that an audit can record them."
    )


def describe_custom(attack: object) -> dict[str, Any]:
    """Return an attack's name, settings and class, with the digest of the source that makes it."""
    kind = type(attack)
    return {
        "name": class_name(attack),
        "settings": settings_of(attack),
        "class": quoted(f"{kind.__module__}:{kind.__qualname__}", 200),
        "source_sha256": source_digest(kind),
    }


def source_digest(kind: type) -> str:
    """Digest of the files that a class and its bases are written in.

    The one file's own digest, if there is one; of what was typed into an interpreter or a notebook, the
    digest of its compiled functions.
    """
    found: dict[str, str] = {}
    for base in kind.__mro__:
        if base.__module__.partition(".")[0] in {"builtins", "typing", "abc", "straylight"}:
            continue
        try:
            file = Path(inspect.getfile(base))
            found.setdefault(str(file), hashlib.sha256(file.read_bytes()).hexdigest())
        except (OSError, TypeError):
            text = repr([(name, _compiled(part)) for name, part in sorted(vars(base).items())])
            found[repr(base)] = hashlib.sha256(text.encode()).hexdigest()
    digests = list(found.values())
    return (
        digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
    )


def _compiled(part: object) -> object:
    """Return what a function computes, without where it was written; of anything else its value."""
    part = getattr(part, "fget", None) or getattr(part, "__func__", None) or part
    code = part if isinstance(part, CodeType) else getattr(part, "__code__", None)
    if code is None:
        return part if isinstance(part, str | int | float | bool | None) else type(part).__name__
    constants = [
        _compiled(item) if isinstance(item, CodeType) else sorted(map(repr, item))
        if isinstance(item, frozenset) else repr(item)
        for item in code.co_consts
    ]  # fmt: skip
    usual = [_compiled(item) for item in getattr(part, "__defaults__", None) or ()]
    return code.co_code.hex(), constants, code.co_names, code.co_varnames, usual


def load_custom(spec: str, settings: str) -> Attack:
    """Make an attack of ``python:MODULE:CLASS``; modules in the working folder are found too.

    Raises:
        InputError: If there is no such class, it cannot be made with these settings, or it is no attack.
    """
    module, _, name = spec.removeprefix(PYTHON).partition(":")
    quoted_spec = quoted(spec)
    if not (module and name):
        raise InputError(
            f"{quoted_spec} must be {PYTHON}MODULE:CLASS, such as {PYTHON}my_attacks:MyAttack."
        )
    sys.path.insert(0, str(Path.cwd()))
    try:
        kind: object = attrgetter(name)(importlib.import_module(module))
    except (Exception, SystemExit) as error:  # users' own code raises what it likes
        raise InputError(
            f"{quoted_spec} cannot be imported ({raised(error)}): give {PYTHON}MODULE:CLASS, a class in a "
            "module of the working folder or of the installation."
        ) from error
    finally:
        sys.path.remove(str(Path.cwd()))
    if not isinstance(kind, type):
        raise InputError(f"{quoted_spec} is a {type(kind).__name__}, not a class: {GUIDE}.")
    try:
        attack: object = kind()
        if settings:
            attack = kind(**_converted(settings_of(attack), settings, quoted_spec))
    except InputError:
        raise
    except (Exception, SystemExit) as error:
        raise InputError(
            f"{quoted_spec} cannot be made ({raised(error)}): each of its settings needs a default, and is "
            "given as NAME=VALUE."
        ) from error
    check_attack(attack)
    return cast(Attack, attack)


def _converted(usual: dict[str, Any], text: str, name: str) -> dict[str, Any]:
    """Read ``SETTING=VALUE,SETTING=VALUE`` by the kinds of the usual values."""
    found: dict[str, Any] = {}
    for pair in filter(None, text.split(",")):
        key, _, value = pair.partition("=")
        if key not in usual:
            has = f"it has {', '.join(map(quoted, usual))}" if usual else "it has none"
            raise InputError(f"{name} has no setting '{quoted(key)}': {has}.")
        if key in found:
            raise InputError(f"{name} has the setting '{quoted(key)}' twice: give it once.")
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
                f"{name}:{quoted(key)} must be {words.get(kind, 'JSON')}, not '{quoted(value, 40)}'."
            ) from None
    return found


def raised(error: BaseException) -> str:
    """Return the kind of an error and the first line of what it says."""
    kind, said = quoted(type(error).__name__, 40), reason_of(error)
    return kind if said == kind else f"{kind} ({said})"
