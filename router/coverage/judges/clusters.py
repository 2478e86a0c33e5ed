"""Clusters: whether the sensor is asked for, deployed and running, and whether a gate looks at what is deployed. Pure.

What only kubectl shows is not judged on `integration`: no document says which cloud the cluster is of, and so what more it
needs. Tags that leave a cluster out are reasons; whether they left it without a sensor is for the rungs above to say.
https://learn.microsoft.com/azure/defender-for-cloud/defender-for-containers-architecture,
https://learn.microsoft.com/azure/defender-for-cloud/deploy-helm
"""

from __future__ import annotations

import json
from dataclasses import replace

from router.coverage.admission.effects import AdmissionEffect
from router.coverage.admission.gates import judge_gates
from router.coverage.facts import CoverageCase, RecommendationFact, ResourceFact
from router.coverage.judges.connectors import judge_cloud_cluster
from router.coverage.kubernetes.asks import ASK_AKS, UNNAMED, ask_for_cluster, at_cluster
from router.coverage.kubernetes.daemon_sets import find_daemon_set
from router.coverage.kubernetes.exclusion import find_exclusions, find_stopped
from router.coverage.plans.details import is_extension_on, plan_answers
from router.coverage.readers.clusters import (
    CloudClusterFact,
    ClusterProfileFact,
    ConnectedClusterFact,
    KubernetesExtensionFact,
)
from router.coverage.readers.kubernetes import KubernetesFact
from router.coverage.recommendations import POSTURE_NOT_KNOWN, is_posture_known_on, recommendation_answers_for
from router.coverage.remedies import command_line, resource_words
from router.coverage.verdicts import CoverageState, Verdict, covered, gap, unknown
from router.coverage.workloads import AKS_CLUSTER, ARC_CLUSTER
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


def judge_cluster_integration(case: CoverageCase) -> Verdict | None:
    """Covered where the sensor is asked for; a gap says which tag or which extension of the plan is the reason."""
    type = (parse_resource_id(case.workload.id or case.workload.subject).type or "").lower()
    sensor = _seen_sensor(case)
    if type == AKS_CLUSTER:
        return _of_aks(case, sensor)
    if type == ARC_CLUSTER:
        return _of_arc(case, sensor)
    if cloud := case.about(CloudClusterFact):
        verdict = judge_cloud_cluster(case, cloud, reasons=_reasons(case), has_sensor=sensor is not None)
        return at_cluster(verdict, case.workload)
    found = "; a sensor is in it, whoever asked for it" if sensor else ""
    ask = ask_for_cluster(case.workload.name)
    others = _lists_without_it(case) if ask == ASK_AKS else ""
    return unknown(f"no document but kubectl's says what cluster it is{others}{found}", remedy=ask)


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


def _of_aks(case: CoverageCase, sensor: KubernetesFact | None) -> Verdict:
    profiles = [one for one in case.about(ClusterProfileFact) if one.has_sensor is not None]
    evidence = [one.source.shows(one.sensor_field, one.has_sensor) for one in profiles]
    if profiles and all(one.has_sensor for one in profiles):
        return covered("the security profile asks for the sensor", *evidence, remarks=_exclusions(case))
    if sensor is not None and profiles:
        return _by_helm(sensor, "the security profile does not ask for it", _ASK_AKS)
    words = resource_words(case.workload.id)
    enable = command_line("az", "aks", "update", "--enable-defender", *words) if words else None
    if profiles:
        reason = "; ".join(["the security profile does not ask for the sensor", *_reasons(case)])
        return gap(reason, *evidence, remedy=enable, remarks=_contradiction(len({one.has_sensor for one in profiles})))
    if (said := _unhealthy(case, _ASK_AKS)) is not None:
        reason = "; ".join([f"the recommendation {_ASK_AKS} says that it has no Defender profile", *_reasons(case)])
        return gap(reason, said.source.shows("properties.status.code", said.code), remedy=enable)
    ask = command_line("az", "aks", "show", *words, "-o", "json") if words else ASK_AKS
    if (healthy := _by_recommendation(case, _ASK_AKS, ask)) is not None:
        return healthy
    return unknown("no document says what its security profile asks for", remedy=ask)


