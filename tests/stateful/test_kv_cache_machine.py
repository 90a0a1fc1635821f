"""The KV cache against a naive pool of named blocks with explicit owners.

The model gives every block a number.  A part owns the blocks that end between its boundaries, a sequence
those of its context that no part of its chain owns, so a block cut by a boundary belongs to each
sequence by itself.  Nothing is counted; everything is looked up.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from simulator.kvcache.cache import OF_TASKS, Chain, KvCache, PartKey

TASKS = 3
SHARED_TOKENS = (5, 16)
"""Ends of two segments with which the prompts of tasks 1 and 2 begin, the second one continuing the first."""


@dataclass
class NaivePart:
    """A shared part and its blocks."""

    end: int
    blocks: list[int]
    holders: int = 0
    computed: bool = False
    tail: bool = False


@dataclass
class NaiveSequence:
    """A running sequence and the blocks that are its own."""

    task: int
    chain: Chain
    tokens: int
    blocks: list[int]
    computed: bool = False


@dataclass
class NaivePool:
    """Explicit sets in place of counters; `unheld` is in the order of release."""

    size: int
    free: list[int]
    parts: dict[PartKey, NaivePart] = field(default_factory=dict)
    unheld: list[PartKey] = field(default_factory=list)

    def owned_places(self, start: int, end: int) -> list[int]:
        """Return the places of the blocks that end after `start` and no later than `end`."""
        return [i for i in range(end // self.size + 1) if start < (i + 1) * self.size <= end]

    def places(self, chain: Chain, tokens: int) -> tuple[dict[PartKey, list[int]], list[int]]:
        """Return the places that each part owns, and those left to the sequence."""
        start, by_part = 0, {}
        for key, end in chain:
            by_part[key] = self.owned_places(start, end)
            start = end
        shared = {place for places in by_part.values() for place in places}
        return by_part, [i for i in range(-(-tokens // self.size)) if i not in shared]

    def cached(self, chain: Chain) -> int:
        """Return the leading tokens in memory; the block cut by a part's end goes with its last holder."""
        known = 0
        for key, end in chain:
            part = self.parts.get(key)
            if part is None or not part.computed:
                break
            known = end if part.tail else end - end % self.size
        return known

    def need(self, chain: Chain, tokens: int) -> int:
        """Return the blocks that an admission would add."""
        by_part, own = self.places(chain, tokens)
        return len(own) + sum(len(places) for key, places in by_part.items() if key not in self.parts)

    def room(self, chain: Chain = ()) -> int:
        """Return the blocks that are free or cached for nobody, those of `chain` aside."""
        spared = {key for key, _ in chain}
        return len(self.free) + sum(len(self.parts[key].blocks) for key in self.unheld if key not in spared)

    def evict_for(self, blocks: int) -> None:
        while len(self.free) < blocks:
            self.drop(self.unheld[0])

    def take(self, blocks: int) -> list[int]:
        self.evict_for(blocks)
        return [self.free.pop() for _ in range(blocks)]

    def drop(self, key: PartKey) -> None:
        self.free += self.parts.pop(key).blocks
        if key in self.unheld:
            self.unheld.remove(key)

    def admit(self, task: int, chain: Chain, tokens: int) -> NaiveSequence:
        need = self.need(chain, tokens)
        self.unheld = [key for key in self.unheld if key not in dict(chain)]
        self.evict_for(need)
        by_part, own = self.places(chain, tokens)
        for key, end in chain:
            if key not in self.parts:
                self.parts[key] = NaivePart(end, self.take(len(by_part[key])))
            self.parts[key].holders += 1
        return NaiveSequence(task, chain, tokens, self.take(len(own)))

    def release(self, sequence: NaiveSequence, keep: PartKey | None) -> None:
        own = list(sequence.blocks)
        if keep is not None:
            kept = len(self.owned_places(end_of(sequence.chain), sequence.tokens))
            self.parts[keep] = NaivePart(sequence.tokens, own[:kept], computed=True)
            self.unheld.append(keep)
            own = own[kept:]
        self.free += own
        for key, _ in reversed(sequence.chain):
            part = self.parts[key]
            part.holders -= 1
            part.tail = part.tail and part.holders > 0
            if not part.holders and part.computed:
                self.unheld.append(key)
            elif not part.holders:
                self.drop(key)


def end_of(chain: Chain) -> int:
    return chain[-1][1] if chain else 0


