"""A small right file of every format that is read, made up by hand, and where in it the faults are put."""

from __future__ import annotations

import csv
import io
import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "measured"))
sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "workloads" / "traces"))

from bench_files import detailed, even_requests, sglang, summary, vllm
from made_up import BURSTGPT_3, LLMSERVINGSIM, OWN, PLAIN, SPLITWISE, VIDUR, servegen
from tool_files import (
    CONFIGURATIONS,
    TABLE,
    aiperf_line,
    guidellm,
    guidellm_request,
    inferencex,
    own_table,
    perf_summary,
    scrape,
)

GONE: Final = object()
"""Put where a field is to be taken out."""

Edit = tuple[int, str, object]
"""The line, from 1, the field (of JSON: keys and places parted by dots), and what is put there."""


@dataclass(frozen=True)
class Seed:
    """A right file of a format.

    Parameters
    ----------
    files : texts by name; the first is the one that is damaged, the others stand beside it.
    edits : by fault, what is changed; a fault that is not here is in `without`.
    without : why a fault cannot be.
    given : names of the files that the command is given, in order; a blank one is the folder.
    """

    files: Mapping[str, str]
    edits: Mapping[str, tuple[Edit, ...]]
    without: Mapping[str, str] = field(default_factory=dict)
    given: tuple[str, ...] = ()
    is_trace: bool = False
    other: str = ""

    @property
    def name(self) -> str:
        """The file that is damaged."""
        return next(iter(self.files))

    @property
    def text(self) -> str:
        """What it holds."""
        return self.files[self.name]

    def put(self, folder: Path, content: bytes | None = None, name: str | None = None) -> list[Path]:
        """Write the files into a folder, the first with another content or name; return what to read."""
        for each, text in self.files.items():
            if each != self.name:
                (folder / each).write_text(text, encoding="utf-8")
        target = name or self.name
        if content is not None or name is None:
            (folder / target).write_bytes(self.text.encode() if content is None else content)
        given = self.given or (self.name,)
        return [folder / (target if each == self.name else each) for each in given]


def edited(text: str, edits: tuple[Edit, ...]) -> str:
    """Return a text with fields changed."""
    lines = text.splitlines(keepends=True)
    for line, name, value in edits:
        change = _json_line if lines[0].startswith("{") else _csv_line
        if lines[0].startswith("#"):
            change = _text_line
        lines[line - 1] = change(lines, line, name, value)
    return "".join(lines)


def _json_line(lines: list[str], line: int, name: str, value: object) -> str:
    found = json.loads(lines[line - 1])
    node: Any = found
    *path, last = name.split(".")
    for key in path:
        node = node[int(key)] if isinstance(node, list) else node[key]
    key = int(last) if isinstance(node, list) else last
    if value is GONE:
        del node[key]
    else:
        node[key] = value
    return json.dumps(found) + "\n"


def _csv_line(lines: list[str], line: int, name: str, value: object) -> str:
    names = next(csv.reader([lines[0]]))
    cells = next(csv.reader([lines[line - 1]]))
    place = names.index(name) if name in names else int(name)
    if value is GONE:
        cells[place] = "renamed"
    else:
        cells[place] = str(value)
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(cells)
    return out.getvalue()


def _text_line(lines: list[str], line: int, name: str, value: object) -> str:
    del name
    return "\n" if value is GONE else f"{lines[line - 1].rpartition(' ')[0]} {value}\n"


# Traces

HUGE: Final = 10_000_000
COLUMNS: Final = {
    "azure": ("TIMESTAMP", "ContextTokens"),
    "burstgpt": ("Timestamp", "Request tokens"),
    "splitwise": ("arrival_timestamp", "prompt_size"),
    "vidur": ("arrived_at", "num_prefill_tokens"),
    "kinesim": ("arrival_s", "prompt_tokens"),
    "mooncake": ("timestamp", "input_length"),
    "bailian": ("timestamp", "input_length"),
    "llmservingsim": ("arrival_time_ns", "input_toks"),
}
NAMELESS: Final = {"missing": "where the only column that tells the format is missing it is of none"}


def _flat_trace(name: str, text: str, *, line: int = 3, early: object = 0) -> Seed:
    """Return the seed of a trace in which a row is a line, the last of them damaged."""
    time, length = COLUMNS[name]
    is_json = text.startswith("{")
    header = 1 if not is_json else line
    edits: dict[str, tuple[Edit, ...]] = {
        "missing": ((header, length, GONE),),
        "negative": ((line, length, -5),),
        "negative time": ((line, time, -5),),
        "decreasing": ((line, time, early),),
        "nan": ((line, time, float("nan")),),
        "infinity": ((line, time, float("inf")),),
        "huge": ((line, length, HUGE),),
    }
    return Seed({"trace.jsonl" if is_json else "trace.csv": text}, edits, is_trace=True)


