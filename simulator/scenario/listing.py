"""What can stand in a scenario, as tables made from the classes and the catalogs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from pydantic.fields import FieldInfo

from simulator.attention import Attention
from simulator.frozen import FrozenModel
from simulator.hardware import Node
from simulator.latency import Latency
from simulator.model import Architecture
from simulator.routing import Router
from simulator.scenario import shape
from simulator.scenario.catalog import find, folder_of, names_in
from simulator.scenario.document import read_document
from simulator.scenario.loader import load_part
from simulator.scheduling import Scheduler
from workloads.arrivals import Arrivals
from workloads.lengths import Lengths
from workloads.outcomes import Outcomes
from workloads.strategies import AnyStrategy
from workloads.tasks import TaskSet


@dataclass(frozen=True, slots=True)
class Listing:
    """A table of texts.

    Parameters
    ----------
    columns : headings.
    rows : one text per column.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def list_kinds(union: object) -> Listing:
    """Return every kind of a union: a row for the kind, then one for each of its parameters.

    Examples
    --------
    >>> list_kinds(Attention).rows[0]
    ('dense', '', '', '', 'Attend to all cached tokens (Kinetics, arXiv 2506.05333, Eq. 1-4).')
    """
    rows: list[tuple[str, ...]] = []
    for kind, model in shape.kinds(union).items():
        rows.append((kind, "", "", "", _first_line(model)))
        for key, info in shape.fields(model).items():
            if key != "kind":
                unit, meaning = shape.unit_and_text(info)
                rows.append(("", key, unit, default_text(info), meaning))
    return Listing(("kind", "parameter", "unit", "default", "meaning"), tuple(rows))


def list_hardware() -> Listing:
    """Return the shipped nodes with the figures that decide most."""
    rows = []
    for name in names_in("node"):
        node = load_part(find("node", name), Node)
        gpu = node.gpu
        rows.append(
            (
                name,
                gpu.name,
                str(node.gpus),
                f"{gpu.hbm_usable_bytes.value:.4g}",
                f"{gpu.hbm_bandwidth_bytes_per_s.value:.4g}",
                " ".join(f"{dtype} {peak.value:.4g}" for dtype, peak in gpu.peak_flops_per_s.items()),
                f"{gpu.price_usd_per_hour.value:g}",
            )
        )
    columns = ("node", "GPU", "GPUs", "HBM bytes", "HBM bytes/s", "dense peak FLOP/s", "USD/h per GPU")
    return Listing(columns, tuple(rows))


def list_models() -> Listing:
    """Return the shipped model presets with their sizes."""
    rows = []
    for name in names_in("model"):
        model = load_part(find("model", name), Architecture)
        rows.append(
            (
                name,
                f"{model.parameters:,}",
                f"{model.active_parameters:,}",
                f"{model.kv_bytes_per_token(2.0):,.0f}",
                f"{model.max_context_tokens:,}",
                model.source,
            )
        )
    columns = ("preset", "parameters", "active", "bf16 KV bytes/token", "longest context", "source")
    return Listing(columns, tuple(rows))


def list_scenarios() -> Listing:
    """Return the shipped scenarios with the question each one answers."""
    rows = []
    for name in names_in("scenario"):
        document, _ = read_document(folder_of("scenario") / f"{name}.yaml", name)
        question = document.get("question")
        rows.append((name, str(question.value) if question else ""))
    return Listing(("scenario", "question"), tuple(rows))


def default_text(info: FieldInfo) -> str:
    """Return the default of a field as a file would say it; ``required`` where there is none."""
    if info.is_required():
        return "required"
    value = info.default
    if isinstance(value, FrozenModel):
        changed = ", ".join(f"{key}: {_scalar_text(inner)}" for key, inner in value if key != "kind")
        kind = shape.kind_of(type(value))
        return kind or f"{{{changed}}}"
    return _scalar_text(value)


def _scalar_text(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return f"[{', '.join(map(str, value))}]" if isinstance(value, tuple) else str(value)


def _first_line(model: shape.Model) -> str:
    """Return what a kind is, in one line: the first sentence of its docstring."""
    return " ".join((model.__doc__ or "").partition("\n\n")[0].split())


TOPICS: Final[Mapping[str, Callable[[], Listing]]] = {
    "hardware": list_hardware,
    "models": list_models,
    "attention": lambda: list_kinds(Attention),
    "latency": lambda: list_kinds(Latency),
    "schedulers": lambda: list_kinds(Scheduler),
    "routers": lambda: list_kinds(Router),
    "tasks": lambda: list_kinds(TaskSet),
    "arrivals": lambda: list_kinds(Arrivals),
    "lengths": lambda: list_kinds(Lengths),
    "outcomes": lambda: list_kinds(Outcomes),
    "strategies": lambda: list_kinds(AnyStrategy),
    "scenarios": list_scenarios,
}
"""What can be listed."""
