"""Blocks of a replica, case by case; the random walk is in ``tests/stateful``."""

from __future__ import annotations

import pytest

from simulator.errors import InvariantViolation
from simulator.kvcache.cache import Chain, KvCache, PartKey
from simulator.kvcache.capacity import UNLIMITED_BLOCKS

PROMPT: PartKey = (0, -1)
CHILD: PartKey = (0, 0)
SHARED: Chain = ((PROMPT, 20),)
"""A prompt of 20 tokens: one full block of 16 and a part of the next."""


def pool(blocks: int = 20, watermark: int = 0) -> KvCache:
    return KvCache(blocks=blocks, block_tokens=16, watermark_blocks=watermark)


def serve(cache: KvCache, chain: Chain, tokens: int, *, keep: PartKey | None = None) -> None:
    """Admit a sequence, compute its prompt and let it end with `tokens` tokens."""
    assert cache.admit(chain, tokens, alone=True) is not None
    cache.mark_computed(chain)
    cache.release(chain, tokens, keep=keep)


def state(cache: KvCache) -> tuple[int, int, int]:
    cache.check()
    return cache.free, cache.evictable, cache.held


@pytest.mark.parametrize(("tokens", "blocks"), [(1, 1), (16, 1), (17, 2), (32, 2), (33, 3)])
def test_a_context_holds_its_tokens_rounded_up_to_blocks(tokens: int, blocks: int) -> None:
    cache = pool()
    assert cache.admit((), tokens, alone=True) == 0
    assert state(cache) == (20 - blocks, 0, blocks)
    cache.release((), tokens)
    assert state(cache) == (20, 0, 0)


def test_full_blocks_of_a_prompt_are_held_once_and_the_cut_one_by_each() -> None:
    cache = pool()
    for trials in (1, 2, 3):
        cache.admit(SHARED, 20, alone=False)
        assert cache.held == 1 + trials


def test_a_prompt_is_not_cached_before_it_is_computed() -> None:
    cache = pool()
    assert cache.admit(SHARED, 20, alone=True) == 0
    assert cache.admit(SHARED, 20, alone=False) == 0
    cache.mark_computed(SHARED)
    assert cache.admit(SHARED, 20, alone=False) == 20


def test_only_full_blocks_of_a_prompt_outlive_its_holders() -> None:
    cache = pool()
    serve(cache, SHARED, 30)
    assert state(cache) == (19, 1, 0)
    assert cache.cached_tokens(SHARED) == 16
    assert cache.admit(SHARED, 25, alone=True) == 16
    assert state(cache) == (18, 0, 2)


def test_a_prompt_shorter_than_a_block_leaves_nothing() -> None:
    cache = pool()
    short: Chain = ((PROMPT, 15),)
    serve(cache, short, 15)
    assert state(cache) == (20, 0, 0)
    assert cache.cached_tokens(short) == 0


def test_a_prompt_that_nobody_computed_leaves_with_its_last_holder() -> None:
    cache = pool()
    cache.admit(SHARED, 40, alone=True)
    cache.admit(SHARED, 40, alone=False)
    cache.release(SHARED, 40)
    assert cache.held == 3
    cache.release(SHARED, 40)
    assert state(cache) == (20, 0, 0)


def test_what_a_node_wrote_stays_for_those_who_continue_it() -> None:
    cache = pool()
    serve(cache, SHARED, 50, keep=CHILD)
    # 50 tokens: three full blocks, of which the prompt owns the first; the cut fourth is freed.
    assert state(cache) == (17, 3, 0)
    chain: Chain = (*SHARED, (CHILD, 50))
    assert cache.cached_tokens(chain) == 48
    assert cache.private_blocks(chain, 50) == 1
    assert cache.admit(chain, 50, alone=True) == 48
    assert state(cache) == (16, 0, 4)


def test_a_missing_parent_hides_the_child() -> None:
    cache = pool()
    serve(cache, SHARED, 50, keep=CHILD)
    other: Chain = (((0, -2), 20), (CHILD, 50))
    assert cache.cached_tokens(other) == 0


def test_an_admission_that_does_not_fit_changes_nothing() -> None:
    cache = pool(blocks=6)
    serve(cache, SHARED, 50, keep=CHILD)
    before = state(cache)
    chain: Chain = (*SHARED, (CHILD, 50))
    assert cache.admit(chain, 16 * 6 + 1, alone=True) is None
    assert cache.admit((), 16 * 6 + 1, alone=True) is None
    assert state(cache) == before
    assert cache.cached_tokens(chain) == 48


