"""Block top-k attention: score one mean key per KV block, attend to the best blocks.

Each step scans the mean key of every attention block of the context (read once per KV head, scored for
each of its query heads), then gathers the selected blocks.  These blocks need not be the blocks of the
paged cache.  Not modelled: the sort that picks the blocks, updating a block's
mean key as it fills, and a floor under very short gathers.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from simulator.attention.contexts import Contexts
from simulator.attention.work import AttentionWork, at_most, causal_pairs
from simulator.frozen import FrozenModel, Tokens


class BlockTopKAttention(FrozenModel):
    """Attend to the highest-scoring blocks of keys (Kinetics, arXiv 2506.05333, Eq. 8-9).

    Notes
    -----
    Every block keeps a mean key, which takes memory beside the KV cache: one key per block of
    `block_tokens`, KV head and layer.  Prefill is dense, as in the paper.
    """

    kind: Literal["block_topk"] = Field(default="block_topk", description="[-] Selects this attention.")
    kv_budget_tokens: Tokens = Field(description="[tokens] keys attended to per query and KV head")
    block_tokens: Tokens = Field(default=16, description="[tokens] keys behind one mean key")

    @model_validator(mode="after")
    def _budget_is_whole_blocks(self) -> Self:
        if self.kv_budget_tokens % self.block_tokens:
            nearest = max(1, round(self.kv_budget_tokens / self.block_tokens)) * self.block_tokens
            message = (
                f"kv_budget_tokens {self.kv_budget_tokens} is not a whole number of blocks of "
                f"{self.block_tokens} tokens; nearest allowed: {nearest}"
            )
            raise ValueError(message)
        return self

    @property
    def granules(self) -> tuple[int, ...]:
        """Granule sizes asked of `Contexts`."""
        return (self.block_tokens,)

    @property
    def caps(self) -> tuple[int, ...]:
        """Caps asked of `Contexts`."""
        return (self.kv_budget_tokens,)

    @property
    def index_block_tokens(self) -> int | None:
        """Tokens behind one selection key."""
        return self.block_tokens

    @property
    def layers_per_count(self) -> int:
        """Layers that a count of work covers: one, all are alike."""
        return 1

    @property
    def reads_prefix_once(self) -> bool:
        """Whether a shared prefix is read once: no, each query selects its own blocks."""
        return False

    def step_work(self, contexts: Contexts, steps: int) -> AttentionWork:
        """Return the work of each of the coming `steps` decode steps."""
        gathered = contexts.total_capped(self.kv_budget_tokens, steps)
        entries = contexts.total_rounded(self.block_tokens, steps)
        longest = at_most(contexts.longest(steps), self.kv_budget_tokens)
        return AttentionWork(gathered, gathered, entries, longest)

    def prefill_attended_tokens(self, past: int, new: int) -> int:
        """Return the query-key pairs of a causal chunk of `new` tokens after `past` cached ones."""
        return causal_pairs(past, new)

    def prefill_read_tokens(self, past: int, new: int) -> int:
        """Return the tokens whose keys and values a prefill chunk reads, each once."""
        return past + new
