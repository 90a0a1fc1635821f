"""Dense attention: every query attends to its whole context."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from simulator.attention.contexts import Contexts
from simulator.attention.work import AttentionWork, causal_pairs
from simulator.frozen import FrozenModel


class DenseAttention(FrozenModel):
    """Attend to all cached tokens (Kinetics, arXiv 2506.05333, Eq. 1-4).

    Notes
    -----
    With `prefix_reads` ``once_per_family`` a prompt shared by several trials in the batch is read from
    HBM once per step, as the paper's dense memory term assumes and cascade kernels do; ordinary
    paged kernels read it once per sequence.

    Examples
    --------
    >>> from simulator.attention.contexts import ContextArray
    >>> DenseAttention().step_work(ContextArray([100, 50]), steps=2).read_tokens.tolist()
    [150, 152]
    """

    kind: Literal["dense"] = Field(default="dense", description="[-] Selects this attention.")
    prefix_reads: Literal["per_sequence", "once_per_family"] = Field(
        default="per_sequence",
        description="[-] how often a prompt that trials share is read per step",
    )

    @property
    def granules(self) -> tuple[int, ...]:
        """Granule sizes asked of `Contexts`."""
        return ()

    @property
    def caps(self) -> tuple[int, ...]:
        """Caps asked of `Contexts`."""
        return ()

    @property
    def index_block_tokens(self) -> int | None:
        """Tokens behind one selection key: none, nothing is selected."""
        return None

    @property
    def layers_per_count(self) -> int:
        """Layers that a count of work covers: one, all are alike."""
        return 1

    @property
    def reads_prefix_once(self) -> bool:
        """Whether a shared prefix is read once per family and step."""
        return self.prefix_reads == "once_per_family"

    def step_work(self, contexts: Contexts, steps: int) -> AttentionWork:
        """Return the work of each of the coming `steps` decode steps."""
        total = contexts.total(steps)
        if self.reads_prefix_once:
            read = total - contexts.repeated_prefix_tokens()
            return AttentionWork(total, read, None, contexts.longest(steps))
        return AttentionWork(total, total, None, contexts.longest(steps))

    def prefill_attended_tokens(self, past: int, new: int) -> int:
        """Return the query-key pairs of a causal chunk of `new` tokens after `past` cached ones."""
        return causal_pairs(past, new)

    def prefill_read_tokens(self, past: int, new: int) -> int:
        """Return the tokens whose keys and values a prefill chunk reads, each once."""
        return past + new
