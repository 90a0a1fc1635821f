"""A trace of millions of rows takes the memory of its columns, not of its rows as Python objects."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROWS = 1_000_000

# Not ru_maxrss: a process begins with that of the one that started it, and what is below does not show.
PROBE = """
import sys
from pathlib import Path
from workloads.traces import Reading, read
def most_kb():
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
before = most_kb()
told = []
found = read(Path(sys.argv[1]), how=Reading(progress=lambda done, total: told.append(done)))
after = most_kb()
print(found.rows, (after - before) * 1024, len(told))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from Linux's /proc")
def test_a_million_rows_take_less_than_twice_their_file_and_columns(tmp_path: Path) -> None:
    path = tmp_path / "many.csv"
    with path.open("w", encoding="utf-8") as file:
        file.write("TIMESTAMP,ContextTokens,GeneratedTokens\n")
        for row in range(ROWS):
            moment = (
                f"2024-05-{10 + row // 86400:02d} {row // 3600 % 24:02d}:{row // 60 % 60:02d}:{row % 60:02d}"
            )
            file.write(f"{moment}.{row % 1000:06d}+00:00,{row % 4000 + 1},{row % 900 + 1}\n")
    done = subprocess.run(  # noqa: S603 - our own interpreter and the fixed statements above
        [sys.executable, "-c", PROBE, str(path)], capture_output=True, text=True, check=True
    )
    rows, grown, told = map(int, done.stdout.split())
    assert rows == ROWS
    columns = 3 * 8 * ROWS
    # Rows as tuples of Python numbers would take some 200 MB; the chunks in flight take some 20 MB.
    assert grown < 2 * columns + 40e6
    assert grown < 2 * path.stat().st_size
    assert told > 20
