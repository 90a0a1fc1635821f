"""Small traces of every format, made up for the tests."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

AZURE_2023 = """\
TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:15:46.6805900,374,44
2023-11-16 18:15:50.9951690,396,109
2023-11-16 18:15:50.9951691,879,55
"""
AZURE_2024 = """\
TIMESTAMP,ContextTokens,GeneratedTokens
2024-05-10 23:59:59.500000+00:00,100,1
2024-05-11 00:00:00+00:00,200,2
2024-05-11 00:00:01.250000+00:00,300,3
"""
BURSTGPT_1 = """\
Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type
5,ChatGPT,472,18,490,Conversation log
45,ChatGPT,1087,0,1087,Conversation log
118,GPT-4,417,276,693,API log
"""
BURSTGPT_3 = """\
Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type
19440110.0,aa,43,GPT-4,906,446,1352,Conversation log
19440161.5,,2,ChatGPT,36,29,65,API log
19440192.0,aa,8,GPT-4,1779,123,1902,Conversation log
"""
SPLITWISE = """\
request_id,request_type,application_id,arrival_timestamp,batch_size,prompt_size,token_size
0,2,0,0.25,1,128,10
1,2,0,0.75,1,64,20
"""
VIDUR = """\
arrived_at,num_prefill_tokens,num_decode_tokens
0.5,591,140
0.625,547.0,248
"""
OWN = """\
request_id,parent_id,arrival_s,tool_s,prompt_tokens,output_tokens,session
7,,0.5,,10,20,1
9,7,,1.5,40,5,1
8,,0.75,,3,4,
"""


def lines(*objects: dict[str, Any]) -> str:
    """Return JSON Lines."""
    return "".join(json.dumps(one) + "\n" for one in objects)


def mooncake(*rows: tuple[int, int, int, list[int]]) -> str:
    """Return Mooncake's lines of (ms, prompt, output, blocks)."""
    names = ("timestamp", "input_length", "output_length", "hash_ids")
    return lines(*(dict(zip(names, row, strict=True)) for row in rows))


MOONCAKE = mooncake((0, 1025, 5, [0, 1, 2]), (0, 600, 6, [0, 1]), (3000, 1100, 7, [0, 3, 2]))
BAILIAN = lines(
    {"chat_id": 5, "parent_chat_id": -1, "timestamp": 0.5, "input_length": 32, "output_length": 9, "turn": 1}
    | {"type": "text", "hash_ids": [1, 2]},
    {"chat_id": 3, "parent_chat_id": 5, "timestamp": 9.25, "input_length": 60, "output_length": 8, "turn": 2}
    | {"type": "text", "hash_ids": [1, 2, 3, 4]},
    {"chat_id": 8, "parent_chat_id": 77, "timestamp": 9.5, "input_length": 16, "output_length": 7, "turn": 3}
    | {"type": "image", "hash_ids": [2]},
)
LLMSERVINGSIM = lines(
    {
        "session_id": "s",
        "arrival_time_ns": 4_000_000,
        "sub_requests": [
            {"input_toks": 100, "output_toks": 10, "tool_duration_ns": 500_000_000},
            {"input_toks": 150, "output_toks": 20, "tool_duration_ns": 250_000_000},
            {"input_toks": 200, "output_toks": 30, "tool_duration_ns": 99},
        ],
    },
    {"input_toks": 50, "output_toks": 5, "arrival_time_ns": 1_000_000},
)

PLAIN: dict[str, tuple[str, str]] = {
    "azure 2023": ("azure", AZURE_2023),
    "azure 2024": ("azure", AZURE_2024),
    "burstgpt 1": ("burstgpt", BURSTGPT_1),
    "burstgpt 3": ("burstgpt", BURSTGPT_3),
    "splitwise": ("splitwise", SPLITWISE),
    "vidur": ("vidur", VIDUR),
    "kinesim": ("kinesim", OWN),
    "mooncake": ("mooncake", MOONCAKE),
    "bailian": ("bailian", BAILIAN),
    "llmservingsim": ("llmservingsim", LLMSERVINGSIM),
}
"""A text of each format that is text, with the format's name."""


def servegen(folder: Path, edit: Callable[[str], str] = str) -> Path:
    """Write a client of three windows to `folder`: one request a second, idle, two in a second."""
    folder.mkdir(exist_ok=True)
    trace = "0,1,1.0,Gamma,2.0,0.5\n600,0,0,,0,0\n1200,2.0,1.5,Weibull,0.7,99.0\n"
    (folder / "chunk-4-trace.csv").write_text(edit(trace), encoding="utf-8")
    first = {
        "input_tokens": "{10: 0.25, 20: 0.75}",
        "output_tokens": "{7: 1.0, 8: 0.0}",
        "reason_ratio": "{0.5: 1.0}",
    }
    table = {"0": first, "1200": {"input_tokens": "{}", "output_tokens": "{}"}}
    (folder / "chunk-4-dataset.json").write_text(edit(json.dumps(table)), encoding="utf-8")
    return folder
