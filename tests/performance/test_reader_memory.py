"""Every reader takes at most twice the size of its file, and a constant for imports and windows."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "readers"))
sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "measured"))

from bench_files import detailed, summary
from bench_files import sglang as sglang_object
from bench_files import vllm as vllm_object
from seeds import STAMPS
from tool_files import aiperf_line, guidellm, guidellm_request, inferencex, scrape

from simulator.measured import Requests

FILE_BYTES = 32_000_000
"""Size of the files; published traces have 20 MB to some GB."""

MOST_RATIO = 2.0
CONSTANT_BYTES = 32 * 2**20
"""For windows and chunks of text, and what is imported only when a reader is used: 32 MiB."""

RUNS = frozenset({"vllm summaries", "inferencex"})
"""Files of a run a line are refused from the 10,001st on, so that no memory is a multiple of their size."""

# Not ru_maxrss: a process begins with that of the one that started it, and what is below does not show.
PROBE = """
import sys
from pathlib import Path
from simulator.errors import TraceFormatError
from simulator.measured import read_measured
from workloads.traces import read
import workloads.traces.own
if sys.argv[2].endswith(".parquet"):
    import pyarrow.parquet
paths = [Path(word) for word in sys.argv[2:]]
def most_kb():
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
before = most_kb()
try:
    found = read(paths[0]).rows if sys.argv[1] == "trace" else len(read_measured(paths))
except TraceFormatError as refusal:
    found = str(refusal)
