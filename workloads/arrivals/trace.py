"""Recorded arrivals: inline, or from a trace in any format of `workloads.traces`.

The figures of a row belong to the task with the row's number.  Requests that wait for others are turns of
the task of the first of them.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal, NamedTuple, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from simulator.frozen import FrozenModel, OneLine, SecondsOrZero, Tokens
from simulator.rng import Streams
from workloads.task import SharedPrefix, Turn
from workloads.traces.prefixes import SharedPrefixes
from workloads.traces.reading import FormatName
from workloads.traces.replay import FollowUps, Part, Replay, replay, spread
from workloads.traces.seam import Reading

COLUMNS: Final = ("arrivals_s", "prompt_tokens", "output_tokens")
"""Fields that hold rows, one for each task."""

ROWS: Final = (*COLUMNS, "follow_ups", "about", "prefixes")
"""Fields that a file stands for, in the order of `Replay`."""

OF_A_FILE: Final = ("format", "draw_seed", "window_s", "longest_tokens")
"""Fields that say what is taken from a file."""

MOST_SCALE: Final = 1e6

T = TypeVar("T")


class Recorded(NamedTuple):
    """What is recorded of the tasks of a run; None where it is not.

    Parameters
    ----------
    prompt_tokens, output_tokens : of each task, tokens.
    first_only : outputs are those of a task's first trial alone.
    turns : requests of each task that follow its own.
    turn_tokens : their outputs, tokens.
    prefixes : what the prompt of each task has in common with others.
    """

    prompt_tokens: tuple[int, ...] | None = None
    output_tokens: tuple[int, ...] | None = None
    first_only: bool = False
    turns: tuple[tuple[Turn, ...], ...] | None = None
    turn_tokens: tuple[tuple[int, ...], ...] | None = None
    prefixes: tuple[SharedPrefix, ...] | None = None


class TraceArrivals(FrozenModel):
    """Tasks arrive when the trace says, with its prompts and outputs if it holds them.

    Give either `arrivals_s` (with `prompt_tokens` and `output_tokens` of the same length, if known)
    or `path`.  A file is read once, when its rows are first needed.  Of a file its window is taken, then what
    is too long is left out, arrivals are spread, tasks are sampled, and the rate is scaled.

    Raises
    ------
    TraceFormatError
        When the file cannot be read as a trace; names the file, the line and the column.

    Examples
    --------
    >>> trace = TraceArrivals(arrivals_s=(0.0, 0.5, 2.0), prompt_tokens=(10, 20, 30))
    >>> trace.times_s(2, Streams(1)).tolist(), trace.recorded_prompt_tokens
    ([0.0, 0.5], (10, 20, 30))
    """

    kind: Literal["trace"] = Field(default="trace", description="[-] Selects this process.")
    arrivals_s: Annotated[tuple[SecondsOrZero, ...], Field(strict=False)] | None = Field(
        default=None, description="[s] Arrival of each task, in order."
    )
    prompt_tokens: Annotated[tuple[Tokens, ...], Field(strict=False)] | None = Field(
        default=None, description="[tokens] Prompt of each task; overrides the task set's."
    )
    output_tokens: Annotated[tuple[Tokens, ...], Field(strict=False)] | None = Field(
        default=None, description="[tokens] Output of a trial of each task; overrides the length model's."
    )
    follow_ups: FollowUps | None = Field(
        default=None, description="[-] Requests that wait for others of their task; for strategy recorded."
    )
    prefixes: SharedPrefixes | None = Field(
        default=None, description="[-] Prompts that begin alike, of different tasks too."
    )
    about: OneLine | None = Field(default=None, description="[-] Where the rows came from, for the notes.")
    path: Annotated[Path, Field(strict=False)] | None = Field(
        default=None, description="[-] Trace file: Azure, Mooncake, ..., or columns arrival_s, prompt_tokens."
    )
    format: FormatName = Field(
        default="auto", description="[-] Format of the file; auto sees it by what the file holds."
    )
    draw_seed: int = Field(
        default=0, ge=0, le=2**32 - 1, description="[-] Seed where the file holds distributions: servegen."
    )
    window_s: Annotated[tuple[SecondsOrZero, SecondsOrZero], Field(strict=False)] | None = Field(
        default=None, description="[s] Part of the file, from and to; its beginning is moment 0."
    )
    longest_tokens: Tokens | None = Field(
        default=None, description="[tokens] Prompt and output of the longest request kept; null: all."
    )
    spread_ticks: bool = Field(
        default=False, description="[-] Spread the arrivals of each moment at random up to the next."
    )
    sample_ratio: float = Field(
        default=1.0,
        gt=0.0,
        le=1.0,
        description="[-] Part of the tasks that is kept, drawn by the run's seed.",
    )
    rate_scale: float = Field(
        default=1.0, ge=1 / MOST_SCALE, le=MOST_SCALE, description="[-] How many times as fast tasks arrive."
    )
    outputs: Literal["recorded", "first_trial", "model"] = Field(
        default="recorded",
        description="[-] Whose outputs are recorded: all trials', the first trial's, or none's.",
    )

    concurrency: ClassVar[None] = None
    think_time_s: ClassVar[float] = 0.0

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        inline = tuple(getattr(self, name) for name in ROWS if name != "about")
        if (self.path is None) == all(column is None for column in inline):
            msg = "give either arrivals_s (with prompt_tokens, output_tokens) or path, and not both"
            raise ValueError(msg)
        if self.path is not None:
            if self.window_s is not None and self.window_s[0] >= self.window_s[1]:
                msg = f"window_s [{self.window_s[0]:g}, {self.window_s[1]:g}] ends before it begins"
                raise ValueError(msg)
            return self
        if stray := [name for name in OF_A_FILE if name in self.model_fields_set and self._is_set(name)]:
            msg = f"{', '.join(stray)} only with path: what to take from a file"
            raise ValueError(msg)
        self._check_rows()
        return self

    def _is_set(self, name: str) -> bool:
        return bool(getattr(self, name) != type(self).model_fields[name].default)

    def _check_rows(self) -> None:
        if not self.arrivals_s:
            msg = "arrivals_s must hold at least one arrival"
            raise ValueError(msg)
        if any(later < earlier for earlier, later in zip(self.arrivals_s, self.arrivals_s[1:], strict=False)):
            msg = "arrivals_s must not decrease"
            raise ValueError(msg)
        for name in COLUMNS[1:]:
            column = getattr(self, name)
            if column is not None and len(column) != len(self.arrivals_s):
                msg = f"{name} has {len(column)} rows but arrivals_s has {len(self.arrivals_s)}"
                raise ValueError(msg)
        if self.follow_ups is not None and self.follow_ups.tasks[-1] >= len(self.arrivals_s):
            msg = (
                f"follow_ups name task {self.follow_ups.tasks[-1]} of {len(self.arrivals_s)}, counted from 0"
            )
            raise ValueError(msg)
        if self.prefixes is not None:
            if self.prompt_tokens is None:
                msg = "prefixes say how prompts begin: give prompt_tokens too"
                raise ValueError(msg)
            turns = () if self.follow_ups is None else self.follow_ups.prompt_tokens
            self.prefixes.check_prompts(self.prompt_tokens, turns)

    @cached_property
    def table(self) -> Replay:
        """The whole trace, read from `path` if there is one."""
        if self.path is None:
            return Replay(
                self.arrivals_s or (),
                self.prompt_tokens,
                self.output_tokens,
                self.follow_ups,
                self.about,
                self.prefixes,
            )
        how = Reading(self.draw_seed, self.window_s)
        return replay(self.path, Part(self.format, how, self.longest_tokens))

    @property
    def most_tasks(self) -> int:
        """Tasks that are kept of the trace, at least one."""
        return max(1, round(self.sample_ratio * len(self.table.arrivals_s)))

    @property
    def recorded_prompt_tokens(self) -> tuple[int, ...] | None:
        """Prompt of each row, sampled or not, tokens, or None if not recorded."""
        return self.table.prompt_tokens

    @property
    def recorded_output_tokens(self) -> tuple[int, ...] | None:
        """Output of each row, sampled or not, tokens, or None if lengths are not (all) recorded."""
        return self.table.output_tokens if self.outputs == "recorded" else None

    @property
    def longest_turn_tokens(self) -> int:
        """Longest prompt and output of a request that follows another, tokens."""
        turns = self.table.follow_ups
        if turns is None:
            return 0
        return max(map(sum, zip(turns.prompt_tokens, turns.output_tokens, strict=True)))

    def recorded(self, streams: Streams) -> Recorded:
        """Return what is recorded of the tasks that a run with these random numbers has."""
        table = self.table
        rows = len(table.arrivals_s)
        outputs = None if self.outputs == "model" else table.output_tokens
        turns, tokens, prefixes = None, None, None
        if table.follow_ups is not None:
            turns, tokens = table.follow_ups.by_task(rows, table.prefixes)
            if outputs is None:
                tokens = None
        if table.prefixes is not None:
            prefixes = tuple(map(table.prefixes.of_task, range(rows)))
        chosen = self._chosen(streams)

        def kept(column: tuple[T, ...] | None) -> tuple[T, ...] | None:
            if column is None or chosen is None:
                return column
            return tuple(column[row] for row in chosen.tolist())

        return Recorded(
            kept(table.prompt_tokens),
            kept(outputs),
            self.outputs == "first_trial",
            kept(turns),
            kept(tokens),
            kept(prefixes),
        )

    def times_s(self, count: int, streams: Streams) -> NDArray[np.float64]:
        """Return the first `count` arrivals of the trace, shape (count,), s.

        Raises
        ------
        ValueError
            If the trace is shorter than `count`.
        """
        if count > self.most_tasks:
            msg = f"{count} arrivals asked of a trace of {self.most_tasks}"
            raise ValueError(msg)
        times = np.array(self.table.arrivals_s, dtype=np.float64)
        if self.spread_ticks:
            times = spread(times, streams.generator("trace_spread"))
        chosen = self._chosen(streams)
        if chosen is not None:
            times = times[chosen]
        return times[:count] if self.rate_scale == 1.0 else times[:count] / self.rate_scale

    def _chosen(self, streams: Streams) -> NDArray[np.int64] | None:
        """Return the rows that are kept, ascending; None for all."""
        rows = len(self.table.arrivals_s)
        if self.most_tasks == rows:
            return None
        drawn = streams.generator("trace_sample").permutation(rows)[: self.most_tasks]
        return np.sort(drawn).astype(np.int64)
