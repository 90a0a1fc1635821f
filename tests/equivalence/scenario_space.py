"""Random small scenarios that reach every corner of the engines, as raw documents and as objects."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from ruamel.yaml import YAML

from simulator.scenario.schema import Scenario

ROOT = Path(__file__).resolve().parents[2]

# Shapes no catalog has: small enough for the reference engine, with few heads and odd sizes.
TINY_MODEL = {
    "name": "tiny",
    "layers": 2,
    "hidden_size": 256,
    "ffn_size": 512,
    "query_heads": 4,
    "kv_heads": 2,
    "head_dim": 64,
    "vocab_size": 1000,
    "tied_embeddings": True,
    "qk_norm": False,
    "qkv_bias": False,
    "max_context_tokens": 4096,
    "source": "made up for tests",
}
TINY_EXPERTS = {**TINY_MODEL, "name": "tiny-moe", "experts": {"count": 8, "active": 2, "ffn_size": 128}}
TINY_WINDOWS = {**TINY_EXPERTS, "name": "tiny-windows", "sliding": {"window_tokens": 48, "every": 2}}

TINY_LINEAR = {
    **TINY_MODEL,
    "name": "tiny-linear",
    "attention_gate": True,
    "experts": {"count": 8, "active": 2, "ffn_size": 128, "shared_ffn_size": 64},
    "linear": {
        "full_every": 2,
        "key_heads": 2,
        "value_heads": 4,
        "key_dim": 32,
        "value_dim": 64,
        "conv_kernel": 4,
    },
}


@cache
def gpu(name: str) -> dict[str, Any]:
    """Return a GPU profile as a raw table."""
    text = (ROOT / "hw_profiles" / f"{name}.yaml").read_text(encoding="utf-8")
    table = dict(YAML(typ="safe", pure=True).load(text))
    calibration = ROOT / "hw_profiles" / "calibrations" / f"{name}.vllm.json"
    return table | {"calibrations": {"vllm": json.loads(calibration.read_text(encoding="utf-8"))}}


def node(name: str = "b200-sxm", gpus: int = 8) -> dict[str, Any]:
    """Return a node of equal GPUs as a raw table."""
    return {"kind": "node", "name": f"{name}-{gpus}", "gpu": gpu(name), "gpus": gpus}


def crowded_node() -> dict[str, Any]:
    """Return a node whose attention gives a few sequences one thread block each, and others none at first."""
    table = node("b300-sxm")
    calibration = table["gpu"]["calibrations"]["vllm"]
    split = calibration["split"] | {"blocks": 3, "block_bytes_per_s": 1e9}
    return table | {"gpu": table["gpu"] | {"calibrations": {"vllm": calibration | {"split": split}}}}


@cache
def attentions() -> st.SearchStrategy[dict[str, Any]]:
    """Every attention kind, with budgets that contexts of up to 200 tokens pass or never reach."""
    budget = st.sampled_from([16, 48, 96, 2048])
    return st.one_of(
        st.builds(
            lambda reads: {"kind": "dense", "prefix_reads": reads},
            st.sampled_from(["per_sequence", "once_per_family"]),
        ),
        st.builds(lambda b: {"kind": "topk", "kv_budget_tokens": b}, budget),
        st.builds(
            lambda b, blocks: {"kind": "block_topk", "kv_budget_tokens": b, "block_tokens": blocks},
            budget,
            st.sampled_from([1, 8, 16]),
        ),
        st.builds(
            lambda b, sinks: {"kind": "sliding_window", "window_tokens": b, "sink_tokens": sinks},
            budget,
            st.sampled_from([0, 4]),
        ),
    )


@cache
def test_time_strategies() -> st.SearchStrategy[dict[str, Any]]:
    """Every strategy: plain, early stop, waves, votes and a tree with intermediate nodes."""
    n = st.integers(1, 6)
    return st.one_of(
        st.just({"kind": "long_cot"}),
        st.builds(
            lambda trials, stop: {"kind": "best_of_n", "trials": trials, "stop_at_first_success": stop},
            n,
            st.booleans(),
        ),
        st.builds(lambda trials: {"kind": "self_consistency", "trials": trials}, n),
        st.builds(
            lambda first, wave, more, bound: {
                "kind": "adaptive",
                "first_wave": first,
                "wave": wave,
                "max_trials": first + more,
                "give_up_tokens": bound,
                "stop_at_bound": bound is not None,
            },
            st.integers(1, 3),
            st.integers(1, 3),
            st.integers(0, 4),
            st.sampled_from([None, None, 30, 200]),
        ),
        st.builds(
            lambda beams, expansion, rounds: {
                "kind": "beam_search",
                "beams": beams,
                "expansion": expansion,
                "rounds": rounds,
                "verifier_noise": 0.5,
            },
            st.integers(1, 3),
            st.integers(1, 3),
            st.integers(1, 4),
        ),
    )


@cache
def budgeted_strategies() -> st.SearchStrategy[dict[str, Any]]:
    """Strategies whose trials have KV budgets of their own, some of which contexts of 200 tokens pass."""
    budgets = st.sampled_from([16, 32, 48, 96, 2048])
    ladders = st.lists(budgets, min_size=1, max_size=3, unique=True).map(sorted)
    return st.one_of(
        st.builds(
            lambda ladder, first, wave, more, ratio, after, give_up: {
                "kind": "adaptive",
                "first_wave": first,
                "wave": wave,
                "max_trials": first + more,
                "kv_budgets_tokens": ladder,
                "first_budget_tokens": ladder[-1] if first == 2 else None,
                "budget_ratio": ratio,
                "raise_after": after,
                "give_up_tokens": give_up,
            },
            ladders,
            st.integers(1, 3),
            st.integers(1, 3),
            st.integers(0, 4),
            st.sampled_from([0.0, 0.3, 1.0]),
            st.sampled_from([None, 1, 2]),
            st.sampled_from([None, 100, 300]),
        ),
        st.builds(
            lambda ladder, trials, skips: {
                "kind": "oracle",
                "max_trials": trials,
                "kv_budgets_tokens": ladder,
                "skips_failures": skips,
            },
            ladders,
            st.integers(1, 6),
            st.booleans(),
        ),
    )


@cache
def arrivals() -> st.SearchStrategy[dict[str, Any]]:
    """Open and closed loops; rates around the service rate, so that arrivals fall inside macro steps."""
    return st.one_of(
        st.just({"kind": "all_at_once"}),
        st.builds(
            lambda c, pause: {"kind": "closed_loop", "concurrency": c, "think_time_s": pause},
            st.integers(1, 5),
            st.sampled_from([0.0, 1e-4, 0.01]),
        ),
        st.builds(lambda r: {"kind": "poisson", "rate_per_s": r}, st.sampled_from([20.0, 300.0, 5000.0])),
        st.builds(lambda r: {"kind": "gamma", "rate_per_s": r, "cv": 3.0}, st.sampled_from([50.0, 1000.0])),
    )


@cache
def lengths() -> st.SearchStrategy[dict[str, Any]]:
    """Constant lengths (many sequences end at once) and spread ones."""
    return st.one_of(
        st.builds(lambda n: {"kind": "constant", "tokens": n}, st.sampled_from([1, 2, 17, 60])),
        st.builds(
            lambda m, s: {"kind": "lognormal", "median_tokens": m, "log_sigma": s},
            st.sampled_from([5.0, 30.0, 80.0]),
            st.sampled_from([0.3, 1.0]),
        ),
        st.just({"kind": "difficulty_coupled", "median_tokens": 30.0, "log_sigma": 0.5, "slope": 2.0}),
        st.just({"kind": "empirical", "values": [1, 3, 40, 90]}),
    )


@cache
def verifiers() -> st.SearchStrategy[dict[str, Any] | None]:
    """None, one that costs money alone, and ones whose verdicts come at ends of steps or between them."""
    return st.sampled_from(
        [
            None,
            None,
            {"usd_per_trial": 0.01},
            {"seconds_per_trial": 1e-3},
            {"seconds_per_trial": 3e-4, "seconds_per_token": 1.7e-5, "usd_per_million_tokens": 2.0},
        ]
    )


@cache
def latencies() -> st.SearchStrategy[dict[str, Any]]:
    """Round numbers make boundaries of replicas and arrivals fall on the same nanosecond."""
    return st.one_of(
        st.builds(
            lambda c: {"kind": "roofline", "combine": c},
            st.sampled_from(["sum_of_max", "max_of_sum", "additive"]),
        ),
        st.just({"kind": "roofline", "step_overhead_s": 1e-4, "sequence_overhead_s": 1e-5}),
        st.just({"kind": "calibrated", "engine": "vllm"}),
        st.just({"kind": "auto"}),
        st.just({"kind": "constant", "step_s": 1e-4}),
        st.just({"kind": "constant", "step_s": 1e-3, "prefill_token_s": 1e-5}),
    )


@cache
def schedulers() -> st.SearchStrategy[dict[str, Any]]:
    """Every policy, by every length it can read."""
    kinds = ("fcfs", "shortest_first", "longest_first", "task_affine", "priority")
    return st.one_of(
        *(st.just({"kind": kind}) for kind in kinds), st.just({"kind": "shortest_first", "by": "predicted"})
    )


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Draw the raw document of a scenario that the reference engine runs in milliseconds."""
    max_sequences = draw(st.sampled_from([1, 2, 4, 16]))
    kv: dict[str, Any] = {
        "block_tokens": draw(st.sampled_from([1, 4, 16])),
        "watermark_ratio": draw(st.sampled_from([0.0, 0.1])),
        "prefix_sharing": draw(st.booleans()),
    }
    # 300 tokens hold the longest context of one sequence, so tiny pools are feasible but tight.
    pool_tokens = draw(st.sampled_from([None, 360, 600, 1500]))
    kv |= {"capacity": "unlimited"} if pool_tokens is None else {"blocks": pool_tokens // kv["block_tokens"]}
    return {
        "schema": 1,
        "hardware": draw(st.sampled_from([node(), crowded_node()])),
        "model": {
            "preset": draw(st.sampled_from([TINY_MODEL, TINY_EXPERTS])),
            "attention": draw(attentions()),
        },
        "parallelism": {"tp": draw(st.sampled_from([1, 2])), "dp": draw(st.integers(1, 3))},
        "engine": {
            "scheduler": draw(schedulers()),
            "router": {"kind": draw(st.sampled_from(["round_robin", "least_loaded", "prefix_affine"]))},
            "latency": draw(latencies()),
            "kv": kv,
            "max_sequences": max_sequences,
            "max_batched_tokens": draw(st.sampled_from([16, 40, 512])),
            "prefill": draw(st.sampled_from(["local", "local", "remote"])),
        },
        "workload": {
            "tasks": {
                "kind": "synthetic",
                "count": draw(st.integers(1, 8)),
                "prompt_tokens": draw(
                    st.one_of(
                        st.sampled_from([1, 16, 33, 64]),
                        st.just({"median_tokens": 30.0, "log_sigma": 0.7, "longest_tokens": 100}),
                    )
                ),
            },
            "arrivals": draw(arrivals()),
            "lengths": draw(lengths()),
            "outcomes": {"kind": "beta", "alpha": 0.6, "beta": 1.2, "zero_ratio": 0.1},
            "strategy": draw(test_time_strategies()),
            "max_tokens": draw(st.sampled_from([40, 200])),
            "length_prediction": {"log_error": 0.3},
            "priorities": draw(st.sampled_from([[0], [0, 2, 1]])),
            "shared_prefix_tokens": draw(st.sampled_from([0, 0, 16, 25, 33])),
            "verifier": draw(verifiers()),
        },
        "report": {"horizon_s": draw(st.sampled_from([None, None, 0.002, 0.0052, 0.0301]))},
        "seed": draw(st.integers(0, 1000)),
    }


def windowed(document: dict[str, Any]) -> dict[str, Any]:
    """Return `document` for a model with windows in every second layer and whole experts in MXFP4."""
    model = {"preset": TINY_WINDOWS, "expert_dtype": "mxfp4"}
    return document | {"model": model, "parallelism": document["parallelism"] | {"expert_parallel": True}}


@st.composite
def budgeted(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a document whose sequences have different KV budgets in one batch."""
    document = draw(documents())
    attention: dict[str, Any] = {"kind": "topk", "kv_budget_tokens": 64}
    blocks = draw(st.sampled_from([None, 1, 8, 16]))
    if blocks is not None:
        attention = {"kind": "block_topk", "kv_budget_tokens": 64, "block_tokens": blocks}
    loss = draw(st.sampled_from([None, {"half_ratio": 0.3}]))
    workload = document["workload"] | {"strategy": draw(budgeted_strategies()), "budget_loss": loss}
    return document | {"model": document["model"] | {"attention": attention}, "workload": workload}


def linear(document: dict[str, Any]) -> dict[str, Any]:
    """Return `document` for a model with linear attention and a shared expert; multiples cut its prompts."""
    engine = document["engine"]
    room = engine["max_batched_tokens"] - engine["max_sequences"]
    multiple = {"prefill_multiple_tokens": 7 if room >= 7 else 1}
    model = document["model"] | {"preset": TINY_LINEAR}
    return document | {"model": model, "engine": engine | multiple}


def scenarios() -> st.SearchStrategy[Scenario]:
    """Return resolved scenarios, one in three of models whose layers differ, one in six of mixed budgets."""
    plain = documents()
    drawn = st.one_of(plain, plain, plain, plain.map(windowed), plain.map(linear), budgeted())
    return drawn.map(Scenario.model_validate)


def mixed_scenarios() -> st.SearchStrategy[Scenario]:
    """Return resolved scenarios whose sequences have KV budgets of their own."""
    return budgeted().map(Scenario.model_validate)
