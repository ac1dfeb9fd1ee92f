"""Where the sample lies: in ``data/sample`` of the repository, not in the package."""

from __future__ import annotations

from pathlib import Path

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "sample"
