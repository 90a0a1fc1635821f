"""The rows of the comparison tables, the same in text and on the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from simulator.api import Comparison
from simulator.metrics.measures import HEADLINE, MEASURES, Measure, look_up, number
from simulator.report.quantities import MISSING, Scale, digits, scale_of

GROUPS: Final = (
    ("Tasks and tokens", ("throughput", "quality", "goodput")),
    ("Waiting", ("latency",)),
    ("Load", ("load",)),
    ("Hardware", ("hardware",)),
    ("Energy, cost, eFLOPs", ("energy", "cost", "kinetics")),
)
"""Sections of a summary under the titles of the tables."""

PLAN: Final = (
    "model",
    "attention",
    "strategy",
    "arrivals",
    "node",
    "gpu",
    "gpus",
    "tp",
    "dp",
    "latency",
    "scheduler",
    "router",
    "kv_capacity_source",
)
"""What a variant may differ in; only what differs has a row."""

POINTS: Final = ("p50", "p95", "p99")
"""Percentiles of a distribution that share a row."""

SMALL_PART_RATIO: Final = 0.005
"""Parts below this share of the step time in every variant are summed up as ``other``."""

AGAINST: Final = (
    HEADLINE.path,
    "quality.solving_rate.estimate",
    "throughput.output_tokens_per_s",
    "latency.tpot_s.mean",
    "latency.task_s.mean",
    "energy.joules_per_solved_task",
    "cost.usd_per_solved_task",
    "kinetics.decode_eflops_per_task",
)
"""Figures whose ratio to the reference has a row."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: a label with its unit, and a cell per variant in the order of the comparison."""

    label: str
    cells: tuple[str, ...]


def variant(comparison: Comparison, name: str) -> Mapping[str, Any]:
    """Return the tables of one variant in the comparison's summary."""
    tables = comparison.summary["variants"]
    if not isinstance(tables, Mapping):
        raise KeyError(name)
    found: Mapping[str, Any] = tables[name]
    return found


def _reach(low: float | None, high: float | None, divisor: float) -> str:
    if low is None or high is None or low == high:
        return ""
    return f" ({digits(low / divisor)}-{digits(high / divisor)})"


def _cell(found: Mapping[str, Any] | None, scale: Scale, *, brief: bool = False) -> str:
    if found is None:
        return MISSING
    reach = "" if brief else _reach(found["low"], found["high"], scale.divisor)
    return f"{digits(found['estimate'] / scale.divisor)}{reach}"


def _label(label: str, scale: Scale) -> str:
    return f"{label}, {scale.unit}" if scale.unit else label


def _measure_row(measure: Measure, found: Sequence[Mapping[str, Any] | None], *, brief: bool) -> Row:
    scale = scale_of([None if f is None else f["estimate"] for f in found], measure.unit)
    return Row(_label(measure.label, scale), tuple(_cell(f, scale, brief=brief) for f in found))


def _percentile_row(label: str, found: Sequence[Sequence[Mapping[str, Any] | None]], *, brief: bool) -> Row:
    """Return a row whose cells hold several percentiles, variant by variant."""
    values = [[None if f is None else f["estimate"] for f in points] for points in found]
    scale = scale_of([points[0] for points in values], "s")
    between, count = ("/", 3) if brief else (" / ", 4)
    cells = [
        between.join(digits(None if v is None else v / scale.divisor, count) for v in points)
        for points in values
    ]
    return Row(_label(f"{label} {'/'.join(POINTS)}", scale), tuple(cells))


def _rows_of(sections: tuple[str, ...], metrics: Sequence[Mapping[str, Any]], *, brief: bool) -> list[Row]:
    rows = []
    for measure in MEASURES:
        found = [table[measure.path] for table in metrics]
        empty = measure is not HEADLINE and all(f is None for f in found)
        if empty or measure.path.partition(".")[0] not in sections:
            continue
        if not measure.path.startswith("latency."):
            rows.append(_measure_row(measure, found, brief=brief))
        elif measure.path.endswith(".p50"):
            stem = measure.path.removesuffix("p50")
            points = [[table[stem + point] for point in POINTS] for table in metrics]
            rows.append(_percentile_row(measure.label.removesuffix(" p50"), points, brief=brief))
    return rows


def measure_rows(comparison: Comparison, *, brief: bool = False) -> list[tuple[str, list[Row]]]:
    """Return titled groups with a row per figure, and one per distribution.

    `brief` leaves the intervals out, for many narrow columns.  Rows that are empty throughout are
    left out; solved tasks per second stays in any case.
    """
    metrics = [variant(comparison, name)["metrics"] for name in comparison.names]
    groups = [(title, _rows_of(sections, metrics, brief=brief)) for title, sections in GROUPS]
    groups[0][1].extend(coverage_rows(comparison))
    return [(title, rows) for title, rows in groups if rows]


def _plans(comparison: Comparison) -> list[Mapping[str, Any]]:
    plans = [look_up(comparison.runs[name][0].summary, "plan") for name in comparison.names]
    return [plan for plan in plans if isinstance(plan, Mapping)]


def plan_rows(comparison: Comparison) -> list[Row]:
    """Return what the variants differ in, of the model, the plan and the engine."""
    plans = _plans(comparison)
    return [
        Row(key.replace("_", " "), tuple(str(plan[key]) for plan in plans))
        for key in PLAN
        if any(plan[key] != plans[0][key] for plan in plans)
    ]


