"""Clusters: whether the sensor is asked for, deployed and running, and whether a gate looks at what is deployed. Pure.

What only kubectl shows is not judged on `integration`: no document says which cloud the cluster is of, and so what more it
needs. A tag that leaves a cluster out keeps Azure from installing the sensor: one that is there stays, and Helm installs one.
The dark cluster passes `sensor-installed`, which proves no more than that.
https://learn.microsoft.com/azure/defender-for-cloud/defender-for-containers-architecture,
https://learn.microsoft.com/azure/defender-for-cloud/defender-for-containers-exclude-cluster,
https://learn.microsoft.com/azure/defender-for-cloud/deploy-helm
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from copy import replace
from datetime import timedelta
from typing import NamedTuple

from router.coverage.admission.effects import AdmissionEffect
from router.coverage.admission.gates import judge_gates
from router.coverage.facts import CoverageCase, RecommendationFact, ResourceFact, age_words
from router.coverage.fields import parse_time
from router.coverage.judges.connectors import judge_cloud_cluster
from router.coverage.kubernetes.commands import (
    ASK_AKS,
    UNNAMED,
    ask_for_cluster,
    at_cluster,
    delete_tag,
    enable_sensor,
)
from router.coverage.kubernetes.daemon_sets import find_daemon_set
from router.coverage.kubernetes.objects import collect_objects
from router.coverage.kubernetes.sensor import is_seen_running, judge_installed, judge_running
from router.coverage.plans.at_resource import is_extension_on, plan_answers
from router.coverage.readers.clusters import (
    CloudClusterFact,
    ClusterProfileFact,
    ConnectedClusterFact,
    KubernetesExtensionFact,
    ProcessEventsFact,
)
from router.coverage.readers.kubernetes import KubernetesFact
from router.coverage.recommendations import POSTURE_NOT_KNOWN, is_posture_known_on, recommendation_answers_for
from router.coverage.remedies import command_line, resource_words
from router.coverage.stored import StoredTagsFact
from router.coverage.verdicts import CoverageEvidence, CoverageState, Verdict, covered, gap, not_coverable, unknown
from router.coverage.workloads import AKS_CLUSTER, ARC_CLUSTER, OFF_CLUSTERS, excluding
from router.domain.clocks import is_possible
from router.domain.coverage import Rung
from router.domain.resources import parse_resource_id

_EXTENSION = "microsoft.azuredefender.kubernetes"
_ASK_AKS = "56a83a6e-c417-42ec-b567-1e6fcb3d09a9"
"""AKS clusters should have Defender profile enabled."""
_ASK_ARC = "3ef9848c-c2c8-4ff3-8b9c-4c8eb8ddfce6"
"""Arc-enabled Kubernetes clusters should have the Defender extension installed."""

_INSTALLED = ("succeeded", "installed")
_ON_ITS_WAY = ("accepted", "creating", "pending", "updating")
"""States that go on by themselves. https://learn.microsoft.com/azure/azure-arc/kubernetes/extensions"""

_FRESH = timedelta(days=1)
"""How old a row may be that shows a sensor at work: a cluster runs processes all day."""


def judge_cluster_integration(case: CoverageCase) -> Verdict | None:
    """Covered where the sensor is asked for; a gap says which tag or which extension of the plan is the reason."""
    type = (parse_resource_id(case.workload.id or case.workload.subject).type or "").lower()
    sensor = [
        one.source.shows("metadata.name", f"{one.namespace}/{one.name}")
        for one in case.about(KubernetesFact)
        if one.kind == "DaemonSet" and find_daemon_set(one) is not None
    ]
    if type == AKS_CLUSTER:
        words = resource_words(case.workload.id)
        ask = command_line("az", "aks", "show", *words, "-o", "json") if words else ASK_AKS
        return _judge_wish(case, sensor, _read_profile(case), _ASK_AKS, "the security profile asks for the sensor", ask)
    if type == ARC_CLUSTER:
        wish = f"the extension {_EXTENSION} is installed"
        return _judge_wish(case, sensor, _read_extensions(case), _ASK_ARC, wish, _list_extensions(case))
    if cloud := case.about(CloudClusterFact):
        return at_cluster(judge_cloud_cluster(case, cloud, sensor, _reasons(case)), case.workload)
    found = "; a sensor is in it, whoever asked for it" if sensor else ""
    ask = ask_for_cluster(case.workload.name)
    others = _lists_without_it(case) if ask == ASK_AKS else ""
    return unknown(f"no document but kubectl's says what cluster it is{others}{found}", remedy=ask)


