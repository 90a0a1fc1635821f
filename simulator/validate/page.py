"""A validation as one HTML file that opens without a network: predicted over measured, and the errors."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from simulator.calibrate.tables import MS
from simulator.report.document import Table, framed, table_of
from simulator.report.look import INK, colour_of, division, plotly_modules, styled
from simulator.validate.errors import groups
from simulator.validate.predictions import Validation
from simulator.validate.text import heads, notes, table

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

TITLE: Final = "Predicted and measured time per output token"


def page(validation: Validation) -> str:
    """Return the whole page.

    Parameters
    ----------
    validation : predictions of measured runs.

    Raises
    ------
    SimulatorError
        If plotly is not installed.
    """
    errors = Table(heads(validation.columns), table(groups(validation), validation.columns))
    return framed(
        TITLE,
        [
            *(f'<p class="caption">{escape(line)}</p>' for line in notes(validation)),
            table_of(errors),
            "<h2>Predicted over measured, held-out runs</h2>",
            division(predicted_over_measured(validation), "predicted-over-measured"),
            "<h2>Error by requests in flight, held-out runs</h2>",
            division(error_by_concurrency(validation), "error-by-concurrency"),
        ],
    )


def predicted_over_measured(validation: Validation) -> Figure:
    """Return predictions over measurements, both logarithmic; the line is where they are equal."""
    graphs, _ = plotly_modules()
    figure = graphs.Figure()
    judged = [one for one in validation.predictions if one.run.held_out]
    for place, column in enumerate(validation.columns):
        figure.add_scatter(
            x=[one.run.tpot_s / MS for one in judged],
            y=[one.tpot_s[column] / MS for one in judged],
            text=[escape(one.run.row) for one in judged],
            name=column,
            mode="markers",
            marker={"color": colour_of(place), "size": 6, "opacity": 0.6},
        )
    times = [one.run.tpot_s / MS for one in judged]
    if times:
        ends = [min(times), max(times)]
        line = {"color": INK, "width": 1, "dash": "dash"}
        figure.add_scatter(x=ends, y=ends, name="equal", mode="lines", line=line, hoverinfo="skip")
    styled(figure, height=560)
    figure.update_xaxes(type="log", title="measured time per output token, ms")
    figure.update_yaxes(type="log", title="predicted, ms")
    return figure


def error_by_concurrency(validation: Validation) -> Figure:
    """Return boxes of the signed error by requests in flight, rounded down to a power of two."""
    graphs, _ = plotly_modules()
    figure = graphs.Figure()
    judged = sorted(
        (one for one in validation.predictions if one.run.held_out), key=lambda one: one.run.concurrency
    )
    for place, column in enumerate(validation.columns):
        figure.add_box(
            x=[str(1 << (one.run.concurrency.bit_length() - 1)) for one in judged],
            y=[100.0 * one.error_ratio(column) for one in judged],
            name=column,
            marker={"color": colour_of(place)},
        )
    styled(figure, height=480)
    figure.update_layout(boxmode="group")
    figure.update_xaxes(type="category", title="requests in flight, from this power of two on")
    figure.update_yaxes(title="predicted / measured - 1, %")
    return figure
