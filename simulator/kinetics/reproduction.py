"""All claims checked at once: what ``kinesim kinetics`` prints, and the folder that it writes."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from simulator.kinetics.claims import Claim, Finding, Sources, check, reproduced_by, totals
from simulator.kinetics.claims_of_bands import BANDS, BANDS_OUT_OF_REACH
from simulator.kinetics.claims_of_cost import COST
from simulator.kinetics.claims_of_coverage import COVERAGE, COVERAGE_OUT_OF_REACH
from simulator.kinetics.claims_of_curves import ACCURACY, OUT_OF_REACH, THROUGHPUT
from simulator.kinetics.claims_of_growth import GROWTH
from simulator.kinetics.claims_of_memory import FITS, MEMORY
from simulator.kinetics.claims_of_pairs import METHODS_OUT_OF_REACH, PAIRS_AND_METHODS
from simulator.kinetics.claims_of_points import REFITTED
from simulator.kinetics.figures import charts
from simulator.kinetics.page import page
from simulator.output import MANIFEST_VERSION, package_versions, write_files
from simulator.report.chart_picture import save

CLAIMS: Final[tuple[Claim, ...]] = (
    *COST,
    *MEMORY,
    *GROWTH,
    *FITS,
    *REFITTED,
    *ACCURACY,
    *PAIRS_AND_METHODS,
    *COVERAGE,
    *BANDS,
    *THROUGHPUT,
)
"""Every claim that can be checked."""


def reproduce(sources: Sources) -> list[Finding]:
    """Return what became of every claim."""
    out_of_reach = (*OUT_OF_REACH, *METHODS_OUT_OF_REACH, *COVERAGE_OUT_OF_REACH, *BANDS_OUT_OF_REACH)
    return check(CLAIMS, sources, out_of_reach)


def to_json(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return totals and findings for a machine."""
    return {
        "totals": totals(findings),
        "reproduced_by": reproduced_by(findings),
        "claims": [asdict(one) for one in findings],
    }


def write_reproduction(
    destination: Path, findings: Sequence[Finding], sources: Sources, *, overwrite: bool
) -> Path:
    """Write ``claims.csv``, ``kinetics.html`` (plotly) and a PNG per figure (matplotlib); return the folder.

    Raises
    ------
    OutputExistsError
        If `destination` exists and `overwrite` is not set, or if it is not a folder of results.
    """

    def fill(folder: Path) -> None:
        with (folder / "claims.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(asdict(findings[0])), lineterminator="\n")
            writer.writeheader()
            writer.writerows(asdict(one) for one in findings)
        drawn = charts(sources)
        if find_spec("plotly") is not None:
            (folder / "kinetics.html").write_text(page(findings, drawn), encoding="utf-8", newline="\n")
        if find_spec("matplotlib") is not None:
            for chart in drawn:
                save(chart, folder)

    about = {"manifest": MANIFEST_VERSION, "reproduction": "kinetics", **package_versions()}
    return write_files(destination, fill, about, overwrite=overwrite)
