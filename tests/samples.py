"""Real messages and answers, which are not in this repository: in ../shared/samples, where they may be absent."""

from pathlib import Path

SAMPLES = Path(__file__).parents[2] / "shared" / "samples"
"""A test that reads them is marked `shared`; tests/conftest.py skips it where they are absent. Nothing else reads them."""
