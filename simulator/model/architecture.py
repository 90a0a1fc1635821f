"""The shape of a decoder-only transformer and what follows from it: parameters and KV size.

Counts are exact integers of the published weights: matrices, biases, norms, embeddings.  Covered are
grouped-query attention, in every layer alike, with a sliding window in one layer of some, or between layers
of linear attention, and gated (three-matrix) feed-forward layers, either dense or, in every layer alike, a
mixture of experts, with or without one that all tokens share.

Ignored: latent attention, layers that differ otherwise, encoders of images, layers that predict further
tokens.
"""

from __future__ import annotations

import math
from statistics import NormalDist

from pydantic import Field, model_validator

from simulator.frozen import Count, CountOrZero, FrozenModel, OneLine, Tokens
from simulator.model.linear import LinearLayers


class Experts(FrozenModel):
    """A mixture of experts in place of the feed-forward layer.

    Raises
    ------
    ValueError
        If a token would use more experts than there are.
    """

    count: Count = Field(description="[-] experts per layer, E")
    active: Count = Field(description="[-] experts a token is sent to, k")
    ffn_size: Count = Field(description="[-] inner size of one expert")
    bias: bool = Field(default=False, description="[-] whether router and experts have biases")
    shared_ffn_size: CountOrZero = Field(
        default=0, description="[-] inner size of an expert that all tokens share, behind a gate; 0: none"
    )

    @model_validator(mode="after")
    def _check_active(self) -> Experts:
        if self.active > self.count:
            message = (
                f"active {self.active} exceeds count {self.count}; a token uses at most every expert once"
            )
            raise ValueError(message)
        return self

    def expected_distinct_experts(self, tokens: int) -> float:
        """Return how many experts of a layer a step of `tokens` tokens is expected to touch.

        Parameters
        ----------
        tokens : tokens in the step, at least 0.

        Returns
        -------
        float
            E (1 - (1 - k/E)^tokens).

        Raises
        ------
        ValueError
            If `tokens` is negative.

        Notes
        -----
        Tokens choose independently and every expert is as likely; real routers are uneven and touch fewer.

        Examples
        --------
        >>> Experts(count=128, active=8, ffn_size=768).expected_distinct_experts(1)
        8.0
        """
        if tokens < 0:
            message = f"tokens {tokens} is negative; a step has 0 or more tokens"
            raise ValueError(message)
        return self.count * (1.0 - ((self.count - self.active) / self.count) ** tokens)

    def busiest_rank(self, tokens: int, ranks: int) -> tuple[float, float]:
        """Return the distinct experts and the rows of the busiest of `ranks` that share the experts.

        Parameters
        ----------
        tokens : tokens in the step, at least 0.
        ranks : GPUs of expert parallelism; each holds the same number of whole experts.

        Notes
        -----
        The step waits for the rank with the most rows. Tokens choose independently, each k of E experts;
        with a mean of m rows the largest of `ranks` normal variables with that sum is about ``m + d
        sqrt(m (E - k) / (E - 1))``, d by Blom (1958): the normal quantile of (ranks - 3/8) / (ranks + 1/4).

        Examples
        --------
        >>> Experts(count=128, active=8, ffn_size=768).busiest_rank(4, 1)
        (29.123046875, 32.0)
        """
        rows = float(tokens * self.active)
        if ranks == 1 or not tokens:
            return self.expected_distinct_experts(tokens), rows
        mean, held = rows / ranks, self.count / ranks
        spread = math.sqrt(mean * (self.count - self.active) / max(self.count - 1, 1))
        largest = NormalDist().inv_cdf((ranks - 0.375) / (ranks + 0.25))
        most = min(max(mean + largest * spread, 1.0), rows, tokens * held)
        return held * (1.0 - (1.0 - 1.0 / held) ** most), most


class SlidingLayers(FrozenModel):
    """Layers that attend to the most recent tokens only, between others that attend to all."""

    window_tokens: Tokens = Field(description="[tokens] most recent keys that such a layer attends to")
    every: Count = Field(description="[-] one layer in this many has the window")


