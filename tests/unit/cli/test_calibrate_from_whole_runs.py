"""``kinesim calibrate --from-bench --server``: runs replayed whole, and what is refused before."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "validate"))

from command import Kinesim
from own_runs import OPEN, document, write

from simulator import load_scenario, simulate
from simulator.calibrate.files import to_json
from simulator.hardware import Calibration
from simulator.scenario.catalog import find
from simulator.scenario.loader import load_part

SERVER = document(OPEN, latency={"kind": "calibrated", "engine": "vllm"})
GPU = ("calibrate", "--gpu", "h100-sxm")
BOTH = ("--from-bench", "a/requests.csv", "--from-bench", "b/requests.csv")


@pytest.fixture(autouse=True)
def _files(kinesim: Kinesim) -> None:
    """Write two runs of one server, slower than shipped, and the server; `kinesim` is in an empty folder."""
    assert kinesim("describe", "quickstart") == 0
    shipped = load_part(find("calibration", "h100-sxm.vllm"), Calibration)
    assert shipped.serving is not None
    serving = shipped.serving.model_copy(update={"step_s": 4e-3, "kernel_ratio": 1.1})
    Path("slow.json").write_text(to_json(shipped.model_copy(update={"serving": serving})), encoding="utf-8")
    for name, rate in (("a", 6.0), ("b", 12.0)):
        Path(name).mkdir()
        asked = SERVER | {
            "workload": SERVER["workload"] | {"arrivals": {"kind": "poisson", "rate_per_s": rate}}
        }
        slow = load_scenario(asked, overrides=["hardware.gpu.calibrations.vllm=./slow.json"])
        write(Path(name), simulate(slow))
    Path("server.yaml").write_text(json.dumps(SERVER), encoding="utf-8")


def test_each_run_is_met_better_by_what_the_other_told(kinesim: Kinesim) -> None:
    assert kinesim(*GPU, *BOTH, "--server", "server.yaml", "--out", "mine.json") == 0
    rows = kinesim.out.splitlines()[:7]
    assert rows[0].split() == [
        "run",
        "server",
        "numbers",
        "first",
        "token",
        "per",
        "token",
        "end",
        "to",
        "end",
    ]
    assert [row.split("own")[-1].strip().split("  ")[0] for row in rows[1:4]] == [
        "before",
        "fitted to the others",
        "fitted to all",
    ]
    for before, others in ((rows[1], rows[2]), (rows[4], rows[5])):
        off = [abs(float(row.split()[-2].rstrip("%"))) for row in (before, others)]
        assert off[1] < 0.4 * off[0]
    assert "Judged: each run by numbers fitted to the others alone." in kinesim.out
    written = json.loads(Path("mine.json").read_text(encoding="utf-8"))
    assert written["serving"]["fitted"]["table"].startswith("a/requests.csv, b/requests.csv")
    assert kinesim("describe", "server.yaml", "--set", "hardware.gpu.calibrations.vllm=./mine.json") == 0


def test_one_run_says_that_nothing_judges_it(kinesim: Kinesim) -> None:
    assert kinesim(*GPU, *BOTH[:2], "--server", "server.yaml") == 0
    assert "Nothing was held out: a second run would judge these numbers." in kinesim.out
    assert "fitted to the others" not in kinesim.out


def test_recorded_arrivals_without_a_server_are_noted(kinesim: Kinesim) -> None:
    assert kinesim(*GPU, *BOTH[:2], "--model", "qwen3-8b") == 0
    assert "note: arrivals are recorded" in kinesim.err
    assert "--server SCENARIO" in kinesim.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((*BOTH, *("--server", "server.yaml") * 3), "--server: 3 for 2 files"),
        ((*BOTH, "--server", "server.yaml", "--tp", "2"), "--tp 2: --server says it; leave it out"),
        ((*BOTH, "--server", "quickstar"), "quickstart"),
        ((*BOTH, "--server", "validation/rtx-4090-llama-3.1-8b"), "h100"),
        (("--server", "server.yaml"), "--server: goes with --from-bench alone"),
    ],
)
def test_servers_that_do_not_go_with_the_runs_are_refused(
    kinesim: Kinesim, words: tuple[str, ...], told: str
) -> None:
    assert kinesim(*GPU, *words) == 2
    assert told in kinesim.err
    assert "Traceback" not in kinesim.err
    assert not Path("h100-sxm.vllm.json").exists()
