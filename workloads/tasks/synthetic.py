"""Synthetic tasks: as many as wanted, with prompts of one length or lognormal ones."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from simulator.frozen import Count, FrozenModel, Tokens
from simulator.rng import Streams
from workloads.lengths.lognormal import LogSigma, MedianTokens


class LognormalPrompts(FrozenModel):
    """Prompt lengths whose logarithm is normal, clipped at a longest prompt."""

    median_tokens: MedianTokens = Field(description="[tokens] Median prompt (exp of the mean logarithm).")
    log_sigma: LogSigma = Field(description="[-] Standard deviation of the natural logarithm.")
    longest_tokens: Tokens = Field(
        default=32_768, description="[tokens] Longest prompt; longer draws are cut to it."
    )


class SyntheticTasks(FrozenModel):
    """`count` tasks; their prompts are drawn independently.

    Examples
    --------
    >>> SyntheticTasks(count=3, prompt_tokens=512).prompt_lengths_tokens(Streams(1)).tolist()
    [512, 512, 512]
    """

    kind: Literal["synthetic"] = Field(default="synthetic", description="[-] Selects this task set.")
    count: Count = Field(description="[tasks] Tasks in the run.")
    prompt_tokens: Tokens | LognormalPrompts = Field(
        description="[tokens] Prompt of every task, or its lognormal distribution."
    )

    @property
    def task_count(self) -> int:
        """Tasks in the run."""
        return self.count

    @property
    def longest_prompt_tokens(self) -> int:
        """Upper bound of any prompt, tokens."""
        prompts = self.prompt_tokens
        return prompts.longest_tokens if isinstance(prompts, LognormalPrompts) else prompts

    def prompt_lengths_tokens(self, streams: Streams) -> NDArray[np.int64]:
        """Return the prompt of every task, shape (count,), tokens."""
        prompts = self.prompt_tokens
        if not isinstance(prompts, LognormalPrompts):
            return np.full(self.count, prompts, dtype=np.int64)
        z = streams.generator("prompt").standard_normal(self.count)
        tokens = np.rint(prompts.median_tokens * np.exp(prompts.log_sigma * z))
        return np.clip(tokens, 1.0, float(prompts.longest_tokens)).astype(np.int64)
