from __future__ import annotations

from itertools import combinations, product
from math import prod
from statistics import mean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from simulator.model import Architecture, Experts


@st.composite
def architectures(draw: st.DrawFn) -> Architecture:
    kv_heads = draw(st.integers(1, 4))
    count = draw(st.integers(1, 16))
    experts = Experts(count=count, active=draw(st.integers(1, count)), ffn_size=draw(st.integers(1, 64)))
    return Architecture(
        name="toy",
        layers=draw(st.integers(1, 6)),
        hidden_size=draw(st.integers(1, 64)),
        ffn_size=draw(st.integers(1, 64)),
        query_heads=kv_heads * draw(st.integers(1, 4)),
        kv_heads=kv_heads,
        head_dim=draw(st.integers(1, 16)),
        vocab_size=draw(st.integers(1, 100)),
        tied_embeddings=draw(st.booleans()),
        qk_norm=draw(st.booleans()),
        qkv_bias=draw(st.booleans()),
        max_context_tokens=1024,
        experts=draw(st.sampled_from([None, experts])),
        source="a test",
    )


def tensors(a: Architecture, experts_held: int) -> list[tuple[int, ...]]:
    """List the shapes of a checkpoint's tensors one by one, as its publisher stores them."""
    q, kv = a.query_heads * a.head_dim, a.kv_heads * a.head_dim
    shapes: list[tuple[int, ...]] = [(a.vocab_size, a.hidden_size), (a.hidden_size,)]
    shapes += [] if a.tied_embeddings else [(a.vocab_size, a.hidden_size)]
    for _ in range(a.layers):
        shapes += [(q, a.hidden_size), (kv, a.hidden_size), (kv, a.hidden_size), (a.hidden_size, q)]
        shapes += [(q,), (kv,), (kv,)] if a.qkv_bias else []
        shapes += [(a.head_dim,), (a.head_dim,)] if a.qk_norm else []
        shapes += [(a.hidden_size,), (a.hidden_size,)]
        inner = a.ffn_size if a.experts is None else a.experts.ffn_size
        shapes += [] if a.experts is None else [(a.experts.count, a.hidden_size)]
        for _ in range(1 if a.experts is None else experts_held):
            shapes += [(inner, a.hidden_size), (inner, a.hidden_size), (a.hidden_size, inner)]
    return shapes


@given(architectures())
def test_parameters_are_the_elements_of_all_tensors(a: Architecture) -> None:
    held = a.experts.count if a.experts else 1
    assert a.parameters == sum(prod(shape) for shape in tensors(a, held))


@given(architectures())
def test_active_parameters_are_the_elements_of_the_tensors_one_token_meets(a: Architecture) -> None:
    met = a.experts.active if a.experts else 1
    assert a.active_parameters == sum(prod(shape) for shape in tensors(a, met))


@given(architectures())
def test_a_token_leaves_one_key_and_one_value_per_layer_and_kv_head(a: Architecture) -> None:
    elements = sum(1 for _ in product(range(a.layers), "kv", range(a.kv_heads), range(a.head_dim)))
    assert a.kv_elements_per_token == elements
    assert a.kv_bytes_per_token(0.5) == elements / 2


@given(architectures())
def test_the_fused_projection_is_as_wide_as_query_key_and_value_together(a: Architecture) -> None:
    assert a.qkv_out_size == (a.query_heads + 2 * a.kv_heads) * a.head_dim
    assert a.qkv_out_size == a.q_out_size + a.kv_out_size


def test_tying_saves_exactly_the_output_head() -> None:
    fields = {
        "name": "toy", "layers": 2, "hidden_size": 8, "ffn_size": 16, "query_heads": 2, "kv_heads": 1,
        "head_dim": 4, "vocab_size": 10, "qk_norm": False, "qkv_bias": False, "max_context_tokens": 64,
        "source": "a test",
    }  # fmt: skip
    tied = Architecture.model_validate(fields | {"tied_embeddings": True})
    untied = Architecture.model_validate(fields | {"tied_embeddings": False})
    assert untied.parameters - tied.parameters == 10 * 8 == tied.output_head_parameters
    assert tied.embedding_parameters == 10 * 8
    assert untied.embedding_parameters == 2 * 10 * 8


def test_heads_that_do_not_divide_are_refused() -> None:
    fields = {
        "name": "toy", "layers": 2, "hidden_size": 8, "ffn_size": 16, "query_heads": 5, "kv_heads": 2,
        "head_dim": 4, "vocab_size": 10, "tied_embeddings": False, "qk_norm": False, "qkv_bias": False,
        "max_context_tokens": 64, "source": "a test",
    }  # fmt: skip
    with pytest.raises(ValidationError, match="query_heads 5 is not a multiple of kv_heads 2"):
        Architecture.model_validate(fields)


