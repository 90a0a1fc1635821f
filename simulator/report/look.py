"""The look of all figures of all reports: one colour per variant and per part, one style.

plotly is an optional package, imported when a figure is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from simulator.errors import SimulatorError

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

VARIANT_COLOURS: Final = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#7F7F7F",
    "#000000",
)
"""Okabe and Ito's colours, told apart by colour-blind readers; used again from the start beyond eight."""

PART_COLOURS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "attention": "#4477AA",
        "selection": "#66CCEE",
        "prefill_attention": "#88CCAA",
        "gate_up": "#228833",
        "down": "#999933",
        "experts": "#117733",
        "router": "#DDCC77",
        "qkv": "#AA3377",
        "o": "#CC6677",
        "lm_head": "#DDAA77",
        "norms": "#882255",
        "allreduce": "#CCBB44",
        "overhead": "#EE6677",
        "constant": "#777777",
    }
)
"""Paul Tol's qualitative colours, one for each part of a step in all reports; others are grey."""

OTHER_COLOUR: Final = "#BBBBBB"

TIME_COLOURS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "weights": PART_COLOURS["gate_up"],
        "compute": PART_COLOURS["down"],
        "kv_reads": PART_COLOURS["attention"],
        "attention_compute": PART_COLOURS["qkv"],
        "selection": PART_COLOURS["selection"],
        "states": PART_COLOURS["router"],
        "norms": PART_COLOURS["norms"],
        "collectives": PART_COLOURS["allreduce"],
        "host": PART_COLOURS["overhead"],
        "constant": PART_COLOURS["constant"],
        "prefill": PART_COLOURS["prefill_attention"],
        "idle": OTHER_COLOUR,
        "queueing": VARIANT_COLOURS[4],
        "decode": VARIANT_COLOURS[0],
        "stragglers": VARIANT_COLOURS[1],
        "tools": VARIANT_COLOURS[3],
    }
)
"""Where time went, of GPUs and of tasks: the colour of the operation that stands for it, or of its own."""

LIGHT_COLOURS: Final = frozenset({"#CCBB44", "#66CCEE", "#DDAA77", "#88CCAA", "#DDCC77", OTHER_COLOUR})
"""Colours of parts that need dark text."""

FONT: Final = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"
INK: Final = "#1b1f24"
GRID: Final = "#e3e6ea"

DASHES: Final = ("solid", "dash", "dot", "dashdot")
"""Line styles; a second round of colours gets the second style."""


def plotly_modules() -> tuple[Any, Any]:
    """Return plotly's ``graph_objects`` and ``subplots``.

    Raises
    ------
    SimulatorError
        If plotly is not installed; says how to install it.
    """
    try:
        from plotly import graph_objects, subplots  # noqa: PLC0415 - an optional package
    except ImportError as missing:
        message = "figures and HTML pages need plotly: pip install plotly"
        raise SimulatorError(message) from missing
    return graph_objects, subplots


def colour_of(position: int) -> str:
    """Return the colour of the variant at `position`."""
    return VARIANT_COLOURS[position % len(VARIANT_COLOURS)]


def line_of(position: int) -> dict[str, object]:
    """Return the line of the variant at `position`: its colour, and a dash in later rounds of colours."""
    dash = DASHES[position // len(VARIANT_COLOURS) % len(DASHES)]
    return {"color": colour_of(position), "width": 2, "dash": dash}


def styled(figure: Figure, *, height: int) -> Figure:
    """Give a figure the common look."""
    figure.update_layout(
        template="none",
        height=height,
        font={"family": FONT, "size": 13, "color": INK},
        paper_bgcolor="white",
        plot_bgcolor="white",
        margin={"l": 80, "r": 50, "t": 60, "b": 60},
        modebar={"orientation": "v", "bgcolor": "rgba(0,0,0,0)"},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "xanchor": "left", "x": 0.0},
        hoverlabel={"font": {"family": FONT}},
    )
    axis = {"gridcolor": GRID, "linecolor": INK, "ticks": "outside", "zeroline": False, "automargin": True}
    figure.update_xaxes(showline=True, **axis)
    figure.update_yaxes(showline=True, **axis)
    return figure


def division(figure: Figure, name: str) -> str:
    """Return a figure as a division with a fixed name, without plotly.js."""
    markup: str = figure.to_html(
        full_html=False,
        include_plotlyjs=False,
        include_mathjax=False,
        div_id=name,
        config={"displaylogo": False, "responsive": True},
    )
    return markup
