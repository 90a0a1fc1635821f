"""How far off the simulator is: measured serving runs, simulated and compared.

The modules go one way: `silicon` simulates the runs, `peer` reads what another predictor says of them,
`errors` sums up by GPU, engine and model, `files` and `page` write the results.
"""

from __future__ import annotations

from simulator.validate.errors import Group, groups
from simulator.validate.silicon import COLUMNS, Prediction, Predictor, Validation, validate

__all__ = ["COLUMNS", "Group", "Prediction", "Predictor", "Validation", "groups", "validate"]
