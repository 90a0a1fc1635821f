"""A progress bar on stderr, for runs that take longer than a second."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from simulator.cli.interrupts import INTERRUPTS

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

PATIENCE_S: Final = 1.0
"""Time after which a bar appears."""


class ProgressBar:
    """Called with (tasks ended, tasks in all); shows nothing where stderr is not a terminal.

    Parameters
    ----------
    quiet : show nothing at all.
    what : what is counted.
    """

    def __init__(self, *, quiet: bool, what: str = "tasks") -> None:
        self._what = what
        self._silent = quiet or not sys.stderr.isatty()
        self._started_s = time.monotonic()
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, ended: int, total: int) -> None:
        """Show that `ended` of `total` tasks have ended; act on a Ctrl-C that was dropped before."""
        INTERRUPTS.check()
        if self._silent or time.monotonic() - self._started_s < PATIENCE_S:
            return
        if self._bar is None:
            self._bar, self._task = self._started(total)
        if self._task is not None:
            self._bar.update(self._task, completed=ended, total=total)

    def _started(self, total: int) -> tuple[Progress, TaskID]:
        bar = self._made()
        bar.start()
        return bar, bar.add_task(self._what, total=total)

    def _made(self) -> Progress:
        from rich.console import Console  # noqa: PLC0415 - only a run of over a second pays for it
        from rich.progress import Progress  # noqa: PLC0415 - as above

        return Progress(console=Console(stderr=True), transient=True)


class RateBar(ProgressBar):
    """A bar for many runs, with how many there are, their rate and the time left."""

    def __init__(self, *, quiet: bool, what: str = "runs") -> None:
        super().__init__(quiet=quiet, what=what)

    def _made(self) -> Progress:
        from rich import progress  # noqa: PLC0415 - only a sweep of over a second pays for it
        from rich.console import Console  # noqa: PLC0415 - as above
        from rich.text import Text  # noqa: PLC0415 - as above

        class Rate(progress.ProgressColumn):
            """Runs a minute, over the last while."""

            def render(self, task: progress.Task) -> Text:
                speed = task.speed
                return Text("" if speed is None else f"{60.0 * speed:,.0f}/min")

        columns = (
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            Rate(),
            progress.TimeRemainingColumn(),
        )
        return progress.Progress(*columns, console=Console(stderr=True), transient=True)
