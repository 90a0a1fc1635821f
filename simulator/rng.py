"""Named, order-independent random streams.

Every draw is addressed by a name and integers, never by how many draws came before it, so adding a
consumer disturbs nobody and a sweep or a set of variants shares its random numbers for free
(common random numbers; ``docs/decisions/0004-random-streams.md``).
"""

from __future__ import annotations

from array import array
from typing import Final
from zlib import crc32

import numpy as np

CHUNK: Final = 1024
"""Tasks whose uniforms are drawn by one generator; making a generator costs some 20 us."""


class Streams:
    """The random numbers of one run.

    Parameters
    ----------
    seed : non-negative integer; equal seeds give equal numbers in any process.

    Examples
    --------
    >>> a, b = Streams(7), Streams(7)
    >>> a.uniform("length", task=3, draw=0) == b.uniform("length", task=3, draw=0)
    True
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._uniforms: dict[tuple[str, int, int], array[float]] = {}

    def generator(self, name: str, *index: int) -> np.random.Generator:
        """Return the generator addressed by `name` and `index`, always from its beginning."""
        key = (crc32(name.encode()), *index)
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))

    def uniform(self, name: str, *, task: int, draw: int) -> float:
        """Return the uniform in [0, 1) of draw number `draw` of task number `task`.

        Quantile functions turn it into a length or an outcome, so two variants that differ in a
        distribution stay coupled draw by draw.
        """
        chunk, row = divmod(task, CHUNK)
        key = (name, draw, chunk)
        column = self._uniforms.get(key)
        if column is None:
            column = array("d", self.generator(name, draw, chunk).random(CHUNK).tobytes())
            self._uniforms[key] = column
        return column[row]
