"""Every operation of a step worked out a second time, layer by layer, in plain scalars."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[2] / "property"))

from deployments import DENSE, FEW, contexts_of_a_batch, decode_load, deployment, gpu, prefills, rows_of

from simulator.attention import Attention, BlockTopKAttention, DenseAttention
from simulator.deployment import Deployment
from simulator.hardware import Dtype
from simulator.latency import RooflineLatency, StepLoad

BYTES = {"bf16": 2.0, "fp8": 1.0, "fp4": 0.5}
SPARSE = BlockTopKAttention(kv_budget_tokens=256)
CASES = [
    ("qwen3-8b", 1, DENSE, "bf16", "bf16"),
    ("qwen3-8b", 8, SPARSE, "fp8", "fp8"),
    ("qwen3-8b", 16, DENSE, "bf16", "bf16"),
    ("qwen3-30b-a3b", 1, SPARSE, "bf16", "fp8"),
    ("qwen3-30b-a3b", 8, DenseAttention(prefix_reads="once_per_family"), "fp4", "bf16"),
    ("r1-distill-qwen-7b", 4, DENSE, "bf16", "bf16"),
]
cases = pytest.mark.parametrize(("model", "tp", "attention", "weights", "kv"), CASES)


def one_layer(d: Deployment, load: StepLoad) -> dict[str, tuple[float, float]]:
    """Return (FLOPs, bytes) of each operation of one layer on one GPU."""
    a, t = d.architecture, load.decode_sequences + load.prefill_tokens
    w, kv_byte, h = BYTES[d.weight_dtype], BYTES[d.kv_dtype], a.hidden_size
    heads = a.query_heads / d.tp
    q = heads * a.head_dim
    k = max(1.0, a.kv_heads / d.tp) * a.head_dim  # keys alone; values are as many

    def product(rows: float, inner: float, columns: float) -> tuple[float, float]:
        return 2 * rows * inner * columns, inner * columns * w + 2 * rows * inner + 2 * rows * columns

    work = {"qkv": product(t, h, q + 2 * k), "o": product(t, q, h)}
    work["qkv"] = (work["qkv"][0], work["qkv"][1] + t * 2 * k * kv_byte)
    if a.experts is None:
        f = a.ffn_size / d.tp
        work |= {"gate_up": product(t, h, 2 * f), "down": product(t, f, h)}
    else:
        e = a.experts
        f = e.ffn_size / d.tp
        missed = (1 - e.active / e.count) ** t
        matrices = e.count * (1 - missed) * 3 * h * f * w
        rows = t * e.active
        work["router"] = product(t, h, e.count)
        # Gate and up read a hidden state and write two inner ones; down reads one and writes a hidden state.
        work["experts"] = (2 * rows * 3 * h * f, matrices + 2 * rows * (h + 2 * f + f + h))
    attended, read = int(load.decode.attended_tokens), int(load.decode.read_tokens)
    work["attention"] = (4 * q * attended, 2 * k * kv_byte * read)
    if load.decode.index_entries is not None:
        entries = int(load.decode.index_entries)
        work["selection"] = (2 * q * entries, k * 2 * entries)
    new, past = load.prefill_attended_tokens, load.prefill_read_tokens
    work["prefill_attention"] = (4 * q * new, 2 * k * kv_byte * past)
    return work


def whole_step(d: Deployment, load: StepLoad) -> dict[str, tuple[float, float, float]]:
    """Return (FLOPs, bytes, peak) of each operation of the step."""
    layers = d.architecture.layers
    matrix = d.gpu.peak_flops_per_s[d.compute_dtype].value
    bf16 = d.gpu.peak_flops_per_s["bf16"].value
    in_bf16 = {"attention", "selection", "prefill_attention"}
    step = {
        name: (layers * flops, layers * moved, bf16 if name in in_bf16 else matrix)
        for name, (flops, moved) in one_layer(d, load).items()
    }
    s = load.decode_sequences + load.prefill_ends
    h, v = d.architecture.hidden_size, d.architecture.vocab_size / d.tp
    moved = h * v * BYTES[d.weight_dtype] + 2 * s * (h + v) if s else 0.0
    return step | {"lm_head": (2.0 * s * h * v, moved, matrix)}


def outside(d: Deployment, load: StepLoad, step_s: float, sequence_s: float) -> float:
    """Return all-reduces and overheads, s."""
    layers, tokens = d.architecture.layers, load.decode_sequences + load.prefill_tokens
    norms = 2 * tokens * d.architecture.hidden_size * 2 * 4.0 / d.gpu.hbm_bandwidth_bytes_per_s.value
    per_layer = max(norms, d.gpu.layer_overhead_s.value if d.gpu.layer_overhead_s else 0.0)
    if d.tp > 1:
        message = tokens * d.architecture.hidden_size * 2.0
        ring = (d.tp - 1) * 2 * (message / d.tp) / d.gpu.link_bandwidth_bytes_per_s.value
        per_layer += 2 * (d.gpu.allreduce_floor_s.value + ring)
    return layers * per_layer + step_s + sequence_s * (load.decode_sequences + load.prefill_ends)


def combined(combine: str, work: dict[str, tuple[float, float, float]], bandwidth: float) -> float:
    compute = [flops / peak for flops, _, peak in work.values()]
    memory = [moved / bandwidth for _, moved, _ in work.values()]
    if combine == "sum_of_max":
        return sum(max(pair) for pair in zip(compute, memory, strict=True))
    return max(sum(compute), sum(memory)) if combine == "max_of_sum" else sum(compute) + sum(memory)


@cases
@pytest.mark.parametrize("combine", ["sum_of_max", "max_of_sum", "additive"])
@FEW
@given(contexts=st.one_of(st.just([]), contexts_of_a_batch), prefill=prefills(), data=st.data())
def test_a_step_takes_what_its_operations_take(
    *,
    model: str,
    tp: int,
    attention: Attention,
    weights: Dtype,
    kv: Dtype,
    combine: str,
    contexts: list[int],
    prefill: dict[str, int],
    data: st.DataObject,
) -> None:
    step_s, sequence_s = data.draw(st.sampled_from([(0.0, 0.0), (1e-3, 5e-5)]))
    d = deployment(model, tp=tp, attention=attention, weight_dtype=weights, kv_dtype=kv)
    load = decode_load(attention, contexts, **prefill)
    if not contexts and not prefill:
        return
    config = RooflineLatency.model_validate(
        {"combine": combine, "step_overhead_s": step_s, "sequence_overhead_s": sequence_s}
    )
    roof = combined(combine, whole_step(d, load), d.gpu.hbm_bandwidth_bytes_per_s.value)
    expected = roof + outside(d, load, step_s, sequence_s)
    assert config.bind(d).step_seconds(load) == pytest.approx(expected, rel=1e-12)


@cases
@FEW
@given(contexts=contexts_of_a_batch, prefill=prefills())
def test_each_part_has_the_work_of_its_operation(
    *,
    model: str,
    tp: int,
    attention: Attention,
    weights: Dtype,
    kv: Dtype,
    contexts: list[int],
    prefill: dict[str, int],
) -> None:
    d = deployment(model, tp=tp, attention=attention, weight_dtype=weights, kv_dtype=kv)
    load = decode_load(attention, contexts, **prefill)
    parts = RooflineLatency().bind(d).parts(rows_of([load]))
    expected = whole_step(d, load)
    assert set(parts) == {*expected, "norms", "allreduce", "overhead"}
    tokens = load.decode_sequences + load.prefill_tokens
    norms = d.architecture.layers * 2 * tokens * d.architecture.hidden_size * 2 * 4.0
    assert parts["norms"].hbm_bytes.tolist() == pytest.approx([norms], rel=1e-12)
    for name, (flops, moved, peak) in expected.items():
        part = parts[name]
        assert part.flops.tolist() == pytest.approx([flops], rel=1e-12), name
        assert part.hbm_bytes.tolist() == pytest.approx([moved], rel=1e-12), name
        assert part.peak_flops_per_s == peak, name
        bound = max(flops / peak, moved / d.gpu.hbm_bandwidth_bytes_per_s.value)
        assert part.bound_seconds.tolist() == pytest.approx([bound], rel=1e-12), name
        assert part.seconds.tolist() == pytest.approx([bound], rel=1e-12), name


def test_a_profile_without_a_layer_overhead_has_none() -> None:
    h200 = deployment(on=gpu("h200-sxm"))
    assert h200.gpu.layer_overhead_s is None
    assert RooflineLatency().bind(h200).layers_overhead_s == 0.0


def test_a_given_layer_overhead_replaces_the_profiles() -> None:
    assert RooflineLatency(layer_overhead_s=0.0).bind(deployment()).layers_overhead_s == 0.0
    assert RooflineLatency(layer_overhead_s=1e-5).bind(deployment()).layers_overhead_s == pytest.approx(36e-5)


def test_a_chunk_that_ends_no_prompt_runs_no_output_head() -> None:
    latency = RooflineLatency().bind(deployment())
    inner, last = ({"prefill_tokens": 64, "prefill_read_tokens": 64, "prefill_ends": n} for n in (0, 1))
    heads = latency.parts(rows_of([decode_load(DENSE, [], **inner), decode_load(DENSE, [], **last)]))[
        "lm_head"
    ]
    assert heads.hbm_bytes.tolist() == [0.0, 2.0 * (4096 * 151_936 + 4096 + 151_936)]
