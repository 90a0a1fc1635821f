"""One seed has no interval: its bounds are missing numbers, which can be scaled like others."""

from __future__ import annotations

import numpy as np
import pandas as pd

from simulator.studies.tables import mean_over_seeds, ratio_over_seeds


def test_bounds_of_one_seed_are_missing_numbers() -> None:
    frame = pd.DataFrame({"kind": ["a", "b"], "seed": [0, 0], "x": [2.0, 4.0]})
    mean = mean_over_seeds(frame, ["kind"], "x")
    ratio = ratio_over_seeds(frame, ["kind"], "x", to={"kind": "a"})
    for rows in (mean, ratio):
        assert np.isnan(rows["low"].iloc[0] * 2)
        assert np.isnan(rows[["low", "high"]].to_numpy(dtype=float, copy=True)).all()
        assert rows.iloc[0]["high"] is not None
    assert ratio["estimate"].tolist() == [1.0, 2.0]
