"""Clusters that are asked instead of read from files: by what kubectl would print, without a program."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence

from router.coverage.asking.clusters import AskedCluster
from router.coverage.asking.kubeconfig import NamedContext
from router.coverage.asking.kubectl import Kubectl, NotAnswered, Printed
from router.coverage.asking.retries import TimeLimit
from router.coverage.documents import CoverageDocument
from router.coverage.expected.manifest import CoverageManifest, Expectation
from router.coverage.gate import GateResult
from router.coverage.verdicts import CoverageState, Verdict
from router.domain.coverage import Rung
from tests.coverage.admission_builders import a_binding, a_policy, whole_gatekeeper, whole_image_gate
from tests.coverage.builders import Json, daemon_set, document, judged, kubectl, managed_cluster, nodes, sensor
from tests.coverage.kubernetes_builders import collector, failed_create, namespace, pods, publisher
from tests.stack.kubernetes_api.kubectl import KINDS, answer

type Answer = Callable[[Sequence[str]], tuple[int, str, str]]
"""What kubectl does that is run with some words: its code, what it prints, and what it complains of."""

HEALTHY: Sequence[Json] = (
    *sensor(), *nodes(), *pods(["node-0", "node-1", "node-2"]), daemon_set("kube-proxy", image="proxy"), namespace(),
    *whole_gatekeeper("deny"), *whole_image_gate("deny"), a_policy(), a_binding("Deny"),
)  # fmt: skip
"""A cluster in which everything is as it should be."""

DARK: Sequence[Json] = (
    collector(ready=0, current=0), publisher(ready=0, current=0), *nodes(), namespace(enforce="baseline"), failed_create(),
    *whole_gatekeeper("deny"),
)  # fmt: skip
"""A cluster whose sensor Pod Security keeps out."""


def cluster_of(objects: Sequence[Json], faults: Mapping[str, str] | None = None, lacks: Iterable[str] = ()) -> Answer:
    """A cluster with some objects, as kubectl shows it; `faults` are complaints by what is asked for."""
    return lambda words: answer(objects, words, faults, lacks)


def asked(cluster: Answer, waits: list[float] | None = None) -> list[CoverageDocument]:
    """What comes of asking a cluster; nothing waits between two attempts."""
    found = AskedCluster(NamedContext("payments", "payments"))

    async def run(words: Sequence[str]) -> Printed:
        code, out, complaint = cluster(words)
        return Printed(code, out.encode(), complaint)

    async def sleep(seconds: float) -> None:
        if waits is not None:
            waits.append(seconds)

    async def ask() -> None:
        try:
            await found.ask(Kubectl("payments", run, TimeLimit(60), sleep))
        except NotAnswered as fault:
            found.refuse("API server", str(fault))

    asyncio.run(ask())
    return found.documents


def offline(objects: Iterable[Json]) -> list[CoverageDocument]:
    """The same objects in files: of each kind what `kubectl get KIND -A -o json` prints, and which kinds there are none of."""
    by_kind: dict[str, list[Json]] = {kind: [] for kind in _FILES}
    for one in objects:
        is_constraint = str(one["apiVersion"]).startswith("constraints.")
        by_kind["Constraint" if is_constraint else str(one["kind"])].append(one)
    return [
        document(
            kubectl(*some) if some else {"apiVersion": "v1", "kind": f"{kind}List", "items": []},
            _FILES[kind],
            "payments",
        )
        for kind, some in by_kind.items()
    ]


def reasons(documents: Sequence[CoverageDocument]) -> list[str]:
    """Why there are no answers."""
    return [refusal.reason for document in documents for refusal in document.refusals]


def verdicts(documents: Iterable[CoverageDocument]) -> Mapping[Rung, Verdict]:
    """What the gate says of the cluster, with all evidence, on every rung that the cluster itself is asked for."""
    return {rung: found for one, rung, found in gate(documents).assessed.verdicts() if one.name == "payments"}


def states(documents: Iterable[CoverageDocument]) -> Mapping[Rung, CoverageState]:
    """The same without the words."""
    return {rung: found.state for rung, found in verdicts(documents).items()}


def gate(documents: Iterable[CoverageDocument]) -> GateResult:
    """What comes of documents of the cluster, which Azure knows, too."""
    return judged(document(managed_cluster(), "clusters.json"), *documents, manifest=_MANIFEST)


_MANIFEST = CoverageManifest(
    expectations=(
        Expectation(
            rungs=frozenset({Rung.SENSOR_INSTALLED, Rung.SENSOR_RUNNING, Rung.ADMISSION_AUDITS, Rung.ADMISSION_DENIES})
        ),
    )
)

_FILES = {kind: f"context payments: {plural}" for plural, kind in {**KINDS, "constraints": "Constraint"}.items()}
"""Files that are called as what is asked, so that what rests on them can be compared as a whole."""
