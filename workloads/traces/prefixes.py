"""Prompts that begin alike, as a forest of segments: what of one request's KV another can use.

A segment is a run of tokens that the same requests have in common; a request's shared prefix is the path from
a root to its last segment.  The forest of a trace follows from its prefix blocks alone.

Not known: outputs that a later prompt repeats, unless the trace says which request it follows, and the last,
unfilled block of a prompt, which counts as its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Self

import numpy as np
from pydantic import Field, model_validator

from simulator.frozen import FrozenModel, Tokens
from workloads.task import SharedPrefix
from workloads.traces.table import NONE, IntArray, PrefixBlocks

SegmentOrNone = Annotated[int, Field(ge=NONE)]
Segments = Annotated[tuple[SegmentOrNone, ...], Field(strict=False)]


class SharedPrefixes(FrozenModel):
    """Which prompts begin with the same tokens.

    Segments are numbered from 0; one that continues another stands after it.

    Examples
    --------
    Three prompts begin with the same 1,000 tokens, two of them with another 500:

    >>> prefixes = SharedPrefixes(parents=(-1, 0), end_tokens=(1000, 1500), tasks=(1, 0, -1, 1))
    >>> [prefixes.of_task(task) for task in range(3)]
    [((0, 1000), (1, 1500)), ((0, 1000),), ()]
    """

    parents: Annotated[Segments, Field(min_length=1)] = Field(
        description="[-] Segment that each segment continues; -1 where it begins the prompt."
    )
    end_tokens: Annotated[tuple[Tokens, ...], Field(strict=False)] = Field(
        description="[tokens] From the beginning of the prompt to the end of the segment."
    )
    tasks: Segments = Field(description="[-] Last shared segment of each task's prompt; -1 for none.")
    follow_ups: Segments = Field(
        default=(), description="[-] The same of the prompts of `follow_ups`, in their order."
    )

    @model_validator(mode="after")
    def _segments_fit(self) -> Self:
        count = len(self.parents)
        if len(self.end_tokens) != count:
            message = f"parents has {count} segments but end_tokens has {len(self.end_tokens)}"
            raise ValueError(message)
        for segment, (parent, end) in enumerate(zip(self.parents, self.end_tokens, strict=True)):
            if parent >= segment:
                message = f"segment {segment} continues segment {parent}, which is no earlier one"
                raise ValueError(message)
            if parent != NONE and self.end_tokens[parent] >= end:
                message = (
                    f"segment {segment} ends at {end} tokens, and the one that it continues at "
                    f"{self.end_tokens[parent]}"
                )
                raise ValueError(message)
        for name in ("tasks", "follow_ups"):
            if strange := [each for each in getattr(self, name) if each >= count]:
                message = f"{name} name segment {strange[0]} of {count}, counted from 0"
                raise ValueError(message)
        return self

    def check_prompts(self, tasks: Sequence[int], follow_ups: Sequence[int]) -> None:
        """Check that all prompts have a row and are no shorter than their segment; follow-ups may have none.

        Parameters
        ----------
        tasks, follow_ups : their prompts, tokens.

        Raises
        ------
        ValueError
            If not.
        """
        for name, prompts in (("tasks", tasks), ("follow_ups", follow_ups)):
            segments = getattr(self, name)
            if not segments and name == "follow_ups":
                continue
            if len(segments) != len(prompts):
                message = f"prefixes.{name} has {len(segments)} rows, there are {len(prompts)}"
                raise ValueError(message)
            for row, (segment, prompt) in enumerate(zip(segments, prompts, strict=True)):
                if segment != NONE and self.end_tokens[segment] > prompt:
                    end = f"segment {segment} ends at {self.end_tokens[segment]} tokens"
                    message = f"prefixes.{name}, row {row}: {end}, the prompt has {prompt}"
                    raise ValueError(message)

    def of_task(self, task: int) -> SharedPrefix:
        """Return the shared prefix of a task's prompt: (segment, end in tokens), outermost first."""
        return self._path(self.tasks[task])

    def of_follow_up(self, row: int) -> SharedPrefix:
        """Return the shared prefix of a follow-up's prompt."""
        return self._path(self.follow_ups[row]) if self.follow_ups else ()

    def _path(self, segment: int) -> SharedPrefix:
        path: list[tuple[int, int]] = []
        while segment != NONE:
            path.append((segment, self.end_tokens[segment]))
            segment = self.parents[segment]
        return tuple(reversed(path))


