"""What remains of the speed-up of block top-k, from the paper's estimate to a node that exists, step by step.

The paper multiplies one measured layer of one GPU, at one context and with batches whose KV cache no node
holds.  Here questions of one length run from the first to the last answer, solved as often as the model
solves AIME24, whatever the attention.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pandas as pd

from simulator.attention import Attention, DenseAttention
from simulator.kinetics.palette import ORDER
from simulator.kinetics.throughput import block_topk, tokens_per_s
from simulator.latency import RooflineLatency
from simulator.report.chart import Axis, Chart, Panel, Series
from simulator.scenario.checks import capacity_of
from simulator.scenario.loader import load_scenario
from simulator.scenario.schema import Scenario
from simulator.studies.drawing import series_of, short, sized, sizes
from simulator.studies.points import Point, run_points, variants_of
from simulator.studies.study import Budget, Study
from simulator.studies.tables import mean_over_seeds, ratio_over_seeds

SCENARIO: Final = "kinetics/open/capacity"
MODELS: Final = ORDER

ESTIMATE: Final = "one step"
STEPS: Final = {
    "bare": "whole questions",
    "unlimited": "+ all-reduces, launches",
    "enforced": "+ KV capacity",
    "bounded": "KV bounds the batch",
    "measured": "+ measured",
    "replicas": "8 replicas",
    "replicas_bounded": "8 replicas, KV bounds the batch",
}
"""Steps towards a real node by the second part of a variant's name; replicas take TP1 x DP8 for TP8.

