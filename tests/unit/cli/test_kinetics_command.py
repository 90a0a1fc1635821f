"""``kinesim kinetics``: what it prints, writes and refuses."""

from __future__ import annotations

import csv
import json
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

import pytest
from command import Kinesim

from simulator.kinetics.claims import By


@pytest.fixture
def kinesim(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Kinesim:
    monkeypatch.chdir(tmp_path)
    return Kinesim(capsys, "kinetics")


def test_the_table_has_a_line_per_claim_and_the_totals(kinesim: Kinesim) -> None:
    assert kinesim() == 0
    lines = kinesim.out.splitlines()
    assert lines[0].split()[:7] == ["about", "claim", "published", "ours", "verdict", "decided", "by"]
    assert lines[-1].startswith(f"{len(lines) - 2} claims: ")
    assert " reproduced (8 by identity, 9 by their own figures, " in lines[-1]
    assert kinesim.err == ""


def test_json_holds_the_same_claims(kinesim: Kinesim) -> None:
    assert kinesim("--json") == 0
    found = json.loads(kinesim.out)
    assert sum(found["totals"].values()) == len(found["claims"])
    assert sum(found["reproduced_by"].values()) == found["totals"]["reproduced"]
    assert found["claims"][0]["statement"] == "ridge of B200"
    assert found["claims"][0]["ours"] == "562.5 FLOP/byte"
    assert found["claims"][0]["by"] == "identity"


def test_a_folder_is_written_whole_and_not_overwritten(kinesim: Kinesim) -> None:
    assert kinesim("--out", "out") == 0
    assert kinesim.err == "wrote out\n"
    expected = {"claims.csv", "manifest.json"} | ({"kinetics.html"} if find_spec("plotly") else set())
    if find_spec("matplotlib"):
        names = ("long-cot", "best-of-n", "best-model", "best-model-best-of-n", "cot-length", "throughput")
        expected |= {f"{name}.png" for name in names}
    assert {path.name for path in Path("out").iterdir()} == expected
    with Path("out/claims.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["verdict"] for row in rows} == {"reproduced", "differs", "out of reach"}
    assert {row["by"] for row in rows} == {*get_args(By), "-"}
    assert kinesim("--out", "out") == 2
    assert "out exists" in kinesim.err
    assert kinesim("--out", "out", "--overwrite") == 0


def test_curves_of_a_file_take_the_place_of_the_shipped_ones(kinesim: Kinesim) -> None:
    sizes = ("32B", "14B", "8B", "4B", "1.7B", "0.6B")
    names = ["b200_s", *(f"{kind}_{size}" for kind in ("dense", "topk") for size in sizes)]
    # Top-k has at a tenth of the cost what dense attention has: ten times fewer eFLOPs.
    rows = [
        ["0.05", *["0.0"] * 6, *["0.1"] * 6],
        ["0.5", *["0.1"] * 6, *["0.2"] * 6],
        ["1", *["0.1"] * 6, *["0.2"] * 6],
    ]
    Path("mine.csv").write_text("\n".join(",".join(row) for row in [names, *rows]), encoding="utf-8")
    assert kinesim("--curves", "mine.csv", "--json") == 0
    claims = {one["statement"]: one for one in json.loads(kinesim.out)["claims"]}
    assert claims["top-k, Long-CoT: fewer eFLOPs at dense's best accuracy"]["ours"] == "10x"


def test_a_file_of_curves_that_is_wrong_or_not_there_is_refused(kinesim: Kinesim) -> None:
    assert kinesim("--curves", "none.csv") == 2
    assert kinesim.err == "none.csv: No such file or directory\n"
    Path("wrong.csv").write_text("b200_s\n1\n", encoding="utf-8")
    assert kinesim("--curves", "wrong.csv", "--out", "out") == 2
    assert kinesim.err.startswith("wrong.csv:1: no column dense_32B")
    assert not Path("out").exists()
