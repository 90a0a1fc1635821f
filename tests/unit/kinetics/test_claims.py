"""The claims of the paper: verdicts follow from numbers, and what differs has a reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.attention import DenseAttention
from simulator.errors import SimulatorError
from simulator.kinetics import (
    KineticsModel,
    best_of_n,
    claims_of_cost,
    claims_of_coverage,
    claims_of_growth,
    claims_of_memory,
    derived,
    kinetics_model,
)
from simulator.kinetics.accuracy import MODELS, long_cot_curves, read_long_cot
from simulator.kinetics.claims import By, Claim, Relation, Sources, check, holds, summary_line, table, totals
from simulator.kinetics.curves import Curve
from simulator.kinetics.reproduction import CLAIMS, reproduce, to_json
from simulator.kinetics.throughput import (
    BUDGETS,
    CELLS,
    LAYERS_ALONE,
    block_topk,
    speed_up,
    tokens_per_s,
)
from simulator.model import Architecture
from simulator.scenario.catalog import find
from simulator.scenario.loader import load_part, load_scenario
from simulator.studies import per_layer

SHIPPED = Sources(long_cot_curves())

DIFFERENT = {
    "growth of KV when parameters double, LLaMA3",
    "growth of KV when parameters double, OPT",
    "LiveCodeBench pass@512, 1.7B",
    "LiveCodeBench pass@512, 8B",
    "LiveCodeBench pass@512, 14B",
    "the same table's row of budget 1024, summed correctly",
    "14B with 8K tokens costs in FLOPs as 4B with",
    "iso-eFLOPs length at 1e16, 14B",
    "optimal CoT length of 32B at 45,000 Tera-eFLOPs",
    "KV of 32K tokens, 14B",
    "Phi from 4096 tokens on, smallest of six models",
    "compute saved by a mixture of experts, 30B-A3B",
    "doubled cost, AIME24: larger KV budget",
    "doubled cost, AIME24: larger KV budget itself, from 500 to 1000 Tera-eFLOPs",
    "doubled cost, AIME24: more tokens, from the ten points, fitted in logarithms",
    "doubled cost, AIME24: more tokens, from the ten points, fitted in tokens",
    "AIME24: largest difference of the published fit of tokens from its ten points",
    "doubled cost, AIME24: larger KV budget, from the four observed budgets",
    "AIME24: budget by the published fit amid the costs at which 64 was the best",
    "LiveCodeBench, 14B, block top-k: fewer eFLOPs at equal coverage, label",
    "top-k, Long-CoT: fewer eFLOPs at dense's best accuracy",
    "top-k, Long-CoT: gain at equal cost",
    "top-k, single models: largest gain at equal cost, least of six models",
    "outputs of more than 10,000 tokens pay for 32B",
    "top-k, Best-of-N: fewer eFLOPs at dense's best coverage",
    "dense, 32B, Best-of-N, at 28,000 Tera-eFLOPs",
    "dense, 32B, Long-CoT, at 3,500 Tera-eFLOPs",
    "top-k, 8B, Long-CoT, at 470 Tera-eFLOPs",
    "top-k, 30B-A3B, Long-CoT, at 215 Tera-eFLOPs",
    "dense, 8B, Best-of-N, at 100,000 Tera-eFLOPs",
    "eFLOPs of the model with the fewest FLOPs over the least",
    "longest output of 1.7B and 4B on the frontier",
}


def claim(published: float, ours: float | None, tolerance: float = 0.5, relation: Relation = "is") -> Claim:
    return Claim(
        "cost",
        "made up",
        published,
        "x",
        tolerance,
        "always",
        lambda _: ours,
        relation,
        because="so it is",
        by="curve",
    )


def curve(x: list[float], accuracy: list[float]) -> Curve:
    return Curve("made up", "b200_s", tuple(x), tuple(accuracy), "derived", "assumed for tests")


def other_model(name: str, **_: str) -> KineticsModel:
    """Return a model with a billion more parameters, four more layers' KV and twice the query heads."""
    model = kinetics_model(name)
    return replace(
        model,
        active_parameters=model.active_parameters + 1e9,
        kv_elements_per_token=model.kv_elements_per_token + 8192,
        query_heads_per_kv_head=2 * model.query_heads_per_kv_head,
    )


def number(one: Claim, sources: Sources) -> float | None:
    """Return a claim's number of ours; None where the sources do not reach it."""
    try:
        return one.ours(sources)
    except SimulatorError:
        return None


@given(published=st.floats(-1e6, 1e6), off=st.floats(-10, 10))
def test_a_value_holds_within_its_tolerance_and_a_bound_on_one_side(published: float, off: float) -> None:
    ours = published + off
    slack = 0.5 + 1e-9 * abs(published)
    if abs(abs(off) - slack) < 1e-6:
        return
    assert holds(claim(published, ours), ours) is (abs(off) <= slack)
    assert holds(claim(published, ours, relation="at least"), ours) is (off >= -slack)
    assert holds(claim(published, ours, relation="at most"), ours) is (off <= slack)


