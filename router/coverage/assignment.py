"""Which cluster kubectl's objects belong to, and which machine a sensor reports on, since neither says it. Pure.

`NAME=FILE` does. A file without a name belongs to the one cluster of the call; where there are several, it belongs to none, so
that a healthy cluster never covers the dark one beside it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import replace

from router.coverage.expected.manifest import CoverageManifest, NamedWorkloads, named_workload
from router.coverage.facts import CoverageFact, ResourceFact, Source
from router.coverage.fields import find_text
from router.coverage.kubernetes.commands import UNNAMED, find_gke_context, find_region
from router.coverage.readers.clusters import ClusterProfileFact
from router.coverage.readers.kubernetes import KubernetesFact
from router.coverage.readers.machines import SensorHealthFact
from router.coverage.verdicts import Workload
from router.coverage.workloads import AKS_CLUSTER
from router.domain.coverage import WorkloadKind
from router.domain.errors import BadUsage
from router.domain.resources import parse_resource_id

_OF_ANY_PROGRAM = {"Deployment", "Endpoints", "Event", "Pod", "Service"}
"""What every program in a cluster has: a file of nothing else, and without a name, makes no cluster one that is judged."""

_SYSTEM = "kube-system"
_CLOUDS = {"aws": "AWS", "gce": "Google Cloud", "azure": "Azure"}
_AKS = f"/providers/{AKS_CLUSTER}/"


def assign_clusters(
    facts: Sequence[CoverageFact], manifest: CoverageManifest
) -> tuple[Sequence[CoverageFact], Sequence[str]]:
    """Gives each object of Kubernetes its cluster, and says which documents are of none that is known.

    Raises BadUsage where a name means several clusters, where the documents of one name are of two clusters, where those of
    one cluster have two names, and where nodes are not those of the cluster that they are given as.
    """
    clusters = _workloads(facts, WorkloadKind.CLUSTER)
    named = {one.subject: one for one in _named_clusters(manifest, clusters)}
    objects = [fact for fact in facts if isinstance(fact, KubernetesFact)]
    by_name = _by_name({**clusters, **named}.values())
    names = dict.fromkeys(one.given for one in objects if one.given)
    subjects = {name: _find_meant(name, by_name, "clusters") or name.lower() for name in names}
    known = {*clusters, *named, *subjects.values()}
    is_of_one = any(one.kind not in _OF_ANY_PROGRAM for one in objects)
    only = next(iter(known)) if len(known) == 1 else UNNAMED if not known and is_of_one else None
    found: list[CoverageFact] = []
    unassigned: dict[str, None] = {}
    for fact in facts:
        if isinstance(fact, KubernetesFact):
            subject = subjects[fact.given] if fact.given else only
            if subject is None:
                unassigned.setdefault(fact.source.file)
            fact = replace(fact, subject=subject)
        found.append(fact)
    _refuse_mixed(found)
    _refuse_nodes_of_others(found)
    return [*found, *_new_clusters(found, subjects, clusters, named)], list(unassigned)


def _workloads(facts: Iterable[CoverageFact], kind: WorkloadKind) -> dict[str, Workload]:
    resources = (fact.workload for fact in facts if isinstance(fact, ResourceFact) and fact.workload.kind is kind)
    return {one.subject: one for one in resources}


def _by_name(workloads: Iterable[Workload]) -> Mapping[str, Sequence[str]]:
    """The subjects by all names that may mean them: the id, the name, the name after its resource group, a context of GKE's."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for one in workloads:
        group = (parse_resource_id(one.subject).resource_group or "").lower()
        for name in (one.subject, one.name.lower(), f"{group}/{one.name.lower()}", find_gke_context(one.subject)):
            found[name or one.subject].setdefault(one.subject)
    return {name: tuple(subjects) for name, subjects in found.items()}


def _find_meant(name: str, by_name: Mapping[str, Sequence[str]], kinds: str) -> str | None:
    """The subject that a name means; raises BadUsage where it may mean several."""
    fits = by_name.get(name.lower(), ())
    if len(fits) > 1:
        raise BadUsage(f"{name}: is the name of several {kinds}; write one of their ids before =: {', '.join(fits)}")
    return fits[0] if fits else None


def _named_clusters(manifest: CoverageManifest, clusters: Mapping[str, Workload]) -> Iterator[Workload]:
    """The clusters that the manifest names one by one and no document of Azure does."""
    there = NamedWorkloads(clusters.values())
    for one in manifest.expectations:
        if one.selects.kinds == {WorkloadKind.CLUSTER}:
            for name in one.selects.named:
                if not there.find_called(one.selects, name):
                    yield named_workload(WorkloadKind.CLUSTER, name, one.selects.subscription)


