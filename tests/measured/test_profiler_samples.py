"""Published traces of the PyTorch profiler: the steps that their README states.

Data lie beside a checkout and are not part of the project; without them these tests skip.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.measured.profiler import knows, read_profile

FOLDER = "formats/torch_profiler"


@pytest.mark.parametrize(
    ("name", "gpu", "kernels_us", "step"),
    [
        (
            "sglang_b300_qwen3-30b-a3b_decode_bs16.json.gz",
            "NVIDIA B300 SXM6 AC",
            (713, 6290),
            (16, 8193, 6879, "annotation on the GPU"),
        ),
        (
            "vllm_mi300x_gpt-oss_decode_bs32_full_graph.json.gz",
            None,
            (425, 10675),
            (32, 55086, 10700, "first to last of 425 kernels"),
        ),
    ],
)
def test_steps_of_published_traces(
    shared_data: Path,
    name: str,
    gpu: str | None,
    kernels_us: tuple[int, int],
    step: tuple[int, int, int, str],
) -> None:
    path = shared_data / FOLDER / name
    if not path.is_file():
        pytest.skip(f"needs {FOLDER}/{name} beside the checkout")
    assert knows(path)
    profile = read_profile(path)
    assert (profile.gpu, profile.gpus, profile.notes) == (gpu, 1, ())
    assert (profile.kernels[0], round(1e6 * profile.kernels[1])) == kernels_us
    (found,) = profile.steps
    assert (found.sequences, found.context_tokens, round(1e6 * found.step_s), found.basis) == step
