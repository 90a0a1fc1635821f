"""How far off the simulator is: measured serving runs, simulated and compared.

The modules go one way: `silicon` makes scenarios of runs, `predictions` simulates them, `transfer` fits
without a model, `peer` asks another predictor, `errors` sums up, `text` makes tables, `document`, `pictures`,
`page` and `files` write the results.
"""

from __future__ import annotations

from simulator.validate.errors import Group, groups, other_model_groups
from simulator.validate.predictions import COLUMNS, Prediction, Validation, validate
from simulator.validate.transfer import without_models

__all__ = [
    "COLUMNS",
    "Group",
    "Prediction",
    "Validation",
    "groups",
    "other_model_groups",
    "validate",
    "without_models",
]
