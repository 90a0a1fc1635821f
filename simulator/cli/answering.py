"""What every command has in common: errors become one message and an exit code, never a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Final, ParamSpec

import typer

from simulator.errors import SimulatorError

P = ParamSpec("P")

INTERRUPTED: Final = 130
BAD_INPUT: Final = 2


def answering(command: Callable[P, None]) -> Callable[P, None]:
    """Return `command` with its errors turned into a message on stderr and an exit code."""

    @wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
            flush_answer()
        except SimulatorError as error:
            _leave(str(error), error.exit_code)
        except KeyboardInterrupt:
            _leave("interrupted", INTERRUPTED)
        except OSError as error:
            code = answer_to(error)
            if code:
                raise typer.Exit(code) from error

    return guarded


def flush_answer() -> None:
    """Hand over what was printed, so that a failure shows while it can still be answered."""
    if sys.stdout is not None:  # closed before the process began
        sys.stdout.flush()


def answer_to(error: OSError) -> int:
    """Say that the system refused to read or write, and return the exit code.

    A reader that has had enough is no error: nothing is said, and the code is 0.
    """
    if isinstance(error, BrokenPipeError):
        _drop_the_rest()
        return 0
    with suppress(OSError):  # stderr may be what failed
        say(_system_message(error))
    with suppress(OSError):
        flush_answer()
        return BAD_INPUT
    _drop_the_rest()
    return BAD_INPUT


def _drop_the_rest() -> None:
    """Give what is still buffered for stdout somewhere to go, or the interpreter complains at its end."""
    with suppress(OSError):  # a stream in memory has no descriptor
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, sys.stdout.fileno())
        os.close(sink)


def say(text: str) -> None:
    """Write a diagnostic to stderr."""
    typer.echo(text, err=True)


def _leave(message: str, code: int) -> None:
    say(message)
    raise typer.Exit(code)


def _system_message(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}"