def shared_prefixes(
    blocks: PrefixBlocks, prompt_tokens: IntArray
) -> tuple[tuple[int, ...], tuple[int, ...], IntArray]:
    """Return the segments that at least two prompts have in common, and the last one of each prompt.

    Parameters
    ----------
    blocks : prefix blocks of the prompts.
    prompt_tokens : their lengths, shape (rows,), tokens; a block that a prompt does not fill is its own.

    Returns
    -------
    tuple
        Parents of the segments, their ends in tokens, and the segment of each row, shape (rows,), `NONE`
        for none.

    Notes
    -----
    Rows are sorted by their blocks; the intervals of rows with a common beginning, found with a
    stack in one pass over the common beginnings of neighbours, are the segments (Abouelhoda, Kurtz,
    Ohlebusch: Replacing suffix trees with enhanced suffix arrays, 2004, Algorithm 4.4).

    Examples
    --------
    >>> blocks = PrefixBlocks(np.array([0, 3, 5, 6]), np.array([1, 2, 3, 1, 2, 7]), 16)
    >>> shared_prefixes(blocks, np.array([48, 40, 16]))
    ((-1,), (32,), array([ 0,  0, -1]))
    """
    full = np.minimum(np.diff(blocks.offsets), prompt_tokens // blocks.tokens)
    words = blocks.ids.astype(">i8")
    starts = blocks.offsets[:-1]
    texts = [words[start : start + size].tobytes() for start, size in zip(starts, full, strict=True)]
    order = sorted(range(len(texts)), key=texts.__getitem__)
    alike = [_common_blocks(texts[one], texts[other]) for one, other in pairwise(order)]
    found, of_place = _intervals([*alike, 0])
    return _numbered(found, of_place, order, blocks.tokens)


def _common_blocks(one: bytes, other: bytes) -> int:
    size = min(len(one), len(other)) // 8
    if one[: 8 * size] == other[: 8 * size]:
        return size
    ids = np.frombuffer(one, ">i8", size), np.frombuffer(other, ">i8", size)
    return int(np.argmax(ids[0] != ids[1]))


def _intervals(alike: list[int]) -> tuple[list[list[int]], list[int]]:
    """Return [blocks, parent] of the intervals of rows that begin alike, and the interval of each row.

    Parameters
    ----------
    alike : blocks that each sorted row has in common with the next one; 0 for the last.
    """
    found, of_place = [[0, NONE]], list[int]()
    stack = [0]
    for common in alike:
        row_before, last = stack[-1], NONE
        while found[stack[-1]][0] > common:
            last = stack.pop()
            if found[stack[-1]][0] >= common:
                found[last][1] = stack[-1]
        if found[stack[-1]][0] < common:
            found.append([common, NONE])
            stack.append(len(found) - 1)
            if last != NONE:
                found[last][1] = stack[-1]
        of_place.append(row_before if found[row_before][0] >= common else stack[-1])
    return found, of_place


def _numbered(
    found: list[list[int]], of_place: list[int], order: list[int], block_tokens: int
) -> tuple[tuple[int, ...], tuple[int, ...], IntArray]:
    """Return segments with parents before children, without the root of nothing in common."""
    by_depth = sorted(range(1, len(found)), key=lambda interval: found[interval][0])
    number = {0: NONE} | {interval: place for place, interval in enumerate(by_depth)}
    rows = np.full(len(order), NONE, dtype=np.int64)
    rows[order] = [number[interval] for interval in of_place]
    return (
        tuple(number[found[interval][1]] for interval in by_depth),
        tuple(found[interval][0] * block_tokens for interval in by_depth),
        rows,
    )
