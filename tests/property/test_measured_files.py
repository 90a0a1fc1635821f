"""Damaged results of every tool are read or refused with their name, never a crash."""

from __future__ import annotations

import json
import math
import sys
import tempfile
from copy import deepcopy
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "measured"))

from bench_files import detailed, even_requests, sglang, summary, vllm
from deployments import FEW
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

from simulator.errors import SimulatorError
from simulator.measured import read_measured

LISTS = detailed(summary(), even_requests(3, prompt=5, output=4, ttft_s=0.04, itl_s=0.01))
ROWS = [("a", 0.0, 100, 11, 0.15, 0.01, 0.25), ("b", 0.5, 200, 1, 0.1, "", 0.1)]
STAMPS = {"input_toks": 5, "output_toks": 3, "queued_ts": 1.0, "first_token_ts": 2.0, "last_token_ts": 4.0}
OBJECTS: list[list[dict[str, Any]]] = [
    [vllm(LISTS)],
    [sglang(LISTS)],
    [aiperf_line(phase="warmup"), aiperf_line(), aiperf_line(start_s=0.5)],
    [perf_summary()],
    *(
        [guidellm(kind, count=1, listed=[guidellm_request(0.0, version=kind)], type_="constant")]
        for kind in (None, 1)
    ),
    [inferencex()],
    [STAMPS, STAMPS],
]
TEXTS = [TABLE, CONFIGURATIONS, own_table(ROWS), scrape(requests=9)]
WRONG = [
    None,
    True,
    -1,
    0,
    1e300,
    math.nan,
    math.inf,
    10**400,
    "",
    "x",
    "inf",
    [],
    [None],
    {},
    {"unit": "ms"},
]
CELLS = ["", "nan", "inf", "-1", "1e400", "x", '"', ",", "\n", "1,000", "\x00", "0x10", "9" * 5000]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Draw a file with a value replaced anywhere in its tree, or a text cut or overwritten somewhere."""
    if draw(st.booleans()):
        objects = json.loads(json.dumps(draw(st.sampled_from(OBJECTS))))
        for _ in range(draw(st.integers(0, 2))):
            _replace(draw, objects)
        text = "\n".join(map(json.dumps, objects))
    else:
        text = draw(st.sampled_from(TEXTS))
    start = draw(st.integers(0, len(text)))
    end = draw(st.sampled_from([start, start, min(len(text), start + 4), len(text)]))
    content = text[:start] + (draw(st.sampled_from(CELLS)) if end > start else "") + text[end:]
    return content.encode()


def _replace(draw: st.DrawFn, node: Any) -> None:  # noqa: ANN401 - any JSON
    """Replace or drop one value somewhere below `node`."""
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not keys:
            return
        key = draw(st.sampled_from(keys))
        child = node[key]
        if isinstance(child, dict | list) and child and draw(st.integers(0, 3)):
            node = child
            continue
        if isinstance(node, dict) and draw(st.booleans()):
            del node[key]
        else:
            node[key] = deepcopy(draw(st.sampled_from(WRONG)))
        return


@given(content=damaged(), scraped=st.booleans())
@FEW
def test_a_damaged_result_is_read_or_refused_with_its_name(content: bytes, *, scraped: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "result.json"
        path.write_bytes(content)
        before = Path(folder) / "before.txt"
        before.write_text(scrape(requests=1), encoding="utf-8")
        told = f"{folder} is read"
        try:
            read_measured([before, path] if scraped else [path])
        except SimulatorError as error:
            told = str(error)
        assert folder in told
