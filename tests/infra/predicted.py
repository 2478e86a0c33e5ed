"""The deployments that are predicted, what they are given, and what each comes to, as Microsoft's compiler predicted it."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, reduce
from hashlib import sha256
from pathlib import Path
from typing import Any

from infra.compiler import Compiler
from infra.sources import record
from infra.variants import variants

type Value = Any

# An extension stands on another resource. Where its name is not known before it is made, its id is an expression.
_ON = re.compile(r"^(?:\[extensionResourceId\('([^']+)', '[^']+', |(.+)/providers/[^/]+/[^/]+/[^/]+$)")
_EXTENSIONS = (
    "Microsoft.Authorization/roleAssignments",
    "Microsoft.Insights/diagnosticSettings",
    "Microsoft.SecurityInsights/onboardingStates",
)


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource as it would be deployed. Its name has those of its parents before it, as Azure writes it."""

    id: str
    kind: str
    name: str
    properties: Mapping[str, Value]
    body: Mapping[str, Value]

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

    @property
    def settings(self) -> dict[str, str]:
        """The app settings."""
        return {
            one["name"]: str(one["value"]) for one in self.one("Microsoft.Web/sites").says("siteConfig.appSettings")
        }

    def asks(self, kind: str, name: str) -> str:
        """The expression that asks for a property of the only resource of a type."""
        one = self.one(kind)
        return f"reference('{one.id}', '{one.body['apiVersion']}').{name}"


ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"

EVERY = [one.name for one in variants(INFRA) if one.template.name == "main.bicep"]
"""The variants of main.bicep, by name: `deployed(name)` is what one comes to."""

DEFENDER = "00000000-0000-0000-0000-00000000defe"
OPERATORS = ("00000000-0000-0000-0000-000000000a11", "00000000-0000-0000-0000-000000000b0b")
SENDER = "00000000-0000-0000-0000-000000000c1d"
WORKSPACE_GROUP = "/subscriptions/00000000-0000-0000-0000-000000000002/resourceGroups/soc"
WORKSPACE = f"{WORKSPACE_GROUP}/providers/Microsoft.OperationalInsights/workspaces/soc-logs"
WATCHED_GROUP = "/subscriptions/00000000-0000-0000-0000-000000000006/resourceGroups/servers"
WATCHED = f"{WATCHED_GROUP}/providers/Microsoft.OperationalInsights/workspaces/server-logs"
SECRETS = {"PAGERDUTY_ROUTING_KEY", "SERVICENOW_PASSWORD", "SERVICENOW_POSTURE_PASSWORD"}
"""The secrets that the predictions are made for, whatever the rules name."""

TEMPLATE: dict[str, Any] = json.loads((INFRA / "azuredeploy.json").read_text("utf-8"))
"""What main.bicep compiles to."""


@cache
def deployed(name: str) -> Deployment:
    """What a variant comes to, by its name, as its snapshot says."""
    found = json.loads((INFRA / "predicted" / f"{name}.snapshot.json").read_text("utf-8"))
    resources = (
        Resource(str(one["id"]), one["type"], str(one["name"]), one.get("properties") or {}, one)
        for one in found["predictedResources"]
    )
    return Deployment(tuple(resources), found["outputs"])


_ASKING = ("check.py", "compiler.py", "differences.py", "generate.py", "variants.py")
"""The files of infra/ that say how the compiler is asked."""


def stored_answer(infra: Path, compiler: Compiler, asked: str, ask: Callable[[], Any]) -> Any:
    """The answer to what is asked of a compiler about what it reads of a folder, kept in `.state/bicep` by the hash of that."""
    programs = [(INFRA / name).read_text("utf-8") for name in _ASKING]
    known = json.dumps([str(compiler), asked, record(infra, compiler.version), programs])
    file = ROOT / ".state" / "bicep" / f"{sha256(known.encode()).hexdigest()}.json"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_suffix(f".{id(known)}")
        fresh.write_text(json.dumps(ask()))
        fresh.rename(file)
    return json.loads(file.read_text())
