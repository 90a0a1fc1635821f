"""Slices on as few tracks as hold them without overlapping.

On one track of a trace a slice lies beside another or inside it, so what overlaps otherwise needs two.
"""

from __future__ import annotations

from heapq import heappop, heappush


class Lanes:
    """Gives each slice the lowest lane that is free when it starts.

    Examples
    --------
    >>> lanes = Lanes()
    >>> [lanes.place(start, end) for start, end in ((0, 10), (2, 4), (4, 6), (10, 12))]
    [0, 1, 1, 0]
    """

    def __init__(self) -> None:
        self.count = 0
        self._free: list[int] = []
        self._busy: list[tuple[int, int]] = []

    def place(self, start_ns: int, end_ns: int) -> int:
        """Return the lane of a slice.

        Parameters
        ----------
        start_ns : its start, not before that of the slice placed last.
        end_ns : its end; the lane is free again from there on, after 1 ns at the earliest.
        """
        while self._busy and self._busy[0][0] <= start_ns:
            heappush(self._free, heappop(self._busy)[1])
        if self._free:
            lane = heappop(self._free)
        else:
            lane, self.count = self.count, self.count + 1
        heappush(self._busy, (max(end_ns, start_ns + 1), lane))
        return lane