def _judge_wish(
    case: CoverageCase,
    sensor: Sequence[CoverageEvidence],
    answer: Verdict | None,
    recommendation: str,
    wish: str,
    ask: str | None,
) -> Verdict:
    """What Azure's own documents answer, else Helm's sensor, else the recommendation that looks at the same."""
    if answer is not None and answer.state is CoverageState.COVERED:
        return answer
    if sensor and (answer is not None or recommendation == _ASK_ARC):
        remark = (
            f"the recommendation {recommendation} stays Unhealthy for ever where Helm deploys the sensor: ignore it"
        )
        reason = f"the sensor is in the cluster, as Helm deploys it; no document says that {wish}"
        return covered(reason, *sensor, remarks=(remark,))
    if answer is not None:
        return answer
    for one in case.about(RecommendationFact):
        if (one.recommendation, one.code) == (recommendation, "unhealthy"):
            reason = f"the recommendation {recommendation} does not say that {wish}"
            return _left_without(case, reason, [one.source.shows("properties.status.code", one.code)])
    if recommendation == _ASK_AKS or not case.about(KubernetesExtensionFact):
        said = recommendation_answers_for(case, [case.workload.subject], [recommendation])
        if said.are_healthy and is_posture_known_on(case):
            reason = f"the recommendation {recommendation} is healthy, which looks at that alone"
            return covered(reason, *said.evidence, remarks=_exclusions(case))
        doubt = said.find_doubt("", "")
        if why := doubt[0] if doubt else POSTURE_NOT_KNOWN if said.healthy else "":
            return unknown(why, *said.evidence, remedy=ask)
    return unknown(f"no document says whether {wish}", remedy=ask)


def _lists_without_it(case: CoverageCase) -> str:
    """That Azure's own lists do not have it, so that its name may be misspelt; empty where none was given."""
    listed = [
        fact.source.file
        for fact in case.facts.every(ResourceFact)
        if fact.source.is_whole and (parse_resource_id(fact.workload.id).type or "").lower() == AKS_CLUSTER
    ]
    if not listed or case.workload.name == UNNAMED:
        return ""
    return f"; Azure has none called {case.workload.name} in {', '.join(dict.fromkeys(listed))}"


def _read_profile(case: CoverageCase) -> Verdict | None:
    """Whether the security profile of an AKS cluster asks for the sensor; None where no document says it."""
    profiles = [one for one in case.about(ClusterProfileFact) if one.has_sensor is not None]
    evidence = [one.source.shows(one.sensor_field, one.has_sensor) for one in profiles]
    if not profiles:
        return None
    if all(one.has_sensor for one in profiles):
        return covered("the security profile asks for the sensor", *evidence, remarks=_exclusions(case))
    answers = len({one.has_sensor for one in profiles})
    return _left_without(case, "the security profile does not ask for the sensor", evidence, answers=answers)


def _read_extensions(case: CoverageCase) -> Verdict | None:
    """Whether Defender's extension of a cluster of Azure Arc is installed; None where no document says it."""
    extensions = case.about(KubernetesExtensionFact)
    ours = [one for one in extensions if one.extension == _EXTENSION]
    evidence = [one.source.shows("properties.provisioningState", one.state) for one in ours]
    states = {one.state for one in ours if one.state is not None}
    if states and states <= {*_INSTALLED}:
        remarks = (*_exclusions(case), *_silence(case))
        return covered(f"the extension {_EXTENSION} is installed", *evidence, remarks=remarks)
    if bad := sorted(states.difference(_INSTALLED, _ON_ITS_WAY)):
        errors = [one.error[:200] for one in ours if one.error]
        reason = "; ".join([f"the extension {_EXTENSION} is not installed, its state is {bad[0]}", *errors])
        # What failed is put again, under the name that it has.
        failed = next((one.name for one in ours if one.state == "failed"), "")
        return _left_without(case, reason, evidence, answers=len(states), extension=failed)
    if coming := sorted(states.difference(_INSTALLED)):
        reason = f"the extension {_EXTENSION} is {coming[0]}"
        return unknown(reason, *evidence, remedy=_list_extensions(case), remarks=_contradiction(len(states)))
    whole = next((one for one in extensions if one.source.is_whole), None)
    if whole is None or ours:
        return None
    shown = whole.source.shows("properties.extensionType", whole.extension)
    return _left_without(case, f"its extensions are listed, and {_EXTENSION} is not among them", [shown])


