"""One replica's share of the model: how tensor parallelism splits heads, weights and KV.

Attention heads are split over the ranks; KV heads are replicated when there are more ranks than
heads; matrices are split by columns or rows, the vocabulary by rows, padded; experts are split inside
each expert (tensor parallel, not expert parallel).  Norms are replicated.  Everything here is per GPU.
Not modelled: pipeline and sequence parallelism, uneven splits.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from simulator.attention import Attention
from simulator.errors import ScenarioError
from simulator.hardware import DTYPE_BYTES, Dtype, Gpu
from simulator.model import Architecture

ACTIVATION_BYTES = 2.0
"""Bytes of one activation element, bytes: engines keep activations and the selection keys in bf16."""


def _ffn_size(a: Architecture) -> int:
    return a.ffn_size if a.experts is None else a.experts.ffn_size


def _splits(a: Architecture, tp: int) -> bool:
    """Say whether heads and feed-forward columns split evenly over `tp` ranks."""
    kv_heads = tp % a.kv_heads == 0 or a.kv_heads % tp == 0
    return a.query_heads % tp == 0 and kv_heads and _ffn_size(a) % tp == 0


@dataclass(frozen=True)
class Deployment:
    """A model on the `tp` GPUs of one replica.

    Parameters
    ----------
    architecture : the transformer.
    attention : how a decode step attends.
    gpu : the GPU type.
    tp : tensor-parallel ranks, each one GPU.
    weight_dtype, kv_dtype : precision of weights and of cached keys and values.
    compute_dtype : precision whose peak bounds the matrix products.

    Raises
    ------
    ScenarioError
        If heads or feed-forward columns cannot be split evenly over `tp` ranks.
    """

    architecture: Architecture
    attention: Attention
    gpu: Gpu
    tp: int
    weight_dtype: Dtype
    kv_dtype: Dtype
    compute_dtype: Dtype

    def __post_init__(self) -> None:
        a = self.architecture
        if not _splits(a, self.tp):
            allowed = [tp for tp in range(1, a.query_heads + 1) if _splits(a, tp)]
            message = (
                f"parallelism.tp: {self.tp} ranks cannot share the {a.query_heads} query heads, "
                f"{a.kv_heads} KV heads and {_ffn_size(a)} feed-forward columns of {a.name} evenly; "
                f"allowed: {', '.join(map(str, allowed))}"
            )
            raise ScenarioError(message)

    @cached_property
    def query_heads(self) -> int:
        """Query heads of one GPU."""
        return self.architecture.query_heads // self.tp

    @cached_property
    def kv_heads(self) -> int:
        """KV heads of one GPU; at least one, so they are replicated beyond ``kv_heads`` ranks."""
        return max(1, self.architecture.kv_heads // self.tp)

    @cached_property
    def weight_element_bytes(self) -> float:
        """Bytes of one weight."""
        return DTYPE_BYTES[self.weight_dtype]

    @cached_property
    def kv_token_bytes(self) -> float:
        """Bytes of keys and values of one token in all layers on one GPU."""
        a = self.architecture
        return 2 * self.kv_heads * a.head_dim * a.layers * DTYPE_BYTES[self.kv_dtype]

    @cached_property
    def index_entry_bytes(self) -> float:
        """Bytes of one selection key in all layers on one GPU; 0 where nothing is selected."""
        if self.attention.index_block_tokens is None:
            return 0.0
        a = self.architecture
        return self.kv_heads * a.head_dim * a.layers * ACTIVATION_BYTES

    @cached_property
    def index_token_bytes(self) -> float:
        """Bytes of selection keys per cached token on one GPU."""
        block = self.attention.index_block_tokens
        return 0.0 if block is None else self.index_entry_bytes / block

    @cached_property
    def attention_weights(self) -> int:
        """Weights of the qkv and output projections of one layer on one GPU."""
        a = self.architecture
        return a.hidden_size * a.head_dim * (2 * self.query_heads + 2 * self.kv_heads)

    @cached_property
    def ffn_weights(self) -> int:
        """Weights of the feed-forward layer (all experts) of one layer on one GPU."""
        a = self.architecture
        if a.experts is None:
            return 3 * a.hidden_size * a.ffn_size // self.tp
        expert = 3 * a.hidden_size * a.experts.ffn_size
        router = a.hidden_size * a.experts.count
        return a.experts.count * expert // self.tp + router

    @cached_property
    def embedding_weights(self) -> int:
        """Weights of the embedding and, unless tied, the output head on one GPU."""
        a = self.architecture
        tables = 1 if a.tied_embeddings else 2
        return tables * self.vocabulary * a.hidden_size

    @cached_property
    def vocabulary(self) -> int:
        """Rows of the embedding table on one GPU; the last rank is padded."""
        return -(-self.architecture.vocab_size // self.tp)

    @cached_property
    def weight_bytes(self) -> float:
        """Bytes of all weights on one GPU (norms and biases, under 0.1 %, are left out)."""
        layers = self.architecture.layers * (self.attention_weights + self.ffn_weights)
        return (layers + self.embedding_weights) * self.weight_element_bytes
