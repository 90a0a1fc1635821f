"""The operations of one forward pass on one GPU: FLOPs and HBM bytes as functions of the tokens.

Linear operations depend on the number of tokens in the step alone, so they are worked out once per
token count; attention depends on the contexts.  Not modelled: embedding look-up, rotary embedding,
sampling (each under 1 % of a step at any batch worth serving), activations kept in cache between kernels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from simulator.deployment import ACTIVATION_BYTES, Deployment
from simulator.hardware import DTYPE_BYTES


@dataclass(frozen=True, slots=True)
class Operation:
    """Work of one operation over all layers on one GPU.

    Parameters
    ----------
    name : what it is called in reports.
    flops, hbm_bytes : over all repeats.
    shape : rows, inner and outer size of one matrix product; None for what is no plain product.
    repeats : how often it runs in a step (once per layer).
    mean_work : FLOPs and bytes of the mean GPU, where the GPUs of a replica differ and `flops` and
        `hbm_bytes` are those of the busiest, for which the others wait; None where all do the same.
    """

    name: str
    flops: float
    hbm_bytes: float
    shape: tuple[int, int, int] | None = None
    repeats: int = 1
    mean_work: tuple[float, float] | None = None

    def work(self, *, mean: bool) -> tuple[float, float]:
        """Return (FLOPs, bytes) of the busiest GPU, or of the mean GPU."""
        return self.mean_work if mean and self.mean_work is not None else (self.flops, self.hbm_bytes)


def _linear(name: str, d: Deployment, *, tokens: int, size_in: int, size_out: int, repeats: int) -> Operation:
    """Return a matrix product of `tokens` rows, `repeats` times (once per layer)."""
    weights = size_in * size_out * d.weight_element_bytes
    activations = tokens * (size_in + size_out) * ACTIVATION_BYTES
    flops = 2.0 * tokens * size_in * size_out
    return Operation(
        name, repeats * flops, repeats * (weights + activations), (tokens, size_in, size_out), repeats
    )


def _feed_forward(d: Deployment, tokens: int, own: int) -> list[Operation]:
    a = d.architecture
    if a.experts is None:
        ffn = a.ffn_size // d.tp
        return [
            _linear("gate_up", d, tokens=tokens, size_in=a.hidden_size, size_out=2 * ffn, repeats=a.layers),
            _linear("down", d, tokens=tokens, size_in=ffn, size_out=a.hidden_size, repeats=a.layers),
        ]
    e = a.experts
    router = _linear("router", d, tokens=own, size_in=a.hidden_size, size_out=e.count, repeats=a.layers)
    # Ranks hold a part of every expert, or whole experts: then the busiest one decides.
    ranks, parts = (d.tp, 1) if d.expert_parallel else (1, d.tp)
    expert_weights = 3 * a.hidden_size * e.ffn_size / parts

    def work(touched: float, routed: float) -> tuple[float, float]:
        activations = routed * (2 * a.hidden_size + 3 * e.ffn_size / parts) * ACTIVATION_BYTES
        weights = touched * expert_weights * DTYPE_BYTES[d.expert_format]
        return a.layers * 2.0 * routed * expert_weights, a.layers * (weights + activations)

    flops, hbm_bytes = work(*e.busiest_rank(tokens, ranks))
    mean = work(e.expected_distinct_experts(tokens) / ranks, tokens * e.active / ranks)
    experts = Operation("experts", flops, hbm_bytes, mean_work=mean)
    if not e.shared_ffn_size:
        return [router, experts]
    shared, size = e.shared_ffn_size // d.tp, a.hidden_size
    return [
        router,
        experts,
        _linear("shared_gate_up", d, tokens=tokens, size_in=size, size_out=2 * shared, repeats=a.layers),
        _linear("shared_down", d, tokens=tokens, size_in=shared, size_out=size, repeats=a.layers),
    ]


def _linear_mixers(d: Deployment, tokens: int) -> list[Operation]:
    """Return the projections of the layers of linear attention: in, gates of the value heads, out."""
    a = d.architecture
    if a.linear is None:
        return []
    size, inside = a.hidden_size, (a.linear.conv_channels + a.linear.value_size) // d.tp
    gates, values, layers = 2 * a.linear.value_heads // d.tp, a.linear.value_size // d.tp, a.linear_layers
    return [
        _linear("linear_in", d, tokens=tokens, size_in=size, size_out=inside, repeats=layers),
        _linear("linear_gates", d, tokens=tokens, size_in=size, size_out=gates, repeats=layers),
        _linear("linear_out", d, tokens=tokens, size_in=values, size_out=size, repeats=layers),
    ]


def layer_operations(d: Deployment, tokens: int, own: int | None = None) -> list[Operation]:
    """Return the matrix products of all decoder layers for `tokens` tokens.

    The qkv operation includes writing the new keys and values.

    Parameters
    ----------
    d : the deployment.
    tokens : of the step.
    own : those that go through attention on the busiest GPU; None: as many as on the others.
    """
    a, layers = d.architecture, d.architecture.attention_layers
    own = d.own_tokens(tokens) if own is None else own
    qkv = _linear("qkv", d, tokens=own, size_in=a.hidden_size, size_out=d.qkv_columns, repeats=layers)
    qkv = replace(qkv, hbm_bytes=qkv.hbm_bytes + own * d.sequence_ranks * d.kv_token_bytes)
    output = _linear("o", d, tokens=own, size_in=d.output_rows, size_out=a.hidden_size, repeats=layers)
    return [qkv, output, *_linear_mixers(d, tokens), *_feed_forward(d, tokens, own)]


def norms_operation(d: Deployment, tokens: int, own: int | None = None) -> Operation:
    """Return the two norms of every layer, each reading and writing the hidden state and the residual.

    Parameters are those of `layer_operations`.
    """
    a, own = d.architecture, d.own_tokens(tokens) if own is None else own
    return Operation("norms", 0.0, a.layers * 2 * 4.0 * own * a.hidden_size * ACTIVATION_BYTES)


def head_operation(d: Deployment, sampled: int) -> Operation:
    """Return the output head for the `sampled` sequences that produce a token."""
    a = d.architecture
    if not sampled:
        return Operation("lm_head", 0.0, 0.0)
    own = d.own_tokens(sampled)
    return _linear("lm_head", d, tokens=own, size_in=a.hidden_size, size_out=d.vocabulary, repeats=1)


@dataclass(frozen=True, slots=True)
class AttentionCosts:
    """FLOPs and bytes behind one count of `AttentionWork`, over all layers that it stands for, on one GPU.

    Parameters
    ----------
    attended_flops : scores and weighted values of one query-key pair.
    read_bytes : keys and values of one token.
    index_flops : score of one selection key.
    index_bytes : one selection key.
    """

    attended_flops: float
    read_bytes: float
    index_flops: float
    index_bytes: float

    @classmethod
    def of(cls, d: Deployment) -> AttentionCosts:
        """Return the costs of a deployment."""
        grouped = d.attention.layers_per_count
        per_head = d.query_heads * d.architecture.head_dim * d.architecture.attention_layers / grouped
        return cls(4.0 * per_head, d.kv_token_bytes / grouped, 2.0 * per_head, d.index_entry_bytes)
