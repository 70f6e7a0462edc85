"""Standard output: JSON that stays JSON, and the command as typed."""

import io
import json
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import TYPE_CHECKING, TextIO

from straylight.core.errors import ISOLATES, escape_unprintable, quote_text

if TYPE_CHECKING:
    import rich.console

STDOUT, STDERR = 1, 2


def print_json(out: "rich.console.Console", data: object) -> None:
    """Print data as JSON, without colours or wrapping."""
    out.file.write(json.dumps(data, indent=1) + "\n")


def print_error(text: str) -> None:
    """Print one line to standard error, red on a terminal, with control characters escaped."""
    line = escape_unprintable(f"straylight: {text}".replace("\n", " ").translate(ISOLATES))
    if sys.stderr is None:
        return
    coloured = sys.stderr.isatty() and sys.platform != "win32" and "NO_COLOR" not in os.environ
    print(f"\x1b[31m{line}\x1b[0m" if coloured else line, file=sys.stderr)


@contextmanager
def reserved_output() -> Iterator[TextIO]:
    """Yield standard output, and redirect whatever else is written there to standard error.

    This keeps the JSON valid whatever a model prints, from Python or from a C library.
    """
    stdout = sys.stdout
    with redirect_stdout(sys.stderr):
        if not isinstance(stdout, io.TextIOWrapper) or not _is_process_stdout(stdout):
            yield stdout
            return
        stdout.flush()
        kept = os.dup(STDOUT)
        with suppress(OSError):  # standard error may be closed
            os.dup2(STDERR, STDOUT)
        try:
            with open(kept, "w", encoding=stdout.encoding, closefd=False) as file:
                yield file
        finally:
            stdout.flush()
            os.dup2(kept, STDOUT)
            os.close(kept)


def _is_process_stdout(stream: io.TextIOWrapper) -> bool:
    """Return whether a stream is the standard output of the process, and not a replacement."""
    try:
        return stream.fileno() == STDOUT
    except (OSError, ValueError):
        return False


def command_line() -> str:
    """Return the command as typed."""
    return quote_text(shlex.join(["straylight", *sys.argv[1:]]), 2**16)[: 2**16]
