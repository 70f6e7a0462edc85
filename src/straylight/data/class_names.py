"""Names of classes as people write them: which are the same, and which were perhaps meant."""

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches

from straylight.core.errors import listed, quoted

MOST_COMPARED = 200  # names that are searched for a similar one


def tidy(name: str) -> str:
    """Return a name in Unicode's composed form, without blanks around it.

    >>> tidy(" MEL "), tidy("Me\\u0301nie\\u0300re") == "M\\u00e9ni\\u00e8re"
    ('MEL', True)
    """
    return unicodedata.normalize("NFC", name).strip()


def folded(name: str) -> str:
    """Return a tidy name without the difference of upper and lower case."""
    return unicodedata.normalize("NFC", tidy(name).casefold())


def match_names(names: Iterable[str], known: Sequence[str]) -> dict[str, str]:
    """Find each name among the known ones: as it is, else tidied, else in another case.

    A name that fits several known ones is not matched.

    >>> match_names(["mel", "NV ", "bcc"], ["MEL", "NV"])
    {'mel': 'MEL', 'NV ': 'NV'}
    """
    every, exact = dict.fromkeys(names), set(known)
    found = {name: name for name in every if name in exact}
    for form in (tidy, folded):
        if len(found) == len(every):
            break
        places = _unique(known, form)
        for name in every.keys() - found.keys():
            if (place := places.get(form(name))) is not None:
                found[name] = place
    return {name: found[name] for name in every if name in found}


def _unique(known: Sequence[str], form: Callable[[str], str]) -> dict[str, str]:
    """Return the known names by their form, but those of which several have one."""
    found: dict[str, str | None] = {}
    for name in dict.fromkeys(known):
        key = form(name)
        found[key] = None if key in found else name
    return {key: name for key, name in found.items() if name is not None}


def suggest(unknown: Sequence[str], known: Sequence[str]) -> str:
    """Return what was perhaps meant by names that nobody knows, as the end of a sentence, or nothing.

    >>> suggest(["Efusion"], ["Effusion", "Mass"])
    '; perhaps you meant Effusion'
    """
    near: list[str] = []
    forms = {_plain(name): name for name in known[:MOST_COMPARED]}
    for name in unknown[:MOST_COMPARED]:
        if len(name) <= MOST_COMPARED:
            near += [forms[match] for match in get_close_matches(_plain(name), forms, n=1)]
    near = list(dict.fromkeys(near))
    return f"; perhaps you meant {listed(near, 3)}" if near else ""


def _plain(name: str) -> str:
    return folded(name).replace("_", " ").replace("-", " ")


def check_distinct(names: Iterable[str]) -> str | None:
    """Return what two names differ in, if it is nothing but upper and lower case."""
    seen: dict[str, str] = {}
    for name in sorted(set(names)):
        other = seen.setdefault(folded(name), name)
        if other != name:
            return f"{quoted(other)} and {quoted(name)}"
    return None
