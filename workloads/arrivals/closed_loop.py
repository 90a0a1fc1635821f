"""Closed loop: a fixed number of users, each starting a task when its last one has ended."""

from __future__ import annotations

from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from simulator.frozen import Count, FrozenModel, SecondsOrZero, Tokens
from simulator.rng import Streams


class ClosedLoopArrivals(FrozenModel):
    """`concurrency` tasks at a time; the next one starts when one ends, after a pause.

    With recorded lengths the users take up the recorded requests one after the other, as the clients of a
    benchmark tool do.

    Raises
    ------
    ValueError
        If outputs are recorded for another number of tasks than prompts.

    Examples
    --------
    >>> ClosedLoopArrivals(concurrency=2).times_s(3, Streams(1)).tolist()
    [0.0, 0.0, 0.0]
    """

    kind: Literal["closed_loop"] = Field(default="closed_loop", description="[-] Selects this process.")
    concurrency: Count = Field(description="[tasks] Tasks in the system at once.")
    think_time_s: SecondsOrZero = Field(
        default=0.0, description="[s] Pause between the end of a task and the start of its successor."
    )

    prompt_tokens: Annotated[tuple[Tokens, ...], Field(strict=False, min_length=1)] | None = Field(
        default=None, description="[tokens] Prompt of each task, in order; overrides the task set's."
    )
    output_tokens: Annotated[tuple[Tokens, ...], Field(strict=False, min_length=1)] | None = Field(
        default=None, description="[tokens] Output of a trial of each task; overrides the length model's."
    )

    @model_validator(mode="after")
    def _recorded_alike(self) -> Self:
        prompts, outputs = self.prompt_tokens, self.output_tokens
        if prompts is not None and outputs is not None and len(prompts) != len(outputs):
            msg = f"output_tokens has {len(outputs)} rows but prompt_tokens has {len(prompts)}"
            raise ValueError(msg)
        return self

    @property
    def most_tasks(self) -> int | None:
        """Recorded tasks, or None where nothing is recorded."""
        recorded = self.prompt_tokens or self.output_tokens
        return None if recorded is None else len(recorded)

    @property
    def recorded_prompt_tokens(self) -> tuple[int, ...] | None:
        """Prompt of each task, tokens, or None if not recorded."""
        return self.prompt_tokens

    @property
    def recorded_output_tokens(self) -> tuple[int, ...] | None:
        """Output of each task, tokens, or None if not recorded."""
        return self.output_tokens

    def times_s(self, count: int, streams: Streams) -> NDArray[np.float64]:
        """Return zeros, shape (count,), s: every task is ready and waits for its turn."""
        del streams  # nothing is random
        return np.zeros(count)
