"""The reference engine: one SimPy event per step, explicit lists, nothing clever.

It decides what the fast engine decides, from a plain list of running sequences whose contexts are
counted one by one.  It is slow on purpose and stays in the tree as the oracle: the records of the two
engines are equal byte for byte.
"""

from __future__ import annotations

from collections.abc import Generator

from simpy import Event

from simulator.attention import ContextArray
from simulator.attention.budgets import kinds_by_budget, mixed_work
from simulator.attention.work import AttentionWork
from simulator.engine.clock import Boundary, boundary_priority
from simulator.engine.node import ServingNode
from simulator.engine.records import SequenceState
from simulator.engine.sequence import Sequence
from simulator.errors import InvariantViolation
from simulator.kvcache.cache import KvCache
from simulator.latency import StepLatency, StepLoad
from simulator.units import NS_PER_S


class ReferenceReplica:
    """A replica that takes one step at a time.

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
        self._node = node
        self._env = node.env
        self._engine = node.scenario.engine
        self._attention = node.scenario.model.attention
        budgets = node.scenario.workload.strategy.kv_budgets_tokens
        self._kinds = kinds_by_budget(self._attention, budgets)
        self._latency = latency
        self._cache = cache
        self._recorder = node.recorder.steps[index]
        self._waiting: list[Sequence] = []
        self._running: list[Sequence] = []
        self._to_cancel: list[Sequence] = []
        self._admissions = 0
        self._wakeup: Event | None = None
        self._env.process(self._serve())

    # -- what the node asks

    @property
    def outstanding(self) -> int:
        """Sequences waiting or running here."""
        return len(self._waiting) + len(self._running)

    def holds_task(self, task: int) -> bool:
        """Say whether sequences of `task` are waiting or running here."""
        return any(s.view.task == task for s in self._waiting + self._running)

    def forget(self, task: int) -> None:
        """Drop what is cached of an ended task."""
        self._cache.forget(task)

    def submit(self, sequence: Sequence) -> None:
        """Put a sequence into the queue."""
        self._waiting.append(sequence)
        if self._wakeup is not None:
            self._wakeup.succeed()
            self._wakeup = None

    def cancel(self, sequence: Sequence) -> None:
        """Stop a sequence: at once if it waits, at the next step boundary if it runs."""
        if sequence.state is SequenceState.WAITING:
            self._waiting.remove(sequence)
            self._node.cancelled(sequence)
        else:
            self._to_cancel.append(sequence)

    def settle(self, horizon_ns: int) -> None:
        """Nothing is left to do: every step that ended was an event before `horizon_ns`."""

    # -- the loop

    def _serve(self) -> Generator[Event, None, None]:
        while True:
            chunks = self._schedule_step()
            if not self._running:
                if self._waiting:
                    raise InvariantViolation(8, f"replica {self.index} idles with a waiting sequence")
                self._wakeup = self._env.event()
                yield self._wakeup
                yield Boundary(self._env, 0, self._priority)
                self._node.turn = self.index
                continue
            load = self._load(chunks)
            seconds = self._latency.step_seconds(load)
            duration_ns = max(round(float(seconds) * NS_PER_S), 1)
            start_ns = int(self._env.now)
            yield Boundary(self._env, duration_ns, self._priority)
            self._node.turn = self.index
            self._record(start_ns, load)
            self._end_step(chunks)

    def _schedule_step(self) -> dict[int, int]:
        """Preempt, grow, continue prompts and admit; return prefill tokens by sequence number."""
        preempted = False
        while self._blocks_to_grow() > self._cache.available:
            self._preempt_one()
            preempted = True
        self._cache.grow(self._blocks_to_grow())
        budget = self._engine.max_batched_tokens - len(self._decoding())
        chunks: dict[int, int] = {}
        for sequence in self._running:
            if sequence.remaining_prefill and budget:
                budget -= self._plan_chunk(sequence, chunks, budget)
        while not preempted and budget and len(self._running) < self._engine.max_sequences:
            admitted = self._admit_next()
            tokens = self._plan_chunk(admitted, chunks, budget) if admitted else 0
            if not tokens:
                break
            budget -= tokens
        return chunks

    def _decoding(self) -> list[Sequence]:
        return [s for s in self._running if not s.remaining_prefill]

    def _blocks_to_grow(self) -> int:
        """Return the blocks that decoding sequences need to write the token of the next step."""
        size = self._cache.block_tokens
        return sum(1 for s in self._decoding() if s.known_tokens % size == 1 or size == 1)

    def _preempt_one(self) -> None:
        if len(self._running) < 2:  # noqa: PLR2004 - the last one must be able to go on
            raise InvariantViolation(8, "the only running sequence ran out of KV blocks")
        policy = self._engine.scheduler
        victim = max(self._running, key=lambda s: policy.victim_rank(s.view, s.admitted))
        self._leave(victim, finished=False)
        victim.preemptions += 1
        victim.state = SequenceState.WAITING
        self._waiting.append(victim)

    def _admit_next(self) -> Sequence | None:
        if not self._waiting:
            return None
        head = min(self._waiting, key=lambda s: self._engine.scheduler.rank(s.view))
        cached = self._cache.admit(head.chain, head.known_tokens, alone=not self._running)
        if cached is None:
            return None
        if self._engine.prefill == "remote":
            cached = max(cached, head.view.prompt_tokens)
        cached = min(cached, head.known_tokens - 1)
        if head.started_ns < 0:
            head.started_ns = int(self._env.now)
            head.cached_tokens = cached
        head.remaining_prefill = head.known_tokens - cached
        head.state = SequenceState.RUNNING
        head.admitted = self._admissions
        self._admissions += 1
        self._waiting.remove(head)
        self._running.append(head)
        return head

    def _plan_chunk(self, sequence: Sequence, chunks: dict[int, int], budget: int) -> int:
        tokens = sequence.chunk_tokens(budget, self._engine.prefill_multiple_tokens)
        if not tokens:
            return 0
        chunks[sequence.view.number] = tokens
        if tokens == sequence.remaining_prefill:
            self._cache.mark_computed(sequence.chain)
        return tokens

    def _load(self, chunks: dict[int, int]) -> StepLoad:
        decoding = self._decoding()
        contexts = {budget: self._contexts(budget) for budget in self._kinds}
        tokens = attended = read = ends = 0
        for sequence in self._running:
            new = chunks.get(sequence.view.number, 0)
            if new:
                past = sequence.known_tokens - sequence.remaining_prefill
                tokens += new
                attended += self._attention.prefill_attended_tokens(past, new)
                read += self._attention.prefill_read_tokens(past, new)
                ends += new == sequence.remaining_prefill
        work = mixed_work(self._kinds, contexts, 1)
        return StepLoad(1, len(decoding), work, tokens, attended, read, ends)

    def _contexts(self, budget_tokens: int | None) -> ContextArray:
        """Return the contexts of the decoding sequences with one KV budget."""
        members = [s for s in self._decoding() if s.node.request.kv_budget_tokens == budget_tokens]
        return ContextArray([s.known_tokens for s in members], [s.prefix for s in members])

    def _record(self, start_ns: int, load: StepLoad) -> None:
        work: AttentionWork = load.decode
        self._recorder.add(
            [
                self.index,
                start_ns,
                int(self._env.now),
                1,
                load.decode_sequences,
                int(work.attended_tokens),
                int(work.read_tokens),
                0 if work.index_entries is None else int(work.index_entries),
                int(work.longest_tokens),
                load.prefill_tokens,
                load.prefill_attended_tokens,
                load.prefill_read_tokens,
                load.prefill_ends,
                self._cache.held,
                self._cache.held,
                int(self._env.now) - start_ns,
                int(self._env.now) - start_ns,
            ]
        )
        self._recorder.ended(int(self._env.now))

    def _end_step(self, chunks: dict[int, int]) -> None:
        """Give every sequence of the step its token; let those go that ended or were cancelled."""
        now = int(self._env.now)
        decoded = self._decoding()
        prefilled = [s for s in self._running if s.view.number in chunks]
        for sequence in prefilled:
            sequence.remaining_prefill -= chunks[sequence.view.number]
        produced = decoded + [s for s in prefilled if not s.remaining_prefill]
        for sequence in produced:
            sequence.view.generated_tokens += 1
            if sequence.first_token_ns < 0:
                sequence.first_token_ns = now
            elif sequence in prefilled:
                self._node.recorder.resumed(sequence, now)
        ended = [s for s in produced if s.view.generated_tokens == s.outcome.output_tokens]
        for sequence in ended:
            self._leave(sequence, finished=not sequence.cancelled)
        finished = [s for s in ended if not s.cancelled]
        for sequence in finished:
            sequence.state = SequenceState.FINISHED
        self._drop_cancelled()
        self._node.finished(finished)
        self._drop_cancelled()

    def _drop_cancelled(self) -> None:
        for sequence in self._to_cancel:
            if sequence in self._running:
                self._leave(sequence, finished=False)
            self._node.cancelled(sequence)
        self._to_cancel = []

    def _leave(self, sequence: Sequence, *, finished: bool) -> None:
        self._running.remove(sequence)
        # The keys and values of the last token produced are not written yet.
        tokens = sequence.known_tokens - (0 if sequence.remaining_prefill else 1)
        self._cache.release(sequence.chain, tokens, keep=sequence.keep if finished else None)
        if sequence.run.ended:
            self._cache.forget(sequence.view.task)