def test_cached_parts_that_an_admission_revives_cannot_pay_for_it() -> None:
    cache = pool(blocks=4)
    serve(cache, SHARED, 50, keep=CHILD)
    assert cache.available == 4
    chain: Chain = (*SHARED, (CHILD, 50))
    assert cache.admit(chain, 65, alone=True) is None
    assert cache.admit(chain, 64, alone=True) == 48


def test_the_watermark_holds_back_whoever_is_not_alone() -> None:
    cache = pool(blocks=10, watermark=2)
    assert cache.admit((), 16 * 9, alone=False) is None
    assert cache.admit((), 16 * 8, alone=False) == 0
    cache.release((), 16 * 8)
    assert cache.admit((), 16 * 10, alone=True) == 0


def test_the_part_released_longest_ago_is_evicted_first() -> None:
    cache = pool(blocks=3)
    chains: list[Chain] = [(((task, -1), 16),) for task in range(3)]
    for chain in chains:
        serve(cache, chain, 16)
    serve(cache, chains[0], 16)
    cache.admit((), 16, alone=True)
    assert [cache.cached_tokens(chain) for chain in chains] == [16, 0, 16]
    cache.grow(1)
    assert [cache.cached_tokens(chain) for chain in chains] == [16, 0, 0]


def test_a_child_is_evicted_before_its_parent() -> None:
    cache = pool(blocks=4)
    serve(cache, SHARED, 50, keep=CHILD)
    cache.admit((), 32, alone=True)
    assert cache.cached_tokens((*SHARED, (CHILD, 50))) == 16


def test_held_parts_are_never_evicted() -> None:
    cache = pool(blocks=3)
    cache.admit(SHARED, 20, alone=True)
    cache.mark_computed(SHARED)
    cache.grow(1)
    with pytest.raises(InvariantViolation, match="INV-4: 1 KV blocks taken, 0 are free"):
        cache.grow(1)


def test_forgetting_an_ended_task_frees_no_block_of_a_pool_that_can_run_dry() -> None:
    cache = pool()
    serve(cache, SHARED, 50, keep=CHILD)
    before = state(cache)
    cache.forget(0)
    assert state(cache) == before
    assert cache.cached_tokens((*SHARED, (CHILD, 50))) == 48


def test_a_part_without_blocks_is_forgotten_at_once() -> None:
    cache = pool()
    short = (((0, -1), 15),)
    serve(cache, short, 15)
    assert (0, -1) in cache._parts
    cache.forget(0)
    assert not cache._parts
    assert state(cache) == (20, 0, 0)


def test_a_pool_that_never_runs_dry_forgets_all_that_nobody_holds() -> None:
    cache = pool(blocks=UNLIMITED_BLOCKS)
    serve(cache, SHARED, 50, keep=CHILD)
    cache.admit(SHARED, 20, alone=True)
    cache.forget(0)
    cache.forget(7)
    assert list(cache._parts) == [(0, -1)]
    cache.release(SHARED, 20)
    cache.forget(0)
    assert not cache._parts
    assert state(cache) == (UNLIMITED_BLOCKS, 0, 0)


def test_growing_by_nothing_takes_nothing() -> None:
    cache = pool(blocks=1)
    cache.admit((), 1, alone=True)
    cache.grow(0)
    assert state(cache) == (0, 0, 1)


@pytest.mark.parametrize(
    ("attribute", "value", "message"),
    [
        ("evictable", 2, "cached parts own 1 blocks, counted 2"),
        ("free", -1, "free -1"),
        ("_cached", {}, "cached parts own 0 blocks, counted 1"),
    ],
)
def test_the_check_notices_what_does_not_add_up(attribute: str, value: object, message: str) -> None:
    cache = pool()
    serve(cache, SHARED, 30)
    setattr(cache, attribute, value)
    with pytest.raises(InvariantViolation, match=f"INV-4: {message}"):
        cache.check()


def test_the_cut_block_of_a_revived_prompt_is_not_cached_until_it_is_computed_again() -> None:
    cache = pool()
    serve(cache, SHARED, 20)
    assert cache.admit(SHARED, 20, alone=True) == 16
    # Nobody has computed tokens 16 to 19 since they were freed.
    assert cache.admit(SHARED, 20, alone=False) == 16
