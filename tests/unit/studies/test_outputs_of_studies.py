"""What a study says, and what its runs have to say beside that."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from simulator.studies import energy
from simulator.studies.outputs import Answered


@pytest.mark.parametrize(("unsettled", "paragraphs"), [([False, False], 2), ([True, False], 3)])
def test_runs_that_have_not_settled_are_a_paragraph_of_their_own(
    unsettled: list[bool], paragraphs: int
) -> None:
    study = replace(energy.STUDY, answer=lambda _: "Of 0.6B.\nOf 8B.")
    told = Answered(study, pd.DataFrame({"unsettled": unsettled})).text.splitlines()
    assert len(told) == paragraphs
    assert told[:2] == ["Of 0.6B.", "Of 8B."]
    assert all(line.startswith("In 1 of 2 runs the window may begin") for line in told[2:])
