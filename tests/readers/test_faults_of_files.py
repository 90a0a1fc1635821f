"""Every fault of files in a right file of every format: what is said, and that nothing is written."""

from __future__ import annotations

import gzip
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "cli"))

from command import Kinesim
from seeds import GONE, RESULTS, SEEDS, TRACES, Seed, edited, many

from simulator.errors import TraceFormatError
from simulator.measured import read_measured
from workloads.traces import read

IN_A_FIELD = ("missing", "negative", "negative time", "decreasing", "nan", "infinity", "huge", "unit")
"""Faults of one field, whose message names the line and the field."""

REMEDY = re.compile(
    r"save it|fetch|name |allow|check|sort |mend|write |give |did you mean|was the file cut|is not |are not "
    r"|is no |needed|put |unpack|come to its end|leave |is earlier|is missing|lacks|say it|order\?|right\?"
    r"|clock\?|take a|say which|scrape it again"
)
"""What each message has of what to do: what is allowed there, or a deed."""


def zstd(content: bytes) -> bytes:
    return pytest.importorskip("zstandard").ZstdCompressor().compress(content)


def no_gzip(seed: Seed) -> tuple[bytes, str]:
    return seed.text.encode(), f"{seed.name}.gz"


def cut_gzip(seed: Seed) -> tuple[bytes, str]:
    return gzip.compress(seed.text.encode(), mtime=0)[:-9], f"{seed.name}.gz"


def cut_zstd(seed: Seed) -> tuple[bytes, str]:
    return zstd(seed.text.encode())[:-5], f"{seed.name}.zst"


def cut(seed: Seed) -> tuple[bytes, str]:
    """Return a file that ends inside its last row or object."""
    text = seed.text.rstrip()
    return text[: text.rfind(",") if "," in text else text.rfind(" ")].encode(), seed.name


def mixed(seed: Seed) -> tuple[bytes, str]:
    return (seed.text + seed.other).encode(), seed.name


def latin(seed: Seed) -> tuple[bytes, str]:
    middle = len(seed.text) // 2
    return seed.text[:middle].encode() + "é".encode("latin-1") + seed.text[middle:].encode(), seed.name


WHOLE: dict[str, Callable[[Seed], tuple[bytes, str]]] = {
    "cut": cut,
    "mixed": mixed,
    "empty": lambda seed: (b"", seed.name),
    "blank": lambda seed: (b" \n\n", seed.name),
    "UTF-16": lambda seed: (seed.text.encode("utf-16"), seed.name),
    "UTF-16 without a mark": lambda seed: (seed.text.encode("utf-16-le"), seed.name),
    "Latin-1": latin,
    "no gzip": no_gzip,
    "cut gzip": cut_gzip,
    "cut zstd": cut_zstd,
}
"""Faults of a whole file: its content and its name."""


def cells() -> Iterator[tuple[str, str]]:
    for name, seed in SEEDS.items():
        yield from ((name, fault) for fault in WHOLE)
        for fault in IN_A_FIELD:
            assert (fault in seed.edits) != (fault in seed.without or _made_of_many(seed, fault)), (
                name,
                fault,
            )
            if fault in seed.edits:
                yield name, fault


def _made_of_many(seed: Seed, fault: str) -> bool:
    return seed.is_trace and fault == "unit" and fault not in seed.edits


def files(name: str, fault: str, folder: Path) -> list[Path]:
    """Write a file with a fault, and what stands beside it."""
    seed = SEEDS[name]
    if fault in WHOLE:
        content, file = WHOLE[fault](seed)
        if file != seed.name:
            return seed.put(folder, content, file)
        return seed.put(folder, content)
    return seed.put(folder, edited(seed.text, seed.edits[fault]).encode())


def read_any(name: str, paths: list[Path]) -> object:
    return read(paths[0]) if SEEDS[name].is_trace else read_measured(paths)


@pytest.mark.parametrize("name", SEEDS)
def test_the_files_are_right_without_a_fault(name: str, tmp_path: Path) -> None:
    assert read_any(name, SEEDS[name].put(tmp_path))


