"""What a deployment comes to, as Microsoft's compiler predicted it: infra/predicted/NAME.snapshot.json.

What only Azure knows (an address, an immutable id) stands as the expression that asks for it: `[reference(...)]`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, reduce
from pathlib import Path
from typing import Any

type Value = Any

# An extension stands on another resource. Where its name is not known before it is made, its id is an expression.
_ON = re.compile(r"^(?:\[extensionResourceId\('([^']+)', '[^']+', |(.+)/providers/[^/]+/[^/]+/[^/]+$)")
_EXTENSIONS = (
    "Microsoft.Authorization/roleAssignments",
    "Microsoft.Insights/diagnosticSettings",
    "Microsoft.SecurityInsights/onboardingStates",
)
_GROUP = re.compile(r"(/subscriptions/[^/']+/resourceGroups/[^/']+)")


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource as it would be deployed. Its name has those of its parents before it, as Azure writes it."""

    id: str
    kind: str
    name: str
    properties: Mapping[str, Value]
    body: Mapping[str, Value]

    @property
    def group(self) -> str:
        """The id of the resource group that it is in."""
        found = _GROUP.search(self.id)
        assert found, self.id
        return found[1]

    @property
    def scope(self) -> str | None:
        """The id of what it stands on, if it is an extension of another resource."""
        found = _ON.match(self.id) if self.kind in _EXTENSIONS else None
        return (found[1] or found[2]) if found else None

    def says(self, path: str) -> Value:
        """What stands at a path of its properties, such as `siteConfig.minTlsVersion`; of its body, where a dot comes first."""
        start = self.body if path.startswith(".") else self.properties
        return reduce(lambda held, name: held[name], path.removeprefix(".").split("."), start)


@dataclass(frozen=True, slots=True)
class Deployment:
    """All that would be deployed, and its outputs."""

    resources: tuple[Resource, ...]
    outputs: Mapping[str, Value]

    def of(self, kind: str) -> list[Resource]:
        """The resources of a type."""
        return [one for one in self.resources if one.kind == kind]

    def one(self, kind: str) -> Resource:
        """The only resource of a type."""
        (found,) = self.of(kind)
        return found

    def asks(self, kind: str, name: str) -> str:
        """The expression that asks for a property of the only resource of a type."""
        one = self.one(kind)
        return f"reference('{one.id}', '{one.body['apiVersion']}').{name}"


@cache
def predicted(path: Path) -> Deployment:
    """What a snapshot says."""
    found = json.loads(path.read_text("utf-8"))
    resources = (
        Resource(str(one["id"]), one["type"], str(one["name"]), one.get("properties") or {}, one)
        for one in found["predictedResources"]
    )
    return Deployment(tuple(resources), found["outputs"])
