"""Three gates -> one verdict: one gate that does what is needed is enough, and the others are spoken of beside it. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace

from router.coverage.admission.cluster_objects import ClusterObjects
from router.coverage.admission.defender import image_gate, misconfiguration_gate
from router.coverage.admission.effects import (
    AdmissionEffect,
    GateAnswer,
    GatedNamespace,
    Reach,
    any_reaches,
    gated_namespaces,
    join_remedies,
    listed,
)
from router.coverage.admission.gatekeeper import gatekeeper
from router.coverage.facts import CoverageCase
from router.coverage.fields import find_text
from router.coverage.kubernetes.asks import ASK_CLUSTER, at_cluster, joint_asks
from router.coverage.kubernetes.exclusion import find_stopped
from router.coverage.kubernetes.mends import enable_policy
from router.coverage.readers.clusters import ClusterProfileFact
from router.coverage.readers.kubernetes import KubernetesFact
from router.coverage.verdicts import CoverageEvidence, CoverageState, Verdict, Workload, covered, gap, unknown

_LONGEST = 500


def find_refusal(objects: ClusterObjects, pattern: str) -> CoverageEvidence | None:
    """The first event whose message has the pattern; None where there is none."""
    for event in objects.find("Event"):
        for copy in event.copies:
            for field in ("message", "note"):
                message = find_text(copy.body, field) or ""
                if re.search(pattern, message):
                    time = find_text(copy.body, "lastTimestamp") or find_text(copy.body, "eventTime")
                    return CoverageEvidence(copy.source.document, field, message[:_LONGEST], time)
    return None


_GATES = (gatekeeper, image_gate, misconfiguration_gate)

_MOST_LISTS = 5
"""How many lists show that something is not there."""

_MOST_NAMES = 20
"""How many namespaces a sentence names."""


def judge_gates(case: CoverageCase, needed: AdmissionEffect) -> Verdict:
    """Whether one of the gates has the effect that is needed."""
    return at_cluster(_judge(case, needed), case.workload)


def _judge(case: CoverageCase, needed: AdmissionEffect) -> Verdict:
    objects = ClusterObjects.of(case.about(KubernetesFact))
    answers = [gate(objects, needed) for gate in _GATES]
    verdict = _judge_gate(answers, objects, needed, case.workload)
    if verdict.state is CoverageState.COVERED:
        return verdict
    if (stopped := find_stopped(case)) is not None:
        return stopped
    if verdict.state is CoverageState.GAP and not verdict.evidence:
        absent = tuple(CoverageEvidence(file, "items", "no gate") for file in objects.lists[:_MOST_LISTS])
        verdict = replace(verdict, evidence=absent)
    if any(one.has_policy for one in case.about(ClusterProfileFact)):
        wish = "the cluster's profile asks for the Azure Policy add-on, which does not show that it runs"
        verdict = replace(verdict, remarks=(*verdict.remarks, wish))
    return verdict


def _judge_gate(
    answers: list[GateAnswer], objects: ClusterObjects, needed: AdmissionEffect, cluster: Workload
) -> Verdict:
    if working := [one for one in answers if one.verdict.state is CoverageState.COVERED]:
        return _working(working, answers, objects, needed)
    there = [one for one in answers if one.is_there]
    unknowns = [one for one in answers if one.verdict.state is CoverageState.UNKNOWN]
    if len(unknowns) == len(answers) and not there:
        reason = next((f"the cluster was asked, and did not answer: {one}" for one in objects.refusals), None)
        remedy = join_remedies([one.verdict for one in unknowns])
        return unknown(reason or "nobody asked which gates stand before the cluster", remedy=remedy)
    # What stands there and may work leaves it open; where all of it is broken, people believe in a gate that is none.
    for decisive in ([one for one in there if one in unknowns], there, unknowns):
        if decisive:
            return Verdict(
                state=decisive[0].verdict.state,
                reason="; ".join(f"{one.name}: {one.verdict.reason}" for one in decisive),
                evidence=tuple(evidence for one in decisive for evidence in one.verdict.evidence),
                remedy=join_remedies([one.verdict for one in decisive]),
                remarks=_notes(answers, decisive),
            )
    clouds = (find_text(one.copies[0].body, "spec", "providerID") or "" for one in objects.find("Node"))
    cloud = next(clouds, "").partition("://")[0].lower()
    remedy = enable_policy(cluster, cloud) if cloud or cluster.id else None
    return gap(
        "neither Gatekeeper nor a gate of Defender's is in the cluster", remedy=remedy, remarks=_notes(answers, [])
    )


def _working(
    working: list[GateAnswer], answers: list[GateAnswer], objects: ClusterObjects, needed: AdmissionEffect
) -> Verdict:
    evidence = [piece for one in working for piece in one.verdict.evidence]
    remarks = [*_notes(answers, working)]
    if needed is AdmissionEffect.DENIES:
        for one in working:
            if (refusal := find_refusal(objects, one.refusal)) is not None:
                evidence.append(refusal)
            else:
                remarks.append(f"{one.name}: no event shows it refusing anything, so it was not seen to deny")
    limits = tuple(f"{one.name}: {limit}" for one in working for limit in one.verdict.limits)
    verdict = covered(
        "; ".join(f"{one.name} {needed.verb}: {one.verdict.reason}" for one in working),
        *evidence,
        remarks=tuple(one for one in remarks if one not in limits),
        limits=limits,
    )
    return _where(verdict, working, objects)


def _where(verdict: Verdict, working: list[GateAnswer], objects: ClusterObjects) -> Verdict:
    """The verdict on gates that work, by the namespaces that none of them looks at, or of which it is not known."""
    own = frozenset[str]().union(*(one.namespaces for one in working))
    missed: dict[str, list[tuple[GatedNamespace, Reach]]] = defaultdict(list)
    doubts: list[Reach] = []
    left_out: list[str] = []
    for namespace in gated_namespaces(objects, own):
        found = any_reaches(one.reach(namespace) for one in working)
        if namespace.may_be_left_out:
            left_out += [namespace.name] if found.is_reached is False else []
        elif found.is_reached is None:
            doubts.append(found)
        elif not found.is_reached and namespace.name:
            missed[found.reason].append((namespace, found))
        elif not found.is_reached:
            doubts.append(replace(found, remedy=ASK_CLUSTER))
    if missed:
        every = [pair for some in missed.values() for pair in some]
        return gap(
            "; ".join(f"no gate looks at new pods in {_list_names(some)}: {why}" for why, some in missed.items()),
            *dict.fromkeys(piece for _, one in every for piece in one.evidence),
            *verdict.evidence,
            remedy=next((one.remedy for _, one in every if one.remedy), None),
            remarks=(verdict.reason, *verdict.remarks),
        )
    if doubts:
        reasons = "; ".join(dict.fromkeys(one.reason for one in doubts))
        remedy = joint_asks(one.remedy for one in doubts if one.remedy)
        remarks = (verdict.reason, *verdict.remarks)
        return unknown(f"whether it does so everywhere: {reasons}", *verdict.evidence, remedy=remedy, remarks=remarks)
    if not left_out:
        return verdict
    limit = f"system namespaces are left out: {listed(sorted(set(left_out)), _MOST_NAMES)}"
    return replace(verdict, remarks=(*verdict.remarks, limit), limits=(*verdict.limits, limit))


def _list_names(some: list[tuple[GatedNamespace, Reach]]) -> str:
    names = sorted({namespace.name for namespace, _ in some})
    return f"{'namespace' if len(names) == 1 else 'namespaces'} {listed(names, _MOST_NAMES)}"


def _notes(answers: list[GateAnswer], decisive: list[GateAnswer]) -> tuple[str, ...]:
    """What is to be said of the gates that decide, and what the others lack."""
    spoken_of = decisive if any(one.is_there for one in decisive) else answers
    own = (f"{one.name}: {remark}" for one in spoken_of for remark in one.verdict.remarks)
    return (*own, *(f"{one.name}: {one.verdict.reason}" for one in answers if one not in decisive))