Capacity is enforced by a server that admits what fits as it stands and preempts, with recomputation, what no
longer does; `BOUNDED` steps admit as many sequences as fit at full context and preempt none.
"""

BOUNDED: Final = {"bounded": "enforced", "replicas_bounded": "replicas"}
"""Steps that are another reading of a step with the same layout and step times."""

ATTENTION: Final = {"dense": "dense", "topk128": "block top-k 128", "topk1024": "block top-k 1,024"}
BUDGETS: Final = {"topk128": 128, "topk1024": 1024}
"""KV budgets of the variants, tokens; block size times budget is 16,384."""
LARGER_BUDGET_STEPS: Final = ("unlimited", "enforced", "replicas")
PRICED_STEPS: Final = ("enforced", "replicas")
"""Steps whose plan a node can run, before and after step times are measured ones."""

CELLS: Final[Mapping[str, tuple[int, int, int]]] = {
    "4,096 x 16,384": (136, 4096, 16_384),
    "2,048 x 32,768": (68, 2048, 32_768),
}
"""Repetitions of the questions, sequences at once and context; 4,080 and 2,040 questions fit one batch."""

REPLICAS: Final = 8
"""Replicas of the steps that take TP1."""

QUESTIONS: Final = 30
"""Questions of AIME24."""

THREE_DIGITS: Final = 1000.0
"""From here on figures are written whole, below with three digits."""

LONGEST_PROMPT_TOKENS: Final = 218
"""Longest prompt of AIME24 (workloads/benchmarks/aime24.toml)."""

MEASURES: Final = {
    "per_s": "throughput.tasks_per_s",
    "solved_per_s": "throughput.solved_tasks_per_s",
    "usd_per_solved": "cost.usd_per_solved_task",
    "joules_per_solved": "energy.joules_per_solved_task",
    "batch": "load.batch_sequences.mean",
    "preemptions_per_question": "load.preemptions_per_trial",
}
BY: Final = ["cell", "model", "attention", "step"]


def run(budget: Budget) -> pd.DataFrame:
    """Return questions and solved questions per second, USD and J per solved one, by cell, model and step.

    ``sequences`` is how many the node may admit at once, ``batch`` how many one replica's steps have on
    average, ``preemptions_per_question`` how often a question loses its KV and has it computed again.  Seeds
    draw what is solved, lengths and prompts are fixed: steps whose prices are not told run once.
    """
    models = ("qwen3-0.6b", "qwen3-14b") if budget.quick else MODELS
    cells = list(CELLS)[:1] if budget.quick else CELLS
    points = [
        point for cell in cells for model in models for point in _points(cell, model, quick=budget.quick)
    ]
    priced = [STEPS[step] for step in PRICED_STEPS]
    frames = [
        run_points(some, MEASURES, allowed)
        for some, allowed in (
            ([point for point in points if point.labels["step"] not in priced], budget.of_one_seed),
            ([point for point in points if point.labels["step"] in priced], budget),
        )
    ]
    estimates = [
        {"cell": cell, "model": model, "attention": kind, "step": ESTIMATE, "seed": 0, "infeasible": ""}
        | {"sequences": CELLS[cell][1], "per_s": estimate_per_s(cell, model, name)}
        for cell in cells
        for model in models
        for name, kind in ATTENTION.items()
    ]
    return pd.concat([pd.DataFrame(estimates), *frames], ignore_index=True)[list(frames[0].columns)]


def estimate_per_s(cell: str, model: str, attention: str) -> float:
    """Return questions per second if every step were one at full context, without collectives or launches."""
    _, sequences, context = CELLS[cell]
    kind: Attention = DenseAttention() if attention == "dense" else block_topk(BUDGETS[attention])
    bare = RooflineLatency(collectives=False, layer_overhead_s=0.0)
    per_s = tokens_per_s(model, "b200-sxm", kind, sequences=sequences, context_tokens=context, latency=bare)
    return per_s / _output_tokens(cell)


def _output_tokens(cell: str) -> int:
    return CELLS[cell][2] - LONGEST_PROMPT_TOKENS


def _points(cell: str, model: str, *, quick: bool) -> list[Point]:
    """Return the variants of the scenario for one cell and model, labelled."""
    repeats, sequences, _ = CELLS[cell]
    tokens = 1000 if quick else _output_tokens(cell)
    changed = {
        "model.preset": model,
        "workload.outcomes.model": model,
        "workload.tasks.repeats": 4 if quick else repeats,
        "engine.max_sequences": sequences,
        "workload.lengths.tokens": tokens,
        "workload.max_tokens": tokens,
    }
    changed |= _bounds(load_scenario(SCENARIO, overrides=changed), CELLS[cell][2])
    points = []
    for point in variants_of(load_scenario(SCENARIO, overrides=changed)):
        attention, _, step = str(point.labels["variant"]).partition("_")
        # The larger budget, for what a safer one leaves of the gain, is run in one cell and on three steps.
        if attention == "topk1024" and (cell != next(iter(CELLS)) or step not in LARGER_BUDGET_STEPS):
            continue
        labels = {"cell": cell, "model": model, "attention": ATTENTION[attention], "step": STEPS[step]}
        admitted = point.scenario.engine.max_sequences * point.scenario.parallelism.dp
        points.append(Point(labels | {"sequences": admitted}, point.scenario))
    return points


def _bounds(scenario: Scenario, context_tokens: int) -> dict[str, object]:
    """Return the overrides that admit as many sequences as the KV of each bounded variant holds in full."""
    return {
        f"variants.{name}.engine.max_sequences": capacity_of(variant).tokens // context_tokens
        for name, variant in scenario.variants.items()
        if name.partition("_")[2] in BOUNDED
    }


def speed_up(frame: pd.DataFrame) -> pd.DataFrame:
    """Return questions per second over those of dense attention in the same cell, model and step.

    The same questions are solved, so solved ones gain as much.
    """
    ratios = ratio_over_seeds(frame, BY, "per_s", to={"attention": ATTENTION["dense"]})
    return ratios[ratios["attention"] != ATTENTION["dense"]]


def charts(frame: pd.DataFrame) -> list[Chart]:
    """Return the speed-up by model and step, how many are held, and what a solved question costs."""
    return [_gain(frame), _batch(frame), _price(frame)]


def _gain(frame: pd.DataFrame) -> Chart:
    gain = sized(speed_up(frame))
    gain = gain[gain["attention"] == ATTENTION["topk128"]]
    panels = []
    for cell in dict.fromkeys(gain["cell"]):
        rows = gain[gain["cell"] == cell]
        lines = [
            _dashed(line) if step in BOUNDED else line
            for step, name in {"": ESTIMATE, **STEPS}.items()
            for line in [series_of(rows[rows["step"] == name], "size", *_drawn_as(step))]
        ]
        y_axis = Axis("questions/s, block top-k over dense", log=True, ticks=(1, 2, 5, 10, 20, 50, 100))
        repeats, _, context = CELLS[cell]
        head = f"{repeats * QUESTIONS:,} questions of {context:,} tokens; broken: none preempted"
        panels.append(Panel(tuple(lines), sizes(frame), y_axis, head))
    return Chart(
        "capacity",
        "What remains of the speed-up of block top-k",
        "Eight B200, KV budget and block of 128 tokens. One step at full context is the paper's kind of "
        "estimate, here by the roofline; then questions grow from their prompt to that context, all-reduces "
        "and launches count, KV capacity is enforced, steps take what was measured with vLLM, and eight "
        "replicas stand for TP8. Full lines: a server that admits what fits and preempts; broken, in the "
        "same colour: as many sequences as fit at full context, none preempted. 95 % intervals where seeds "
        "differ.",
        tuple(panels),
        height=520,
    )


def _drawn_as(step: str) -> tuple[str, int]:
    """Return name and colour of a step's line: those of the step it is another reading of."""
    own = {"": ESTIMATE} | {name: text for name, text in STEPS.items() if name not in BOUNDED}
    drawn = BOUNDED.get(step, step)
    return own[drawn], list(own).index(drawn)


