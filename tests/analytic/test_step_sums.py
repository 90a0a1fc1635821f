"""The duration of a run is the sum of its step latencies, each rounded: worked out here from the data sheet.

The tiny model (2 layers, hidden 256, 4 query and 2 KV heads of 64, ffn 512, vocabulary 1000) on B200:
2.25e15 FLOP/s, 8e12 bytes/s of HBM, 9e11 bytes/s of links, 7.4 us all-reduce floor, 34 us a layer.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from served import scenario, tables_of, tasks, workload

LAYERS, HIDDEN, HEAD, FFN, VOCABULARY = 2, 256, 64, 512, 1000
PEAK, BANDWIDTH, LINK, FLOOR_S, LAYER_S = 2.25e15, 8e12, 9e11, 7.4e-6, 3.4e-5
TASKS, PROMPT, OUTPUT = 3, 40, 50
BUDGET, BLOCK = 48, 16


def product(tokens: int, size_in: int, size_out: int) -> tuple[float, float]:
    """Return (FLOPs, bytes) of a bf16 matrix product."""
    return 2 * tokens * size_in * size_out, 2 * (size_in * size_out + tokens * (size_in + size_out))


def linear_work(tokens: int, tp: int) -> list[tuple[float, float]]:
    """Return (FLOPs, bytes) of every operation of the layers but attention, on one of `tp` GPUs."""
    queries, keys = 4 // tp * HEAD, 2 // tp * HEAD
    qkv_flops, qkv_bytes = product(tokens, HIDDEN, queries + 2 * keys)
    layer = [
        (qkv_flops, qkv_bytes + tokens * 2 * keys * 2),  # new keys and values are written
        product(tokens, queries, HIDDEN),
        product(tokens, HIDDEN, 2 * FFN // tp),
        product(tokens, FFN // tp, HIDDEN),
    ]
    return [(LAYERS * flops, LAYERS * moved) for flops, moved in layer]


def attention_work(attended: int, read: int, tp: int) -> tuple[float, float]:
    return LAYERS * 4 * (4 // tp) * HEAD * attended, LAYERS * 2 * (2 // tp) * HEAD * 2 * read


def selection_work(entries: int, tp: int) -> tuple[float, float]:
    return LAYERS * 2 * (4 // tp) * HEAD * entries, LAYERS * (2 // tp) * HEAD * 2 * entries


def duration_ns(combine: str, work: list[tuple[float, float]], tokens: int, tp: int) -> int:
    """Return the rounded latency of a step in which every sequence produces a token."""
    operations = [*linear_work(tokens, tp), product(TASKS, HIDDEN, VOCABULARY // tp), *work]
    compute = [flops / PEAK for flops, _ in operations]
    memory = [moved / BANDWIDTH for _, moved in operations]
    busy_s = {
        "sum_of_max": sum(map(max, compute, memory)),
        "max_of_sum": max(sum(compute), sum(memory)),
        "additive": sum(compute) + sum(memory),
    }[combine]
    ring_s = 2 * (tp - 1) / tp * tokens * HIDDEN * 2 / LINK
    allreduce_s = 2 * LAYERS * (FLOOR_S + ring_s) if tp > 1 else 0.0
    norms_s = 2 * 4 * tokens * HIDDEN * 2 / BANDWIDTH  # two norms over hidden state and residual
    return round(1e9 * (busy_s + allreduce_s + LAYERS * max(LAYER_S, norms_s)))


@pytest.mark.parametrize("combine", ["sum_of_max", "max_of_sum", "additive"])
@pytest.mark.parametrize("tp", [1, 2])
@pytest.mark.parametrize("kind", ["dense", "block_topk"])
def test_a_run_takes_the_sum_of_its_rounded_steps(kind: str, tp: int, combine: str) -> None:
    sparse = {"kind": "block_topk", "kv_budget_tokens": BUDGET, "block_tokens": BLOCK}
    attention: dict[str, Any] = {"kind": "dense"} if kind == "dense" else sparse
    prompt_pairs = TASKS * PROMPT * (PROMPT + 1) // 2
    prefill = [attention_work(prompt_pairs, TASKS * PROMPT, tp)]
    prefill_ns = duration_ns(combine, prefill, TASKS * PROMPT, tp)
    decode_ns = 0
    for context in range(PROMPT + 1, PROMPT + OUTPUT):
        read = context if kind == "dense" else min(context, BUDGET)
        work = [attention_work(TASKS * read, TASKS * read, tp)]
        if kind == "block_topk":
            work.append(selection_work(TASKS * -(-context // BLOCK), tp))
        decode_ns += duration_ns(combine, work, TASKS, tp)
    served = scenario(
        workload(tasks=tasks(TASKS, PROMPT), lengths={"kind": "constant", "tokens": OUTPUT}),
        engine={"latency": {"kind": "roofline", "combine": combine}},
        attention=attention,
        tp=tp,
    )
    tables = tables_of(served)
    assert tables.trials["first_token_ns"].tolist() == [prefill_ns] * TASKS
    assert tables.tasks["ended_ns"].tolist() == [prefill_ns + decode_ns] * TASKS
    assert tables.end_ns == prefill_ns + decode_ns