after = most_kb()
print((after - before) * 1024)
print(found)
"""

Rows = Callable[[], Iterator[str]]
DRAWN = random.Random(1)  # noqa: S311 - no secrets


def _rows(head: str, row: Callable[[int], str]) -> Rows:
    def rows() -> Iterator[str]:
        yield head
        number = 0
        while True:
            yield row(number)
            number += 1

    return rows


def _stamp(row: int) -> str:
    day, left = divmod(row // 4, 86_400)
    clock = f"{left // 3600:02d}:{left // 60 % 60:02d}:{left % 60:02d}.{row % 4}00000"
    return f"2024-05-{10 + day:02d} {clock}+00:00"


def _chat(row: int, **more: object) -> str:
    blocks = [0, 1, 2, *range(1000 + 17 * row, 1017 + 17 * row)]
    one = {"timestamp": 250 * row, "input_length": 10_000 + row % 200, "output_length": 50 + row % 9}
    return json.dumps(one | {"hash_ids": blocks} | more) + "\n"


def _bailian(row: int) -> str:
    return _chat(row, timestamp=0.25 * row, chat_id=row, parent_chat_id=row - 1 if row % 3 else -1)


def _tokens(row: int) -> str:
    ids = [DRAWN.randrange(150_000) for _ in range(200)]
    one = {"input_toks": 200, "output_toks": 50, "arrival_time_ns": row * 10**8, "input_tok_ids": ids}
    return json.dumps(one) + "\n"


def _session(row: int) -> str:
    part = {"input_toks": 1500, "output_toks": 130, "tool_duration_ns": 500_000_000}
    one = {"session_id": f"s{row}", "arrival_time_ns": row * 10**9, "sub_requests": [part] * 6}
    return json.dumps(one) + "\n"


TRACES: dict[str, Rows] = {
    "azure": _rows(
        "TIMESTAMP,ContextTokens,GeneratedTokens\n",
        lambda row: f"{_stamp(row)},{row % 4000 + 1},{row % 900 + 1}\n",
    ),
    "burstgpt": _rows(
        "Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type\n",
        lambda row: f"{row}.0,session-{row // 5},43,GPT-4,906,{row % 400 + 1},1352,Conversation log\n",
    ),
    "splitwise": _rows(
        "request_id,request_type,application_id,arrival_timestamp,batch_size,prompt_size,token_size\n",
        lambda row: f"{row},2,0,{0.25 * row},1,{row % 4000 + 1},10\n",
    ),
    "vidur": _rows(
        "arrived_at,num_prefill_tokens,num_decode_tokens\n",
        lambda row: f"{row * 0.1234567},{row % 4000 + 1},140\n",
    ),
    "kinesim": _rows(
        "request_id,arrival_s,prompt_tokens,output_tokens,prefix_blocks,prefix_block_tokens\n",
        lambda row: f"{row},{row * 0.25},1500,20,{' '.join(str(9 * row + each) for each in range(20))},512\n",
    ),
    "kinesim with parents": _rows(
        "request_id,parent_id,arrival_s,tool_s,prompt_tokens,output_tokens,session\n",
        lambda row: f"{row},{row - 1 if row % 4 else ''},{row * 0.251:.3f},,1500,20,{row // 4}\n",
    ),
    "mooncake": _rows("", _chat),
    "bailian": _rows("", _bailian),
    "llmservingsim": _rows("", _tokens),
    "llmservingsim sessions": _rows("", _session),
}


def _aiperf(row: int) -> str:
    gaps = [DRAWN.uniform(5.0, 15.0) for _ in range(100)]
    ttft = DRAWN.uniform(40.0, 60.0)
    changes: dict[str, Any] = {
        "time_to_first_token": {"value": ttft, "unit": "ms"},
        "request_latency": {"value": ttft + sum(gaps), "unit": "ms"},
        "inter_token_latency": {"value": sum(gaps) / 100, "unit": "ms"},
        "inter_chunk_latency": {"value": gaps, "unit": "ms"},
        "output_sequence_length": {"value": 101, "unit": "tokens"},
    }
    return json.dumps(aiperf_line(start_s=row * 0.1, **changes)) + "\n"


def _stamps(row: int) -> str:
    start = 0.1 * row + DRAWN.random()
    times = {"queued_ts": start, "first_token_ts": start + 0.123456789, "last_token_ts": start + 1.5}
    return json.dumps(STAMPS | {"request_id": row, "output_toks": 70} | times) + "\n"


def _own(row: int) -> str:
    return f"{row},{row * 0.1:.6f},{row % 900 + 1},11,0.15{row % 10},,0.25{row % 10}\n"


LINES: dict[str, Rows] = {
    "aiperf": _rows("", _aiperf),
    "llmservingsim bench": _rows("", _stamps),
    "requests.csv": _rows("request_id,arrival_s,prompt_tokens,output_tokens,ttft_s,tpot_s,e2e_s\n", _own),
    "requests.csv with gaps": _rows(
        "request_id,arrival_s,prompt_tokens,output_tokens,ttft_s,e2e_s,itl_s\n",
        lambda row: f"{row},{row * 0.1:.6f},5,41,0.1,{0.1 + 40 * 0.0123456},{';'.join(['0.0123456'] * 40)}\n",
    ),
    "vllm summaries": _rows("", lambda _: json.dumps(vllm_object(summary())) + "\n"),
    "inferencex": _rows("", lambda _: json.dumps(inferencex()) + "\n"),
}


def _lists(count: int) -> Requests:
    outputs = [100] * count
    gaps = tuple(tuple(DRAWN.uniform(0.005, 0.015) for _ in range(99)) for _ in range(count))
    return Requests(
        (500,) * count,
        outputs,
        tuple(DRAWN.uniform(0.03, 0.05) for _ in range(count)),
        gaps,
        (False,) * count,
    )


def _detailed(wrap: Callable[[Any], dict[str, object]]) -> str:
    """Return a result with lists of requests: text, times and lengths of each."""
    count = FILE_BYTES // 2400
    found = wrap(detailed(summary(concurrency=None, rate=10.0), _lists(count)))
    found["generated_texts"] = ["what the model said, " * 15] * count
    return json.dumps(found)


def _report(version: int | None) -> str:
    count = FILE_BYTES // 1300
    more = {"prompt": "words " * 80, "output": "words " * 80, "timings": {"a": 1.0, "b": [1.0] * 5}}
    listed = [guidellm_request(0.1 * row, version=version) | more for row in range(count)]
    return json.dumps(guidellm(version, count=count, listed=listed, type_="constant", rate=10.0), indent=1)


def measured(kind: str, paths: list[Path]) -> tuple[int, str]:
    """Return by how many bytes a process grew by reading, and what it read."""
    done = subprocess.run(  # noqa: S603 - our own interpreter and the fixed statements above
        [sys.executable, "-c", PROBE, kind, *map(str, paths)], capture_output=True, text=True, check=True
    )
    grown, _, found = done.stdout.partition("\n")
    return int(grown), found


def written(path: Path, rows: Rows) -> Path:
    """Write a file of `FILE_BYTES`."""
    size = 0
    with path.open("w", encoding="utf-8") as file:
        for row in rows():
            file.write(row)
            size += len(row)
            if size > FILE_BYTES:
                return path
    return path


def check(kind: str, path: Path, paths: list[Path] | None = None) -> str:
    size = path.stat().st_size
    grown, found = measured(kind, paths or [path])
    print(f"{path.name}: {size / 1e6:.1f} MB, grew by {grown / 1e6:.1f} MB, {grown / size:.2f} times")  # noqa: T201 - read with -s
    assert size > 0.9 * FILE_BYTES
    assert grown < MOST_RATIO * size + CONSTANT_BYTES
    return found.strip()


slow = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from Linux's /proc"),
]
pytestmark = slow


@pytest.mark.parametrize("name", TRACES)
def test_a_trace_takes_at_most_twice_its_size(name: str, tmp_path: Path) -> None:
    assert check("trace", written(tmp_path / name, TRACES[name])).isdigit()


@pytest.mark.parametrize("name", LINES)
def test_a_result_with_a_request_a_line_takes_at_most_twice_its_size(name: str, tmp_path: Path) -> None:
    told = check("result", written(tmp_path / name, LINES[name]))
    assert ("more than 10000 runs; take it apart" in told) if name in RUNS else told == "1"


@pytest.mark.parametrize("name", ["vllm", "sglang", "guidellm 0", "guidellm 1"])
def test_a_result_that_is_one_object_takes_at_most_twice_its_size(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    made = {
        "vllm": lambda: _detailed(vllm_object),
        "sglang": lambda: _detailed(sglang_object),
        "guidellm 0": lambda: _report(None),
        "guidellm 1": lambda: _report(1),
    }
    path.write_text(made[name](), encoding="utf-8")
    assert check("result", path) == "1"


def test_two_scrapes_take_at_most_twice_their_size(tmp_path: Path) -> None:
    before, after = tmp_path / "before.txt", tmp_path / "after.txt"
    head = "# scrape\n"
    before.write_text(head + scrape(requests=1), encoding="utf-8")
    engines = 20_000  # a line of each metric for every engine
    after.write_text(head + scrape(requests=engines, engines=engines), encoding="utf-8")
    assert check("result", after, [before, after]) == "1"


def test_our_own_parquet_takes_at_most_twice_its_columns(tmp_path: Path) -> None:
    # A Parquet file is packed: what it holds is 8 bytes a number, whatever its size on the disk.
    arrays = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = FILE_BYTES // 24
    columns = {
        "arrival_s": [0.1 * row for row in range(rows)],
        "prompt_tokens": [DRAWN.randrange(1, 10**6) for _ in range(rows)],
        "output_tokens": [DRAWN.randrange(1, 10**6) for _ in range(rows)],
    }
    path = tmp_path / "trace.parquet"
    parquet.write_table(arrays.table(columns), path, compression="none", use_dictionary=False)
    assert check("trace", path) == str(rows)


def test_the_lengths_of_servegen_take_at_most_twice_their_size(tmp_path: Path) -> None:
    # What is drawn is not in the file: 24 bytes a request, as rates and windows say.
    (tmp_path / "chunk-1-trace.csv").write_text("0,0.01,1.0,Gamma,2.0,0.5\n", encoding="utf-8")
    chances = dict.fromkeys(range(1, 2001), 1 / 2000)
    one = {name: str(chances) for name in ("input_tokens", "output_tokens", "reason_ratio")}
    size = len(json.dumps(one))
    table = {str(21_600 * window): one for window in range(FILE_BYTES // size)}
    path = tmp_path / "chunk-1-dataset.json"
    path.write_text(json.dumps(table), encoding="utf-8")
    assert check("trace", path, [tmp_path]) == "6"
