"""The queue and the running batch of a replica in the fast engine.

Holds what changes only at step boundaries: the waiting heap, the prompts being prefilled, the KV
blocks.  The members of the running batch that decode are known to `ContextAggregate` as sums; this
module keeps the list of them only to find a victim when KV memory runs out.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush

from simulator.attention.aggregate import ContextAggregate
from simulator.engine.records import SequenceState
from simulator.engine.sequence import Sequence
from simulator.errors import InvariantViolation
from simulator.kvcache.cache import KvCache
from simulator.scenario.schema import EngineConfig
from simulator.scheduling import Rank


class Batch:
    """Waiting and running sequences of one replica.

    Parameters
    ----------
    engine : limits and policies.
    cache : the replica's KV blocks.
    contexts : sums over the decoding sequences, kept up to date here.
    """

    def __init__(self, engine: EngineConfig, cache: KvCache, contexts: ContextAggregate) -> None:
        self.cache = cache
        self.contexts = contexts
        self.prefilling: list[Sequence] = []
        self.decoding: dict[int, Sequence] = {}
        self._rank = engine.scheduler.rank
        self._victim_rank = engine.scheduler.victim_rank
        self._max_sequences = engine.max_sequences
        self._delivered = engine.prefill == "remote"
        self._waiting: list[tuple[Rank, Sequence]] = []
        self._finishes: list[tuple[int, int, Sequence]] = []
        # Who gives way first; kept only once memory has run out for the first time.
        self._victims: list[tuple[Rank, int, Sequence]] | None = None
        self._admissions = 0

    @property
    def waits(self) -> bool:
        """Whether anything may be in the queue; entries that were cancelled count."""
        return bool(self._waiting)

    @property
    def running(self) -> int:
        """Sequences that prefill or decode."""
        return len(self.prefilling) + len(self.decoding)

    # -- the queue

    def enqueue(self, sequence: Sequence) -> bool:
        """Put a sequence into the queue; say whether it might be admitted before those already there."""
        rank = self._rank(sequence.view)
        head = self.head()
        heappush(self._waiting, (rank, sequence))
        return self.has_room() and (head is None or self._waiting[0][1] is sequence)

    def head(self) -> Sequence | None:
        """Return the next sequence to admit, or None."""
        waiting = self._waiting
        while waiting and waiting[0][1].cancelled:
            heappop(waiting)
        return waiting[0][1] if waiting else None

    def has_room(self) -> bool:
        """Say whether `max_sequences` allows one more."""
        return self.running < self._max_sequences

    def admit_next(self, now_ns: int) -> Sequence | None:
        """Admit the head of the queue if its blocks fit; return it, or None."""
        running = len(self.prefilling) + len(self.decoding)
        if not self._waiting or running >= self._max_sequences:
            return None
        sequence = self.head()
        if sequence is None:
            return None
        tokens = sequence.known_tokens
        cached = self.cache.admit(sequence.chain, tokens, alone=not running)
        if cached is None:
            return None
        heappop(self._waiting)
        if self._delivered:
            cached = max(cached, sequence.view.prompt_tokens)
        # The last known token is computed in any case: its output is the next token.
        cached = min(cached, tokens - 1)
        if sequence.started_ns < 0:
            sequence.started_ns = now_ns
            sequence.cached_tokens = cached
        sequence.remaining_prefill = tokens - cached
        sequence.state = SequenceState.RUNNING
        sequence.admitted = self._admissions
        self._admissions += 1
        self.prefilling.append(sequence)
        if self._victims is not None:
            heappush(self._victims, self._victim_entry(sequence))
        return sequence

    # -- prefill and decode

    def start_decoding(self, sequence: Sequence) -> None:
        """Let a sequence whose prefill has just produced a token decode from the next step on."""
        contexts = self.contexts
        budget = sequence.node.request.kv_budget_tokens
        sequence.offset = contexts.join(sequence.known_tokens, sequence.prefix, budget)
        self.decoding[sequence.admitted] = sequence
        left = sequence.outcome.output_tokens - sequence.view.generated_tokens
        heappush(self._finishes, (contexts.step + left, sequence.admitted, sequence))

    def update_generated(self, sequence: Sequence) -> None:
        """Work out how many tokens a decoding sequence has produced by now."""
        view = sequence.view
        view.generated_tokens = self.contexts.step + sequence.offset - view.prompt_tokens

    def steps_to_finish(self) -> int | None:
        """Return in how many decode steps the first sequence ends, or None if none decodes."""
        finishes, decoding = self._finishes, self.decoding
        while finishes and decoding.get(finishes[0][1]) is not finishes[0][2]:
            heappop(finishes)
        return finishes[0][0] - self.contexts.step if finishes else None

    def take_finished(self) -> list[Sequence]:
        """Remove the decoding sequences that have reached their end, in the order of admission."""
        finishes, decoding, step = self._finishes, self.decoding, self.contexts.step
        done = []
        while finishes and finishes[0][0] <= step:
            _, admitted, sequence = heappop(finishes)
            if decoding.get(admitted) is sequence:
                self.stop_decoding(sequence)
                done.append(sequence)
        return done

    def stop_decoding(self, sequence: Sequence) -> None:
        """Take a decoding sequence out of the batch; its blocks stay held."""
        self.update_generated(sequence)
        del self.decoding[sequence.admitted]
        self.contexts.leave(sequence.offset, sequence.prefix, sequence.node.request.kv_budget_tokens)

    # -- leaving

    def release(self, sequence: Sequence, *, finished: bool) -> None:
        """Free the blocks of a sequence that has left the batch, keeping what may be continued."""
        run = sequence.run
        keep = sequence.keep if finished else None
        tokens = sequence.known_tokens - (sequence.remaining_prefill == 0)
        self.cache.release(sequence.chain, tokens, keep=keep)
        if run.ended:
            self.cache.forget(run.task.index)

    def leave(self, sequence: Sequence) -> None:
        """Take a running sequence out of the batch and free its blocks."""
        if sequence.remaining_prefill:
            self.prefilling.remove(sequence)
        else:
            self.stop_decoding(sequence)
        self.release(sequence, finished=False)

    def preempt_one(self) -> None:
        """Put the running sequence that gives way first back into the queue, to be recomputed.

        Raises
        ------
        InvariantViolation
            If it is the only one: a sequence that fits the pool alone never runs out of blocks.
        """
        if self.running < 2:  # noqa: PLR2004 - the last one must be able to go on
            raise InvariantViolation(8, "the only running sequence ran out of KV blocks")
        victim = self._next_victim()
        self.leave(victim)
        victim.preemptions += 1
        victim.state = SequenceState.WAITING
        heappush(self._waiting, (self._rank(victim.view), victim))

    def _victim_entry(self, sequence: Sequence) -> tuple[Rank, int, Sequence]:
        rank = self._victim_rank(sequence.view, sequence.admitted)
        return tuple(-part for part in rank), sequence.admitted, sequence

    def _next_victim(self) -> Sequence:
        victims = self._victims
        if victims is None:
            running = [*self.decoding.values(), *self.prefilling]
            victims = self._victims = [self._victim_entry(sequence) for sequence in running]
            heapify(victims)
        while True:
            _, admitted, sequence = heappop(victims)
            if sequence.state is SequenceState.RUNNING and sequence.admitted == admitted:
                return sequence
