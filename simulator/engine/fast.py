"""The fast engine: one event per change of the batch, not per step or token.

Between two changes the members of a replica's batch are constant and each grows by one token a step,
so the latencies of the coming k steps are one short vector (a macro step).  k runs to the first
of: a sequence reaches its end, the KV pool runs dry, a member passes a cap of the attention.  A
submission or cancellation that matters shortens the macro step to the step in flight.  The records
are those of `simulator.engine.reference`, byte for byte (``docs/decisions/0003-macro-steps.md``).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, Literal

import numpy as np
from simpy import Event

from simulator.attention import Attention
from simulator.attention.aggregate import ContextAggregate
from simulator.attention.budgets import BudgetAggregate
from simulator.attention.work import AttentionWork, IntTotals, IntVector
from simulator.engine.batch import Batch
from simulator.engine.clock import Boundary, boundary_priority
from simulator.engine.node import ServingNode, TaskCounts
from simulator.engine.records import SequenceState
from simulator.engine.sequence import Sequence
from simulator.errors import InvariantViolation
from simulator.kvcache.cache import KvCache
from simulator.latency import StepLatency, StepLoad
from simulator.units import NS_PER_S

_NO_WORK: Final = AttentionWork(0, 0)


class FastReplica:
    """A replica that jumps from one change of its batch to the next.

    Parameters
    ----------
    index : place among the node's replicas.
    node : arrivals, trees and records.
    latency : how long steps take.
    cache : the KV blocks.
    """

    def __init__(self, index: int, node: ServingNode, *, latency: StepLatency, cache: KvCache) -> None:
        self.index = index
        self._priority = boundary_priority(index)
        self.outstanding = 0
        self._node = node
        self._env = node.env
        attention = node.scenario.model.attention
        # Bound once: read in every step, and a pydantic attribute takes ten times as long as a plain one.
        self._prefill_attended = attention.prefill_attended_tokens
        self._prefill_read = attention.prefill_read_tokens
        self._step_seconds = latency.step_seconds
        self._max_batched_tokens = node.scenario.engine.max_batched_tokens
        self._multiple = node.scenario.engine.prefill_multiple_tokens
        budgets = node.scenario.workload.strategy.kv_budgets_tokens
        self._contexts, self._decode_work = _statistics(attention, budgets, cache.block_tokens)
        self._kv_growth = self._contexts.granules(cache.block_tokens)
        self._batch = Batch(node.scenario.engine, cache, self._contexts)
        self._cache = cache
        self._recorder = node.recorder.steps[index]
        self._keeps_ends = self._recorder.keeps_ends
        self._tasks = TaskCounts()
        self._to_cancel: list[Sequence] = []
        self._chunks: list[tuple[Sequence, int]] = []
        # The macro step in flight: when its steps end (of a single step only `_end_ns` is known), and
        # how many of them will be taken.
        self._start_ns = self._end_ns = self._first_step_ns = 0
        self._ends: IntVector = np.zeros(0, dtype=np.int64)
        self._planned = 0
        self._load = StepLoad(0, 0, _NO_WORK)
        self._boundary: Event | None = None
        self._deciding = False

    # -- what the node asks

    def holds_task(self, task: int) -> bool:
        """Say whether sequences of `task` are waiting or running here."""
        return self._tasks.holds(task)

    def forget(self, task: int) -> None:
        """Drop what is cached of an ended task."""
        self._cache.forget(task)

    def submit(self, sequence: Sequence) -> None:
        """Put a sequence into the queue; an idle replica starts at once."""
        self.outstanding += 1
        self._tasks.add(sequence.view.task, 1)
        matters = self._batch.enqueue(sequence)
        if self._deciding:
            return
        if self._boundary is None:
            self._schedule(0)
        elif matters:
            self._shorten()

    def cancel(self, sequence: Sequence) -> None:
        """Stop a sequence: at once if it waits, at the next step boundary if it runs."""
        if sequence.state is SequenceState.WAITING:
            self._depart(sequence)
            self._node.cancelled(sequence)
        else:
            self._to_cancel.append(sequence)
        if not self._deciding and self._boundary is not None:
            self._shorten()

    def settle(self, horizon_ns: int) -> None:
        """Take account of the steps that ended before `horizon_ns`, where the run was cut."""
        if self._planned > 1:
            done = int(np.searchsorted(self._ends[: self._planned], horizon_ns, side="left"))
            if done:
                self._planned, self._end_ns = done, int(self._ends[done - 1])
                self._advance()
        for sequence in self._batch.decoding.values():
            self._batch.update_generated(sequence)

    # -- step boundaries

    def _schedule(self, delay_ns: int) -> None:
        self._boundary = Boundary(self._env, delay_ns, self._priority, self._at_boundary)

    def _shorten(self) -> None:
        """End the macro step with the step in flight.

        A boundary at this very time is still to come if this replica's turn is.
        """
        if self._planned <= 1:
            return
        now = int(self._env.now)
        side: Literal["left", "right"] = "left" if self.index > self._node.turn else "right"
        steps = int(self._ends[: self._planned].searchsorted(now, side)) + 1
        if steps < self._planned:
            self._planned, self._end_ns = steps, int(self._ends[steps - 1])
            self._schedule(self._end_ns - now)

    def _at_boundary(self, event: Event) -> None:
        if event is not self._boundary:
            return  # the macro step was shortened since this event was scheduled
        self._node.turn = self.index
        self._deciding = True
        if self._planned:
            self._advance()
            self._finish_sequences()
        if self._to_cancel:
            self._drop_cancelled([])
        self._boundary = None
        self._start_step()
        self._deciding = False

    def _advance(self) -> None:
        """Take account of the planned steps of the macro step in flight."""
        steps = self._planned
        _, decoding, (attended, read, index, longest), *prefill = self._load
        held_steps = self._cache.held * steps
        if steps > 1:
            # The blocks of the first step were held when it started; those of the others come now.
            growth, growth_steps = self._kv_growth.growth(steps)
            held_steps += growth_steps
            self._cache.grow(growth)
        if decoding:
            self._contexts.advance(steps)
        attended_sum = _sum(attended, steps)
        self._recorder.add(
            [
                self.index,
                self._start_ns,
                self._end_ns,
                steps,
                decoding,
                attended_sum,
                attended_sum if read is attended else _sum(read, steps),
                0 if index is None else _sum(index, steps),
                _sum(longest, steps),
                *prefill,
                self._cache.held,
                held_steps,
                self._first_step_ns,
                self._end_ns - (int(self._ends[steps - 2]) if steps > 1 else self._start_ns),
            ]
        )
        if self._keeps_ends:
            self._recorder.ended(self._end_ns, self._ends[:steps] if steps > 1 else None)
        self._planned = 0

    def _finish_sequences(self) -> None:
        """Let go of the sequences that ended with the step or were cancelled during it."""
        batch = self._batch
        done = batch.take_finished()
        if self._chunks:
            done += self._finish_prefills()
        for sequence in done:
            self._depart(sequence)
            batch.release(sequence, finished=not sequence.cancelled)
            if not sequence.cancelled:
                sequence.state = SequenceState.FINISHED
        if self._to_cancel:
            self._drop_cancelled(done)
        if done:
            self._node.finished([s for s in done if not s.cancelled])

    def _finish_prefills(self) -> list[Sequence]:
        """Move prompts on by the chunks just computed; return the sequences that ended with it."""
        batch, now = self._batch, int(self._env.now)
        ended = []
        for sequence, tokens in self._chunks:
            sequence.remaining_prefill -= tokens
            if sequence.remaining_prefill:
                continue
            batch.prefilling.remove(sequence)
            view = sequence.view
            view.generated_tokens += 1
            if sequence.first_token_ns < 0:
                sequence.first_token_ns = now
            else:
                self._node.recorder.resumed(sequence, now)
            if view.generated_tokens == sequence.outcome.output_tokens:
                ended.append(sequence)
            else:
                batch.start_decoding(sequence)
        self._chunks = []
        return ended

    def _drop_cancelled(self, ended: list[Sequence]) -> None:
        """Take cancelled sequences out of the batch, those aside that `ended` in the same step."""
        for sequence in self._to_cancel:
            if sequence not in ended:
                self._depart(sequence)
                self._batch.leave(sequence)
            self._node.cancelled(sequence)
        self._to_cancel = []

    def _depart(self, sequence: Sequence) -> None:
        self.outstanding -= 1
        self._tasks.add(sequence.view.task, -1)

    # -- the next step

    def _start_step(self) -> None:
        batch, contexts, now = self._batch, self._contexts, int(self._env.now)
        preempted = self._make_room()
        if batch.prefilling or batch.waits:
            self._plan_chunks(now, admit=not preempted)
        else:
            self._chunks = []
        decoding = contexts.count()
        if self._chunks:
            load = self._prefill_load(decoding)
        elif decoding:
            load = self._decode_load(decoding, single=preempted and batch.head() is not None)
        elif batch.head() is not None:
            raise InvariantViolation(8, f"replica {self.index} idles with a waiting sequence at {now} ns")
        else:
            return
        self._start_ns, self._load, self._planned = now, load, load.steps
        self._end_ns = self._end_of(load, now)
        self._schedule(self._end_ns - now)

    def _end_of(self, load: StepLoad, now: int) -> int:
        """Return when the steps of `load` end, each rounded to a nanosecond and at least one."""
        seconds = self._step_seconds(load)
        if isinstance(seconds, float):
            self._first_step_ns = max(round(seconds * NS_PER_S), 1)
            return now + self._first_step_ns
        durations = np.rint(seconds * NS_PER_S).astype(np.int64)
        if durations[0] < 1:  # contexts grow, so the first step is the shortest
            durations = np.maximum(durations, 1)
        self._first_step_ns = int(durations[0])
        durations[0] += now
        self._ends = durations.cumsum()
        return int(self._ends[-1])

    def _make_room(self) -> bool:
        """Hold the blocks that decoding needs in the next step, preempting where they do not fit."""
        batch, cache = self._batch, self._cache
        preempted = False
        while batch.decoding:
            need = self._kv_growth.entering()
            if not need:
                break
            if need <= cache.available:
                cache.grow(need)
                break
            batch.preempt_one()
            preempted = True
        return preempted

    def _plan_chunks(self, now: int, *, admit: bool) -> None:
        """Share the step's token budget among the prompts in progress, then admit more."""
        batch = self._batch
        budget = self._max_batched_tokens - len(batch.decoding)
        chunks = self._chunks = []
        for sequence in batch.prefilling:
            if not budget:
                break
            budget -= self._add_chunk(sequence, budget)
        while admit and budget:
            admitted = batch.admit_next(now)
            tokens = self._add_chunk(admitted, budget) if admitted else 0
            if not tokens:
                break
            budget -= tokens
        self._chunks = chunks

    def _add_chunk(self, sequence: Sequence, budget: int) -> int:
        tokens = sequence.chunk_tokens(budget, self._multiple)
        if not tokens:
            return 0
        self._chunks.append((sequence, tokens))
        if tokens == sequence.remaining_prefill:
            self._cache.mark_computed(sequence.chain)
        return tokens

    def _prefill_load(self, decoding: int) -> StepLoad:
        tokens = attended = read = ends = 0
        for sequence, new in self._chunks:
            past = sequence.known_tokens - sequence.remaining_prefill
            tokens += new
            attended += self._prefill_attended(past, new)
            read += self._prefill_read(past, new)
            ends += new == sequence.remaining_prefill
        work = self._decode_work(1) if decoding else _NO_WORK
        return StepLoad(1, decoding, work, tokens, attended, read, ends)

    def _decode_load(self, decoding: int, *, single: bool) -> StepLoad:
        steps = 1 if single else self._window()
        return StepLoad(steps, decoding, self._decode_work(steps))

    def _window(self) -> int:
        """Return how many steps pass before the batch can change of itself."""
        contexts, available = self._contexts, self._cache.available
        steps = contexts.linear_steps()
        finish = self._batch.steps_to_finish()
        if finish is not None and finish < steps:
            steps = finish
        most = -(-steps // self._cache.block_tokens) * contexts.count()
        if most > available:
            steps = min(steps, self._kv_growth.steps_within(available))
        return steps


def _statistics(
    attention: Attention, budgets_tokens: tuple[int, ...], block_tokens: int
) -> tuple[ContextAggregate, Callable[[int], AttentionWork]]:
    """Return the statistics of a decode batch and the function that tells its work in coming steps."""
    if budgets_tokens:
        mixed = BudgetAggregate(attention, budgets_tokens, granules=(block_tokens,))
        return mixed, mixed.work
    granules = sorted({block_tokens, *attention.granules})
    contexts = ContextAggregate(granules=granules, caps=attention.caps)
    return contexts, partial(attention.step_work, contexts)


def _sum(totals: IntTotals, steps: int) -> int:
    """Return the sum of the first `steps` totals."""
    if isinstance(totals, int):
        return totals
    return int((totals if steps == len(totals) else totals[:steps]).sum())
