"""The unions of the serving engine, and instances of each of their members.

The members are read from the unions; a new kind needs an example here only if it has parameters without
defaults, and the tests say so.
"""

from __future__ import annotations

from typing import Any, get_args

import pytest
from pydantic import TypeAdapter

from simulator.attention import Attention
from simulator.frozen import FrozenModel
from simulator.latency import Latency
from simulator.routing import Router
from simulator.scheduling import Scheduler

UNIONS: dict[str, Any] = {
    "attention": Attention,
    "latency": Latency,
    "scheduler": Scheduler,
    "router": Router,
}
EXAMPLES: dict[str, dict[str, list[dict[str, Any]]]] = {
    "attention": {
        "dense": [{}, {"prefix_reads": "once_per_family"}],
        "topk": [{"kv_budget_tokens": 1}, {"kv_budget_tokens": 500}],
        "block_topk": [{"kv_budget_tokens": 512}, {"kv_budget_tokens": 3, "block_tokens": 1}],
        "sliding_window": [{"window_tokens": 1}, {"window_tokens": 400, "sink_tokens": 4}],
    },
    "latency": {
        "roofline": [{"combine": combine} for combine in ("sum_of_max", "max_of_sum", "additive")],
        "constant": [{"step_s": 1e-3, "sequence_s": 1e-6, "prefill_token_s": 1e-7}],
    },
    "scheduler": {"shortest_first": [{}, {"by": "predicted"}]},
    "router": {"prefix_affine": [{}, {"max_imbalance": 0}]},
}
"""Parameters of kinds that need some or that branch on one; any other kind is built from its defaults."""


def members(part: str) -> list[type[FrozenModel]]:
    return list(get_args(get_args(UNIONS[part])[0]))


def kind_of(cls: type[FrozenModel]) -> str:
    return str(cls.model_fields["kind"].default)


def build(part: str, **parameters: object) -> FrozenModel:
    member: FrozenModel = TypeAdapter(UNIONS[part]).validate_python(parameters)
    return member


def examples(part: str) -> list[FrozenModel]:
    """Return instances of every member of a union."""
    return [
        build(part, kind=kind_of(cls), **parameters)
        for cls in members(part)
        for parameters in EXAMPLES[part].get(kind_of(cls), [{}])
    ]


def over(*parts: str) -> pytest.MarkDecorator:
    """Return a decorator that runs a test for each example of the unions."""
    made = [pytest.param(part, m, id=f"{part}-{m!r}"[:60]) for part in parts for m in examples(part)]
    return pytest.mark.parametrize(("part", "member"), made)


def each(part: str) -> pytest.MarkDecorator:
    """Return a decorator that runs a test for each example of one union."""
    return pytest.mark.parametrize("member", examples(part), ids=lambda m: repr(m)[:50])
