"""The layout that vLLM's and sglang's serving benchmarks share: one grew out of the other.

Means stand at top level in milliseconds, the lists of requests beside them in seconds. Lists hold every
request that was sent; means and totals hold those that completed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from simulator.errors import TraceFormatError
from simulator.measured.agreement import check_agreement
from simulator.measured.bench import BenchRun, Requests
from simulator.measured.fields import MS, Fields
from simulator.measured.json_objects import JsonObject
from simulator.measured.statistics import Statistics

PERCENTILE: Final = re.compile(r"p(\d+(?:\.\d+)?)_(\w+)_ms")
"""Percentiles are those that the user asked the tool for."""

MOST_RUNS: Final = 10_000
"""Runs of one file: a sweep has some hundred, and each takes some 3 kB."""

MOST_WRONG: Final = 20
"""Wrong objects of a file that are told."""

MEDIAN: Final = 50.0
WHOLE: Final = 100.0


@dataclass(frozen=True, slots=True)
class Layout:
    """A benchmark tool whose files have this layout.

    Parameters
    ----------
    tool : its name.
    marks : fields of its files; at least half of them say that a file is one.
    e2e : how it names the end-to-end latency, between ``mean_`` and ``_ms``.
    tokens_per_step : its field of tokens per step of speculative decoding.
    """

    tool: str
    marks: frozenset[str]
    e2e: str
    tokens_per_step: str

    def read(self, sources: Iterable[JsonObject]) -> list[BenchRun]:
        """Return the runs of objects, one each.

        Raises
        ------
        TraceFormatError
            If fields are missing, wrong or contradict each other: all that is found.
        """
        return each_read(sources, lambda source: [self._run(source)])

    def _run(self, source: JsonObject) -> BenchRun:
        """Return the run of an object.

        Raises
        ------
        TraceFormatError
            If fields are missing, wrong or contradict each other: all that is found.
        """
        fields = Fields(source)
        completed = fields.count("completed", zero=True)
        if not completed and not fields.faults:
            fields.fault("completed", "0 requests; a run needs 1")
        duration = fields.number("duration")
        totals = [fields.number(f"total_{what}_tokens") for what in ("input", "output")]
        requests = _requests(fields)
        run = BenchRun(
            tool=self.tool,
            path=source.path,
            line=source.line,
            number=source.number,
            model=fields.text("model_id"),
            backend=fields.text("backend"),
            request_rate_per_s=fields.rate("request_rate"),
            max_concurrency=fields.count_or_none("max_concurrency"),
            completed=completed,
            failed=_failed(fields, completed, requests),
            prompt_tokens=totals[0] / max(1, completed),
            output_tokens=totals[1] / max(1, completed),
            duration_s=duration,
            tpot_s=_after_first(fields, "mean_tpot_ms"),
            ttft_s=fields.milliseconds("mean_ttft_ms"),
            ttft_median_s=fields.milliseconds("median_ttft_ms"),
            itl_s=_after_first(fields, "mean_itl_ms"),
            e2e_s=fields.milliseconds(f"mean_{self.e2e}_ms"),
            tokens_per_step=fields.number_or_none(self.tokens_per_step, zero=True) or None,
            requests=requests,
            lengths=None if requests is not None else _lengths(fields),
            stats=self._stats(fields),
            gap_cv=_gap_cv(fields),
        )
        fields.check()
        check_agreement(run, fields, self.e2e)
        fields.check()
        return run

    def _stats(self, fields: Fields) -> dict[str, Statistics]:
        """Return the statistics of each latency that the file has any of."""
        names = {"ttft": "ttft", "tpot": "tpot", "itl": "itl", self.e2e: "e2e"}
        percents: dict[str, dict[float, float]] = {name: {} for name in names}
        for key in sorted(fields.run.values):
            match = PERCENTILE.fullmatch(key)
            field, percent = (match[2], float(match[1])) if match else ("", MEDIAN)
            if key.startswith("median_") and key.endswith("_ms"):
                field = key.removeprefix("median_").removesuffix("_ms")
            value = fields.number_or_none(key, zero=True) if field in names else None
            if value is not None and percent < WHOLE:
                percents[field][percent] = value * MS
        means = {field: _after_first(fields, f"mean_{field}_ms") for field in names}
        return {
            name: Statistics(means[field], std_of(fields, field), percents[field])
            for field, name in names.items()
            # A mean of 0 stands where there are no values, and so do its percentiles.
            if fields.run.values.get(f"mean_{field}_ms") != 0
            and (percents[field] or means[field] is not None)
        }


def each_read(
    sources: Iterable[JsonObject], read: Callable[[JsonObject], Sequence[BenchRun]]
) -> list[BenchRun]:
    """Return the runs of all objects.

    Raises
    ------
    TraceFormatError
        With the faults of all objects.
    """
    runs, wrong = list[BenchRun](), list[str]()
    for source in sources:
        try:
            runs += read(source)
        except TraceFormatError as error:
            wrong.append(str(error))
        if len(runs) > MOST_RUNS:
            told = f"the file has more than {MOST_RUNS} runs; take it apart"
            wrong.append(f"{source.path}:{source.line}: {told}")
        if len(wrong) > MOST_WRONG or len(runs) > MOST_RUNS:
            break
    if wrong:
        raise TraceFormatError("\n".join(wrong))
    return runs


def _after_first(fields: Fields, field: str) -> float | None:
    """Return a mean time after the first token, s; the tools write 0 where no request had a second one."""
    value = fields.run.values.get(field)
    if value == 0 and not isinstance(value, bool):
        return None
    return fields.milliseconds(field)


def std_of(fields: Fields, field: str) -> float | None:
    """Return the deviation of a latency, s, or None."""
    found = fields.number_or_none(f"std_{field}_ms", zero=True)
    return None if found is None else found * MS


def _gap_cv(fields: Fields) -> float:
    """Return the variation of the gaps between arrivals: burstiness is the shape of their gamma law."""
    burstiness = fields.number_or_none("burstiness")
    return 1.0 if burstiness is None else 1.0 / math.sqrt(burstiness)


def _lengths(fields: Fields) -> tuple[Sequence[int], Sequence[int]] | None:
    """Return lengths of requests whose times the file does not have."""
    prompts, outputs = fields.token_counts("input_lens"), fields.token_counts("output_lens")
    if prompts is None or outputs is None or not len(prompts) or len(prompts) != len(outputs):
        return None
    return prompts, outputs


def _requests(fields: Fields) -> Requests | None:
    """Return the lists of requests where a file has all that matter."""
    prompts, outputs = fields.token_counts("input_lens"), fields.token_counts("output_lens")
    ttfts, gaps = fields.numbers("ttfts"), fields.lists("itls")
    starts = fields.numbers("start_times")
    if fields.faults or prompts is None or outputs is None or ttfts is None or gaps is None:
        return None
    lengths = {
        "input_lens": len(prompts),
        "output_lens": len(outputs),
        "ttfts": len(ttfts),
        "itls": len(gaps),
    }
    lengths |= {} if starts is None else {"start_times": len(starts)}
    errors = fields.truths("errors")
    lengths |= {} if errors is None else {"errors": len(errors)}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} {length}" for name, length in lengths.items())
        fields.fault("input_lens", f"lists of requests of different lengths: {told}")
        return None
    said = bytes(len(ttfts)) if errors is None else errors
    # Where nothing came back the tool of 2024 counts a completed request with a first token after 0 s.
    failed = tuple(
        bool(error) or not output or (not ttft and not row)
        for error, output, ttft, row in zip(said, outputs, ttfts, gaps.lengths(), strict=True)
    )
    return Requests(prompts, outputs, ttfts, gaps, failed, starts)


def _failed(fields: Fields, completed: int, requests: Requests | None) -> int:
    """Return how many requests failed; a file cut short is a fault."""
    told = fields.count_or_none("failed", zero=True)
    sent = fields.count_or_none("num_prompts")
    if requests is None:
        return told if told is not None else max(0, (sent or completed) - completed)
    held = len(requests.failed)
    if held < completed:
        told_lists = f"{held} requests, but {completed} completed: lists hold all of them or are left out"
        fields.fault("ttfts", told_lists)
    return sum(requests.failed)
