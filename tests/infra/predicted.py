"""What a deployment comes to, as Microsoft's compiler predicted it: infra/predicted/NAME.snapshot.json.

What only Azure knows (an address, an immutable id) stands as the expression that asks for it: `[reference(...)]`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
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

    body: Mapping[str, Value]

    @property
    def id(self) -> str:
        """What Azure knows it by."""
        return str(self.body["id"])

    @property
    def kind(self) -> str:
        """Its type."""
        return str(self.body["type"])

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.body["name"])

    @property
    def properties(self) -> Mapping[str, Value]:
        """Its properties."""
        found: Mapping[str, Value] = self.body.get("properties") or {}
        return found

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
    return Deployment(tuple(Resource(one) for one in found["predictedResources"]), found["outputs"])
