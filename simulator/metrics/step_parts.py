"""Step rows cut into short parts, so that what changes inside a long row is seen.

A row can hold thousands of steps over which contexts, step times and KV blocks grow.  Its records give
the first and last step time, the sums of both over the row, and the blocks at its end; what lies between
is worked out here: blocks grow linearly; step times grow linearly too, over the whole row or, where their
sum says that they do not, over a part of it: up to a KV budget, or from where memory overtakes compute.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from simulator.attention.work import FloatVector, IntVector
from simulator.metrics.tables import Columns

RESOLUTION: Final = 128
"""A row is cut so that, at even growth, step time and blocks change by at most 1/128 of their last value
within a part; so a percentile from parts is off by less than 1 % down to half the longest step."""


@dataclass(frozen=True, slots=True)
class StepParts:
    """Parts of step rows, shape (parts,) each; the parts of a row fill its time and hold its steps.

    Parameters
    ----------
    start_ns, end_ns : bounds.
    steps : steps in the part.
    decode_sequences : sequences that each step gives a token.
    tokens : output tokens of the part, those of completed prompts included.
    kv_blocks : mean number of KV blocks held.
    """

    start_ns: IntVector
    end_ns: IntVector
    steps: IntVector
    decode_sequences: IntVector
    tokens: IntVector
    kv_blocks: FloatVector

    @classmethod
    def of(cls, steps: Columns) -> StepParts:
        """Return the parts of step rows given as columns named as in `simulator.engine.records`."""
        k = steps["steps"]
        first_blocks = 2.0 * steps["kv_block_steps"] / k - steps["kv_blocks"]
        parts = _parts_per_row(steps, first_blocks)
        row = np.repeat(np.arange(len(k)), parts)
        place = np.arange(len(row)) - np.repeat(np.cumsum(parts) - parts, parts)
        begin, until = k[row] * place // parts[row], k[row] * (place + 1) // parts[row]
        middle = (begin + until) / (2.0 * k[row])
        decoding, count = steps["decode_sequences"][row], until - begin
        return cls(
            start_ns=_moments(steps, row, begin),
            end_ns=_moments(steps, row, until),
            steps=count,
            decode_sequences=decoding,
            tokens=decoding * count + steps["prefill_ends"][row],
            kv_blocks=first_blocks[row] + (steps["kv_blocks"] - first_blocks)[row] * middle,
        )


def _parts_per_row(steps: Columns, first_blocks: FloatVector) -> IntVector:
    """Return into how many parts each row is cut: as many as its growth needs, never more than its steps."""
    growth = steps["last_step_ns"] - steps["first_step_ns"]
    time = np.abs(growth) / np.maximum(1, steps["last_step_ns"])
    blocks = np.abs(steps["kv_blocks"] - first_blocks) / np.maximum(1, steps["kv_blocks"])
    needed = np.ceil(RESOLUTION * np.minimum(1.0, np.maximum(time, blocks))).astype(np.int64)
    parts: IntVector = np.minimum(np.maximum(1, needed), steps["steps"])
    return parts


def _moments(steps: Columns, row: IntVector, done: IntVector) -> IntVector:
    """Return when `done` steps of each `row` are over, ns.

    Step times rise from `low` to `high` over the part `width` of the row, its first or its last, and
    are even over the rest; the width is what gives the recorded sum.
    """
    k, start, span = steps["steps"], steps["start_ns"], steps["end_ns"] - steps["start_ns"]
    # A step is as long as the curve over its width, so the curve ends half a step outside their middles.
    half = (steps["last_step_ns"] - steps["first_step_ns"]) / (2.0 * np.maximum(1, k - 1))
    low = np.maximum(0.0, steps["first_step_ns"] - half)
    high = steps["last_step_ns"] + half
    rise, mean = high - low, span / k
    even = np.minimum(high - mean, mean - low)
    width = np.clip(2.0 * even / np.where(rise == 0.0, 1.0, rise), 1e-9, 1.0)
    begin = np.where(mean - low >= high - mean, 0.0, 1.0 - width)

    def over(x: FloatVector, r: IntVector | slice) -> FloatVector:
        past = np.clip(x - begin[r], 0.0, width[r])
        after = np.maximum(0.0, x - begin[r] - width[r])
        integral: FloatVector = low[r] * x + rise[r] * (past * past / (2.0 * width[r]) + after)
        return integral

    whole = over(np.ones(len(k)), slice(None))
    share = over(done / k[row], row) / np.where(whole > 0.0, whole, 1.0)[row]
    moments: IntVector = start[row] + np.rint(share * span[row]).astype(np.int64)
    return moments
