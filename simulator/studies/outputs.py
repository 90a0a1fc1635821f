"""The folder that ``kinesim study`` writes: a table per study, pictures, one page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd

from simulator.output import MANIFEST_VERSION, package_versions, write_files
from simulator.report.chart_picture import save
from simulator.report.document import Section, document
from simulator.studies.study import Study


@dataclass(frozen=True)
class Answered:
    """A study that has run.

    Parameters
    ----------
    study : the question.
    table : a row per point and seed.
    """

    study: Study
    table: pd.DataFrame

    @property
    def text(self) -> str:
        """The answer in words, a paragraph per line; what may not have settled is one of its own."""
        return self.study.answer(self.table) + self._unsettled()

    def _unsettled(self) -> str:
        """Return a sentence about runs that may not have settled, if there are any."""
        if "unsettled" not in self.table or not self.table["unsettled"].any():
            return ""
        some, runs = int(self.table["unsettled"].sum()), len(self.table)
        return (
            f"\nIn {some} of {runs} runs the window may begin before the run has settled: rates can be off."
        )

    def to_json(self) -> dict[str, Any]:
        """Return question, answer and table for a machine; missing figures are None."""
        rows = self.table.astype(object).where(self.table.notna(), None).to_dict("records")
        return {"question": self.study.question, "answer": self.text, "rows": rows}


def write_studies(destination: Path, answered: Mapping[str, Answered], *, overwrite: bool) -> Path:
    """Write ``<study>.csv``, ``studies.html`` (plotly) and a PNG per chart (matplotlib); return the folder.

    Raises
    ------
    OutputExistsError
        If `destination` exists and `overwrite` is not set, or if it is not a folder of results.
    """

    def fill(folder: Path) -> None:
        sections = []
        for name, one in answered.items():
            one.table.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")
            charts = one.study.charts(one.table)
            sections.append(Section(one.study.question, paragraphs=one.text.splitlines(), charts=charts))
            if find_spec("matplotlib") is not None:
                for chart in charts:
                    save(chart, folder)
        if find_spec("plotly") is not None:
            page = document("Studies", sections)
            (folder / "studies.html").write_text(page, encoding="utf-8", newline="\n")

    about = {"manifest": MANIFEST_VERSION, "studies": list(answered), **package_versions()}
    return write_files(destination, fill, about, overwrite=overwrite)
