"""What azd runs before it reads the parameters: `preup` of `azd up`, and `preprovision` of `azd provision`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from infra.hooks.start import start

sys.exit(start("infra.required"))