def test_more_active_experts_than_experts_are_refused() -> None:
    with pytest.raises(ValidationError, match="active 9 exceeds count 8"):
        Experts(count=8, active=9, ffn_size=4)


@pytest.mark.parametrize(("count", "active", "tokens"), [(4, 2, 2), (3, 1, 4), (5, 2, 3), (4, 4, 2)])
def test_expected_experts_are_the_mean_over_every_possible_routing(
    count: int, active: int, tokens: int
) -> None:
    choices = list(combinations(range(count), active))
    touched = mean(len(set().union(*routing)) for routing in product(choices, repeat=tokens))
    experts = Experts(count=count, active=active, ffn_size=1)
    assert experts.expected_distinct_experts(tokens) == pytest.approx(touched, rel=1e-12)


@given(st.integers(1, 256), st.data())
def test_expected_experts_follow_the_token_by_token_recurrence(count: int, data: st.DataObject) -> None:
    active = data.draw(st.integers(1, count))
    experts = Experts(count=count, active=active, ffn_size=1)
    touched = 0.0
    for tokens in range(64):
        assert experts.expected_distinct_experts(tokens) == pytest.approx(touched, rel=1e-9, abs=1e-9)
        touched += (count - touched) * active / count


def test_a_step_of_many_tokens_touches_every_expert() -> None:
    assert Experts(count=128, active=8, ffn_size=1).expected_distinct_experts(8192) == pytest.approx(128.0)


def test_a_negative_number_of_tokens_is_refused() -> None:
    with pytest.raises(ValueError, match="tokens -1 is negative"):
        Experts(count=8, active=2, ffn_size=1).expected_distinct_experts(-1)


def test_every_field_says_its_unit() -> None:
    for model in (Architecture, Experts):
        for name, field in model.model_fields.items():
            assert (field.description or "").startswith("["), f"{model.__name__}.{name}"


@pytest.mark.parametrize("ranks", [2, 4, 8])
@pytest.mark.parametrize("tokens", [1, 3, 16, 200])
def test_the_busiest_rank_is_that_of_drawn_routings_within_a_sixth(ranks: int, tokens: int) -> None:
    experts = Experts(count=64, active=4, ffn_size=8)
    random = np.random.default_rng(7)
    most, reached = [], []
    for _ in range(400):
        chosen = random.random((tokens, 64)).argsort(axis=1)[:, :4]
        rows = np.bincount(chosen.ravel(), minlength=64).reshape(ranks, -1)
        busiest = rows[rows.sum(axis=1).argmax()]
        most.append(busiest.sum())
        reached.append((busiest > 0).sum())
    distinct, rows_expected = experts.busiest_rank(tokens, ranks)
    assert rows_expected == pytest.approx(np.mean(most), rel=1 / 6)
    assert distinct == pytest.approx(np.mean(reached), rel=1 / 6)


def test_one_rank_has_every_row_and_none_without_tokens() -> None:
    experts = Experts(count=64, active=4, ffn_size=8)
    assert experts.busiest_rank(9, 1) == (experts.expected_distinct_experts(9), 36.0)
    assert experts.busiest_rank(0, 8) == (0.0, 0.0)
    # No rank can have more rows than its experts take, one per token each.
    assert experts.busiest_rank(1, 64) == (1.0, 1.0)


def test_biases_and_sinks_count() -> None:
    plain = Architecture(
        name="toy", layers=3, hidden_size=8, ffn_size=16, query_heads=4, kv_heads=2, head_dim=4,
        vocab_size=10, tied_embeddings=False, qk_norm=False, qkv_bias=True, max_context_tokens=64,
        experts=Experts(count=6, active=2, ffn_size=5), source="a test",
    )  # fmt: skip
    assert plain.experts is not None
    full = plain.model_copy(
        update={
            "output_bias": True,
            "attention_sinks": True,
            "experts": plain.experts.model_copy(update={"bias": True}),
        }
    )
    # The output's 8, a logit for each of 4 heads; the router's 6; 5, 5 and 8 of each expert's matrices.
    assert full.parameters - plain.parameters == 3 * (8 + 4 + 6 + 6 * (2 * 5 + 8))
    assert full.active_parameters - plain.active_parameters == 3 * (8 + 4 + 6 + 2 * (2 * 5 + 8))
