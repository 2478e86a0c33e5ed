"""The deployments that are predicted: parameters in predicted/NAME.bicepparam, what they come to in NAME.snapshot.json beside.

Another variant is another file of parameters, and `make infra`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
TENANT = "00000000-0000-0000-0000-000000000003"
LOCATION = "westeurope"
GROUP = "management"

_USING = re.compile(r"^using '([^']+)'", re.MULTILINE)
_SCOPE = re.compile(r"^targetScope = '(\w+)'", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Variant:
    """One deployment by its parameters."""

    parameters: Path

    @property
    def name(self) -> str:
        """What it is called."""
        return self.parameters.stem

    @property
    def snapshot(self) -> Path:
        """What it comes to."""
        return self.parameters.with_suffix(".snapshot.json")

    @property
    def template(self) -> Path:
        """The file that is deployed."""
        used: list[str] = _USING.findall(self.parameters.read_text("utf-8"))
        return (self.parameters.parent / used[0]).resolve()

    @property
    def scope_arguments(self) -> Sequence[str]:
        """The compiler's arguments for the scope it deploys to: never a real one, and always the same."""
        scopes: list[str] = _SCOPE.findall(self.template.read_text("utf-8"))
        where = {
            "managementGroup": ["--management-group-id", GROUP, "--location", LOCATION],
            "subscription": ["--subscription-id", SUBSCRIPTION, "--location", LOCATION],
        }[scopes[0]]
        return [*where, "--tenant-id", TENANT, "--deployment-name", "router"]


def variants(infra: Path) -> list[Variant]:
    """Every variant of a folder."""
    return [Variant(path) for path in sorted((infra / "predicted").glob("*.bicepparam"))]