def _left_without(
    case: CoverageCase,
    reason: str,
    evidence: Sequence[CoverageEvidence],
    *,
    answers: int = 1,
    extension: str = _EXTENSION,
) -> Verdict:
    """The gap of a cluster that was left without a sensor, with what may have left it so."""
    remedy = enable_sensor(case.workload, name=extension) if extension else None
    return gap("; ".join([reason, *_reasons(case)]), *evidence, remedy=remedy, remarks=_contradiction(answers))


def _list_extensions(case: CoverageCase) -> str | None:
    """The line whose answer says whose extensions it lists, also where there are none."""
    words = resource_words(case.workload.id)
    if not words:
        return None
    _, group, _, name, *subscription = words
    cluster = ("--cluster-type", "connectedClusters", "--cluster-name", name, "--resource-group", group, *subscription)
    id = f"{case.workload.id}/providers/Microsoft.KubernetesConfiguration/extensions"
    query = f"{{id: `{json.dumps(id)}`, value: @}}"
    return command_line("az", "k8s-extension", "list", *cluster, "--query", query, "-o", "json")


def _reasons(case: CoverageCase) -> tuple[str, ...]:
    """Why a cluster may have been left without a sensor."""
    own, at_subscription = plan_answers(case, "Containers")
    is_off = any(is_extension_on(answers, "ContainerSensor") is False for answers in (own, at_subscription))
    why = "ContainerSensor of the plan Containers is off: audit-log detections only, no node ever sees a sensor"
    return (*_exclusions(case), *((why,) if is_off else ()))


def _exclusions(case: CoverageCase) -> tuple[str, ...]:
    return tuple(dict.fromkeys(f"its tag {one.name} leaves it out" for one in _find_exclusions(case)))


def _silence(case: CoverageCase) -> tuple[str, ...]:
    words = {one.connectivity for one in case.about(ConnectedClusterFact)} & {"offline", "expired"}
    return tuple(
        f"Azure Arc says that it is {word}, so the state of the extension is an old one" for word in sorted(words)
    )


def _contradiction(answers: int) -> tuple[str, ...]:
    return ("the documents contradict each other; the worse one counts",) if answers > 1 else ()


class _Exclusion(NamedTuple):
    """A tag that keeps the sensor off a cluster, as it is written, and where it stands."""

    name: str
    value: str
    shown: CoverageEvidence


def _find_exclusions(case: CoverageCase) -> Iterator[_Exclusion]:
    """The tags that keep the sensor off a cluster, as often as documents show them."""
    tagged: list[ResourceFact | StoredTagsFact] = [*case.about(ResourceFact)]
    # A tag that was read long ago may have been taken off since.
    longest = case.expectation.heard_within
    tagged += [one for one in case.about(StoredTagsFact) if not one.source.is_stale(case.now, longest)]
    for fact in tagged:
        for name, value in excluding(fact.tags or {}, OFF_CLUSTERS).items():
            yield _Exclusion(name, value, fact.source.shows(f"tags.{name}", value))


def _find_stopped(case: CoverageCase) -> Verdict | None:
    """The verdict on a cluster that is stopped; None where no document says that it is, or one says that it is not."""
    known = [fact for fact in case.about(ResourceFact) if fact.is_stopped is not None]
    if not known or not all(fact.is_stopped for fact in known):
        return None
    return not_coverable("the cluster is stopped", known[0].source.shows("properties.powerState.code", "Stopped"))


def judge_cluster_installed(case: CoverageCase) -> Verdict | None:
    """Covered where a collector's DaemonSet is there, or the extension for clusters of Azure Arc says that it was installed."""
    verdict = judge_installed(collect_objects(case.about(KubernetesFact), case.workload))
    extensions = [one for one in case.about(KubernetesExtensionFact) if one.extension == _EXTENSION]
    if verdict.state is not CoverageState.COVERED and extensions:
        verdict = _by_arc_extension(verdict, extensions, case)
    # What Azure wishes proves nothing of what is in the cluster, where it may come from Helm.
    for profile in case.about(ClusterProfileFact):
        if profile.has_sensor is not None and verdict.state in (CoverageState.GAP, CoverageState.UNKNOWN):
            wish = "asks" if profile.has_sensor else "does not ask"
            remark = f"the security profile of the cluster {wish} for the sensor"
            shown = profile.source.shows(profile.sensor_field, profile.has_sensor)
            verdict = replace(verdict, evidence=(*verdict.evidence, shown), remarks=(*verdict.remarks, remark))
    return _with_absence(verdict, case, is_seen=verdict.state is CoverageState.COVERED)


