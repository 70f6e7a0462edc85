"""JSON as the standard has it: no NaN, no infinity, and nothing that cannot be written again."""

import json
import math
import re
from pathlib import Path
from typing import Any

import jsonschema
from jsonschema.exceptions import best_match

from straylight.errors import quoted, reason_of

LARGEST_JSON = 2**24  # bytes
# In JSON that was written without need: an escaped character below a space, and those from DEL on.
CONTROL = re.compile(r"(?<!\\)(\\\\)*\\u00[01]|[\x7f-\x9f]")


def parse_json(text: str) -> Any:  # noqa: ANN401
    """Parse JSON.

    Raises:
        ValueError: If it is none, is nested too deeply, or holds a number beyond the floats or half a
            surrogate pair (Python would take both, and fail when it writes them), or control characters,
            which a terminal would obey.
    """
    try:
        data = json.loads(text, parse_constant=refuse, parse_float=finite)
        written = json.dumps(data, ensure_ascii=False)
        written.encode("utf-8")
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except UnicodeEncodeError:
        raise ValueError("it holds half a surrogate pair") from None
    if CONTROL.search(written):
        raise ValueError("it holds control characters")
    return data


def refuse(word: str) -> float:
    """Refuse a word that is no JSON."""
    raise ValueError(f"it holds {word}, which is no number of JSON")


def finite(text: str) -> float:
    """Read a number that is one."""
    return float(text) if math.isfinite(float(text)) else refuse("a number beyond all floats")


def check_follows(data: Any, schema: dict[str, Any]) -> None:  # noqa: ANN401
    """See that data follows a schema of ours, which a test has seen to be one.

    Raises:
        jsonschema.ValidationError: If not.
    """
    error = best_match(jsonschema.Draft202012Validator(schema).iter_errors(data))
    if error is not None:
        raise error


def misfit(error: jsonschema.ValidationError) -> str:
    """Say where data does not follow a schema, and why."""
    where = "/".join(map(str, error.absolute_path)) or "the top"
    return f"at {quoted(where)} ({reason_of(error)})"


def read_json(path: Path) -> Any:  # noqa: ANN401
    """Read a small JSON file.

    Raises:
        OSError: If it cannot be read.
        ValueError: As `parse_json`, or if it is larger than `LARGEST_JSON`.
    """
    if path.stat().st_size > LARGEST_JSON:
        raise ValueError(f"it is larger than {LARGEST_JSON // 2**20} MiB")
    return parse_json(path.read_text(encoding="utf-8"))
