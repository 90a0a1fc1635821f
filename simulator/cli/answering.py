"""What every command has in common: errors become one message and an exit code, never a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Final, ParamSpec

import typer

from simulator.errors import OutputExistsError, SimulatorError

P = ParamSpec("P")

INTERRUPTED: Final = 130
BAD_INPUT: Final = 2


def answering(command: Callable[P, None]) -> Callable[P, None]:
    """Return `command` with its errors turned into a message on stderr and an exit code."""

    @wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
            sys.stdout.flush()
        except SimulatorError as error:
            _leave(str(error), error.exit_code)
        except KeyboardInterrupt:
            _leave("interrupted", INTERRUPTED)
        except BrokenPipeError:
            # The reader has had enough.  What is still buffered has nowhere to go.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except OSError as error:
            _leave(_system_message(error), BAD_INPUT)

    return guarded


def say(text: str) -> None:
    """Write a diagnostic to stderr."""
    typer.echo(text, err=True)


def refuse_existing(path: Path | None, *, overwrite: bool) -> None:
    """Refuse to write over `path`, before any work is done for it.

    Raises
    ------
    OutputExistsError
        If something is there and `overwrite` is not set.
    """
    if path is not None and path.exists() and not overwrite:
        message = f"{path} exists; choose another name or pass --overwrite"
        raise OutputExistsError(message)


def _leave(message: str, code: int) -> None:
    say(message)
    raise typer.Exit(code)


def _system_message(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}"
