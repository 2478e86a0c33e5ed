"""Whether a sensor was deployed to a cluster: not more than that, so that the dark cluster passes here."""

from __future__ import annotations

from dataclasses import replace

from router.coverage.case import CoverageCase
from router.coverage.kubernetes.asks import at_cluster
from router.coverage.kubernetes.exclusion import find_exclusion, find_stopped, left_out
from router.coverage.kubernetes.mends import enable_sensor
from router.coverage.kubernetes.objects import objects_of
from router.coverage.kubernetes.sensor import judge_installed
from router.coverage.readers.kubernetes import KubernetesFact
from router.coverage.readers.kubernetes_extensions import KubernetesExtensionFact
from router.coverage.readers.managed_clusters import ClusterProfileFact
from router.coverage.verdicts import CoverageState, Verdict, covered, gap
from router.domain.coverage import Rung, WorkloadKind

RUNG = Rung.SENSOR_INSTALLED
KINDS = (WorkloadKind.CLUSTER,)

_EXTENSION = "microsoft.azuredefender.kubernetes"


def judge(case: CoverageCase) -> Verdict | None:
    """Covered where a collector's DaemonSet is there, or the extension for clusters of Azure Arc says that it was installed."""
    return at_cluster(_judge(case), case.workload)


def _judge(case: CoverageCase) -> Verdict:
    verdict = judge_installed(objects_of(case.about(KubernetesFact), case.workload))
    extensions = [one for one in case.about(KubernetesExtensionFact) if one.extension == _EXTENSION]
    if verdict.state is not CoverageState.COVERED and extensions:
        verdict = _by_extension(verdict, extensions, case)
    exclusion = find_exclusion(case)
    if verdict.state is CoverageState.COVERED:
        remark = exclusion and f"the tag {exclusion.tag} keeps Azure from installing it; it is there all the same"
        return replace(verdict, remarks=(*verdict.remarks, remark)) if remark else verdict
    if verdict.state is CoverageState.NOT_COVERABLE:
        return verdict
    if (stopped := find_stopped(case)) is not None:
        return stopped
    if exclusion is not None:
        return left_out(verdict, exclusion, case.workload, is_running=False)
    return _with_profile(verdict, case)


def _by_extension(verdict: Verdict, extensions: list[KubernetesExtensionFact], case: CoverageCase) -> Verdict:
    """What the extension says; of several documents of it, the worst one counts."""
    worst = min(extensions, key=lambda one: (one.state == "succeeded", one.state != "failed"))
    shown = worst.source.shows("properties.provisioningState", worst.state)
    if worst.state == "succeeded":
        remarks = (verdict.reason,) if verdict.state is CoverageState.GAP else ()
        return covered(f"the extension {_EXTENSION} was installed", shown, remarks=remarks)
    if worst.state == "failed":
        error = f": {worst.error}" if worst.error else ""
        reason = f"the extension {_EXTENSION} could not be installed{error}"
        return gap(reason, shown, remedy=enable_sensor(case.workload))
    remark = f"the extension {_EXTENSION} is {worst.state or 'in a state that its document does not say'}"
    return replace(verdict, evidence=(*verdict.evidence, shown), remarks=(*verdict.remarks, remark))


def _with_profile(verdict: Verdict, case: CoverageCase) -> Verdict:
    """The verdict, and what Azure wishes: that proves nothing of what is in the cluster, where it may come from Helm."""
    for profile in case.about(ClusterProfileFact):
        wish = "asks" if profile.has_sensor else "does not ask"
        remark = f"the security profile of the cluster {wish} for the sensor"
        shown = profile.source.shows(profile.sensor_field, profile.has_sensor)
        verdict = replace(verdict, evidence=(*verdict.evidence, shown), remarks=(*verdict.remarks, remark))
    return verdict
