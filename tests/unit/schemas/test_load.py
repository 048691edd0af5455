"""Schemas as data: what loading them settles for the whole process."""

from __future__ import annotations

import subprocess
import sys

# An import that Polars puts off to its first use would come now, in whichever thread is first.
_LATE = """
import polars as pl
import schemas.load
import numpy as np, pyarrow as pa
import polars._dependencies as later

def refuse(name):
    raise SystemExit(f"imported late: {name}")

later.import_module = refuse
print(pl.Series([5, 7]).gather(np.array([1])).to_list(), pl.from_arrow(pa.array([9])).to_list())
"""


def test_polars_has_imported_what_threads_would_race_for() -> None:
    done = subprocess.run([sys.executable, "-c", _LATE], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout.strip(), done.stderr) == ("[7] [9]", "")