@pytest.mark.parametrize("name", SEEDS)
@pytest.mark.parametrize(
    "packs", [lambda content: gzip.compress(content, mtime=0), zstd], ids=["gzip", "zstd"]
)
def test_a_packed_file_is_read_as_the_plain_one(
    name: str, packs: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    seed = SEEDS[name]
    ending = ".zst" if packs is zstd else ".gz"
    (tmp_path / "packed").mkdir()
    (tmp_path / "plain").mkdir()
    packed = seed.put(tmp_path / "packed", packs(seed.text.encode()), f"{seed.name}{ending}")
    assert counted(name, packed) == counted(name, seed.put(tmp_path / "plain"))


def counted(name: str, paths: list[Path]) -> list[tuple[object, ...]]:
    if SEEDS[name].is_trace:
        found = read(paths[0])
        return [(found.rows, str(found.arrival_s.tolist()))]  # NaN is none that equals itself
    return [(run.completed, run.stats, run.requests, run.lengths) for run in read_measured(paths)]


@pytest.mark.parametrize(("name", "fault"), list(cells()))
def test_a_fault_is_told_with_its_place_and_what_to_do(name: str, fault: str, tmp_path: Path) -> None:
    paths = files(name, fault, tmp_path)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(TraceFormatError) as found:
        read_any(name, paths)
    told = str(found.value)
    check_told(name, fault, told, tmp_path)
    assert sorted(tmp_path.iterdir()) == before


def check_told(name: str, fault: str, told: str, folder: Path) -> None:
    seed = SEEDS[name]
    assert all(line.startswith(f"{folder}/") for line in told.splitlines()), told
    assert seed.name.partition(".")[0] in told
    assert REMEDY.search(told), told
    if fault not in IN_A_FIELD:
        return
    line, field, value = seed.edits[fault][0]
    if value is not GONE:
        assert re.search(rf"{re.escape(seed.name)}:{line}: ", told), told
    parts = field.lower().replace(" (", ".").split(".")
    words = [part for part in parts if not part.isdigit() and part not in ("value", "avg", "mean", "")]
    assert not words or any(word in told.lower() for word in words), told


@pytest.mark.parametrize(
    ("name", "times"),
    [
        ("burstgpt", lambda row: 330 * row),
        ("splitwise", lambda row: 330.0 * row),
        ("vidur", lambda row: 330.0 * row),
        ("kinesim", lambda row: 330.0 * row),
        ("bailian", lambda row: 330.0 * row),
        ("mooncake", lambda row: row // 3),
        ("llmservingsim", lambda row: row // 3),
    ],
)
def test_a_trace_in_another_unit_of_time_is_asked_for(
    name: str, times: Callable[[int], object], tmp_path: Path
) -> None:
    path = tmp_path / "trace"
    path.write_text(many(name, times), encoding="utf-8")
    with pytest.raises(TraceFormatError, match=f"is the unit of time right.*say it by the format: {name}$"):
        read(path)
    assert read(path, name).rows == 60


@pytest.mark.parametrize("kind", ["trace", "result"])
@pytest.mark.parametrize("fault", ["a folder", "nothing", "a file that may not be read", "a pipe"])
def test_what_is_no_file_is_told(
    kind: str, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file.csv"
    if fault == "a folder":
        path.mkdir()
    elif fault == "a pipe":
        __import__("os").mkfifo(path)
    elif fault == "a file that may not be read":
        path.write_text("a", encoding="utf-8")

        def refuse(self: Path, *_: object, **__: object) -> None:  # chmod does not stop root
            raise PermissionError(13, "Permission denied", str(self))

        monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(TraceFormatError) as found:
        read(path) if kind == "trace" else read_measured([path])
    told = str(found.value)
    assert told.startswith(str(path))
    expected = {
        "a folder": "is no trace that is known" if kind == "trace" else "Is a directory; name a file in it",
        "nothing": "No such file or directory; check the name and the folder",
        "a file that may not be read": "Permission denied; allow it: chmod u+r file.csv",
        "a pipe": "is a pipe or a device; write what comes out of it to a file first",
    }
    assert expected[fault] in told


# The same through the command line

FEW = [(name, ("negative", "cut", "no gzip", "Latin-1")[place % 4]) for place, name in enumerate(SEEDS)]


def check_command(kinesim: Kinesim, name: str, fault: str, folder: Path) -> None:
    (folder / "in").mkdir()
    paths = files(name, fault, folder / "in")
    (folder / "own.yaml").write_text(json.dumps({"schema": 1}), encoding="utf-8")
    before = sorted(folder.rglob("*"))
    if SEEDS[name].is_trace:
        code = kinesim("trace", str(paths[0]), "--convert", "out.csv")
    else:
        given = [word for path in paths for word in ("--measured", str(path))]
        code = kinesim("validate", "own.yaml", *given, "--out", "out")
    assert code == 2
    assert kinesim.out == ""
    assert "Traceback" not in kinesim.err
    check_told(name, fault, kinesim.err.strip(), folder / "in")
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(("name", "fault"), FEW)
def test_the_command_ends_with_2_and_writes_nothing(
    kinesim: Kinesim, name: str, fault: str, tmp_path: Path
) -> None:
    check_command(kinesim, name, fault, tmp_path)


CALIBRATED = [
    (name, (*WHOLE, "huge", "unit", "negative")[place % (len(WHOLE) + 3)])
    for place, name in enumerate(name for name in RESULTS if name != "metrics")  # two files are a run there
]


@pytest.mark.parametrize(("name", "fault"), CALIBRATED)
def test_calibrating_from_it_ends_with_2_and_writes_nothing(
    kinesim: Kinesim, name: str, fault: str, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    (path,) = files(name, fault, tmp_path / "in")
    before = sorted(tmp_path.rglob("*"))
    words = ("calibrate", "--gpu", "h100-sxm", "--model", "qwen3-8b", "--out", "mine.json")
    assert kinesim(*words, "--from-bench", str(path)) == 2
    assert kinesim.out == ""
    assert "Traceback" not in kinesim.err
    check_told(name, fault, kinesim.err.strip(), tmp_path / "in")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.slow
@pytest.mark.parametrize(("name", "fault"), [cell for cell in cells() if cell not in FEW])
def test_the_command_ends_so_with_every_fault(
    kinesim: Kinesim, name: str, fault: str, tmp_path: Path
) -> None:
    check_command(kinesim, name, fault, tmp_path)


def test_both_families_of_readers_are_here() -> None:
    assert len(TRACES) > 9
    assert len(RESULTS) > 9
