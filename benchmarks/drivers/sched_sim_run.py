"""Runs sched-sim on N equal requests at time 0 and prints its metrics: sched_sim_run.py N PROMPT OUTPUT.

Qwen3-8B in bf16 on the bandwidth, FLOPs and memory of eight B200; a step of at most 8,192 tokens and 512
sequences.  Starts in an environment of its own, where kinesim is not installed.
"""

from __future__ import annotations

import sys

from sched_sim.core.event_engine import Simulator
from sched_sim.core.request import Request
from sched_sim.hardware.profile import HardwareProfile
from sched_sim.schedulers.factory import create_scheduler

GPUS = 8

count, prompt_tokens, output_tokens = map(int, sys.argv[1:4])
hardware = HardwareProfile(
    name="8 x B200",
    vram_gb=GPUS * 180.0,
    memory_bandwidth_gb_s=GPUS * 8000.0,
    fp16_tflops=GPUS * 2250.0,
    tensor_core_efficiency=1.0,
    kernel_launch_overhead_ms=0.0,
    model_name="Qwen3-8B",
    parameter_count_billions=8.19,
    num_layers=36,
    hidden_size=4096,
    num_heads=32,
    num_kv_heads=8,
    head_dim=128,
    dtype_bytes=2,
)
scheduler = create_scheduler("chunked", hardware, token_budget=8192, max_batch_size=512)
simulator = Simulator(hardware, scheduler)
simulator.submit_workload(
    [
        Request(
            request_id=str(number),
            arrived_at=0.0,
            prompt_tokens=prompt_tokens,
            output_tokens=output_tokens,
        )
        for number in range(count)
    ]
)
sys.stdout.write(simulator.run().model_dump_json())
