"""Oracle top-k attention: the best tokens are attended to and finding them is free."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from simulator.attention.contexts import Contexts
from simulator.attention.work import AttentionWork, at_most, causal_pairs
from simulator.frozen import FrozenModel, Tokens


class TopKAttention(FrozenModel):
    """Attend to the `kv_budget_tokens` highest-scoring tokens, found at no cost (Kinetics, Eq. 8).

    An upper bound on sparse attention, not an algorithm: Eq. 8 has no search term.  Prefill is dense.
    """

    kind: Literal["topk"] = Field(default="topk", description="[-] Selects this attention.")
    kv_budget_tokens: Tokens = Field(description="[tokens] keys attended to per query and KV head")

    @property
    def granules(self) -> tuple[int, ...]:
        """Granule sizes asked of `Contexts`."""
        return ()

    @property
    def caps(self) -> tuple[int, ...]:
        """Caps asked of `Contexts`."""
        return (self.kv_budget_tokens,)

    @property
    def index_block_tokens(self) -> int | None:
        """Tokens behind one selection key: none, the oracle keeps no index."""
        return None

    @property
    def layers_per_count(self) -> int:
        """Layers that a count of work covers: one, all are alike."""
        return 1

    @property
    def reads_prefix_once(self) -> bool:
        """Whether a shared prefix is read once: no, each query selects its own tokens."""
        return False

    def step_work(self, contexts: Contexts, steps: int) -> AttentionWork:
        """Return the work of each of the coming `steps` decode steps."""
        total = contexts.total_capped(self.kv_budget_tokens, steps)
        return AttentionWork(total, total, None, at_most(contexts.longest(steps), self.kv_budget_tokens))

    def prefill_attended_tokens(self, past: int, new: int) -> int:
        """Return the query-key pairs of a causal chunk of `new` tokens after `past` cached ones."""
        return causal_pairs(past, new)

    def prefill_read_tokens(self, past: int, new: int) -> int:
        """Return the tokens whose keys and values a prefill chunk reads, each once."""
        return past + new
