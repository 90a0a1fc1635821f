"""Kernels on held-out shapes and whole decode steps: judged as told, in tables, files and the page."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from simulator.attention import DenseAttention
from simulator.calibrate.runs import ServingRun
from simulator.calibrate.tables import Timings
from simulator.calibrate.told_contexts import ToldContexts
from simulator.deployment import Deployment
from simulator.hardware import Gpu
from simulator.hardware.forms import decode_attention_seconds
from simulator.latency import StepLoad
from simulator.latency.calibrated import BoundCalibrated
from simulator.model import Architecture
from simulator.scenario.catalog import find
from simulator.scenario.loader import load_part
from simulator.validate import Prediction, Validation
from simulator.validate.decode_steps import BATCHES, CONTEXTS, MODELS, TPS, decode_steps
from simulator.validate.document import document
from simulator.validate.errors import ErrorFigures
from simulator.validate.files import write_validation
from simulator.validate.kernel_level import KernelLevel, kernel_level, to_json, told
from simulator.validate.kernels import BEYOND, KernelErrors, calibrated_pairs, judged_beyond

B200 = load_part(find("gpu", "b200-sxm"), Gpu)
LAYER_S = 12e-6

Steps = Callable[[int, int], float]


def sums(model: str, gpu: str, engine: str, tp: int) -> Steps:
    """Return steps of our own kernels with 12 us a layer on top."""
    profile = load_part(find("gpu", gpu), Gpu)
    kernels = profile.calibrations[engine].model_copy(update={"serving": None})
    architecture = load_part(find("model", model), Architecture)
    plan = Deployment(architecture, DenseAttention(), profile, tp, "bf16", "bf16", "bf16")
    bound = BoundCalibrated(kernels, plan)

    def seconds(batch: int, context: int) -> float:
        work = plan.attention.step_work(ToldContexts(batch, batch * context), 1)
        return float(bound.step_seconds(StepLoad(1, batch, work))) + LAYER_S * architecture.layers

    return seconds


def only_the_smallest(model: str, gpu: str, engine: str, tp: int) -> Steps | None:
    return sums(model, gpu, engine, tp) if model == MODELS[0] else None


def test_a_time_per_layer_is_found_on_the_other_models() -> None:
    (found,) = decode_steps([(B200, "vllm")], sums)
    assert found.steps <= len(MODELS) * len(TPS) * len(BATCHES) * len(CONTEXTS)
    assert found.layer_s == pytest.approx(LAYER_S)
    assert found.with_layers is not None
    assert found.with_layers.p90_error_ratio < 1e-9
    assert found.kernels_alone.bias_ratio < -0.02


def test_one_model_alone_has_no_other_to_choose_by() -> None:
    (found,) = decode_steps([(B200, "vllm")], only_the_smallest)
    assert found.with_layers is None
    assert found.layer_s is None
    assert decode_steps([(B200, "vllm")], lambda *_: None) == []


def timings(ratio: float) -> Timings:
    """Return decode attention as the shipped fit has it, beyond the cache longer by a factor."""
    grid = np.array(np.meshgrid([1, 8, 64, 256], [1024, 8192, 65_536, 131_072], [8, 4], [4, 8])).reshape(
        4, -1
    )
    batch, context, kv_heads, group = grid.astype(float)
    fit = B200.calibrations["vllm"].decode_attention["bf16"]
    moved = 4.0 * 128 * batch * context * kv_heads
    seconds = np.asarray(
        decode_attention_seconds(
            moved,
            batch * kv_heads,
            numbers=(fit.launch_s, fit.memory_ratio, fit.small_ratio, fit.sequence_head_s, fit.squarings),
            small_bytes=fit.small_bytes,
            peak_bytes_per_s=B200.hbm_bandwidth_bytes_per_s.value,
        )
    )
    columns = {"batch": batch, "context": context, "kv_heads": kv_heads, "heads": kv_heads * group}
    longer = np.where(moved > 1.5 * B200.l2_bytes.value, ratio, 3.0)
    rows = pd.DataFrame({"dtype": "bf16"} | columns | {"seconds": seconds * longer})
    return Timings(rows, "made up")


def test_attention_is_judged_beyond_the_cache_alone() -> None:
    fit = B200.calibrations["vllm"].decode_attention["bf16"]
    found = judged_beyond(timings(1.25), "bf16", fit, B200)
    assert found is not None
    dtype, rows, out, errors = found
    assert (dtype, errors) == ("bf16", pytest.approx((0.2, 0.2)))
    assert rows > 0
    assert out > 0
    assert judged_beyond(timings(1.0), "fp8", fit, B200) is None


def test_pairs_are_those_of_the_shipped_calibrations() -> None:
    names = [(gpu.name, engine) for gpu, engine in calibrated_pairs()]
    assert len(names) == len(set(names)) == 24
    assert [(g.name, e) for g, e in calibrated_pairs(gpu="l40s", engine="vllm")] == [("l40s", "vllm")]
    assert calibrated_pairs(gpu="mi300x") == []


LEVEL = KernelLevel(
    kernels=(KernelErrors("b200-sxm", "vllm", "gemm", "bf16", 100, 20, 0.068, 0.199),),
    steps=tuple(decode_steps([(B200, "vllm")], sums)),
)


@pytest.fixture
def validation(held_out: ServingRun) -> Validation:
    made = {
        "calibrated": held_out.tpot_s * 1.3,
        "roofline": held_out.tpot_s / 2,
        "peer": held_out.tpot_s * 1.1,
    }
    runs = [replace(held_out, row=f"run {place}", concurrency=1 + place) for place in range(20)]
    return Validation(
        predictions=tuple(Prediction(run, made) for run in runs),
        columns=("calibrated", "roofline", "peer"),
    )


def test_the_page_and_the_files_have_both_tables(validation: Validation, tmp_path: Path) -> None:
    text = document(validation, [], level=LEVEL)
    assert "## Kernels of shapes that no fit has seen" in text
    assert "gpu       engine  gemm bf16\nb200-sxm  vllm    6.8 / 19.9" in text
    assert "## Whole decode steps against the peer's" in text
    assert "12.0 us" in text
    folder = write_validation(tmp_path / "out", validation, overwrite=False, level=LEVEL)
    with (folder / "kernels.csv").open(encoding="utf-8", newline="") as file:
        (kernel,) = csv.DictReader(file)
    assert (kernel["operation"], kernel["p90_error_ratio"]) == ("gemm", "0.199")
    with (folder / "decode-steps.csv").open(encoding="utf-8", newline="") as file:
        (steps,) = csv.DictReader(file)
    assert float(steps["layer_s"]) == pytest.approx(LAYER_S)
    assert float(steps["kernels_alone_bias_ratio"]) < 0.0


def test_without_a_peer_there_is_no_table_of_steps_and_no_empty_file(
    validation: Validation, tmp_path: Path
) -> None:
    level = replace(LEVEL, steps=())
    assert [title for title, *_ in told(level)] == ["Kernels of shapes that no fit has seen"]
    folder = write_validation(tmp_path / "out", validation, overwrite=False, level=level)
    assert not (folder / "decode-steps.csv").exists()


def test_steps_of_one_model_leave_their_cells_empty(validation: Validation, tmp_path: Path) -> None:
    alone = replace(LEVEL.steps[0], with_layers=None, layer_s=None)
    folder = write_validation(
        tmp_path / "out", validation, overwrite=False, level=replace(LEVEL, steps=(alone, *LEVEL.steps))
    )
    with (folder / "decode-steps.csv").open(encoding="utf-8", newline="") as file:
        first, second = csv.DictReader(file)
    assert list(first) == list(second)
    assert (first["with_layers_bias_ratio"], first["layer_s"]) == ("", "")
    assert second["layer_s"]


def test_the_level_is_plain_values() -> None:
    answer = json.loads(json.dumps(to_json(LEVEL), allow_nan=False))
    assert answer["decode_steps"][0]["kernels_alone"].keys() == set(ErrorFigures.__slots__)


@pytest.mark.skipif(find_spec("matplotlib") is None, reason="pictures need matplotlib, an optional package")
def test_groups_in_which_the_peer_is_better_get_a_picture(validation: Validation, tmp_path: Path) -> None:
    folder = write_validation(tmp_path / "out", validation, overwrite=False)
    assert (folder / "validation" / "peer-is-better.png").stat().st_size > 10_000
    text = (folder / "validation.md").read_text(encoding="utf-8")
    assert "![Errors where the peer is better](validation/peer-is-better.png)" in text
    ours = [
        replace(one, tpot_s=one.tpot_s | {"calibrated": one.run.tpot_s}) for one in validation.predictions
    ]
    better = replace(validation, predictions=tuple(ours))
    folder = write_validation(tmp_path / "better", better, overwrite=False)
    assert not (folder / "validation" / "peer-is-better.png").exists()


@pytest.mark.skipif(
    find_spec("aiconfigurator_core") is None, reason="the timings of kernels are not installed"
)
def test_the_installed_timings_are_judged_and_compared() -> None:
    from simulator.validate.peer import peer_steps  # noqa: PLC0415 - needs an optional package

    level = kernel_level(gpu="h100-sxm", engine="vllm", peer=peer_steps)
    operations = {(one.operation, one.of) for one in level.kernels}
    assert {("gemm", "bf16"), (BEYOND, "bf16"), ("all-reduce", "8 GPUs")} <= operations
    assert all(0.0 < one.median_error_ratio <= one.p90_error_ratio for one in level.kernels)
    (steps,) = level.steps
    assert steps.with_layers is not None
    assert steps.with_layers.median_error_ratio < steps.kernels_alone.median_error_ratio
