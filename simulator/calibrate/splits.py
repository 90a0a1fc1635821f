"""Which rows a fit may see: whole shapes are set aside, the same ones on every machine."""

from __future__ import annotations

from typing import Final
from zlib import crc32

import numpy as np
import pandas as pd
from numpy.typing import NDArray

ONE_IN: Final = 5
"""One shape in this many is held out."""


def held_out(rows: pd.DataFrame, shape: list[str]) -> NDArray[np.bool_]:
    """Return which rows belong to held-out shapes.

    Parameters
    ----------
    rows : the table.
    shape : columns that make up a shape; rows of one shape stay together.

    Examples
    --------
    >>> rows = pd.DataFrame({"n": [1, 1, 2], "m": [3, 4, 3]})
    >>> split = held_out(rows, ["n"])
    >>> bool(split[0] == split[1])
    True
    """
    names = rows[shape].astype(str).agg("x".join, axis=1)
    chosen = {name: crc32(name.encode()) % ONE_IN == 0 for name in names.unique()}
    result: NDArray[np.bool_] = names.map(chosen).to_numpy(dtype=bool)
    return result
