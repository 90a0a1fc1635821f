"""Output lengths of the closed forms: one for all trials, recorded ones, or the moments of a distribution.

With random lengths the forms replace L by E[L] and L^2 by E[L^2] (Kinetics, arXiv 2506.05333, Eq. 10).  That
is exact for what is a polynomial of the length.  A KV budget that fills only during the generation is
not: recorded lengths are then averaged one by one, and moments suffice only where every trial fills it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.errors import SimulatorError
from simulator.frozen import MOST_TOKENS
from simulator.kinetics.checks import check_positive, check_whole, is_whole

LONGEST_TOKENS = MOST_TOKENS
"""Longest output that is taken for a length rather than for a slip of the pen."""


@dataclass(frozen=True, slots=True)
class LengthMoments:
    """A distribution of output lengths by its moments.

    Parameters
    ----------
    mean_tokens : E[L].
    mean_square_tokens2 : E[L^2], tokens squared; at least the square of the mean.
    shortest_tokens, longest_tokens : the range of lengths.

    Raises
    ------
    SimulatorError
        If no distribution has these moments.
    """

    mean_tokens: float
    mean_square_tokens2: float
    shortest_tokens: int
    longest_tokens: int

    def __post_init__(self) -> None:
        for name in ("shortest_tokens", "longest_tokens"):
            object.__setattr__(self, name, check_whole(name, getattr(self, name), least=1))
        for name in ("mean_tokens", "mean_square_tokens2"):
            object.__setattr__(self, name, check_positive(name, getattr(self, name)))
        low, mean, high = self.shortest_tokens, self.mean_tokens, self.longest_tokens
        if not (1 <= low <= mean <= high <= LONGEST_TOKENS):
            message = (
                f"lengths from {low} to {high} tokens with mean {mean:g}; allowed: "
                f"1 <= shortest <= mean <= longest <= {LONGEST_TOKENS}"
            )
            raise SimulatorError(message)
        least, most = mean**2, mean * (low + high) - low * high
        # What a mean of squares can lose to rounding is no contradiction.
        if not (least * (1 - 1e-12) <= self.mean_square_tokens2 <= most * (1 + 1e-12)):
            message = (
                f"mean_square_tokens2 {self.mean_square_tokens2:g} with mean {mean:g} and lengths from {low} "
                f"to {high}; allowed: {least:g} to {most:g}"
            )
            raise SimulatorError(message)

    def missing_tokens(self, short: int, *, whole_steps: bool) -> float:
        """Return what a trial attends to less than its budget while that fills, mean over trials.

        Parameters
        ----------
        short : tokens by which the prompt is shorter than the budget.
        whole_steps : sum over steps; otherwise the integral.

        Raises
        ------
        SimulatorError
            If some trials end before the budget is full: moments do not say how many.
        """
        check_filled(self, short, otherwise="recorded lengths instead of moments")
        return 0.5 * short * (short - 1 if whole_steps else short)

    def whole_blocks(self, prompt_tokens: int, block_tokens: int) -> float:
        """Refuse: blocks begun are no polynomial of the length.

        Raises
        ------
        SimulatorError
            Always.
        """
        message = (
            f"moments do not give the blocks of {block_tokens} tokens that whole steps score after a prompt "
            f"of {prompt_tokens}; allowed: recorded lengths, or summation 'integral'"
        )
        raise SimulatorError(message)


@dataclass(frozen=True, slots=True)
class RecordedLengths:
    """Output lengths one by one.

    Parameters
    ----------
    tokens : each at least 1.

    Raises
    ------
    SimulatorError
        If there are none, or one is out of range.
    """

    tokens: tuple[int, ...]

    def __post_init__(self) -> None:
        bad = [n for n in self.tokens if not is_whole(n) or not 1 <= n <= LONGEST_TOKENS]
        if bad or not self.tokens:
            what = f"output_tokens {bad[0]!r}" if bad else "no output_tokens"
            message = f"{what}; allowed: one or more whole numbers from 1 to {LONGEST_TOKENS}"
            raise SimulatorError(message)
        object.__setattr__(self, "tokens", tuple(int(n) for n in self.tokens))

    @property
    def mean_tokens(self) -> float:
        """E[L]."""
        return sum(self.tokens) / len(self.tokens)

    @property
    def mean_square_tokens2(self) -> float:
        """E[L^2], tokens squared."""
        return sum(n * n for n in self.tokens) / len(self.tokens)

    @property
    def shortest_tokens(self) -> int:
        """Shortest of them."""
        return min(self.tokens)

    @property
    def longest_tokens(self) -> int:
        """Longest of them."""
        return max(self.tokens)

    def missing_tokens(self, short: int, *, whole_steps: bool) -> float:
        """Return what a trial attends to less than its budget while that fills, mean over trials.

        Parameters
        ----------
        short : tokens by which the prompt is shorter than the budget.
        whole_steps : sum over steps; otherwise the integral.
        """
        ramp = np.minimum(self._array(), short)
        missing = 2 * ramp * short - ramp * (ramp + 1 if whole_steps else ramp)
        return int(missing.sum()) / 2 / len(self.tokens)

    def whole_blocks(self, prompt_tokens: int, block_tokens: int) -> float:
        """Return the blocks begun, summed over the steps of a trial, mean over trials.

        Parameters
        ----------
        prompt_tokens : context before the first step.
        block_tokens : tokens of a block.
        """
        counts = _blocks_up_to(prompt_tokens + self._array(), block_tokens)
        before = _blocks_up_to(np.array([prompt_tokens]), block_tokens)
        return int((counts - before).sum()) / len(self.tokens)

    def _array(self) -> NDArray[np.int64]:
        return np.asarray(self.tokens, dtype=np.int64)


OutputLengths = LengthMoments | RecordedLengths
OutputTokens = int | Sequence[int] | NDArray[np.int64] | OutputLengths


def output_lengths(output_tokens: OutputTokens) -> OutputLengths:
    """Return lengths however they were given: one for all, one by one, or as moments.

    Examples
    --------
    >>> output_lengths([100, 300]).mean_square_tokens2
    50000.0
    """
    if isinstance(output_tokens, LengthMoments | RecordedLengths):
        return output_tokens
    if isinstance(output_tokens, str) or not isinstance(output_tokens, Sequence | np.ndarray):
        return RecordedLengths((output_tokens,))
    return RecordedLengths(tuple(output_tokens))


def check_filled(lengths: OutputLengths, short: int, *, otherwise: str) -> None:
    """Refuse trials that end before their KV budget is full.

    Parameters
    ----------
    lengths : of the trials.
    short : tokens by which the prompt is shorter than the budget.
    otherwise : what else is allowed, in words.

    Raises
    ------
    SimulatorError
        With what is allowed.
    """
    shortest = lengths.shortest_tokens
    if shortest < short:
        message = (
            f"a budget {short} tokens longer than the prompt is not full when the shortest output of "
            f"{shortest} tokens ends; allowed: a budget at most {shortest} tokens longer than the prompt, "
            f"or {otherwise}"
        )
        raise SimulatorError(message)


def _blocks_up_to(contexts: NDArray[np.int64], block: int) -> NDArray[np.int64]:
    """Return the sum of ceil(c / block) over c from 1 to each context."""
    whole, rest = np.divmod(contexts, block)
    blocks: NDArray[np.int64] = block * whole * (whole + 1) // 2 + rest * (whole + 1)
    return blocks