def _trace_seeds() -> dict[str, Seed]:
    seeds = {}
    early = {"azure": "2023-11-16 18:15:40", "mooncake": -1, "bailian": 0.25}
    for label, (name, plain) in PLAIN.items():
        text = plain if name != "mooncake" else plain + plain.splitlines()[-1].replace("3000", "6000") + "\n"
        seed = _flat_trace(name, text, line=2 if name == "llmservingsim" else 3, early=early.get(name, 0.125))
        edits, without = dict(seed.edits), {}
        if name == "azure":
            edits["decreasing"] = ((3, "TIMESTAMP", "2020-01-01 00:00:00"),)
        if name == "mooncake":
            edits["decreasing"] = ((4, "timestamp", 10),)
        if name == "llmservingsim":
            del edits["decreasing"]
            without["decreasing"] = "lines may stand in any order and are put into that of their arrivals"
        if name == "kinesim":
            edits["missing"] = ((1, "arrival_s", GONE),)
        seeds[label] = Seed({seed.name: text}, edits, without, is_trace=True, other=_other(text))
    return seeds


def _other(text: str) -> str:
    """Return lines of another format, to be put below a file."""
    if not text.startswith("{"):
        return VIDUR if not text.startswith("arrived_at") else SPLITWISE
    return PLAIN["mooncake"][1] if "input_toks" in text else LLMSERVINGSIM


def many(name: str, times: Callable[[int], object], rows: int = 60) -> str:
    """Return a trace of many requests, whose times are given by their number."""
    made = {
        "burstgpt": lambda time: f"{time},aa,43,GPT-4,906,446,1352,Conversation log\n",
        "splitwise": lambda time: f"0,2,0,{time},1,128,10\n",
        "vidur": lambda time: f"{time},591,140\n",
        "kinesim": lambda time: f"{time},591,140\n",
        "mooncake": lambda time: (
            json.dumps({"timestamp": time, "input_length": 5, "output_length": 5, "hash_ids": [1]}) + "\n"
        ),
        "bailian": lambda time: (
            json.dumps(
                {"chat_id": 1, "parent_chat_id": -1, "timestamp": time, "input_length": 5, "output_length": 5}
            )
            + "\n"
        ),
        "llmservingsim": lambda time: (
            json.dumps({"input_toks": 5, "output_toks": 5, "arrival_time_ns": time}) + "\n"
        ),
    }[name]
    head = {
        "burstgpt": BURSTGPT_3,
        "splitwise": SPLITWISE,
        "vidur": VIDUR,
        "kinesim": "arrival_s,prompt_tokens,output_tokens\n",
    }
    first = head[name].partition("\n")[0] + "\n" if name in head else ""
    return first + "".join(made(times(row)) for row in range(rows))


def _servegen_seed() -> Seed:
    with tempfile.TemporaryDirectory() as folder:
        files = {path.name: path.read_text(encoding="utf-8") for path in servegen(Path(folder)).iterdir()}
    names = ("chunk-4-trace.csv", "chunk-4-dataset.json")
    edits: dict[str, tuple[Edit, ...]] = {
        "negative": ((1, "1", -5),),
        "negative time": ((1, "0", -5),),
        "decreasing": ((3, "0", 500),),
        "nan": ((1, "1", "nan"),),
        "infinity": ((1, "1", "inf"),),
        "unit": ((2, "0", 600_000), (3, "0", 1_200_000)),
    }
    without = {
        "missing": "the files have no names of columns",
        "huge": "stands in the other file of a client",
    }
    return Seed(
        {name: files[name] for name in names}, edits, without, given=("",), is_trace=True, other=VIDUR
    )


TRACES: Final = _trace_seeds() | {"servegen": _servegen_seed()}
assert OWN

# Results of benchmarks

LISTS: Final = detailed(summary(), even_requests(8, prompt=500, output=50, ttft_s=0.04, itl_s=0.01))
ROWS: Final = [
    ("a", 0.0, 100, 11, 0.15, 0.01, 0.25),
    ("b", 0.5, 200, 1, 0.1, "", 0.1),
    ("c", 0.25, 50, 3, 0.1, 0.05, 0.2),
]
STAMPS: Final = {
    "input_toks": 5,
    "output_toks": 3,
    "queued_ts": 1.0,
    "first_token_ts": 2.0,
    "last_token_ts": 2.5,
}
ANY_ORDER: Final = {"decreasing": "requests may stand in any order"}
MEANS: Final = {"decreasing": "a summary holds no times that follow each other"}


def _lines(*objects: object) -> str:
    return "".join(json.dumps(one) + "\n" for one in objects)


def _json(objects: list[Any], edits: Mapping[str, tuple[Edit, ...]], without: Mapping[str, str]) -> Seed:
    text = _lines(*objects)
    other = _lines(STAMPS) if "queued_ts" not in text else _lines(inferencex())
    return Seed({"result.json": text}, edits, without, other=other)