class Architecture(FrozenModel):
    """A decoder-only transformer.

    Raises
    ------
    ValueError
        If the query heads do not divide evenly among the KV heads.
    """

    name: OneLine = Field(min_length=1, description="[-] catalog name, the file's stem")
    layers: Count = Field(description="[-] decoder layers")
    hidden_size: Count = Field(description="[-] width of the residual stream")
    ffn_size: Count = Field(description="[-] inner size of a dense feed-forward layer; unused with experts")
    query_heads: Count = Field(description="[-] query heads, H_q")
    kv_heads: Count = Field(description="[-] key and value heads, H_kv")
    head_dim: Count = Field(description="[-] elements of one head")
    vocab_size: Count = Field(description="[-] rows of the embedding table")
    tied_embeddings: bool = Field(description="[-] whether input and output share one table")
    qk_norm: bool = Field(description="[-] whether queries and keys are normalised per head")
    qkv_bias: bool = Field(description="[-] whether the qkv projection has a bias")
    output_bias: bool = Field(default=False, description="[-] whether the output projection has a bias")
    attention_sinks: bool = Field(
        default=False, description="[-] whether every query head has a learned logit beside its keys"
    )
    attention_gate: bool = Field(
        default=False, description="[-] whether queries bring a gate of their size for attention's output"
    )
    max_context_tokens: Tokens = Field(description="[tokens] longest context the model is published for")
    experts: Experts | None = Field(
        default=None, description="[-] mixture of experts of every layer, or null"
    )
    sliding: SlidingLayers | None = Field(
        default=None, description="[-] layers with a sliding window, or null: all layers are alike"
    )
    linear: LinearLayers | None = Field(
        default=None, description="[-] layers of linear attention, or null: all attend to keys and values"
    )
    source: str = Field(min_length=3, description="[-] where these numbers were read")

    @model_validator(mode="after")
    def _check_layers(self) -> Architecture:
        if self.linear is None:
            return self
        if self.sliding is not None:
            message = "linear and sliding exclude each other; give one of them"
            raise ValueError(message)
        if self.layers % self.linear.full_every:
            message = (
                f"linear.full_every {self.linear.full_every} does not divide layers {self.layers}; groups of "
                "layers repeat"
            )
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _check_heads(self) -> Architecture:
        if self.query_heads % self.kv_heads:
            message = (
                f"query_heads {self.query_heads} is not a multiple of kv_heads {self.kv_heads}; "
                "every KV head serves as many query heads"
            )
            raise ValueError(message)
        return self

    @property
    def attention_layers(self) -> int:
        """Layers that keep keys and values and attend to them."""
        return self.layers if self.linear is None else self.layers // self.linear.full_every

    @property
    def linear_layers(self) -> int:
        """Layers of linear attention."""
        return self.layers - self.attention_layers

    @property
    def q_out_size(self) -> int:
        """Elements of all query heads, which are the rows of the output projection."""
        return self.query_heads * self.head_dim

    @property
    def kv_out_size(self) -> int:
        """Columns of the key and value projections together."""
        return 2 * self.kv_heads * self.head_dim

    @property
    def qkv_out_size(self) -> int:
        """Columns of the fused query, key and value projection, with the output's gate where there is one."""
        return self.q_out_size * (2 if self.attention_gate else 1) + self.kv_out_size

    @property
    def layer_attention_parameters(self) -> int:
        """Parameters of one layer's attention to cached keys: qkv, output, biases, per-head norms."""
        matrices = self.hidden_size * (self.qkv_out_size + self.q_out_size)
        biases = (self.qkv_out_size if self.qkv_bias else 0) + (self.hidden_size if self.output_bias else 0)
        norms = 2 * self.head_dim if self.qk_norm else 0
        return matrices + biases + norms + (self.query_heads if self.attention_sinks else 0)

    @property
    def layer_ffn_parameters(self) -> int:
        """Parameters of one layer's feed-forward part: gate, up, down of all experts, and the router."""
        if self.experts is None:
            return 3 * self.hidden_size * self.ffn_size
        router = (self.hidden_size + int(self.experts.bias)) * self.experts.count
        shared = self.hidden_size * (3 * self.experts.shared_ffn_size + bool(self.experts.shared_ffn_size))
        return self.experts.count * self._expert_parameters(self.experts) + router + shared

    @property
    def active_layer_ffn_parameters(self) -> int:
        """Parameters of one layer's feed-forward part that one token uses."""
        if self.experts is None:
            return self.layer_ffn_parameters
        idle = self.experts.count - self.experts.active
        return self.layer_ffn_parameters - idle * self._expert_parameters(self.experts)

    @property
    def output_head_parameters(self) -> int:
        """Parameters of the matrix that turns the last hidden state into logits, tied or not."""
        return self.vocab_size * self.hidden_size

    @property
    def embedding_parameters(self) -> int:
        """Parameters of the embedding table and, unless tied, of the output head."""
        return self.output_head_parameters * (1 if self.tied_embeddings else 2)

    @property
    def parameters(self) -> int:
        """Parameters of the whole model."""
        return self._total(self.layer_ffn_parameters)

    @property
    def active_parameters(self) -> int:
        """Parameters one token uses; all of them, embeddings included, in a dense model."""
        return self._total(self.active_layer_ffn_parameters)

    @property
    def kv_elements_per_token(self) -> int:
        """Key and value elements one token leaves in the cache, over all layers (D of Kinetics)."""
        return self.kv_out_size * self.attention_layers

    @property
    def state_bytes(self) -> float:
        """Bytes that one sequence keeps in all layers of linear attention, however long it is."""
        return 0.0 if self.linear is None else self.linear_layers * self.linear.layer_state_bytes

    def kv_bytes_per_token(self, bytes_per_element: float) -> float:
        """Return the bytes one token leaves in the KV cache, over all layers.

        Parameters
        ----------
        bytes_per_element : bytes of one cached element, for example 2.0 for bf16.
        """
        return self.kv_elements_per_token * bytes_per_element

    def _expert_parameters(self, experts: Experts) -> int:
        biases = 2 * experts.ffn_size + self.hidden_size if experts.bias else 0
        return 3 * self.hidden_size * experts.ffn_size + biases

    def _total(self, layer_ffn_parameters: int) -> int:
        norms = 2 * self.hidden_size
        mixers = self.attention_layers * self.layer_attention_parameters
        if self.linear is not None:
            mixers += self.linear_layers * self.linear.layer_parameters(self.hidden_size)
        rest = self.layers * (layer_ffn_parameters + norms) + self.hidden_size
        return self.embedding_parameters + mixers + rest
