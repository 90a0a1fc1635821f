"""Parents, sessions and depths of the rows of a trace."""

from __future__ import annotations

import numpy as np

from workloads.traces.table import NONE, IntArray


def parents_among(ids: IntArray, parent_ids: IntArray) -> IntArray:
    """Return the row of each row's parent: the last one before it that has the id; else `NONE`.

    Parameters
    ----------
    ids : id of each row.
    parent_ids : id of its parent, or `NONE`.

    Examples
    --------
    >>> parents_among(np.array([7, 9, 7, 8]), np.array([-1, 7, 5, 7])).tolist()
    [-1, 0, -1, 2]
    """
    rows = len(ids)
    if (ids[1:] > ids[:-1]).all():
        return _parents_in_order(ids, parent_ids)
    codes_of, codes = np.unique(ids, return_inverse=True)
    order = np.lexsort((np.arange(rows), codes))
    keys = codes[order] * rows + order  # ascending: by id, then by row
    wanted = np.searchsorted(codes_of, parent_ids)
    known = np.zeros(rows, dtype=bool)
    inside = wanted < len(codes_of)
    known[inside] = codes_of[wanted[inside]] == parent_ids[inside]
    known &= parent_ids != NONE
    place = np.searchsorted(keys, wanted * rows + np.arange(rows)) - 1
    parents = np.full(rows, NONE, dtype=np.int64)
    found = known & (place >= 0)
    candidate = order[place[found]]
    parents[found] = np.where(codes[candidate] == wanted[found], candidate, NONE)
    return parents


def _parents_in_order(ids: IntArray, parent_ids: IntArray) -> IntArray:
    """Return the parents where ids grow from row to row, as most files have them: in a part of the memory."""
    parents: IntArray = np.searchsorted(ids, parent_ids)
    lost = (parents >= np.arange(len(ids))) | (parent_ids == NONE)
    lost |= ids[np.minimum(parents, len(ids) - 1)] != parent_ids
    parents[lost] = NONE
    return parents


def roots_and_depths(parents: IntArray) -> tuple[IntArray, IntArray]:
    """Return the first ancestor of each row and how many ancestors it has; a parent stands before its child.

    Examples
    --------
    >>> [found.tolist() for found in roots_and_depths(np.array([-1, 0, 1, -1, 3]))]
    [[0, 0, 0, 3, 3], [0, 1, 2, 0, 1]]
    """
    rows = np.arange(len(parents))
    above = np.where(parents == NONE, rows, parents)
    depths = (parents != NONE).astype(np.int64)
    while (above[above] != above).any():  # each round doubles how far up a row looks
        depths += depths[above]
        above = above[above]
    return above, depths


def sessions_of(parents: IntArray) -> IntArray:
    """Return the number of the tree that each row is in, in the order of their first rows."""
    roots, _ = roots_and_depths(parents)
    return np.unique(roots, return_inverse=True)[1].astype(np.int64)