def test_a_finding_has_both_numbers_and_a_reason_only_where_they_differ() -> None:
    same, other = check([claim(10.0, 10.2), claim(10.0, 11.26, tolerance=0.05)], SHIPPED)
    assert (same.published, same.ours, same.verdict, same.reason) == ("10x", "10.2x", "reproduced", "")
    assert (other.ours, other.verdict, other.reason) == ("11.26x", "differs", "so it is")
    assert (same.within, table([other])[0][-1]) == ("0.5x", "within 0.05x; always; so it is")
    assert totals([same, other]) == {"reproduced": 1, "differs": 1, "out of reach": 0}


def test_what_a_condition_leaves_open_is_allowed_beside_the_tolerance() -> None:
    near, far = (replace(claim(10.0, ours), blur=lambda _: 0.3) for ours in (10.79, 10.81))
    assert [(one.verdict, one.within) for one in check([near, far], SHIPPED)] == [
        ("reproduced", "0.8x"),
        ("differs", "0.8x"),
    ]


def test_a_number_that_our_sources_hold_no_such_of_differs_and_is_not_out_of_reach() -> None:
    (found,) = check([claim(10.0, None)], SHIPPED)
    assert (found.ours, found.verdict, found.reason) == ("none", "differs", "so it is")


def test_the_totals_count_what_was_reproduced_by_what_decided_it() -> None:
    one, other = claim(10.0, 10.0), claim(10.0, 20.0)
    findings = check([replace(one, by="identity"), one, one, other], SHIPPED)
    assert summary_line(findings) == (
        "4 claims: 3 reproduced (1 by identity, 2 by curve), 1 differ, 0 out of reach"
    )
    assert to_json(findings)["reproduced_by"] == {
        **dict.fromkeys(get_args(By), 0),
        "identity": 1,
        "curve": 2,
    }


