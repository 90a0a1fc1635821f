"""What another predictor says of the measured runs: a CSV file of names and times."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Final

from simulator.calibrate.tables import MS
from simulator.errors import SimulatorError

ROW: Final = "id"
TPOT: Final = "peer_tpot_ms"


def read_peer(path: Path) -> dict[str, float]:
    """Return the predicted time per output token, s, by the name of the measured row.

    Rows without a time are left out; other columns are ignored.

    Parameters
    ----------
    path : a CSV file with the columns ``id`` (the row's name in the source of the runs) and
        ``peer_tpot_ms`` (milliseconds).

    Raises
    ------
    SimulatorError
        If a column is missing, a row stands twice, or a time is no positive number.
    """
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        missing = [name for name in (ROW, TPOT) if name not in (reader.fieldnames or ())]
        if missing:
            message = f"{path}: no column {missing[0]!r}; needed: {ROW}, {TPOT}"
            raise SimulatorError(message)
        found: dict[str, float] = {}
        for row in reader:
            if not row[TPOT]:
                continue
            where = f"{path}:{reader.line_num}"
            if row[ROW] in found:
                message = f"{where}: the row {row[ROW]!r} stands twice"
                raise SimulatorError(message)
            found[row[ROW]] = _seconds(row[TPOT], where)
    return found


def _seconds(text: str, where: str) -> float:
    try:
        time_s = float(text) * MS
    except ValueError:
        time_s = math.nan
    if not 0.0 < time_s < math.inf:
        message = f"{where}: {TPOT}: expected a positive number of milliseconds, got {text!r}"
        raise SimulatorError(message)
    return time_s
