"""How many KV blocks a replica has: HBM less weights and reserve, with the sum to show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, Self

from pydantic import Field, model_validator

from simulator.deployment import ACTIVATION_BYTES, Deployment
from simulator.errors import InfeasiblePlanError
from simulator.frozen import Count, FrozenModel, Ratio, Tokens

UNLIMITED_BLOCKS: Final = 1 << 60
"""Blocks of a pool that never runs dry."""


class KvConfig(FrozenModel):
    """The KV cache of a replica.

    Notes
    -----
    `capacity` ``auto`` is worked out from HBM; ``unlimited`` reproduces studies that ignore memory and
    is marked in every output; ``blocks: N`` in place of it takes what a real engine logged.
    """

    block_tokens: Tokens = Field(default=16, description="[tokens] tokens of one KV block")
    capacity: Literal["auto", "unlimited"] = Field(
        default="auto", description="[-] where the number of blocks comes from, unless `blocks` gives it"
    )
    blocks: Count | None = Field(default=None, description="[blocks] KV blocks of a replica, if known")
    hbm_utilisation_ratio: Ratio = Field(
        default=0.9, description="[-] part of the usable HBM that the engine claims (vLLM's default)"
    )
    watermark_ratio: Ratio = Field(
        default=0.01, description="[-] part of the blocks kept free when a sequence is admitted"
    )
    prefix_sharing: bool = Field(
        default=True, description="[-] whether prompts that begin alike hold their common full blocks once"
    )

    @model_validator(mode="after")
    def _one_source_of_blocks(self) -> Self:
        if self.capacity == "unlimited" and self.blocks is not None:
            message = f"capacity unlimited and blocks {self.blocks} exclude each other; give one of them"
            raise ValueError(message)
        return self


@dataclass(frozen=True, slots=True)
class KvCapacity:
    """The blocks of one replica and the bytes behind them, per GPU.

    Parameters
    ----------
    blocks : KV blocks; `UNLIMITED_BLOCKS` where memory is ignored.
    block_tokens : tokens of a block.
    block_bytes : bytes of one block on one GPU, selection keys included.
    hbm_bytes : usable HBM times the utilisation.
    weight_bytes, activation_bytes, state_bytes : what is taken off it.
    source : where the number of blocks comes from.
    """

    blocks: int
    block_tokens: int
    block_bytes: float
    hbm_bytes: float
    weight_bytes: float
    activation_bytes: float
    source: Literal["auto", "unlimited", "given"]
    state_bytes: float = 0.0

    @property
    def limited(self) -> bool:
        """Whether memory bounds the batch."""
        return self.source != "unlimited"

    @property
    def exceeds_memory(self) -> bool:
        """Whether the blocks do not fit beside weights, activations and states, which only given ones can."""
        needed = self.taken_bytes + self.blocks * self.block_bytes
        return self.source == "given" and needed > self.hbm_bytes

    @property
    def taken_bytes(self) -> float:
        """Bytes that are taken before the first block."""
        return self.weight_bytes + self.activation_bytes + self.state_bytes

    @property
    def tokens(self) -> int:
        """Tokens that fit."""
        return self.blocks * self.block_tokens

    def describe(self) -> str:
        """Return the sum behind the number of blocks, for people."""
        if self.source == "given":
            return f"engine.kv.blocks gives {self.blocks} blocks of {self.block_tokens} tokens"
        states = f" - {self.state_bytes / 1e9:.1f} GB states" if self.state_bytes else ""
        return (
            f"{self.hbm_bytes / 1e9:.1f} GB claimed per GPU - {self.weight_bytes / 1e9:.1f} GB weights - "
            f"{self.activation_bytes / 1e9:.1f} GB activations{states} = "
            f"{(self.hbm_bytes - self.taken_bytes) / 1e9:.1f} GB for KV, "
            f"{self.block_bytes / 1e6:.3f} MB a block of {self.block_tokens} tokens"
        )


def kv_capacity(
    config: KvConfig, deployment: Deployment, *, max_batched_tokens: int, max_sequences: int = 0
) -> KvCapacity:
    """Return the KV blocks of a replica.

    Parameters
    ----------
    config : the KV settings.
    deployment : the replica.
    max_batched_tokens : largest step, tokens; its activations are set aside.
    max_sequences : largest batch; the states of linear attention of as many sequences are set aside.

    Raises
    ------
    InfeasiblePlanError
        If the weights and activations leave no room for a single block; shows the sum.

    Notes
    -----
    Activations are counted as the widest feed-forward intermediate and four hidden states of the
    largest step, plus bf16 logits of 512 sequences: an estimate of what engines measure at start-up.
    States are set aside for the largest batch, as SGLang does. vLLM gives a sequence its states when it is
    admitted, out of the blocks: it holds the more tokens the fewer sequences run. States that engines keep
    beside cached prefixes are not counted.
    """
    gpu, a = deployment.gpu, deployment.architecture
    block_bytes = config.block_tokens * (deployment.kv_token_bytes + deployment.index_token_bytes)
    hbm_bytes = gpu.hbm_usable_bytes.value * config.hbm_utilisation_ratio
    if a.experts is None:
        ffn = 3 * a.ffn_size / deployment.tp
    else:
        ffn = 3 * a.experts.active * a.experts.ffn_size / deployment.tp
    widest = ffn + 4 * a.hidden_size
    logits = min(512, max_batched_tokens) * a.vocab_size / deployment.tp
    activation_bytes = (max_batched_tokens * widest + logits) * ACTIVATION_BYTES

    def capacity(blocks: int, source: Literal["auto", "unlimited", "given"]) -> KvCapacity:
        return KvCapacity(
            blocks=blocks,
            block_tokens=config.block_tokens,
            block_bytes=block_bytes,
            hbm_bytes=hbm_bytes,
            weight_bytes=deployment.weight_bytes,
            activation_bytes=activation_bytes,
            source=source,
            state_bytes=max_sequences * deployment.state_bytes,
        )

    if config.blocks is not None:
        return capacity(config.blocks, "given")
    if config.capacity == "unlimited":
        return capacity(UNLIMITED_BLOCKS, "unlimited")
    blocks = int((hbm_bytes - capacity(0, "auto").taken_bytes) // block_bytes)
    if blocks < 1:
        fewer = "lower engine.max_sequences, " if deployment.state_bytes else ""
        message = (
            f"{a.name} on tp {deployment.tp} x {gpu.name} does not fit: "
            f"{capacity(0, 'auto').describe()}; {fewer}raise parallelism.tp, choose a smaller model or "
            "precision, or a GPU with more HBM"
        )
        raise InfeasiblePlanError(message)
    return capacity(blocks, "auto")