def coverage_rows(comparison: Comparison) -> list[Row]:
    """Return pass@k of each variant, averaged over seeds, where it can be told."""
    tables = []
    for name in comparison.names:
        seeds = [look_up(result.summary, "quality.coverage") for result in comparison.runs[name]]
        rows = [seed for seed in seeds if isinstance(seed, Sequence)]
        told = len(rows) == len(seeds)
        tables.append(
            {row[0]["k"]: sum(r["estimate"] for r in row) / len(row) for row in zip(*rows, strict=True)}
            if told
            else {}
        )
    ks = sorted({k for table in tables for k in table})
    return [
        Row(
            f"coverage pass@{k}, %",
            tuple(digits(100.0 * table[k]) if k in table else MISSING for table in tables),
        )
        for k in ks
    ]


def ratio_rows(comparison: Comparison) -> list[Row]:
    """Return the ratios to the reference, seed by seed, of the figures that are defined for both."""
    against = comparison.summary["against_reference"]
    if not isinstance(against, Mapping) or not against:
        return []
    labels = {measure.path: measure.label for measure in MEASURES}
    rows = []
    for path in AGAINST:
        cells = ["1"]
        for name in comparison.names[1:]:
            found = against[name][path]
            ratio = None if found is None else found["ratio"]
            cells.append(_cell(ratio, Scale(1.0, "")))
        if any(cell != MISSING for cell in cells[1:]):
            rows.append(Row(labels[path], tuple(cells)))
    return rows


def _part_cell(part: Mapping[str, Any] | None) -> str:
    if part is None:
        return MISSING
    bound = part["bound_ratio"]
    nearness = "floor" if bound is None else f"{bound:.0%} {part['bound_by']}"
    return f"{part['share_ratio']:.1%} ({nearness})"


def part_rows(comparison: Comparison) -> list[Row]:
    """Return the share of the step time of each part, and how near it comes to what bounds it."""
    tables = [variant(comparison, name)["parts"] for name in comparison.names]
    largest: dict[str, float] = {}
    for table in tables:
        for name, part in table.items():
            largest[name] = max(largest.get(name, 0.0), part["share_ratio"])
    shown = sorted(
        (name for name in largest if largest[name] >= SMALL_PART_RATIO), key=lambda n: (-largest[n], n)
    )
    rows = [
        Row(name.replace("_", " "), tuple(_part_cell(table.get(name)) for table in tables)) for name in shown
    ]
    rest = [sum(p["share_ratio"] for n, p in table.items() if n not in shown) for table in tables]
    if any(rest):
        rows.append(Row("other", tuple(f"{share:.1%}" for share in rest)))
    return rows


def _whose(names: Sequence[str], comparison: Comparison) -> str:
    """Return a prefix that says which variants a line is about; nothing if it is about all."""
    return "" if len(names) == len(comparison.names) else f"{', '.join(names)}: "


def _counted(comparison: Comparison, name: str, kind: str) -> str:
    """Return what became of the tasks or trials of one variant, summed over its seeds."""

    def total(state: str) -> int:
        path = f"conservation.{kind}.{state}"
        return sum(int(number(result.summary, path) or 0) for result in comparison.runs[name])

    states = ("finished", "cancelled", "running", "waiting")
    parts = " + ".join(f"{total(state):,} {state}" for state in states)
    pending = f" ({total('pending'):,} not arrived)" if kind == "tasks" else ""
    return f"{total('submitted'):,} {kind} submitted = {parts}{pending}"


def conservation_lines(comparison: Comparison) -> list[str]:
    """Return what became of all tasks and trials, variants with equal counts in one line."""
    lines: dict[str, list[str]] = {}
    for kind in ("tasks", "trials"):
        for name in comparison.names:
            lines.setdefault(_counted(comparison, name, kind), []).append(name)
    return [f"{_whose(names, comparison)}{line}" for line, names in lines.items()]


def note_lines(comparison: Comparison) -> list[str]:
    """Return the caveats, each with the variants that it holds for unless it holds for all."""
    notes = comparison.summary["notes"]
    entries = notes if isinstance(notes, Sequence) else ()
    return [f"{_whose(entry['variants'], comparison)}{entry['note']}" for entry in entries]


def setting_line(comparison: Comparison) -> str:
    """Return what all variants have in common, with which seeds they ran, and the window of the rates."""
    plans, names = _plans(comparison), comparison.names
    same = {key: plans[0][key] for key in PLAN if all(plan[key] == plans[0][key] for plan in plans)}
    parts = [str(same[key]) for key in ("model", "strategy") if key in same]
    parts += [f"{same['arrivals']} arrivals"] if "arrivals" in same else []
    if {"gpus", "gpu", "tp", "dp"} <= same.keys():
        parts.append(f"{same['gpus']} x {same['gpu']} (tp {same['tp']}, dp {same['dp']})")
    first = comparison.runs[names[0]]
    seeds = ", ".join(str(result.seed) for result in first)
    parts.append(f"seed{'s' * (len(first) > 1)} {seeds}")
    kind, start, end = (look_up(first[0].summary, f"window.{key}") for key in ("kind", "start_s", "end_s"))
    if isinstance(start, float) and isinstance(end, float):
        whose = f" ({names[0]}, seed {first[0].seed})" if len(names) > 1 or len(first) > 1 else ""
        parts.append(f"{kind} run from {digits(start)} to {digits(end)} s{whose}")
    return f"{comparison.scenario.name}: {'; '.join(parts)}"