def _of_arc(case: CoverageCase, sensor: KubernetesFact | None) -> Verdict:
    extensions = case.about(KubernetesExtensionFact)
    ours = [one for one in extensions if one.extension == _EXTENSION]
    evidence = [one.source.shows("properties.provisioningState", one.state) for one in ours]
    states = {one.state for one in ours if one.state is not None}
    if states and states <= {*_INSTALLED}:
        remarks = (*_exclusions(case), *_silence(case))
        return covered(f"the extension {_EXTENSION} is installed", *evidence, remarks=remarks)
    if sensor is not None:
        return _by_helm(sensor, f"no document says that the extension {_EXTENSION} is installed", _ASK_ARC)
    if bad := sorted(states.difference(_INSTALLED, _ON_ITS_WAY)):
        errors = [one.error[:200] for one in ours if one.error]
        reason = f"the extension {_EXTENSION} is not installed, its state is {bad[0]}"
        # What failed is put again, under the name that it has.
        failed = next((one.name for one in ours if one.state == "failed"), None)
        remedy = _create_extension(case, failed) if failed else None
        return gap(
            "; ".join([reason, *errors, *_reasons(case)]), *evidence, remedy=remedy, remarks=_contradiction(len(states))
        )
    if coming := sorted(states.difference(_INSTALLED)):
        reason = f"the extension {_EXTENSION} is {coming[0]}"
        return unknown(reason, *evidence, remedy=_list_extensions(case), remarks=_contradiction(len(states)))
    if (said := _unhealthy(case, _ASK_ARC)) is not None and not ours:
        reason = "; ".join([f"the recommendation {_ASK_ARC} says that it has no Defender extension", *_reasons(case)])
        return gap(
            reason, said.source.shows("properties.status.code", said.code), remedy=_create_extension(case, _EXTENSION)
        )
    if not extensions and (healthy := _by_recommendation(case, _ASK_ARC, _list_extensions(case))) is not None:
        return healthy
    whole = next((one for one in extensions if one.source.is_whole), None)
    if whole is not None and not ours:
        reason = "; ".join([f"its extensions are listed, and {_EXTENSION} is not among them", *_reasons(case)])
        return gap(
            reason,
            whole.source.shows("properties.extensionType", whole.extension),
            remedy=_create_extension(case, _EXTENSION),
        )
    return unknown(f"no document says whether the extension {_EXTENSION} is installed", remedy=_list_extensions(case))


def _create_extension(case: CoverageCase, name: str) -> str | None:
    words = _extension_words(case, "create")
    return command_line(*words, "--name", name, "--extension-type", _EXTENSION) if words else None


def _list_extensions(case: CoverageCase) -> str | None:
    """The line whose answer says whose extensions it lists, also where there are none."""
    words = _extension_words(case, "list")
    id = f"{case.workload.id}/providers/Microsoft.KubernetesConfiguration/extensions"
    query = f"{{id: `{json.dumps(id)}`, value: @}}"
    return command_line(*words, "--query", query, "-o", "json") if words else None


def _extension_words(case: CoverageCase, verb: str) -> tuple[str, ...]:
    words = resource_words(case.workload.id)
    if not words:
        return ()
    _, group, _, name, _, subscription = words
    cluster = ("--cluster-type", "connectedClusters", "--cluster-name", name)
    return ("az", "k8s-extension", verb, *cluster, "--resource-group", group, "--subscription", subscription)


def _by_helm(sensor: KubernetesFact, instead: str, recommendation: str) -> Verdict:
    evidence = sensor.source.shows("metadata.name", f"{sensor.namespace}/{sensor.name}")
    remark = f"the recommendation {recommendation} stays Unhealthy for ever where Helm deploys the sensor: ignore it"
    return covered(f"the sensor is in the cluster, as Helm deploys it; {instead}", evidence, remarks=(remark,))


def _seen_sensor(case: CoverageCase) -> KubernetesFact | None:
    objects = case.about(KubernetesFact)
    return next((one for one in objects if one.kind == "DaemonSet" and find_daemon_set(one) is not None), None)


def _unhealthy(case: CoverageCase, recommendation: str) -> RecommendationFact | None:
    facts = case.about(RecommendationFact)
    return next((one for one in facts if one.recommendation == recommendation and one.code == "unhealthy"), None)


def _by_recommendation(case: CoverageCase, recommendation: str, ask: str | None) -> Verdict | None:
    """What a healthy recommendation proves of a cluster that was not asked; None without one."""
    said = recommendation_answers_for(case, [case.workload.subject], [recommendation])
    if said.are_healthy and is_posture_known_on(case):
        reason = f"the recommendation {recommendation} is healthy, which looks at that alone"
        return covered(reason, *said.evidence, remarks=_exclusions(case))
    doubt = said.find_doubt("", "")
    if why := doubt[0] if doubt else POSTURE_NOT_KNOWN if said.healthy else "":
        return unknown(why, *said.evidence, remedy=ask)
    return None


def _reasons(case: CoverageCase) -> tuple[str, ...]:
    """Why a cluster may have been left without a sensor."""
    own, at_subscription = plan_answers(case, "Containers")
    is_off = any(is_extension_on(answers, "ContainerSensor") is False for answers in (own, at_subscription))
    why = "ContainerSensor of the plan Containers is off: audit-log detections only, no node ever sees a sensor"
    return (*_exclusions(case), *((why,) if is_off else ()))


def _exclusions(case: CoverageCase) -> tuple[str, ...]:
    return tuple(dict.fromkeys(f"its tag {one.name} leaves it out" for one in find_exclusions(case)))


def _silence(case: CoverageCase) -> tuple[str, ...]:
    words = {one.connectivity for one in case.about(ConnectedClusterFact)} & {"offline", "expired"}
    return tuple(
        f"Azure Arc says that it is {word}, so the state of the extension is an old one" for word in sorted(words)
    )


def _contradiction(answers: int) -> tuple[str, ...]:
    return ("the documents contradict each other; the worse one counts",) if answers > 1 else ()


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
    if (stopped := find_stopped(case)) is not None:
        return stopped
    if any(one.has_policy for one in case.about(ClusterProfileFact)):
        wish = "the cluster's profile asks for the Azure Policy add-on, which does not show that it runs"
        return replace(verdict, remarks=(*verdict.remarks, wish))
    return verdict
