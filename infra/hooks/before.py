"""What azd runs before it provisions: `preprovision`, of `azd provision` and of `azd up`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from infra.hooks.start import start

sys.exit(start("infra.required"))
