"""Files of traces opened as text; what the readers of benchmark results open theirs with, too."""

from __future__ import annotations

from simulator.text_files import EXTRA, PARQUET, Source, check_regular, lines_of, opened, packed_by, refusing

__all__ = ["EXTRA", "PARQUET", "Source", "check_regular", "lines_of", "opened", "packed_by", "refusing"]