def _by_arc_extension(verdict: Verdict, extensions: list[KubernetesExtensionFact], case: CoverageCase) -> Verdict:
    """What the extension says; of several documents of it, the worst one counts."""
    worst = min(extensions, key=lambda one: (one.state == "succeeded", one.state != "failed"))
    shown = worst.source.shows("properties.provisioningState", worst.state)
    if worst.state == "succeeded":
        remarks = (verdict.reason,) if verdict.state is CoverageState.GAP else ()
        return covered(f"the extension {_EXTENSION} was installed", shown, remarks=remarks)
    if worst.state == "failed":
        reason = ": ".join(filter(None, (f"the extension {_EXTENSION} could not be installed", worst.error)))
        return gap(reason, shown, remedy=enable_sensor(case.workload))
    remark = f"the extension {_EXTENSION} is {worst.state or 'in a state that its document does not say'}"
    return replace(verdict, evidence=(*verdict.evidence, shown), remarks=(*verdict.remarks, remark))


def judge_cluster_running(case: CoverageCase) -> Verdict | None:
    """Covered where collector and publisher are ready on every node that can have them, in that cluster's own words.

    The last row that its sensor sent shows that it ran then on some node, and covers no other one.
    """
    objects = collect_objects(case.about(KubernetesFact), case.workload)
    verdict, is_fresh = judge_running(objects), False
    is_seen = verdict.state is CoverageState.COVERED or is_seen_running(objects)
    times = [(parse_time(one.source.time or ""), one.source) for one in case.about(ProcessEventsFact)]
    rows = [(time, source) for time, source in times if time is not None and is_possible(time, case.now)]
    if rows:
        time, source = max(rows, key=lambda one: one[0])
        is_fresh = case.now - time <= _FRESH
        remark = f"the last row of its sensor is {age_words(time, case.now)} old"
        if verdict.state is CoverageState.UNKNOWN:
            more = ", and says nothing of its other nodes" if is_fresh else ""
            evidence = (*verdict.evidence, source.shows("last", source.time))
            verdict = replace(verdict, reason=f"{verdict.reason}; {remark}{more}", evidence=evidence)
        else:
            verdict = replace(verdict, remarks=(*verdict.remarks, remark))
    return _with_absence(verdict, case, is_seen=is_seen, has_row=is_fresh)


def _with_absence(verdict: Verdict, case: CoverageCase, *, is_seen: bool, has_row: bool = False) -> Verdict:
    """A verdict with why no sensor may be there: the cluster is stopped, or a tag leaves it out and none is seen to run."""
    exclusion = next(_find_exclusions(case), None)
    if verdict.state is CoverageState.NOT_COVERABLE:
        pass
    elif not is_seen and (stopped := _find_stopped(case)) is not None:
        verdict = stopped
    elif exclusion is not None and (is_seen or has_row):
        remark = f"the tag {exclusion.name}={exclusion.value} keeps Azure from installing the sensor"
        verdict = replace(verdict, remarks=(*verdict.remarks, remark))
    elif exclusion is not None:
        verdict = replace(
            verdict,
            state=CoverageState.GAP,
            reason=f"the tag {exclusion.name}={exclusion.value} leaves the cluster out, and {verdict.reason}",
            evidence=(exclusion.shown, *verdict.evidence),
            remedy=delete_tag(case.workload, exclusion.name, exclusion.value) or verdict.remedy,
        )
    return at_cluster(verdict, case.workload)


def judge_admission_audits(case: CoverageCase) -> Verdict | None:
    """Covered where Gatekeeper, or one of Defender's own gates, is seen to stand there and to have a rule that audits."""
    return at_cluster(_judge_admission(case, AdmissionEffect.AUDITS), case.workload)


def judge_admission_denies(case: CoverageCase) -> Verdict | None:
    """Covered where a gate has a rule that denies; None where no manifest expects it, as they audit by default."""
    if Rung.ADMISSION_DENIES not in (case.expectation.rungs or ()):
        return None
    return at_cluster(_judge_admission(case, AdmissionEffect.DENIES), case.workload)


def _judge_admission(case: CoverageCase, needed: AdmissionEffect) -> Verdict:
    verdict = judge_gates(case.about(KubernetesFact), case.workload, needed)
    if verdict.state is CoverageState.COVERED:
        return verdict
    if (stopped := _find_stopped(case)) is not None:
        return stopped
    if any(one.has_policy for one in case.about(ClusterProfileFact)):
        wish = "the cluster's profile asks for the Azure Policy add-on, which does not show that it runs"
        return replace(verdict, remarks=(*verdict.remarks, wish))
    return verdict
