"""Raises a sample alert and shows that it was routed. Not a hook: whoever deployed runs it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from infra.hooks.start import start

sys.exit(start("infra.proof"))
