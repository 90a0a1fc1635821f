"""A validation as a page of documentation (Markdown), pictures beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from itertools import pairwise
from math import inf
from typing import Final

from simulator.validate.errors import (
    FEWEST_RUNS,
    Group,
    compared_groups,
    figures,
    groups,
    groups_without_peer,
    other_model_groups,
    peer_is_better,
)
from simulator.validate.kernel_level import NO_KERNELS, KernelLevel, told
from simulator.validate.predictions import (
    ANOTHER_MODEL,
    CALIBRATED,
    COLUMNS,
    PEER,
    ROOFLINE,
    Prediction,
    Validation,
)
from simulator.validate.text import cells, heads, name_of, notes, table

PICTURES: Final = "validation"
"""Folder of the pictures, beside the page."""

OF_ALL: Final = {
    "predicted-over-measured": "Predicted over measured time per output token",
    "error-by-load": "Error by requests in flight",
}
BESIDE_PEER: Final = {"peer-is-better": "Errors where the peer is better"}
"""Titles of pictures by their names, where they stand."""

INTRODUCTION: Final = (
    "How far off are predicted serving runs from measured ones? `kinesim validate silicon` wrote this page; "
    "what was measured on other servers stands in [measured servers](measured-servers.md)."
)

CONCURRENCY_EDGES: Final = (1, 9, 17, 33, 65, inf)
PROMPT_EDGES: Final = (0.0, 0.5, 2.0, 8.0, inf)


def document(
    validation: Validation, pictures: Sequence[str], *, level: KernelLevel = NO_KERNELS, whole: bool = True
) -> str:
    """Return the page.

    Parameters
    ----------
    validation : predictions of measured runs.
    pictures : names of the pictures that were drawn, without their folder.
    level : what kernels tell.
    whole : whether all measured runs were asked for; the remarks are of all of them.
    """
    found = groups(validation)
    parts = [
        "# Validation",
        INTRODUCTION,
        "## In short",
        _summary(validation, found[-1]),
        "## How it was measured",
        _prose("method.md"),
        "## Errors by GPU, engine and model",
        _code([heads(validation.columns), *table(found, validation.columns)]),
        "\n".join(f"- {line}" for line in notes(validation)),
        *_pictures(pictures, OF_ALL),
        "## Errors by load",
        _regimes(validation),
        *_without_peer(validation),
        *_other_models(validation),
        *_against_peer(validation, pictures),
        *(["## Remarks", _prose("remarks.md")] if whole else []),
        *(["## Whole runs", _prose("whole_runs.md")] if whole else []),
        "## Errors by GPUs per replica",
        _by_tp(validation),
        *(
            part
            for title, about, tables in told(level)
            for part in (f"## {title}", about, *map(_code, tables))
        ),
        "## Do it again",
        _prose("again.md"),
    ]
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def _prose(name: str) -> str:
    """Return a passage that does not depend on the predictions."""
    return files(__package__ or "").joinpath(name).read_text(encoding="utf-8")


def _summary(validation: Validation, everything: Group) -> str:
    shown = {name: cells(everything.errors.get(name)) for name in validation.columns}
    text = (
        f"On {everything.judged_rows} measured runs kept out of every fit, half of the simulated times per "
        f"output token are within {shown[CALIBRATED][0]} of the measured ones and nine in ten within "
        f"{shown[CALIBRATED][1]}; the bare roofline is {shown[ROOFLINE][0]} off in the median"
    )
    if PEER in shown:
        text += f", the peer predictor {shown[PEER][0]} ({shown[PEER][1]} at the 90th percentile)"
    return f"{text}.{_summary_of_others(validation)}"


def _summary_of_others(validation: Validation) -> str:
    """Return what is told of models that the fit has not seen."""
    found = other_model_groups(validation)
    if not found:
        return ""
    shown = {name: cells(errors) for name, errors in found[-1].errors.items()}
    text = (
        f" Predicted from other models alone, {found[-1].judged_rows} runs are {shown[ANOTHER_MODEL][0]} off "
        f"in the median and {shown[ANOTHER_MODEL][1]} at the 90th percentile"
    )
    if PEER in shown:
        text += f"; the peer, which may have seen them, {shown[PEER][0]} and {shown[PEER][1]}"
    return f"{text}."


def _code(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
    return "\n".join(["```text", *lines, "```"])


def _pictures(drawn: Sequence[str], titles: Mapping[str, str]) -> list[str]:
    return [f"![{title}]({PICTURES}/{name}.png)" for name, title in titles.items() if name in drawn]


def _regimes(validation: Validation) -> str:
    """Return the errors by requests in flight, then by how long prompts are beside outputs."""
    judged = [one for one in validation.predictions if one.run.held_out]
    rows = [("", "judged", *(f"{name}: median, p90, bias" for name in validation.columns))]
    for low, high in pairwise(CONCURRENCY_EDGES):
        name = f"{low} to {high - 1:g} requests in flight" if high < inf else f"{low} and more"
        members = [one for one in judged if low <= one.run.concurrency < high]
        rows += _regime(name, members, validation.columns)
    for least, most in pairwise(PROMPT_EDGES):
        name = (
            f"prompts {least:g} to {most:g} times the outputs" if most < inf else f"{least:g} times and more"
        )
        members = [one for one in judged if least <= one.run.prompt_tokens / one.run.output_tokens < most]
        rows += _regime(name, members, validation.columns)
    return _code(rows)


def _regime(name: str, members: Sequence[Prediction], columns: Sequence[str]) -> list[tuple[str, ...]]:
    if not members:
        return []
    found = (figures([one.error_ratio(column) for one in members]) for column in columns)
    return [(name, str(len(members)), *(", ".join(cells(errors)) for errors in found))]


def _without_peer(validation: Validation) -> list[str]:
    found = groups_without_peer(validation)
    if not found:
        return []
    text = "Runs that the peer refuses or has no timings for, in no other table or picture of this page:"
    return ["## Runs without a peer", text, _code([heads(COLUMNS), *table(found, COLUMNS)])]


def _other_models(validation: Validation) -> list[str]:
    found = other_model_groups(validation)
    if not found:
        return []
    columns = (ANOTHER_MODEL, *validation.columns[1:])
    text = (
        "Here the serving numbers were fitted to the runs of the *other* dense models of the GPU and engine "
        "alone, and all runs of the model are judged. Engines without enough runs of others are missing."
    )
    return ["## Another model than those fitted", text, _code([heads(columns), *table(found, columns)])]


def _against_peer(validation: Validation, pictures: Sequence[str]) -> list[str]:
    if PEER not in validation.columns:
        return []
    judged = [one for one in validation.predictions if one.run.held_out]
    closer = sum(abs(one.error_ratio(CALIBRATED)) < abs(one.error_ratio(PEER)) for one in judged)
    named = compared_groups(validation)
    worse = [_worse(group) for group in named if any(peer_is_better(group))]
    share = closer / max(len(judged), 1)
    text = (
        f"Of {len(judged)} judged runs `calibrated` is closer than the peer in {share:.0%}. Of {len(named)} "
        f"groups with {FEWEST_RUNS} runs or more the peer is better in {len(worse)}"
    )
    lines = ["\n".join(worse)] if worse else []
    return ["## Against the peer", text + (":" if worse else "."), *lines, *_pictures(pictures, BESIDE_PEER)]


def _worse(group: Group) -> str:
    """Return a line on a group in which the peer is better."""
    ours, peer = group.errors[CALIBRATED], group.errors[PEER]
    names = ("in the median", "at the 90th percentile")
    where = " and ".join(name for name, better in zip(names, peer_is_better(group), strict=True) if better)
    return (
        f"- {name_of(group)}, {where}: {ours.median_error_ratio:.1%} and {ours.p90_error_ratio:.1%} against "
        f"{peer.median_error_ratio:.1%} and {peer.p90_error_ratio:.1%}."
    )


def _by_tp(validation: Validation) -> str:
    found = [group for group in groups(validation, by_tp=True) if group.judged_rows]
    return _code([heads(validation.columns, by_tp=True), *table(found, validation.columns, by_tp=True)])
