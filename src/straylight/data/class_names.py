"""Class names as people write them: normalise, match and suggest them."""

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches

from straylight.core.errors import join_names, quote_text

MOST_COMPARED = 200  # names searched for a similar one


def normalize_name(name: str) -> str:
    """Return a name in Unicode NFC form without surrounding white space.

    >>> normalize_name(" MEL "), normalize_name("Me\\u0301nie\\u0300re") == "M\\u00e9ni\\u00e8re"
    ('MEL', True)
    """
    return unicodedata.normalize("NFC", name).strip()


def fold_case(name: str) -> str:
    """Return a normalised name with upper and lower case folded."""
    return unicodedata.normalize("NFC", normalize_name(name).casefold())


def match_names(names: Iterable[str], known: Sequence[str]) -> dict[str, str]:
    """Match names to known ones: exactly, else normalised, else ignoring case.

    A name that matches several known ones is omitted.

    >>> match_names(["mel", "NV ", "bcc"], ["MEL", "NV"])
    {'mel': 'MEL', 'NV ': 'NV'}
    """
    every, exact = dict.fromkeys(names), set(known)
    found = {name: name for name in every if name in exact}
    for form in (normalize_name, fold_case):
        if len(found) == len(every):
            break
        places = _unique_by_form(known, form)
        for name in every.keys() - found.keys():
            if (place := places.get(form(name))) is not None:
                found[name] = place
    return {name: found[name] for name in every if name in found}


def _unique_by_form(known: Sequence[str], form: Callable[[str], str]) -> dict[str, str]:
    """Map forms to known names, omitting forms that several names share."""
    found: dict[str, str | None] = {}
    for name in dict.fromkeys(known):
        key = form(name)
        found[key] = None if key in found else name
    return {key: name for key, name in found.items() if name is not None}


def suggest_names(unknown: Sequence[str], known: Sequence[str]) -> str:
    """Suggest known names similar to unknown ones, as the end of a sentence (empty if none is similar).

    >>> suggest_names(["Efusion"], ["Effusion", "Mass"])
    '; perhaps you meant Effusion'
    """
    near: list[str] = []
    forms = {_without_separators(name): name for name in known[:MOST_COMPARED]}
    for name in unknown[:MOST_COMPARED]:
        if len(name) <= MOST_COMPARED:
            near += [
                forms[match] for match in get_close_matches(_without_separators(name), forms, n=1)
            ]
    near = list(dict.fromkeys(near))
    return f"; perhaps you meant {join_names(near, 3)}" if near else ""


def _without_separators(name: str) -> str:
    return fold_case(name).replace("_", " ").replace("-", " ")


def find_case_twins(names: Iterable[str]) -> str | None:
    """Return two names that differ in case only, formatted for a message (None if there are none)."""
    seen: dict[str, str] = {}
    for name in sorted(set(names)):
        other = seen.setdefault(fold_case(name), name)
        if other != name:
            return f"{quote_text(other)} and {quote_text(name)}"
    return None
