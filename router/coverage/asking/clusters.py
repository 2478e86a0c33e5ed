"""What clusters are asked: the lines for kubectl that a person is told, by context. One that is not answered is unknown.

If an API server says that it does not have a kind which only some clusters have, an empty list says that there is none of it.
What every cluster has, such as DaemonSets, is never taken to be absent: who says that is no API server of Kubernetes.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import NamedTuple

from router.app.settings import Settings
from router.coverage.asking.kubeconfig import Kubeconfig, NamedContext
from router.coverage.asking.kubectl import Kubectl, NotAnswered, is_at_terminal, kubectl_for
from router.coverage.asking.retries import Advance, Sleep, TimeLimit
from router.coverage.documents import CoverageDocument, Refusal, parsed_document
from router.coverage.fields import find_list, find_text
from router.coverage.kubernetes.commands import EVERYWHERE
from router.coverage.readers.kubernetes import without_ballast
from router.domain.errors import BadFile

_AT_A_TIME = 8
"""Clusters that are asked side by side."""

_ADMISSION = "admissionregistration.k8s.io"
CONSTRAINTS = "constraints.gatekeeper.sh"


class AskedKind(NamedTuple):
    """What is asked for; each template of Gatekeeper makes a kind of constraints of its own."""

    plural: str
    kind: str
    group: str = ""
    is_everywhere: bool = False

    @property
    def title(self) -> str:
        """The kind as a role names it."""
        return CONSTRAINTS if self.group == CONSTRAINTS else f"{self.plural}.{self.group}".rstrip(".")

    @property
    def words(self) -> str:
        """The kind as kubectl is told it; a name that is not Kubernetes' own may be of several groups."""
        return self.title if self.group.endswith(("config.gatekeeper.sh", "defender.microsoft.com")) else self.plural

    def matches(self, item: Mapping[str, object]) -> bool:
        """Whether it is the kind of an object."""
        if self.group == CONSTRAINTS:
            return (find_text(item, "apiVersion") or "").startswith(f"{CONSTRAINTS}/")
        return find_text(item, "kind") == self.kind


_GROUPS = {
    "DaemonSet": "apps",
    "EndpointSlice": "discovery.k8s.io",
    "ValidatingWebhookConfiguration": _ADMISSION,
}

ASKED = (
    tuple(AskedKind(plural, kind, _GROUPS.get(kind, ""), True) for plural, kind in EVERYWHERE.items()),
    (
        AskedKind("validatingadmissionpolicies", "ValidatingAdmissionPolicy", _ADMISSION),
        AskedKind("validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding", _ADMISSION),
    ),
    (AskedKind("constraints", "Constraint", CONSTRAINTS),),
    (AskedKind("configs", "Config", "config.gatekeeper.sh"),),
    (AskedKind("securityartifactpolicies", "SecurityArtifactPolicy", "defender.microsoft.com"),),
)
"""What is asked for in one call each."""


async def ask_clusters(
    contexts: Sequence[NamedContext],
    kubeconfig: Kubeconfig,
    settings: Settings,
    limit: TimeLimit,
    advance: Advance = lambda ended, known: None,
    *,
    sleep: Sleep = asyncio.sleep,
) -> list[CoverageDocument]:
    """Return what the clusters of some contexts answer, in the order of the contexts."""
    ended = 0
    free, person = asyncio.Semaphore(_AT_A_TIME), asyncio.Lock()

    async def ask(one: NamedContext) -> list[CoverageDocument]:
        nonlocal ended
        cluster = AskedCluster(one)
        async with free:
            try:
                access = kubeconfig.access_for(one.context, settings)
                # Two that ask the person at the terminal would hear one answer.
                turn = person if access.may_ask and is_at_terminal() else nullcontext()
                async with turn, kubectl_for(one.context, access, settings, limit, sleep) as kubectl:
                    await cluster.ask(kubectl)
            except (BadFile, NotAnswered) as fault:
                cluster.refuse("API server", str(fault))
        ended += 1
        advance(ended, len(contexts))
        return cluster.documents

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(ask(one)) for one in contexts]
    return [document for task in tasks for document in task.result()]


class AskedCluster:
    """What one cluster has answered so far."""

    def __init__(self, named: NamedContext) -> None:
        self._named = named
        self.documents: list[CoverageDocument] = []

    async def ask(self, kubectl: Kubectl) -> None:
        """Ask for everything; raises NotAnswered if nothing else would be answered."""
        for kinds in ASKED:
            await self._ask(kubectl, kinds)

    def refuse(self, what: str, reason: str) -> None:
        """Keep why there is no answer."""
        name, given = f"context {self._named.context}: {what}", self._named.name
        refusals = (Refusal(name, reason),)
        self.documents.append(CoverageDocument(name=name, given=given, is_of_cluster=True, refusals=refusals))

    async def _ask(self, kubectl: Kubectl, kinds: Sequence[AskedKind]) -> None:
        """Ask for some kinds at once, else for each alone; raises NotAnswered if nothing else would be answered either."""
        try:
            words = ",".join(one.words for one in kinds)
            printed = await kubectl.get(words, "-A", "-o", "json", groups=[one.group for one in kinds])
            if printed is None and (kinds[0].is_everywhere or len(kinds) > 1):
                raise NotAnswered("the API server has none: is its server in the kubeconfig that of a cluster?", "404")
            listed = _list_in(printed, kinds)
        except NotAnswered as fault:
            if fault.status is None:
                raise
            if len(kinds) > 1:
                for one in kinds:
                    await self._ask(kubectl, [one])
            elif fault.status == "Forbidden":
                role = "bind a ClusterRole that allows get and list of it"
                self.refuse(kinds[0].plural, f"who asks may not list {kinds[0].title} (403): {role}")
            else:
                self.refuse(kinds[0].plural, f"asked for {kinds[0].title}: {fault}")
        else:
            for one in kinds:
                # An empty list says of which kind there is nothing.
                items = [item for item in listed if one.matches(item)]
                whole = {"apiVersion": "v1", "kind": "List" if items else f"{one.kind}List", "items": items}
                name = f"context {self._named.context}: {one.plural}"
                self.documents.append(parsed_document(whole, name, self._named.name))


def _list_in(printed: bytes | None, kinds: Sequence[AskedKind]) -> list[Mapping[str, object]]:
    """Return the objects that kubectl printed; none if there is no such kind. Raises NotAnswered."""
    if printed is None:
        return []
    try:
        value = json.loads(printed)
    except (ValueError, RecursionError):
        value = None
    items = find_list(value, "items")
    if items is None or find_text(value, "kind") != "List":
        raise NotAnswered("kubectl printed no list in JSON", "200")
    objects = [one for one in items if isinstance(one, dict) and any(kind.matches(one) for kind in kinds)]
    if len(objects) < len(items):
        raise NotAnswered("the answer is a list of something else", "200")
    return [without_ballast(str(one.get("kind")), one) for one in objects]
