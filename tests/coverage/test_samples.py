"""Every document of ../shared/samples/coverage, and some of its neighbours, read as a careful person reads it."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from router.coverage.documents import CoverageDocument
from router.coverage.expected.manifest import NO_MANIFEST, CoverageManifest, ExpectedExport
from router.coverage.gate import judge_documents
from router.coverage.readers import read_facts
from router.coverage.readers.messages import AlertFact
from router.domain.coverage import Rung
from router.domain.severity import Severity
from tests.coverage.admission_builders import AUDIT, BOTH, MANAGER, a_constraint, a_pod, around_gatekeeper
from tests.coverage.builders import NOW, document, expecting, kubectl, resource
from tests.samples import SAMPLES

pytestmark = pytest.mark.shared


@dataclass(frozen=True, slots=True)
class SampleRow:
    """A document by itself, or with others that it needs, and what the whole gate makes of it.

    Attributes:
        files: the documents, by globs that fit one file each; the row is about the first.
        workloads: each by words of its name and id, its kind, and on which rungs it differs from one of which nothing is known.
        words: what is to be among the reasons and the remarks, or why a document is not used.
    """

    files: tuple[str, ...]
    workloads: str = ""
    words: tuple[str, ...] = ()
    beside: tuple[object, ...] = ()
    manifest: CoverageManifest = NO_MANIFEST
    now: datetime = NOW

    def verdicts(self) -> Iterator[tuple[list[str], dict[str, str]]]:
        """The words by which each workload is found, and its state on each rung."""
        for one in filter(None, self.workloads.split("; ")):
            words, _, said = one.partition(": ")
            kind, *states = said.split(", ")
            yield words.split(), dict.fromkeys(USUAL[kind], "unknown") | dict(it.split(" ", 1) for it in states)


MACHINE = (Rung.PLAN, Rung.INTEGRATION, Rung.SENSOR_INSTALLED, Rung.SENSOR_RUNNING)
CLUSTER = (*MACHINE, Rung.ADMISSION_AUDITS)
USUAL = {"machine": MACHINE, "cluster": CLUSTER, "subscription": (Rung.PLAN,), "expected": ()}
"""The rungs of each kind of workload, or none but those that a manifest expects."""

REFUSED = "coverage/arg/resources.table-format.*"
"""A document of a shape that no command of today prints."""

NOTHING, NO_HUB = "says nothing of what is judged", "leads to no event hub"


def _row(name: str, workloads: str, *words: str, beside: tuple[object, ...] = ()) -> SampleRow:
    return SampleRow((f"coverage/{name}*",), workloads, words, beside)


def _machine_in(subscription: str) -> object:
    id = f"/subscriptions/{subscription}/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/web-1"
    return resource(id, "Microsoft.Compute/virtualMachines")


SETTINGS = (
    "azure-cli/az-security-setting-list",
    "arm/settings.list.2022-05-01.azure-rest-api-specs-2022",
    "arm/settings.list.2022-05-01.azure-rest-api-specs-2026",
)
ARM = [
    _row("arm/alerts.simulate.request.", "", NOTHING),
    # Two scale sets, and a recommendation that is deprecated: neither is judged by it.
    _row("arm/assessments.list.offbypolicy.", ""),
    _row("arm/automations.GetAutomationsSubscription_", "a5caac9c: subscription, export gap", NO_HUB),
    # The answer to a request about one automation does not say what others there are.
    _row("arm/automations.PutAutomationAllAssessments_", "a5caac9c: subscription, export unknown", NO_HUB),
    _row("arm/automations.PutDisableAutomation_", "a5caac9c: subscription, export unknown", NO_HUB),
    _row("arm/automations.ValidateAutomation_", "", NOTHING),
    # A second after it was made: it is on its way.
    _row("arm/k8s-extension.azuredefender.", "myCluster: cluster", "microsoft.azuredefender.kubernetes is pending"),
    _row("arm/k8s-extension.azurepolicy.", "my-test-cluster: cluster", "no document says whether the extension"),
    _row("arm/managedClusters.create.defender.", "clustername1: cluster, integration covered", "asks for the sensor"),
    _row(
        "arm/pricings.get.CloudPosture.managed-by-m365.",
        "20ff7fc3: subscription",
        "no answer says whether VirtualMachines, Containers",
        "posture of 20ff7fc3 is on",
    ),
    # The second id of the example is of another subscription, of whose machine it names only the plan of posture.
    _row(
        "arm/pricings.list.resource-vm.",
        "VM-1 20ff7fc3: machine, plan covered; VM-1 d34fd44c: machine",
        "VirtualMachines is on at the resource itself",
        "leaves out what has a tag TestKey1=TestValue1",
    ),
    # The example names two subscriptions in one list.
    _row(
        "arm/pricings.list.subscription.",
        "20ff7fc3: subscription; d34fd44c: subscription",
        "AppServices is Free",
        "VirtualMachines is switched off at some resources",
        "no answer says whether VirtualMachines, SqlServers",
        "posture of 20ff7fc3 is not known",
        "posture of d34fd44c is on",
    ),
    _row(
        "arm/pricings.put.CloudPosture.partial-success.",
        "20ff7fc3: subscription",
        *(
            f"{one} of CloudPosture failed to be switched on"
            for one in ("AgentlessVmScanning", "SensitiveDataDiscovery")
        ),
    ),
    _row("arm/pricings.put.resource-aks.Containers.", "demo-aks-cluster: cluster, plan covered", "free trial"),
    # Settings are of all machines of a subscription, and name none.
    *(_row(one, "") for one in SETTINGS),
    *(
        _row(
            one,
            "web-1: machine, integration gap",
            "WDATP",
            beside=(_machine_in("20ff7fc3-e762-44dd-bd96-b71116dcdc23"),),
        )
        for one in SETTINGS
    ),
    # The older settings of a database server decide nothing: the plan does.
    _row("arm/sql.server.advancedThreatProtectionSettings.", "", NOTHING),
]

_FREE = "Containers, SqlServers, SqlServerVirtualMachines, OpenSourceRelationalDatabases, CosmosDbs, KeyVaults"
_ZERO, _GAP = "00000000", "00000000: subscription, plan gap"
_VM = "cctestvm: machine, sensor-installed gap"
ONLY_OTHERS = "none brings Defender for Endpoint: it has only"
DEFENDER = "cloud-custodian/DefenderTest.test_azure_defender"
TOOLS = [
    _row("arg/resources.first-page.", "", "was cut: 3 of 386 rows were given"),
    _row("azure-cli/az-security-pricing-list", _GAP, _FREE, "VirtualMachines P1"),
    _row(
        "azure-cli/recording.managedClusters.put.azureDefender-legacy",
        "cliakstest000002: cluster, integration covered",
        "the security profile asks for the sensor",
    ),
    _row("azure-cli/recording.pricings.list", _GAP, _FREE, "posture of 00000000 is on"),
    _row(
        "azure-cli/recording.pricings.put-then-get",
        f"{_ZERO}: subscription",
        "no answer says whether Containers",
        "leaves out what has a tag A=B",
    ),
    _row("cloud-custodian/AksTest", "cctestaks: cluster, integration gap", "does not ask for the sensor"),
    _row(f"{DEFENDER}_assessments", ""),
    # Of the Log Analytics agent, which is retired.
    _row(f"{DEFENDER}_autoprovisioning", "", NOTHING),
    # Containers is absent, both plans that it replaced are on, and newer plans were not listed in 2018.
    _row(
        f"{DEFENDER}_pricing",
        "ea42f556: subscription",
        "OpenSourceRelationalDatabases is Free",
        "KubernetesService, ContainerRegistry are enabled, and deprecated",
        "posture of ea42f556 is not known",
    ),
    _row(f"{DEFENDER}_setting", ""),
    # The integration is on; whether the plan is that deploys by it, nobody asked.
    _row(f"{DEFENDER}_setting", "web-1: machine", beside=(_machine_in("ea42f556-5106-4743-99b0-c129bfa71a47"),)),
    _row(
        "cloud-custodian/MySQLSecurityAlertPolicies",
        "344-mysql-server-green: subscription; 344-mysql-server-red: subscription; terragoat-mysql-dev604: subscription",
    ),
    _row("cloud-custodian/ResourceGraphSource*storage", "cctstoragey6akyqpagdt3o: subscription"),
    _row("cloud-custodian/ResourceGraphSource*vm", _VM, ONLY_OTHERS),
    _row(
        "cloud-custodian/SqlServerSecurityAlertPolicies",
        "cctestsqlserverp2fkgne6rt5vw: subscription; server-016cisads: subscription",
    ),
    _row("cloud-custodian/VMTest.virtual_machine_extensions", _VM, ONLY_OTHERS),
    _row(
        "constructed/arg/mde-extensions",
        "; ".join(
            f"{name}: machine, sensor-installed {state}"
            for name, state in (("web-1", "covered"), ("sql-1", "covered"), ("web-2", "gap"))
        ),
        "its extension MDE.Linux failed",
    ),
]

_TRUSTED = "coverage/constructed/arm/automation.eventhub.trusted*"
_HUB = (
    "/subscriptions/22222222-2222-2222-2222-222222222222/resourceGroups/rg-router"
    "/providers/Microsoft.EventHub/namespaces/evhns-router/eventhubs/cwpp"
)
_LOUD = frozenset({Severity.HIGH, Severity.MEDIUM, Severity.LOW})
_ASKED = datetime(2022, 4, 10, 12, tzinfo=UTC)
"""A day on which those who recorded the rules had asked for them."""
_SPEC = "azure-rest-api-specs/preview/2019-01-01-preview/examples/AlertsSuppressionRules"


def _export(state: str, words: str, export: ExpectedExport) -> SampleRow:
    manifest = expecting(Rung.EXPORT, export=export)
    return SampleRow((_TRUSTED,), f"11111111: expected, export {state}", (words,), manifest=manifest)


def _rules(file: str, state: str | None, words: str, now: datetime = NOW) -> SampleRow:
    subscription = "" if state is None else f"subscription: subscription, suppression {state}"
    return SampleRow((file,), subscription, (words,), now=now)


SUBSCRIPTIONS = [
    SampleRow((_TRUSTED,), "11111111: subscription, export unknown", ("write export.alerts in the manifest",)),
    _export("covered", "alerts are exported to our hub", ExpectedExport(alerts=_HUB.upper(), severities=_LOUD)),
    # The filter of Microsoft's own policy.
    _export("gap", "severity Informational are not exported", ExpectedExport(alerts=_HUB)),
    _export("gap", f"points elsewhere, to {_HUB}", ExpectedExport(alerts=f"{_HUB}2")),
    _export("gap", "exports no assessments", ExpectedExport(posture=_HUB)),
    _rules("rules/defender_rules_list_azure_cli_*", "gap", "TalSuppressionRule", _ASKED),
    _rules("rules/defender_rules_list_azure_cli_*", "covered", "is in force"),
    _rules("rules/defender_rules_list_azure_powershell_*", "gap", "Powershell-UT-RuleName", _ASKED),
    _rules("rules/defender_rules_list_azure_powershell_*", "gap", "SDK_Test1"),
    _rules("rules/defender_rule_put_without_expiry_*", "unknown", "no document lists all"),
    _rules("rules/defender_rule_binary_drift_*", None, NOTHING),
    _rules(f"{_SPEC}/GetAlertsSuppressionRules_example.json", "covered", "is in force"),
    _rules(f"{_SPEC}/GetAlertsSuppressionRule_example.json", "unknown", "no document lists all"),
    _rules(f"{_SPEC}/DeleteAlertsSuppressionRule_example.json", None, NOTHING),
]

_LINUX = "nodes.linux-three"
_OF_LINUX = {
    "absent": ("gap", "gap", "whose list is empty"),
    "covered": ("covered", "covered", "ready on all 3 nodes"),
    "dark-pod-security": ("covered", "gap", "collector-ds in kube-system is ready on 0 of 3 nodes"),
    "desired-zero": ("covered", "gap", "its nodeSelector asks for agentpool=retired"),
    "one-not-ready": ("covered", "gap", "publisher-ds in kube-system is ready on 2 of 3"),
    "stale-status": ("covered", "unknown", "is of generation 3, its specification of 4"),
}
"""DaemonSets beside three nodes: whether a sensor is installed, whether it runs, and why."""

ENFORCED = "pod-security.kubernetes.io/enforce=baseline of the namespace kube-system"
_EVENTS, _NAMESPACE = "events.failed-create.pod-security", "namespace.kube-system.pod-security-baseline"
_CRASHING, _MIXED = "pods.defender.one-crashing", "nodes.mixed"


def _sensor(names: str, installed: str, running: str, *words: str) -> SampleRow:
    files = tuple(f"coverage/constructed/kubectl/{name}.json" for name in names.split())
    return SampleRow(files, f"payments: cluster, sensor-installed {installed}, sensor-running {running}", words)


KUBECTL = [
    *(_sensor(f"ds.kube-system.{name} {_LINUX}", *states) for name, states in _OF_LINUX.items()),
    *(_sensor(one, "unknown", "unknown") for one in (_LINUX, _MIXED, _EVENTS, _NAMESPACE, _CRASHING)),
    _sensor(f"ds.mdc.helm-covered ds.kube-system.dark-pod-security {_LINUX}", "covered", "covered", "in mdc are ready"),
    # The Windows node and the virtual one cannot have a sensor, the tainted one has none, and the silent one does not tell.
    _sensor(
        f"ds.kube-system.covered {_MIXED}",
        "covered",
        "gap",
        "node aks-gpu-0-vmss000000: it does not tolerate the taint sku=gpu:NoSchedule",
        "not coverable: node akswin000000 is a Windows node",
        "not coverable: node virtual-node-aci-linux is a virtual node",
        "node aks-nodepool1-0-vmss000002 is NotReady",
        "covered 2, gap 1, not coverable 2, unknown 1",
    ),
    *(
        _sensor(
            f"ds.kube-system.dark-pod-security {_LINUX} {one}",
            "covered",
            "gap",
            f"Pod Security refuses its pods at {why}",
        )
        for one, why in ((_EVENTS, "level baseline"), (_NAMESPACE, f"level baseline, by the label {ENFORCED}"))
    ),
    _sensor(
        f"ds.kube-system.covered {_LINUX} {_CRASHING}",
        "covered",
        "gap",
        "vmss000001: pod microsoft-defender-collector-ds-bqs96 is CrashLoopBackOff after 57 restarts",
    ),
]

_WEBHOOK = "ValidatingWebhookConfiguration.gatekeeper-validating-webhook-configuration"
_OTHERS = (
    "Deployment.gatekeeper-audit",
    "Deployment.gatekeeper-controller-manager",
    "MutatingWebhookConfiguration.gatekeeper-mutating-webhook-configuration",
    "Namespace.gatekeeper-system",
)


def _gatekeeper(names: str, state: str, *words: str, beside: tuple[object, ...] = ()) -> SampleRow:
    files = tuple(f"coverage/gatekeeper/{name}.json" for name in names.split())
    return SampleRow(
        files, f"payments: expected, admission-audits {state}, admission-denies {state}", words, beside, BOTH
    )


GATEKEEPER = [
    # They have no status: they say what is to be deployed, and nothing of what runs.
    _gatekeeper(_WEBHOOK, "unknown", "nobody asked for the pods of Gatekeeper's webhook", "failurePolicy Ignore"),
    *(_gatekeeper(one, "unknown", "nobody asked which gates stand before the cluster") for one in _OTHERS),
    _gatekeeper(" ".join((_WEBHOOK, *_OTHERS)), "unknown", "nobody asked for its constraints"),
    _gatekeeper(
        f"{_WEBHOOK} {_OTHERS[-1]}",
        "covered",
        "failurePolicy Ignore",
        "system namespaces are left out: gatekeeper-system",
        beside=(kubectl(a_pod(MANAGER), a_pod(AUDIT), a_constraint("deny"), *around_gatekeeper()),),
    ),
]

ROWS = [*ARM, *TOOLS, *SUBSCRIPTIONS, *KUBECTL, *GATEKEEPER]


def answers_in(value: Any) -> Any:
    """What `az rest` would print: the answers in recordings, in batches and in the examples of specifications."""
    if isinstance(value, list):
        return [answers_in(one) for one in value if not (isinstance(one, dict) and set(one) == {"request"})]
    if not isinstance(value, dict):
        return value
    if isinstance(responses := value.get("responses"), dict):
        return answers_in(next((one["body"] for one in responses.values() if "body" in one), {}))
    if isinstance(response := value.get("response"), dict):
        return answers_in(response.get("body"))
    return answers_in(value["body"]) if {"uri", "method"} <= set(value) else value


def _sample(name: str, given: str | None = None) -> CoverageDocument:
    (path,) = SAMPLES.glob(name)
    return document(answers_in(json.loads(path.read_bytes())), path.name, given)


def test_a_sample_is_read_as_a_careful_person_reads_it(subtests: pytest.Subtests) -> None:
    """By the whole gate: which workloads come of it, each rung of them with its state, and why. One that is added has a row."""
    for row in ROWS:
        with subtests.test("+".join(one.rpartition("/")[2] for one in row.files), now=row.now):
            _assert_read(row)
    read = {file for row in ROWS for file in SAMPLES.glob(row.files[0])} | set(SAMPLES.glob(REFUSED))
    assert [str(one) for one in sorted((SAMPLES / "coverage").rglob("*.json")) if one not in read] == []


def _assert_read(row: SampleRow) -> None:
    given = "payments" if any(part in row.files[0] for part in ("/kubectl/", "/gatekeeper/")) else None
    beside = [document(one, f"{number}.json", given) for number, one in enumerate(row.beside)]
    result = judge_documents([*(_sample(one, given) for one in row.files), *beside], row.manifest, row.now)
    found = {f"{one.workload.name} {one.workload.subject} {one.workload.kind}": one for one in result.assessed.rows}
    expected = list(row.verdicts())
    assert len(found) == len(expected), list(found)
    for words, states in expected:
        (name,) = [name for name in found if all(word in name for word in words)]
        assert {str(rung): str(one.state) for rung, one in found[name].verdicts.items()} == states, name
    texts = [text for _, text in result.unused]
    texts += [
        f"posture of {one.subscription[:8]} is {'on' if one.is_known_on else 'not known'}" for one in result.posture
    ]
    for _, _, verdict in result.assessed.verdicts():
        counts = ", ".join(sorted(f"{state} {many}" for state, many in (verdict.counts or {}).items()))
        texts += [verdict.reason, *verdict.remarks, counts]
    for said in row.words:
        assert any(re.search(rf"(?<!\w){re.escape(said)}", text) for text in texts), (said, texts)


def test_which_alerts_are_samples() -> None:
    """A request to make some is no alert."""
    listed = "examples/Alerts/GetAlertsSubscription_example.json"
    for name, samples in (
        ("demisto-content/alerts_2022-01-01_api_excerpt.json", {True}),
        (f"azure-rest-api-specs/stable/2019-01-01/{listed}", {False}),
        (f"azure-rest-api-specs/preview/2015-06-01-preview/{listed}", {False}),
        ("coverage/arm/alerts.simulate.request.2022-01-01.from-typespec.json", set()),
    ):
        alerts = [fact for fact in read_facts(_sample(name)) if isinstance(fact, AlertFact)]
        assert {fact.is_sample for fact in alerts} == samples
        assert all(fact.time is not None and fact.type for fact in alerts)