def test_what_a_claim_is_marked_with_is_what_it_depends_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other models move what forms and configurations decide, other curves what curves decide."""
    before = {one.statement: number(one, SHIPPED) for one in CLAIMS}
    for module in (claims_of_cost, claims_of_memory, claims_of_growth):
        monkeypatch.setattr(module, "kinetics_model", other_model)
    for other in (claims_of_cost, claims_of_coverage):
        monkeypatch.setattr(other, "paper_model", lambda size: other_model(f"qwen3-{size}"))
    monkeypatch.setattr(claims_of_coverage, "coverage_at", lambda *_, **__: 0.5)
    monkeypatch.setattr(best_of_n, "paper_model", other_model)
    monkeypatch.setattr(claims_of_growth, "family", lambda _: [other_model(name) for name in MODELS])
    monkeypatch.setattr(
        claims_of_memory, "architecture", lambda _: load_part(find("model", "llama-3.1-8b"), Architecture)
    )
    moved = {one.statement for one in CLAIMS if number(one, SHIPPED) != before[one.statement]}
    assert moved == {
        one.statement for one in CLAIMS if one.by in {"configuration", "inferred inputs", "closed form"}
    }
    monkeypatch.undo()
    flat = {kind: {model: curve([0.001, 100], [0.1, 0.9]) for model in MODELS} for kind in SHIPPED.curves}
    by_curve = {one.by for one in CLAIMS if number(one, Sources(flat)) != before[one.statement]}
    assert by_curve == {"curve"}
    assert {one.by for one in CLAIMS} == set(get_args(By))


def test_these_claims_differ_with_the_shipped_curves_and_all_others_are_reproduced() -> None:
    findings = reproduce(SHIPPED)
    differing = {
        one.statement
        for one in findings
        if one.verdict == "differs" and one.part not in {"throughput", "bands"}
    }
    assert differing == DIFFERENT
    of_bands = [one.verdict for one in findings if one.part == "bands"]
    assert [of_bands.count(verdict) for verdict in ("reproduced", "differs", "out of reach")] == [5, 16, 16]
    assert summary_line(findings) == (
        "152 claims: 65 reproduced (8 by identity, 9 by their own figures, 8 by configuration, "
        "8 by inferred inputs, 10 by closed form, 22 by curve), 52 differ, 35 out of reach"
    )


def test_the_roofline_is_faster_than_what_was_measured_at_every_published_point() -> None:
    found = [one for one in CLAIMS if one.part == "throughput"]
    assert len(found) == 4
    assert all((number(one, SHIPPED) or 0.0) > one.published for one in found)


@pytest.mark.parametrize("gpu", ["h200-sxm", "b200-sxm"])
def test_throughput_is_counted_by_the_papers_protocol(gpu: str) -> None:
    asked = load_scenario(per_layer.SCENARIOS[gpu])
    assert asked.engine.latency == LAYERS_ALONE
    name = asked.model.architecture.name
    claims = [one for one in CLAIMS if one.part == "throughput" and gpu in one.statement]
    for one, (sequences, context) in zip(claims, CELLS, strict=True):
        assert "layers alone" in one.condition
        # By hand: a dense layer is bound by its KV here, the rest is below a hundredth of the step.
        kv_s = sequences * context * 114_688 / 8 / asked.hardware.gpu.hbm_bandwidth_bytes_per_s.value
        rate = tokens_per_s(name, gpu, DenseAttention(), sequences=sequences, context_tokens=context)
        assert kv_s < sequences / rate < 1.01 * kv_s
        assert one.ours(SHIPPED) == speed_up(
            "qwen3-0.6b", gpu, 128, sequences=sequences, context_tokens=context
        )


def test_what_of_figure_10_is_out_of_reach_says_which_command_compares_it() -> None:
    labels = {label for cell in per_layer.LABELS.values() for label in cell}
    used = {one.published for one in CLAIMS if one.part == "throughput" and "h200" in one.statement}
    assert (len(labels), used <= labels) == (10, True)
    rest = sorted(labels - used)
    told = next(one for one in reproduce(SHIPPED) if "Fig. 10" in one.statement)
    assert told.statement == "the other eight labels of Fig. 10"
    assert (len(rest), told.published) == (8, f"{rest[0]:g}x to {rest[-1]:g}x")
    assert "kinesim study per-layer" in told.reason


@pytest.mark.parametrize("whole", [False, True])
def test_what_differs_has_a_reason(shared_data: Path, *, whole: bool) -> None:
    path = shared_data / "kinetics" / "fig8d_aime24_longcot_topk.csv"
    if whole and not path.is_file():
        pytest.skip(
            f"the figure's vector data is not part of the project: no {path.name} beside the checkout"
        )
    findings = reproduce(Sources(read_long_cot(path)) if whole else SHIPPED)
    assert [one.statement for one in findings if one.verdict != "reproduced" and not one.reason] == []
    assert len({one.statement for one in findings}) == len(findings)


def test_all_points_of_the_figure_give_the_printed_ratio_at_equal_accuracy(shared_data: Path) -> None:
    path = shared_data / "kinetics" / "fig8d_aime24_longcot_topk.csv"
    if not path.is_file():
        pytest.skip(
            f"the figure's vector data is not part of the project: no {path.name} beside the checkout"
        )
    curves = read_long_cot(path)
    dense, topk = (derived.frontier(curves[kind], kind) for kind in ("dense", "topk"))
    ratio = derived.ratio_at_the_top(dense, topk)
    assert ratio == pytest.approx(11.21, abs=0.05)
    (reason,) = (one.because for one in CLAIMS if one.published == 11.21)
    assert f"all 100 points of Fig. 8d give {ratio:.2f}" in reason


def test_gains_and_ratios_by_hand() -> None:
    dense, sparse = curve([1, 2, 4, 8], [0.0, 0.1, 0.3, 0.5]), curve([1, 2, 4, 8], [0.2, 0.5, 0.6, 0.6])
    assert derived.largest_gain(sparse, dense) == derived.Gain(0.4, 2)
    assert derived.last_gain(sparse, dense).accuracy == pytest.approx(0.1)
    assert derived.cost_ratio(dense, sparse, 0.5) == pytest.approx(4.0)
    assert derived.ratio_at_the_top(dense, sparse) == pytest.approx(4.0)
    with pytest.raises(SimulatorError, match=r"at accuracy 0\.55"):
        derived.cost_ratio(dense, sparse, 0.55)


def test_what_curves_do_not_reach_is_out_of_reach_with_the_reason() -> None:
    flat = {kind: {model: curve([1, 100], [0.5, 0.5]) for model in MODELS} for kind in SHIPPED.curves}
    findings = {one.statement: one for one in reproduce(Sources(flat))}
    lost = findings["longest output of 1.7B and 4B on the frontier"]
    assert (lost.ours, lost.verdict) == ("-", "out of reach")
    assert lost.reason == "none of qwen3-1.7b, qwen3-4b is ever the best on these curves"


def test_the_model_with_the_fewest_flops_is_the_small_one_and_costs_more() -> None:
    curves = {name: SHIPPED.curves["dense"][name] for name in ("qwen3-14b", "qwen3-1.7b")}
    # Parameters alone decide FLOPs here, so 1.7B wins them although it needs many more tokens.
    ratio = curves["qwen3-1.7b"].reaching(0.4) / curves["qwen3-14b"].reaching(0.4)
    assert derived.price_of_counting_flops(curves, 0.4) == pytest.approx(ratio)
    assert ratio > 2.0


@pytest.mark.parametrize("model", [MODELS[0], MODELS[-1]])
def test_larger_budgets_gain_less_and_no_step_reads_faster_than_the_memory(model: str) -> None:
    sequences, context = CELLS[1]
    gains = [
        speed_up(model, "h200-sxm", budget, sequences=sequences, context_tokens=context) for budget in BUDGETS
    ]
    assert gains == sorted(gains, reverse=True)
    assert gains[-1] > 1.0
    kv_bytes = {"qwen3-32b": 262_144, "qwen3-0.6b": 114_688}[model] * 2048
    rate = tokens_per_s(model, "h200-sxm", block_topk(2048), sequences=sequences, context_tokens=context)
    assert sequences / rate > sequences * kv_bytes / (8 * 4.8e12)