def _refuse_mixed(facts: Iterable[CoverageFact]) -> None:
    """Refuses documents of two clusters under one name, and of one cluster under two: each would cover the other.

    Every node has an id of its own, too: a loop in which kubectl stayed at one cluster writes it under all names.
    """
    ids: dict[str, dict[str, str]] = defaultdict(dict)
    seen: dict[str, KubernetesFact] = {}
    for fact in facts:
        if not isinstance(fact, KubernetesFact) or fact.subject is None:
            continue
        is_system = fact.kind == "Namespace" and fact.name == _SYSTEM
        uid = find_text(fact.body, "metadata", "uid") if is_system or fact.kind == "Node" else None
        if uid is None:
            continue
        first = seen.setdefault(uid, fact)
        if first.subject != fact.subject:
            what = _SYSTEM if is_system else f"node {fact.name}"
            raise BadUsage(
                f"{fact.source.document}: is of the same cluster as {first.source.document}, as the uid of {what} says, "
                "under another name; ask each with its own kubectl --context"
            )
        if is_system:
            ids[fact.subject].setdefault(uid, fact.source.document)
    for uids in ids.values():
        if len(uids) > 1:
            first_document, second = list(uids.values())[:2]
            raise BadUsage(
                f"{second}: is of another cluster than {first_document}, as the uid of {_SYSTEM} says; give each its own "
                "NAME=FILE"
            )


def _refuse_nodes_of_others(facts: Sequence[CoverageFact]) -> None:
    """Refuses nodes that are elsewhere than those of the cluster that they are given as.

    Azure has those of an AKS cluster in its subscription, and in a group of their own; an ARN names a region, and the name of
    a cluster of GKE its project, too. https://learn.microsoft.com/azure/aks/faq#why-are-two-resource-groups-created-with-aks-
    """
    profiles = (fact for fact in facts if isinstance(fact, ClusterProfileFact))
    groups = {fact.subject: fact.node_group for fact in profiles if fact.node_group}
    for fact in facts:
        if not isinstance(fact, KubernetesFact) or fact.kind != "Node" or fact.subject is None:
            continue
        cloud, _, path = (find_text(fact.body, "spec", "providerID") or "").partition("://")
        region = find_region(fact.subject)
        is_aks = _AKS in fact.subject
        is_there = region is None or (cloud == region[0] and path.lower().strip("/").startswith(region[1]))
        if cloud in _CLOUDS and (not is_there or (is_aks and cloud != "azure")):
            name = fact.subject.rpartition("/")[2]
            where = _CLOUDS[cloud] if region is None or region[0] != cloud else path.strip("/")
            raise BadUsage(
                f"{fact.source.document}: is not of the cluster {name}: node {fact.name} is in {where}; write NAME=FILE"
            )
        machine, cluster, group = parse_resource_id(path), parse_resource_id(fact.subject), groups.get(fact.subject)
        is_known = machine.resource_group and (machine.type or "").lower().startswith("microsoft.compute/")
        if not is_aks or not is_known:
            continue
        where, wanted = (machine.subscription or "").lower(), (cluster.subscription or "").lower()
        if where == wanted and group is not None:
            where, wanted = (machine.resource_group or "").lower(), group.lower()
        if where != wanted:
            raise BadUsage(
                f"{fact.source.document}: is not of the cluster {cluster.name}: node {fact.name} is in {where}, "
                f"and the nodes of {cluster.name} are in {wanted}; write NAME=FILE"
            )


def _new_clusters(
    facts: Iterable[CoverageFact],
    subjects: Mapping[str, str],
    clusters: Mapping[str, Workload],
    named: Mapping[str, Workload],
) -> Iterable[ResourceFact]:
    """The clusters of which kubectl alone speaks."""
    names = {subject: name for name, subject in subjects.items()}
    first: dict[str | None, Source] = {}
    for fact in facts:
        if isinstance(fact, KubernetesFact):
            first.setdefault(fact.subject, fact.source)
    for subject, source in first.items():
        if subject is not None and subject not in clusters:
            workload = Workload(kind=WorkloadKind.CLUSTER, name=names.get(subject, subject), subject=subject)
            yield ResourceFact(workload=named.get(subject, workload), source=source)


def assign_machines(facts: Sequence[CoverageFact]) -> tuple[Sequence[CoverageFact], Mapping[str, str]]:
    """Gives each sensor its machine, and says why documents are of none; raises BadUsage where a name means several machines.

    A file without a name belongs to no machine, even where the call has but one: the document of the other one may be missing.
    """
    resources = (fact.workload for fact in facts if isinstance(fact, ResourceFact))
    by_name = _by_name(one for one in resources if one.kind is WorkloadKind.MACHINE)
    found: list[CoverageFact] = []
    unassigned: dict[str, str] = {}
    for fact in facts:
        if isinstance(fact, SensorHealthFact):
            subject = _find_meant(fact.given, by_name, "machines") if fact.given else None
            if subject is None:
                unsaid = "does not say which machine it is of; write NAME=FILE"
                why = f"is of {fact.given}, a machine that no other document names" if fact.given else unsaid
                unassigned.setdefault(fact.source.file, why)
            fact = replace(fact, subject=subject)
        found.append(fact)
    return found, unassigned
