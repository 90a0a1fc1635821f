"""Pictures of a validation as PNG files, for a page of documentation; needs matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.calibrate.tables import MS
from simulator.report.look import GRID, INK, colour_of
from simulator.validate.errors import Group, compared_groups, peer_is_better
from simulator.validate.predictions import CALIBRATED, PEER, ROOFLINE, Prediction, Validation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DOTS_PER_INCH: Final = 110
MOST_ERROR: Final = 100.0
"""Largest error that the second picture shows, %; boxes beyond are cut."""

MARKERS: Final = "o^s"


def draw(validation: Validation, folder: Path) -> list[str]:
    """Draw into `folder`; return the names of the pictures, without ``.png``."""
    judged = [one for one in validation.predictions if one.run.held_out]
    if not judged:
        return []
    pictures = {
        "predicted-over-measured": predicted_over_measured(judged, validation.columns),
        "error-by-load": error_by_load(judged, validation.columns),
    }
    asked = PEER in validation.columns
    worse = [group for group in compared_groups(validation) if asked and any(peer_is_better(group))]
    if worse:
        pictures["peer-is-better"] = where_peer_is_better(judged, worse)
    for name, figure in pictures.items():
        # Without the program's version in the file equal predictions give equal bytes.
        figure.savefig(folder / f"{name}.png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return list(pictures)


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure as NewFigure  # noqa: PLC0415 - an optional package

    figure = NewFigure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    _plain(axes)
    return figure, axes


def _plain(axes: Axes) -> None:
    """Give axes the look of all pictures."""
    axes.grid(visible=True, color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def predicted_over_measured(judged: list[Prediction], columns: tuple[str, ...]) -> Figure:
    """Return predictions over measurements, both logarithmic; the line is where they are equal."""
    from matplotlib.ticker import LogLocator, NullFormatter  # noqa: PLC0415 - an optional package

    figure, axes = _figure(7.0, 6.0)
    measured = np.array([one.run.tpot_s for one in judged]) / MS
    for place, column in reversed(list(enumerate(columns))):
        predicted = np.array([one.tpot_s[column] for one in judged]) / MS
        marker = MARKERS[place % len(MARKERS)]
        axes.scatter(
            measured, predicted, s=14, alpha=0.55, color=colour_of(place), marker=marker, lw=0, label=column
        )
    ends = [measured.min(), measured.max()]
    axes.plot(ends, ends, color=INK, linewidth=1, linestyle="--", label="equal")
    axes.set(xscale="log", yscale="log", xlabel="measured time per output token, ms", ylabel="predicted, ms")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(NullFormatter())
    axes.legend(frameon=False)
    return figure


def error_by_load(judged: list[Prediction], columns: tuple[str, ...]) -> Figure:
    """Return boxes of the signed error by requests in flight, rounded down to a power of two."""
    figure, axes = _figure(9.0, 4.6)
    octaves = sorted({one.run.concurrency.bit_length() - 1 for one in judged})
    width = 0.8 / len(columns)
    for place, column in enumerate(columns):
        boxes: list[list[float]] = [[] for _ in octaves]
        for one in judged:
            error = 100.0 * one.error_ratio(column)
            boxes[octaves.index(one.run.concurrency.bit_length() - 1)].append(error)
        at = [octave + (place - (len(columns) - 1) / 2) * width for octave in range(len(octaves))]
        style: dict[str, Any] = {"color": colour_of(place), "linewidth": 1.2}
        axes.boxplot(
            boxes,
            positions=at,
            widths=0.85 * width,
            boxprops=style,
            whiskerprops=style,
            capprops=style,
            medianprops=style | {"linewidth": 2.2},
            flierprops={"marker": ".", "markersize": 3, "markeredgecolor": colour_of(place)},
        )
        axes.plot([], [], **style, label=column)
    axes.axhline(0.0, color=INK, linewidth=1)
    axes.set_xticks(range(len(octaves)), [str(1 << octave) for octave in octaves])
    axes.set(
        xlabel="requests in flight, from this power of two on",
        ylabel=f"predicted / measured - 1, % (cut at {MOST_ERROR:g})",
    )
    axes.set_ylim(-MOST_ERROR, MOST_ERROR)
    axes.legend(frameon=False, ncols=len(columns))
    return figure


def where_peer_is_better(judged: list[Prediction], worse: Sequence[Group]) -> Figure:
    """Return signed errors of ours and the peer by load and by length of prompts, two panels for a group."""
    from matplotlib.figure import Figure as NewFigure  # noqa: PLC0415 - an optional package

    figure = NewFigure(figsize=(9.0, 2.9 * len(worse)), layout="constrained")
    panels = figure.subplots(len(worse), 2, squeeze=False, sharey="row")
    for group, (by_load, by_prompt) in zip(worse, panels, strict=True):
        members = [
            one
            for one in judged
            if (one.run.gpu, one.run.engine, one.run.model) == (group.gpu, group.engine, group.model)
        ]
        loads = [float(one.run.concurrency) for one in members]
        prompts = [one.run.prompt_tokens / one.run.output_tokens for one in members]
        for axes, values in ((by_load, loads), (by_prompt, prompts)):
            for column in (PEER, CALIBRATED):
                place = (CALIBRATED, ROOFLINE, PEER).index(column)
                errors = [100.0 * one.error_ratio(column) for one in members]
                marker = MARKERS[place % len(MARKERS)]
                axes.scatter(
                    values, errors, s=20, alpha=0.7, color=colour_of(place), marker=marker, lw=0, label=column
                )
            _plain(axes)
            axes.axhline(0.0, color=INK, linewidth=1)
            axes.set_xscale("log", base=2)
            axes.xaxis.set_major_formatter("{x:g}")
        by_load.set_title(f"{group.model} on {group.gpu} under {group.engine}", loc="left", fontsize=10)
        by_load.set_ylabel("predicted / measured - 1, %")
    panels[-1][0].set_xlabel("requests in flight")
    panels[-1][1].set_xlabel("prompt tokens over output tokens")
    panels[0][1].legend(frameon=False, ncols=2)
    return figure