class KvCaches(RuleBasedStateMachine):
    """Drives both as an engine does: admit, compute, grow, release, keep for children, forget."""

    @initialize(
        blocks=st.integers(3, 16),
        size=st.sampled_from([1, 3, 4, 16]),
        watermark=st.integers(0, 4),
        prompts=st.lists(st.integers(0, 40), min_size=TASKS, max_size=TASKS),
    )
    def start(self, blocks: int, size: int, watermark: int, prompts: list[int]) -> None:
        self.cache = KvCache(blocks=blocks, block_tokens=size, watermark_blocks=watermark)
        self.naive = NaivePool(size, list(range(blocks)))
        self.watermark, self.blocks = watermark, blocks
        self.running: list[NaiveSequence] = []
        self.chains: list[tuple[int, Chain]] = []
        for task, tokens in enumerate(prompts):
            shared = tuple(((OF_TASKS, s), SHARED_TOKENS[s]) for s in range(task))
            end = end_of(shared)
            self.chains.append((task, (*shared, ((task, -1), end + tokens)) if tokens else shared))
        self.chains.append((TASKS, ()))
        self.nodes = 0

    @rule(data=st.data(), more=st.integers(0, 30), alone=st.booleans())
    def admit(self, data: st.DataObject, more: int, *, alone: bool) -> None:
        task, chain = data.draw(st.sampled_from(self.chains))
        self.try_to_admit(task, chain, max(1, end_of(chain) + more), alone=alone)

    @rule(data=st.data(), over=st.integers(-1, 1))
    def admit_to_the_brim(self, data: st.DataObject, over: int) -> None:
        task, chain = data.draw(st.sampled_from(self.chains))
        shortest = max(1, end_of(chain))
        spare = self.naive.room(chain) + over - self.naive.need(chain, shortest)
        if spare >= 0:
            self.try_to_admit(task, chain, shortest + spare * self.naive.size, alone=True)

    def try_to_admit(self, task: int, chain: Chain, tokens: int, *, alone: bool) -> None:
        reserve = 0 if alone else self.watermark
        fits = self.naive.need(chain, tokens) + reserve <= self.naive.room(chain)
        expected = self.naive.cached(chain) if fits else None
        before = self.snapshot()
        assert self.cache.admit(chain, tokens, alone=alone) == expected
        if fits:
            self.running.append(self.naive.admit(task, chain, tokens))
        else:
            assert self.snapshot() == before

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def compute(self, data: st.DataObject) -> None:
        sequence = data.draw(st.sampled_from(self.running))
        self.cache.mark_computed(sequence.chain)
        sequence.computed = True
        for key, _ in sequence.chain:
            self.naive.parts[key].computed = self.naive.parts[key].tail = True

    @precondition(lambda self: self.running)
    @rule(data=st.data(), tokens=st.integers(1, 40))
    def grow(self, data: st.DataObject, tokens: int) -> None:
        sequence = data.draw(st.sampled_from(self.running))
        _, own = self.naive.places(sequence.chain, sequence.tokens + tokens)
        blocks = len(own) - len(sequence.blocks)
        if blocks <= self.naive.room():
            self.cache.grow(blocks)
            sequence.blocks += self.naive.take(blocks)
            sequence.tokens += tokens

    @precondition(lambda self: self.running)
    @rule(data=st.data(), keep=st.booleans())
    def release(self, data: st.DataObject, *, keep: bool) -> None:
        index = data.draw(st.integers(0, len(self.running) - 1))
        sequence = self.running.pop(index)
        key = None
        if keep and sequence.computed:
            key = (sequence.task, self.nodes)
            self.nodes += 1
            self.chains.append((sequence.task, (*sequence.chain, (key, sequence.tokens))))
        self.cache.release(sequence.chain, sequence.tokens, keep=key)
        self.naive.release(sequence, key)

    @rule(task=st.integers(0, TASKS))
    def forget(self, task: int) -> None:
        self.cache.forget(task)
        for key in reversed([key for key in self.naive.parts if key[0] == task]):
            if self.naive.parts[key].holders or self.naive.parts[key].blocks:
                break
            self.naive.drop(key)

    def snapshot(self) -> object:
        """Return all that the cache knows, order included."""
        cache = self.cache
        parts = {k: (p.end_tokens, p.blocks, p.holders, p.computed) for k, p in cache._parts.items()}
        return cache.free, cache.evictable, parts, list(cache._cached)

    @invariant()
    def both_hold_the_same(self) -> None:
        naive, cache = self.naive, self.cache
        cache.check()
        parts = {k: (p.end, len(p.blocks), p.holders, p.computed) for k, p in naive.parts.items()}
        evictable = naive.room() - len(naive.free)
        assert self.snapshot() == (len(naive.free), evictable, parts, naive.unheld)
        assert cache.available == naive.room()
        for _, chain in self.chains:
            assert cache.cached_tokens(chain) == naive.cached(chain)

    @invariant()
    def held_blocks_are_the_distinct_ones_with_an_owner(self) -> None:
        owners = Counter(block for sequence in self.running for block in sequence.blocks)
        for sequence in self.running:
            owners.update(block for key, _ in sequence.chain for block in self.naive.parts[key].blocks)
        assert self.cache.held == len(owners)
        # INV-12: a block with several owners is a block of a part, held once for all of them.
        parts = {block: part for part in self.naive.parts.values() for block in part.blocks}
        assert all(n == 1 or n == parts[block].holders for block, n in owners.items())

    @invariant()
    def no_block_is_lost_or_given_twice(self) -> None:
        every = list(self.naive.free)
        every += [block for part in self.naive.parts.values() for block in part.blocks]
        every += [block for sequence in self.running for block in sequence.blocks]
        assert sorted(every) == list(range(self.blocks))

    @invariant()
    def a_parent_outlives_its_cached_children(self) -> None:
        for _, chain in self.chains:
            present = [key in self.cache._parts for key, _ in chain]
            assert present == sorted(present, reverse=True)

    def teardown(self) -> None:
        """Let everybody go: the whole pool can be had again."""
        for sequence in getattr(self, "running", []):
            self.cache.release(sequence.chain, sequence.tokens)
        if hasattr(self, "cache"):
            self.cache.check()
            assert (self.cache.available, self.cache.held) == (self.blocks, 0)


TestKvCaches = KvCaches.TestCase
TestKvCaches.settings = settings(stateful_step_count=40)