def _batch(frame: pd.DataFrame) -> Chart:
    """Return sequences at once and preemptions of both readings of a bounded cache, for block top-k 128."""
    rows = sized(frame[(frame["attention"] == ATTENTION["topk128"]) & (frame["cell"] == next(iter(CELLS)))])
    alone = rows["step"].isin([STEPS["enforced"], STEPS["bounded"]])
    rows = rows.assign(on_node=rows["batch"].where(alone, REPLICAS * rows["batch"]))
    panels = []
    for measure, title in (
        ("on_node", "sequences in a step, all replicas"),
        ("preemptions_per_question", "preemptions per question"),
    ):
        lines = []
        for bounded, greedy in BOUNDED.items():
            for step in (greedy, bounded):
                means = mean_over_seeds(rows[rows["step"] == STEPS[step]], ["size"], measure)
                line = series_of(means, "size", *_drawn_as(step))
                lines.append(_dashed(line) if step in BOUNDED else line)
        head = "full: admits what fits; broken: none preempted"
        panels.append(Panel(tuple(lines), sizes(frame), Axis(title, from_zero=True), head))
    return Chart(
        "capacity-batch",
        "How many sequences a bounded KV cache holds",
        "4,080 questions of AIME24 that grow to 16,384 tokens on eight B200, block top-k 128. A server that "
        "admits what fits as it stands and preempts, with recomputation, what no longer does, and one that "
        "admits as many as fit at full context.",
        tuple(panels),
        shared_y=False,
        height=480,
    )


_STROKES: Final = "full: measured steps, 8 replicas; broken: roofline, TP8"


def _price(frame: pd.DataFrame) -> Chart:
    first = sized(frame[frame["cell"] == next(iter(CELLS))])
    panels = []
    for measure, title in (
        ("usd_per_solved", "USD per solved question"),
        ("joules_per_solved", "J per solved one"),
    ):
        lines: list[Series] = []
        for step in reversed(PRICED_STEPS):
            dashed = step == "enforced"
            for place, kind in enumerate(ATTENTION.values()):
                rows = first[(first["step"] == STEPS[step]) & (first["attention"] == kind)]
                line = series_of(mean_over_seeds(rows, ["size"], measure), "size", kind, place)
                lines.append(_dashed(line) if dashed else line)
        panels.append(Panel(tuple(lines), sizes(frame), Axis(title, log=True), _STROKES))
    return Chart(
        "capacity-cost",
        "What a solved question costs on a node that holds its KV",
        "4,080 questions of AIME24 that grow to 16,384 tokens on eight B200, KV capacity enforced; sparsity "
        "is taken to keep accuracy. Means over seeds with 95 % intervals.",
        tuple(panels),
        shared_y=False,
        height=480,
    )


