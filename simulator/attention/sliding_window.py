"""Sliding-window attention: the most recent tokens and, optionally, the first few ("sinks").

Where only one layer in some has the window, counts are summed over such a group of layers.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from simulator.attention.contexts import Contexts
from simulator.attention.work import AttentionWork, at_most, causal_pairs
from simulator.frozen import Count, FrozenModel, Tokens, TokensOrZero


class SlidingWindowAttention(FrozenModel):
    """Attend to the last `window_tokens` and the first `sink_tokens` tokens, in prefill and decode.

    So does one layer in every `window_every`; the others attend to all tokens.

    Notes
    -----
    Not modelled: freeing KV blocks that have left the window; the whole context stays held.
    """

    kind: Literal["sliding_window"] = Field(
        default="sliding_window", description="[-] Selects this attention."
    )
    window_tokens: Tokens = Field(description="[tokens] most recent keys attended to")
    sink_tokens: TokensOrZero = Field(default=0, description="[tokens] first keys always attended to")
    window_every: Count = Field(
        default=1, description="[-] one layer in this many has the window, the others attend to all tokens"
    )

    @property
    def granules(self) -> tuple[int, ...]:
        """Granule sizes asked of `Contexts`."""
        return ()

    @property
    def caps(self) -> tuple[int, ...]:
        """Caps asked of `Contexts`."""
        return (self.window_tokens + self.sink_tokens,)

    @property
    def index_block_tokens(self) -> int | None:
        """Tokens behind one selection key: none, nothing is selected."""
        return None

    @property
    def layers_per_count(self) -> int:
        """Layers that a count of work covers."""
        return self.window_every

    @property
    def reads_prefix_once(self) -> bool:
        """Whether a shared prefix is read once: no, windows differ between sequences."""
        return False

    def step_work(self, contexts: Contexts, steps: int) -> AttentionWork:
        """Return the work of each of the coming `steps` decode steps."""
        cap, whole = self.window_tokens + self.sink_tokens, self.window_every - 1
        total, longest = contexts.total_capped(cap, steps), contexts.longest(steps)
        capped = at_most(longest, cap)
        if whole:
            total, capped = total + whole * contexts.total(steps), capped + whole * longest
        return AttentionWork(total, total, None, capped)

    def prefill_attended_tokens(self, past: int, new: int) -> int:
        """Return the query-key pairs of a causal chunk of `new` tokens after `past` cached ones.

        The i-th token of the chunk attends to min(past + i, window + sinks) keys where there is a window.
        """
        cap = self.window_tokens + self.sink_tokens
        growing = min(new, max(0, cap - past))
        windowed = causal_pairs(past, growing) + (new - growing) * cap
        return windowed + (self.window_every - 1) * causal_pairs(past, new)

    def prefill_read_tokens(self, past: int, new: int) -> int:
        """Return the tokens whose keys and values a prefill chunk reads, each once."""
        windowed = min(past, self.window_tokens + self.sink_tokens) + new
        return windowed + (self.window_every - 1) * (past + new)
