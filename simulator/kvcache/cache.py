"""Who holds the KV blocks of one replica, and which shared parts stay cached.

A sequence holds private blocks plus, where prefixes are shared, the parts of its chain: what prompts of
other tasks begin with too, the task's prompt, and for continued nodes what its ancestors wrote.  A part
owns the full blocks between two boundaries and counts its holders; the block that a boundary cuts is
copied by every holder.  A part that nobody holds stays cached until its blocks are needed and is then
evicted, least recently released first.  Not modelled: prefixes shared by chance, eviction of single
blocks, swapping to host memory.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from simulator.errors import InvariantViolation
from simulator.kvcache.capacity import UNLIMITED_BLOCKS

PartKey: TypeAlias = tuple[int, int]
"""(task, node) that wrote the part, node -1 being the prompt; (`OF_TASKS`, segment) of several tasks."""

OF_TASKS: Final = -1
"""Stands in place of the task where a part belongs to the prompts of several."""

Chain: TypeAlias = Sequence[tuple[PartKey, int]]
"""Shared parts of a context, outermost first: (key, tokens from the beginning to the part's end)."""


@dataclass(slots=True)
class Part:
    """A shared part of some contexts.

    Parameters
    ----------
    end_tokens : tokens from the beginning of the context to the end of the part.
    blocks : full blocks that end inside the part.
    holders : running sequences whose chain contains it.
    computed : its full blocks are (or will be, when the running step ends) in memory.
    tail_computed : so is the block that its end cuts, in the copy of one holder at least.
    """

    end_tokens: int
    blocks: int
    holders: int = 0
    computed: bool = False
    tail_computed: bool = False


class KvCache:
    """The block pool of one replica.

    Parameters
    ----------
    blocks : blocks in the pool.
    block_tokens : tokens of a block.
    watermark_blocks : blocks that an admission must leave free while others run.

    Examples
    --------
    >>> cache = KvCache(blocks=100, block_tokens=16, watermark_blocks=0)
    >>> cache.admit((), tokens=40, alone=True), cache.held
    (0, 3)
    """

    def __init__(self, *, blocks: int, block_tokens: int, watermark_blocks: int) -> None:
        self.blocks = blocks
        self.block_tokens = block_tokens
        self.watermark_blocks = watermark_blocks
        self.free = blocks
        self.evictable = 0
        self._parts: dict[PartKey, Part] = {}
        self._cached: OrderedDict[PartKey, Part] = OrderedDict()
        self._task_parts: dict[int, list[PartKey]] = {}

    @property
    def available(self) -> int:
        """Blocks that can be had, evicting what is cached but not held."""
        return self.free + self.evictable

    @property
    def held(self) -> int:
        """Distinct blocks held by sequences."""
        return self.blocks - self.free - self.evictable

    def private_blocks(self, chain: Chain, tokens: int) -> int:
        """Return the blocks that a context of `tokens` holds beyond the parts of its `chain`."""
        shared = chain[-1][1] // self.block_tokens if chain else 0
        return -(-tokens // self.block_tokens) - shared

    def cached_tokens(self, chain: Chain) -> int:
        """Return the leading tokens of `chain` whose keys and values need not be computed."""
        cached = 0
        for key, end_tokens in chain:
            part = self._parts.get(key)
            if part is None or not part.computed:
                break
            # Once nobody held the part, the block cut by its end was gone: only full blocks stayed.
            cached = end_tokens if part.tail_computed else end_tokens // self.block_tokens * self.block_tokens
        return cached

    def admit(self, chain: Chain, tokens: int, *, alone: bool) -> int | None:
        """Let a sequence hold `tokens` tokens; return how many of them were cached, or None.

        Parameters
        ----------
        chain : its shared parts; parts that are missing are created, to be computed by this sequence.
        tokens : tokens of its context.
        alone : nothing else runs, so the watermark does not apply.

        Returns
        -------
        int or None
            Cached leading tokens; None, and nothing changed, where the blocks do not fit.
        """
        need = self.private_blocks(chain, tokens)
        revived = start = 0
        for key, end_tokens in chain:
            part = self._parts.get(key)
            if part is None:
                need += end_tokens // self.block_tokens - start // self.block_tokens
            elif not part.holders:
                revived += part.blocks
            start = end_tokens
        reserve = 0 if alone else self.watermark_blocks
        if need + reserve > self.free + self.evictable - revived:
            return None
        cached = 0
        if chain:
            cached = self.cached_tokens(chain)
            self._hold(chain)
        self.grow(need)
        return cached

    def _hold(self, chain: Chain) -> None:
        start = 0
        for key, end_tokens in chain:
            part = self._parts.get(key)
            if part is None:
                blocks = end_tokens // self.block_tokens - start // self.block_tokens
                part = self._add_part(key, end_tokens, blocks)
            elif not part.holders:
                del self._cached[key]
                self.evictable -= part.blocks
            part.holders += 1
            start = end_tokens

    def _add_part(self, key: PartKey, end_tokens: int, blocks: int) -> Part:
        part = self._parts[key] = Part(end_tokens, blocks)
        if key[0] != OF_TASKS:
            self._task_parts.setdefault(key[0], []).append(key)
        return part

    def mark_computed(self, chain: Chain) -> None:
        """Say that all parts of `chain` are in memory when the step now scheduled ends."""
        for key, _ in chain:
            part = self._parts[key]
            part.computed = part.tail_computed = True

    def grow(self, blocks: int) -> None:
        """Hold `blocks` more private blocks.

        Raises
        ------
        InvariantViolation
            If they are not available; callers ask `available` first.
        """
        if blocks <= self.free:
            self.free -= blocks
        else:
            self._take(blocks)

    def _take(self, blocks: int) -> None:
        while self.free < blocks:
            if not self._cached:
                raise InvariantViolation(4, f"{blocks} KV blocks taken, {self.free} are free")
            key, part = self._cached.popitem(last=False)
            self._drop(key, part)
            self.evictable -= part.blocks
        self.free -= blocks

    def _drop(self, key: PartKey, part: Part) -> None:
        del self._parts[key]
        self.free += part.blocks
        if key[0] == OF_TASKS:
            return
        keys = self._task_parts[key[0]]
        keys.remove(key)
        if not keys:
            del self._task_parts[key[0]]

    def release(self, chain: Chain, tokens: int, *, keep: PartKey | None = None) -> None:
        """Let go of a context of `tokens` tokens.

        Parameters
        ----------
        chain : the shared parts given at admission.
        tokens : tokens held now.
        keep : key under which the private full blocks stay cached, for sequences that continue it.
        """
        self.free += self.private_blocks(chain, tokens)
        if keep is not None:
            start = chain[-1][1] if chain else 0
            blocks = tokens // self.block_tokens - start // self.block_tokens
            part = self._add_part(keep, tokens, blocks)
            part.computed = True
            self.free -= blocks
            self._cache(keep, part)
        for key, _ in reversed(chain):
            part = self._parts[key]
            part.holders -= 1
            if part.holders:
                continue
            part.tail_computed = False
            if part.computed:
                self._cache(key, part)
            else:
                self._drop(key, part)

    def _cache(self, key: PartKey, part: Part) -> None:
        self._cached[key] = part
        self.evictable += part.blocks

    def forget(self, task: int) -> None:
        """Forget what is cached of an ended `task`, where that frees nothing that could be missed.

        Nobody will ask for its parts again, but an engine does not know that: blocks stay cached until
        they are evicted.  Parts without blocks, and all parts of a pool that never runs dry, would stay
        for ever, so they go now, the latest first: no part outlives the one that it continues.
        """
        for key in reversed(list(self._task_parts.get(task, ()))):
            part = self._parts[key]
            if part.holders or (part.blocks and self.blocks < UNLIMITED_BLOCKS):
                break
            del self._cached[key]
            self.evictable -= part.blocks
            self._drop(key, part)

    def check(self) -> None:
        """Check that every block is accounted for once.

        Raises
        ------
        InvariantViolation
            With the relation that does not hold (INV-4).
        """
        cached = sum(part.blocks for part in self._cached.values())
        if cached != self.evictable:
            raise InvariantViolation(4, f"cached parts own {cached} blocks, counted {self.evictable}")
        unheld = {key for key, part in self._parts.items() if not part.holders}
        if unheld != set(self._cached):
            raise InvariantViolation(4, "parts without holders are not those that are cached")
        shared = sum(part.blocks for part in self._parts.values() if part.holders)
        if self.free < 0 or shared > self.held:
            raise InvariantViolation(
                4, f"free {self.free}, held {self.held} of {self.blocks}, shared parts own {shared}"
            )