def _dashed(line: Series) -> Series:
    return Series(line.name, line.x, line.y, line.place, line.style, line.low, line.high, dashed=True)


def answer(frame: pd.DataFrame) -> str:
    """Return the speed-up after each step, and what it is in solved questions, USD and J."""
    gain = speed_up(frame)
    told = []
    for cell in dict.fromkeys(gain["cell"]):
        rows = gain[(gain["cell"] == cell) & (gain["attention"] == ATTENTION["topk128"])]
        small, large = (rows[rows["model"] == model].set_index("step") for model in _ends(frame))
        steps = [
            f"{step} {_times(small, step)} and {_times(large, step)}" for step in (ESTIMATE, *STEPS.values())
        ]
        told.append(f"{cell}: " + ", ".join(steps))
    names = " and ".join(sized(frame.drop_duplicates("model"))["size"].iloc[[0, -1]])
    gains = f"Block top-k 128 over dense for {names}. " + ". ".join(told) + "."
    return "\n".join([gains, _held(frame), _costs(frame)])


def _held(frame: pd.DataFrame) -> str:
    """Return, for block top-k 128, sequences and preemptions of both readings of a bounded KV cache."""
    rows = frame[(frame["attention"] == ATTENTION["topk128"]) & (frame["cell"] == next(iter(CELLS)))]
    told = []
    for model in _ends(frame):
        parts = []
        for bounded, greedy in BOUNDED.items():
            for step in (greedy, bounded):
                of_step = rows[(rows["model"] == model) & (rows["step"] == STEPS[step])]
                batch, again = (float(of_step[name].mean()) for name in ("batch", "preemptions_per_question"))
                parts.append(f"{STEPS[step]} {batch:,.0f} and {again:.2f}")
        told.append(f"{short(model)}: {', '.join(parts)}")
    return "Mean batch of a replica and preemptions per question. " + ". ".join(told) + "."


def _ends(frame: pd.DataFrame) -> tuple[str, str]:
    return str(frame["model"].iloc[0]), str(frame["model"].iloc[-1])


def _times(rows: pd.DataFrame, label: str) -> str:
    """Return the row of that label as text, with its interval where that can be seen."""
    estimate, low, high = (float(rows[column][label]) for column in ("estimate", "low", "high"))
    shown = [f"{value:,.0f}" if value >= THREE_DIGITS else f"{value:.3g}" for value in (estimate, low, high)]
    is_sure = pd.isna(low) or shown[1] == shown[2]
    return shown[0] if is_sure else f"{shown[0]} ({shown[1]} to {shown[2]})"


def _costs(frame: pd.DataFrame) -> str:
    """Return rates and costs on the last step: dense, then block top-k 128."""
    last = frame[(frame["cell"] == next(iter(CELLS))) & (frame["step"] == STEPS["replicas"])]
    told = []
    for model in _ends(frame):
        rows = last[last["model"] == model]
        parts = []
        for measure, unit in (
            ("per_s", "questions/s"),
            ("solved_per_s", "solved/s"),
            ("usd_per_solved", "USD per solved one"),
            ("joules_per_solved", "J per solved one"),
        ):
            means = mean_over_seeds(rows, ["attention"], measure).set_index("attention")
            values = (_times(means, ATTENTION[kind]) for kind in ("dense", "topk128"))
            parts.append(f"{' to '.join(values)} {unit}")
        told.append(f"{short(model)} goes from " + "; ".join(parts))
    return f"Measured, 8 replicas, {next(iter(CELLS))}: " + ". ".join(told) + "."


STUDY: Final = Study(
    name="capacity",
    question="What remains of the gain of block top-k when memory bounds the batch and all-reduces count?",
    scenario=SCENARIO,
    run=run,
    charts=charts,
    answer=answer,
)