def _at(line: int, time: str, length: str, missing: str) -> dict[str, tuple[Edit, ...]]:
    return {
        "missing": ((line, missing, GONE),),
        "negative": ((line, length, -5),),
        "negative time": ((line, time, -0.5),),
        "nan": ((line, time, float("nan")),),
        "infinity": ((line, time, float("inf")),),
        "huge": ((line, length, HUGE),),
    }


def _result_seeds() -> dict[str, Seed]:
    layout = _at(1, "ttfts.1", "input_lens.2", "duration") | {"unit": ((1, "mean_ttft_ms", 4e7),)}
    means = _at(1, "mean_ttft_ms", "total_input_tokens", "completed")
    means |= {"unit": ((1, "mean_ttft_ms", 4e7),), "huge": ((1, "total_input_tokens", 10**10),)}
    record = _at(2, "metrics.time_to_first_token.value", "metrics.input_sequence_length.value", "metrics")
    record |= {"unit": ((2, "metrics.time_to_first_token.unit", "s"),)}
    record |= {"decreasing": ((2, "metrics.request_latency.value", 10.0),)}
    table = _at(1, "time_to_first_token.avg", "input_sequence_length.avg", "time_to_first_token.unit")
    table |= {"unit": ((1, "time_to_first_token.avg", 4e7),)}
    report = "benchmarks.0.metrics."
    told = _at(
        1,
        f"{report}time_to_first_token_ms.successful.mean",
        f"{report}prompt_token_count.successful.mean",
        f"{report}request_latency",
    )
    told |= {"unit": ((1, f"{report}time_to_first_token_ms.successful.mean", 4e7),)}
    aggregate = _at(1, "mean_ttft", "isl", "osl") | {"unit": ((1, "mean_ttft", 4e4),)}
    stamps = _at(2, "first_token_ts", "input_toks", "queued_ts") | {
        "decreasing": ((2, "first_token_ts", 0.5),)
    }
    stamps |= {"unit": ((2, "first_token_ts", 40_001.0), (2, "last_token_ts", 40_002.0))}
    seeds = {
        "vllm": _json([vllm(LISTS)], layout, ANY_ORDER),
        "vllm summary": _json([vllm(summary())], means, MEANS),
        "sglang": _json([sglang(LISTS)], layout, ANY_ORDER),
        "aiperf": _json([aiperf_line(), aiperf_line(start_s=0.5)], record, {}),
        "aiperf summary": _json([perf_summary()], table, MEANS),
        "inferencex": _json([inferencex()], aggregate, MEANS),
        "llmservingsim bench": _json([STAMPS, STAMPS], stamps, {}),
    }
    for kind in (None, 1, 2):
        listed = [guidellm_request(0.0, version=kind)]
        one = guidellm(kind, count=1, listed=listed, type_="constant")
        seeds[f"guidellm {kind or 0}"] = _json([one], told, MEANS)
    return seeds | _table_seeds()


def _table_seeds() -> dict[str, Seed]:
    own = _at(2, "ttft_s", "prompt_tokens", "e2e_s") | {"missing": ((1, "e2e_s", GONE),)}
    own |= {
        "decreasing": ((2, "e2e_s", 0.05),),
        "unit": ((2, "ttft_s", 15_000), (2, "e2e_s", 25_000), (2, "tpot_s", 1000)),
    }
    metrics = _at(2, "avg", "avg", "avg")
    metrics |= {"huge": ((6, "avg", HUGE),), "negative": ((6, "avg", -5),), "unit": ((2, "avg", 4e7),)}
    metrics |= {"missing": ((2, "0", "Time To First Token"),)}
    runs = _at(2, "p99 Time To First Token (ms)", "ISL", "ISL")
    runs |= {"missing": ((1, "p99 Time To First Token (ms)", "p99 Time To First Token"),)}
    runs |= {"unit": ((2, "Request Throughput (requests/sec)", 1e9),)}
    before, after = "# before\n" + scrape(requests=1), "# after\n" + scrape(requests=9)
    line = next(
        number
        for number, each in enumerate(after.splitlines(), start=1)
        if each.startswith("vllm:time_to_first_token_seconds_sum")
    )
    counted = {
        "missing": ((3, "", GONE),),
        "negative": ((line, "", -5),),
        "decreasing": ((line, "", 0.001),),
        "unit": ((line, "", 4e6),),
        "nan": ((line, "", "NaN"),),
        "infinity": ((line, "", "+Inf"),),
    }
    return {
        "requests.csv": Seed({"requests.csv": own_table(ROWS)}, own, other=TABLE),
        "table of metrics": Seed({"table.csv": TABLE}, metrics, MEANS, other=CONFIGURATIONS),
        "table of runs": Seed({"table.csv": CONFIGURATIONS}, runs, MEANS, other=TABLE),
        "metrics": Seed(
            {"after.txt": after, "before.txt": before},
            counted,
            {"negative time": "is negative", "huge": "counts the tokens of all requests"},
            given=("before.txt", "after.txt"),
            other=TABLE,
        ),
    }


RESULTS: Final = _result_seeds()
SEEDS: Final = TRACES | RESULTS
