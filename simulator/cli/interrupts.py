"""Ctrl-C that is heard: Python drops it where it falls into the end of an object's life."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Final


class Interrupts:
    """Remembers an interrupt, so that one that was dropped is acted on at the next `check`."""

    def __init__(self) -> None:
        self._heard = False

    def attend(self) -> None:
        """Listen from now on; does nothing in a thread, or where Ctrl-C is ignored or somebody else's."""
        self._heard = False
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._hear)

    def _hear(self, signum: int, frame: FrameType | None) -> None:
        self._heard = True
        signal.default_int_handler(signum, frame)

    def check(self) -> None:
        """Raise KeyboardInterrupt if there was one; each is raised once."""
        if self._heard:
            self._heard = False
            raise KeyboardInterrupt


INTERRUPTS: Final = Interrupts()
"""Those of this process: signals are."""
