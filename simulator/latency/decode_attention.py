"""The time of decode attention in one layer, from what was measured of its kernel.

A kernel divides the keys and values of each sequence and KV head among thread blocks, of which as many run
at once as the GPU has multiprocessors.  With many sequences each gets one block: then a long context keeps
its block reading after all others are done, and sequences beyond the blocks that run at once begin late.
Calibrations without such a measurement (`simulator.hardware.calibration.SplitFit`) read in balance.

Contexts enter through sums, products, larger-of and square roots only, which are rounded alike for a number
and in a vector.
"""

from __future__ import annotations

import numpy as np

from simulator.attention.work import AttentionWork, FloatVector, IntTotals, IntVector, Seconds
from simulator.deployment import Deployment
from simulator.hardware import Calibration
from simulator.hardware.forms import late_ratio, outlasting, splits, square_norm
from simulator.latency.breakdown import StepRows, by_value
from simulator.latency.operations import AttentionCosts


class BoundDecodeAttention:
    """Decode attention of one deployment.

    Parameters
    ----------
    calibration : what was measured; a format of keys and values that was not reads at full bandwidth.
    deployment : the model and its plan.
    costs : bytes and FLOPs of its attention.
    bytes_per_s : the data sheet's bandwidth.

    Attributes
    ----------
    read_s : time of reading a token's keys and values in one layer, s.
    """

    def __init__(
        self, calibration: Calibration, deployment: Deployment, costs: AttentionCosts, bytes_per_s: float
    ) -> None:
        fit = calibration.decode_attention.get(deployment.kv_dtype)
        selects = deployment.attention.index_block_tokens
        selection = calibration.selection if selects else None
        self._kv_heads = deployment.kv_heads
        layers = deployment.architecture.attention_layers
        ratio = selection.gather_ratio if selection else fit.memory_ratio if fit else 1.0
        scan_ratio = selection.scan_ratio if selection else ratio
        token_bytes = costs.read_bytes / layers
        self._squarings = fit.squarings if fit else 4
        self._sequence_s = deployment.kv_heads * fit.sequence_head_s if fit else 0.0
        self.read_s = token_bytes / (ratio * bytes_per_s)
        # Reading begins slowly: what the first bytes take beyond the rate of the others, by token.
        self._slow_tokens = fit.small_bytes / token_bytes if fit else 0.0
        self._slow_s = token_bytes / (fit.small_ratio * bytes_per_s) - self.read_s if fit else 0.0
        self._index_s = costs.index_bytes / layers / (scan_ratio * bytes_per_s)
        self._launch_s = fit.launch_s if fit else 0.0
        self._selection_launch_s = selection.launch_s if selection else self._launch_s
        self._split = calibration.split
        self._thread_blocks = self._split.blocks if self._split else 1
        self._block_token_s = (
            token_bytes / deployment.kv_heads / self._split.block_bytes_per_s if self._split else 0.0
        )
        self._blocks: dict[tuple[int, int], tuple[float, float]] = {}

    def seconds(self, work: AttentionWork, sequences: int, batch: int) -> Seconds:
        """Return the time in one layer, s.

        Parameters
        ----------
        work : of the coming steps.
        sequences : that decode.
        batch : that the kernel is launched for: `sequences`, or more where a captured graph is padded.
        """
        tokens, slow = work.read_tokens, self._slow_tokens
        # Contexts grow: where the first step is past the slow beginning, all are.
        first = tokens if isinstance(tokens, int) else tokens[0]
        begun = slow if first >= slow else np.minimum(tokens, slow)
        seconds: Seconds = self._balanced(tokens, begun, sequences)
        if self._split is not None:
            token_s, late = self._blocks.get((sequences, batch)) or self._block_numbers(sequences, batch)
            seconds = outlasting(seconds, work.longest_tokens * token_s, late)
        seconds = self._launch_s + seconds
        if work.index_entries is not None:
            seconds = seconds + (work.index_entries * self._index_s + self._selection_launch_s)
        return seconds

    def _balanced(
        self, tokens: IntTotals | FloatVector, begun: FloatVector | float, sequences: int | IntVector
    ) -> Seconds:
        """Return the time of reading with all blocks busy to the end, s; `begun` tokens are read slowly."""
        traffic = tokens * self.read_s + begun * self._slow_s
        return square_norm(traffic, self._sequence_s * sequences, self._squarings)

    def _block_numbers(self, sequences: int, batch: int) -> tuple[float, float]:
        """Return the time per token of the longest context, s, and the part of it that begins late."""
        numbers = self._blocks[sequences, batch] = (self._longest_token_s(batch), self._late(sequences))
        return numbers

    def _longest_token_s(self, batch: int) -> float:
        return self._block_token_s / splits(self._thread_blocks, batch * self._kv_heads)

    def _late(self, sequences: int) -> float:
        return late_ratio(self._thread_blocks, sequences * self._kv_heads)

    def parts(self, rows: StepRows, batches: IntVector) -> dict[str, FloatVector]:
        """Return the time in one layer of recorded rows, s: ``attention`` and, with an index, ``selection``.

        A row of several steps is worked out at the mean of its steps.

        Parameters
        ----------
        rows : what was recorded.
        batches : that the kernel was launched for, shape (rows,).
        """
        steps, decodes = rows.steps.astype(np.float64), rows.decode_sequences > 0
        mean = rows.read_tokens / steps
        reading = self._balanced(mean, np.minimum(mean, self._slow_tokens), rows.decode_sequences)
        if self._split is not None:
            token_s = by_value(batches, self._longest_token_s)
            late = by_value(rows.decode_sequences, self._late)
            reading = outlasting(reading, rows.longest_tokens / steps * token_s, late)
        found = {"attention": steps * decodes * (self._launch_s + reading)}
        if self._index_s:
            launches = steps * decodes * self._selection_launch_s
            found["selection"] = rows.index_entries * self._index_s + launches
        return found
