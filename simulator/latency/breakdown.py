"""Where the time of recorded steps went, worked out afterwards from their integer records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from simulator.attention.work import FloatVector, IntVector


@dataclass(frozen=True, slots=True)
class StepRows:
    """Recorded steps as columns of shape (rows,); a row holds `steps` steps with equal members.

    The fields are those of `StepLoad`, each summed over the steps of the row, except
    `decode_sequences`, which is the same in all of them.
    """

    steps: IntVector
    decode_sequences: IntVector
    attended_tokens: IntVector
    read_tokens: IntVector
    index_entries: IntVector
    longest_tokens: IntVector
    prefill_tokens: IntVector
    prefill_attended_tokens: IntVector
    prefill_read_tokens: IntVector
    prefill_ends: IntVector


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the step time, columns of shape (rows,), on one GPU of the replica.

    Parameters
    ----------
    seconds : time spent, s.
    flops : floating-point operations.
    hbm_bytes : bytes read and written.
    peak_flops_per_s, peak_bytes_per_s : what bounds the part, for its percentage of the bound.
    """

    seconds: FloatVector
    flops: FloatVector
    hbm_bytes: FloatVector
    peak_flops_per_s: float
    peak_bytes_per_s: float

    @property
    def bound_seconds(self) -> FloatVector:
        """Return the least time the hardware needs for the part, s."""
        compute = self.flops / self.peak_flops_per_s
        memory = self.hbm_bytes / self.peak_bytes_per_s
        slower: FloatVector = compute.copy()
        slower[memory > compute] = memory[memory > compute]
        return slower


def by_value(keys: IntVector, function: Callable[[int], float]) -> FloatVector:
    """Return `function` of every key, worked out once per distinct one."""
    values, rows_of = np.unique(keys, return_inverse=True)
    results: FloatVector = np.array([function(int(value)) for value in values], dtype=np.float64)[rows_of]
    return results
