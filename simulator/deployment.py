"""One replica's share of the model: how tensor parallelism splits heads, weights and KV.

Attention heads are split over the ranks; KV heads are replicated when there are more ranks than
heads; matrices are split by columns or rows, the vocabulary by rows, padded; experts are split inside
each expert, or under expert parallelism held whole, as many by each rank; an expert that all tokens share
is always split inside.  Linear attention is split by its heads, states included.  Norms are replicated.
With `Deployment.data_attention` ranks hold attention and the head whole and serve sequences of their own.
Everything here is per GPU.
Not modelled: pipeline and sequence parallelism, uneven splits.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from simulator.attention import Attention, DenseAttention, SlidingWindowAttention
from simulator.errors import ScenarioError
from simulator.hardware import DTYPE_BYTES, Dtype, Gpu
from simulator.model import Architecture

ACTIVATION_BYTES = 2.0
"""Bytes of one activation element, bytes: engines keep activations and the selection keys in bf16."""


def own_attention(architecture: Architecture) -> Attention:
    """Return how a model attends by itself: to all tokens, or with the windows that it was trained with."""
    layers = architecture.sliding
    if layers is None:
        return DenseAttention()
    return SlidingWindowAttention(window_tokens=layers.window_tokens, window_every=layers.every)


def _ffn_size(a: Architecture) -> int:
    return a.ffn_size if a.experts is None else a.experts.ffn_size


def _splits(a: Architecture, tp: int, *, expert_parallel: bool) -> bool:
    """Say whether heads and feed-forward columns, or whole experts, split evenly over `tp` ranks."""
    kv_heads = tp % a.kv_heads == 0 or a.kv_heads % tp == 0
    split = [a.query_heads, a.experts.count if expert_parallel and a.experts else _ffn_size(a)]
    split += [a.experts.shared_ffn_size] if a.experts else []
    split += [a.linear.key_heads] if a.linear else []
    return kv_heads and all(size % tp == 0 for size in split)


def check_split(a: Architecture, tp: int, *, expert_parallel: bool, most: int | None = None) -> None:
    """Refuse tensor-parallel ranks that cannot share a model evenly.

    Parameters
    ----------
    a : the transformer.
    tp : tensor-parallel ranks.
    expert_parallel : whether ranks hold whole experts.
    most : GPUs that a replica may have; None: any number. Ranks beyond are not told as allowed.

    Raises
    ------
    ScenarioError
        With the ranks that can.
    """
    if _splits(a, tp, expert_parallel=expert_parallel):
        return
    largest = min(a.query_heads, most or a.query_heads)
    allowed = [n for n in range(1, largest + 1) if _splits(a, n, expert_parallel=expert_parallel)]
    shared = f"{_ffn_size(a)} feed-forward columns"
    if expert_parallel and a.experts:
        shared = f"{a.experts.count} experts"
    linear = f", {a.linear.key_heads} key heads of linear attention" if a.linear else ""
    message = (
        f"parallelism.tp: {tp} ranks cannot share the {a.query_heads} query heads, "
        f"{a.kv_heads} KV heads{linear} and {shared} of {a.name} evenly; "
        f"allowed: {', '.join(map(str, allowed))}"
    )
    raise ScenarioError(message)


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
    expert_dtype : precision of the experts' weights; None: that of all weights.
    expert_parallel : whether ranks hold whole experts instead of a part of each.
    data_attention : whether each rank serves sequences of its own with all heads, instead of a part of the
        heads of all sequences.

    Raises
    ------
    ScenarioError
        If heads, feed-forward columns or experts cannot be split evenly over `tp` ranks; or the attention
        is not that of a model whose layers differ; or `data_attention` is not of whole experts alone.
    """

    architecture: Architecture
    attention: Attention
    gpu: Gpu
    tp: int
    weight_dtype: Dtype
    kv_dtype: Dtype
    compute_dtype: Dtype
    expert_dtype: Dtype | None = None
    expert_parallel: bool = False
    data_attention: bool = False

    def __post_init__(self) -> None:
        a, whole = self.architecture, self.expert_parallel
        if a.experts is None and (whole or self.expert_dtype is not None):
            key = "parallelism.expert_parallel" if whole else "model.expert_dtype"
            message = f"{key}: {a.name} has no experts; allowed: {'false' if whole else 'null'}"
            raise ScenarioError(message)
        check_split(a, self.tp, expert_parallel=whole)
        self._check_windows()
        self._check_data_attention()

    def _check_data_attention(self) -> None:
        """Refuse sequences split over ranks that do not share whole experts, or what is not modelled."""
        a = self.architecture
        faults = {
            "ranks hold a part of each expert: set parallelism.expert_parallel too": not self.expert_parallel,
            f"{a.name} has an expert that all tokens share": bool(a.experts and a.experts.shared_ffn_size),
            f"{a.name} has linear attention": a.linear is not None,
            f"its {a.kv_heads} KV heads are fewer than {self.tp} ranks": a.kv_heads % self.tp != 0,
        }
        found = [fault for fault, is_one in faults.items() if is_one]
        if self.data_attention and found:
            raise ScenarioError([f"parallelism.data_attention: {fault}; allowed: false" for fault in found])

    def _check_windows(self) -> None:
        """Refuse an attention that would read other tokens than the model's layers do."""
        a = self.architecture
        if a.sliding is None and self.attention.layers_per_count > 1:
            layers = f"the layers of {a.name} are alike"
            if a.linear:
                layers = (
                    f"one layer in {a.linear.full_every} of {a.name} attends to tokens, the others have "
                    "linear attention, and none has a window"
                )
            message = f"model.attention.window_every: {layers}; allowed: 1"
            raise ScenarioError(message)
        if a.sliding is not None and self.attention != own_attention(a):
            message = (
                f"model.attention: one layer in {a.sliding.every} of {a.name} attends to the last "
                f"{a.sliding.window_tokens} tokens only; allowed: {{kind: sliding_window, window_tokens: "
                f"{a.sliding.window_tokens}, window_every: {a.sliding.every}}}, which is the default"
            )
            raise ScenarioError(message)

    @cached_property
    def sequence_ranks(self) -> int:
        """Ranks that the sequences are split over; 1 where their heads are."""
        return self.tp if self.data_attention else 1

    def own_tokens(self, tokens: int) -> int:
        """Return how many of `tokens` go through attention and the head of one GPU, spread evenly."""
        return -(-tokens // self.sequence_ranks)

    @cached_property
    def query_heads(self) -> int:
        """Query heads of one GPU for all sequences: with `data_attention` all heads for its own ones."""
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
    def expert_format(self) -> Dtype:
        """Precision of the experts' weights."""
        return self.expert_dtype or self.weight_dtype

    @cached_property
    def kv_token_bytes(self) -> float:
        """Bytes of keys and values of one token in all layers that keep them, on one GPU.

        With `data_attention` it is the mean over the GPUs, of which one keeps the whole token.
        """
        a = self.architecture
        return 2 * self.kv_heads * a.head_dim * a.attention_layers * DTYPE_BYTES[self.kv_dtype]

    @cached_property
    def state_bytes(self) -> float:
        """Bytes that one sequence keeps in all layers of linear attention on one GPU."""
        return self.architecture.state_bytes / self.tp

    @cached_property
    def index_entry_bytes(self) -> float:
        """Bytes of one selection key in all layers on one GPU; 0 where nothing is selected."""
        if self.attention.index_block_tokens is None:
            return 0.0
        a = self.architecture
        return self.kv_heads * a.head_dim * a.attention_layers * ACTIVATION_BYTES

    @cached_property
    def index_token_bytes(self) -> float:
        """Bytes of selection keys per cached token on one GPU."""
        block = self.attention.index_block_tokens
        return 0.0 if block is None else self.index_entry_bytes / block

    @cached_property
    def attention_weights(self) -> int:
        """Weights of the qkv and output projections of one layer with keys and values on one GPU."""
        return self.architecture.hidden_size * (self.qkv_columns + self.output_rows)

    @cached_property
    def output_rows(self) -> int:
        """Rows of the output projection on one GPU."""
        return self.sequence_ranks * self.query_heads * self.architecture.head_dim

    @cached_property
    def qkv_columns(self) -> int:
        """Columns of the qkv projection on one GPU, with those of the output's gate."""
        a = self.architecture
        gates = 2 if a.attention_gate else 1
        return self.sequence_ranks * a.head_dim * (gates * self.query_heads + 2 * self.kv_heads)

    @cached_property
    def linear_weights(self) -> int:
        """Weights of the projections of one layer of linear attention on one GPU; 0 without such layers."""
        a = self.architecture
        return a.linear.layer_matrices(a.hidden_size) // self.tp if a.linear else 0

    @cached_property
    def mixer_weights(self) -> int:
        """Weights of attention, of either kind, in all layers on one GPU."""
        a = self.architecture
        return a.attention_layers * self.attention_weights + a.linear_layers * self.linear_weights

    @cached_property
    def ffn_weights(self) -> int:
        """Weights of the feed-forward layer (router, all experts, a shared one) of one layer on one GPU."""
        a = self.architecture
        if a.experts is None:
            return 3 * a.hidden_size * a.ffn_size // self.tp
        shared = 3 * a.hidden_size * a.experts.shared_ffn_size // self.tp
        return self.expert_weights + a.hidden_size * a.experts.count + shared

    @cached_property
    def expert_weights(self) -> int:
        """Weights of all experts of one layer on one GPU; 0 in a dense model."""
        a = self.architecture
        return 3 * a.hidden_size * a.experts.ffn_size * a.experts.count // self.tp if a.experts else 0

    @cached_property
    def embedding_weights(self) -> int:
        """Weights of the embedding and, unless tied, the output head on one GPU."""
        a = self.architecture
        tables = 1 if a.tied_embeddings else 2
        return tables * self.vocabulary * a.hidden_size

    @cached_property
    def vocabulary(self) -> int:
        """Rows of the embedding table on one GPU; the last rank is padded."""
        return -(-self.architecture.vocab_size * self.sequence_ranks // self.tp)

    @cached_property
    def weight_bytes(self) -> float:
        """Bytes of all weights on one GPU (norms and biases, under 0.1 %, are left out)."""
        layers = self.mixer_weights + self.architecture.layers * self.ffn_weights
        experts = self.architecture.layers * self.expert_weights
        rest = (layers - experts + self.embedding_weights) * self.weight_element_bytes
        return rest + experts * DTYPE_BYTES[self.expert_format]
