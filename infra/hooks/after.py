"""What azd runs after it deployed. It hands the outputs of main.bicep over in the environment."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from infra.hooks.start import start

sys.exit(start("infra.remaining"))
