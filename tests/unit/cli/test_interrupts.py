"""A Ctrl-C that Python drops is acted on when progress is told next."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from simulator.cli.interrupts import Interrupts

DROPPED = """
import os, signal
from simulator.cli.interrupts import INTERRUPTS
from simulator.cli.progress import ProgressBar

class Last:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):
            pass

signal.signal(signal.SIGINT, signal.default_int_handler)
INTERRUPTS.attend()
one = Last()
del one
print("dropped", flush=True)
ProgressBar(quiet=True)(1, 2)
print("never")
"""


def test_a_dropped_interrupt_is_raised_where_progress_is_told() -> None:
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", DROPPED], capture_output=True, text=True, check=False
    )
    assert done.stdout == "dropped\n"
    assert "Exception ignored in" in done.stderr  # what Python says of the one that it drops
    assert done.stderr.rstrip().endswith("KeyboardInterrupt")
    assert done.returncode == -signal.SIGINT


def test_each_interrupt_is_raised_once() -> None:
    interrupts = Interrupts()
    interrupts.check()
    with pytest.raises(KeyboardInterrupt):
        interrupts._hear(signal.SIGINT, None)
    with pytest.raises(KeyboardInterrupt):
        interrupts.check()
    interrupts.check()


def test_an_ignored_interrupt_stays_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "getsignal", lambda _number: signal.SIG_IGN)
    monkeypatch.setattr(signal, "signal", lambda *_arguments: pytest.fail("it was taken over"))
    Interrupts().attend()
