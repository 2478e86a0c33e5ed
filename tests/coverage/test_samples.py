"""Every document of ../shared/samples/coverage, and some of its neighbours, read as a careful person reads it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
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
        verdicts: the rungs and states of each workload, which is found by words of its name and id. All others are unknown.
        words: what is to be among the reasons and the remarks, or why a document is not used.
        beside: what else is given.
        manifest: what is expected.
        now: when it is judged.
        posture: whether recommendations are known to come, by the beginning of a subscription; None where that is not asked.
    """

    files: tuple[str, ...]
    verdicts: Mapping[str, str] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    beside: tuple[object, ...] = ()
    manifest: CoverageManifest = NO_MANIFEST
    now: datetime = NOW
    posture: Mapping[str, bool] | None = None


REFUSED = "coverage/arg/resources.table-format.*"
"""A document of a shape that no command of today prints."""

NOTHING = "says nothing of what is judged"
CLUSTER = (
    "plan unknown, integration unknown, sensor-installed unknown, sensor-running unknown, admission-audits unknown"
)
MACHINE = "plan unknown, integration unknown, sensor-installed unknown, sensor-running unknown"


def but(usual: str, *others: str) -> str:
    """What is said of a kind of workload of which nothing is known, with other states on some rungs."""
    states = dict(one.split(" ", 1) for one in (*usual.split(", "), *others))
    return ", ".join(f"{rung} {state}" for rung, state in states.items())


def _tool(
    name: str,
    verdicts: Mapping[str, str],
    *words: str,
    beside: tuple[object, ...] = (),
    posture: Mapping[str, bool] | None = None,
) -> SampleRow:
    return SampleRow((f"coverage/{name}*",), verdicts, words, beside, posture=posture)


def _machine_in(subscription: str) -> object:
    id = f"/subscriptions/{subscription}/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/web-1"
    return resource(id, "Microsoft.Compute/virtualMachines")


ARM = [
    _tool("arm/alerts.simulate.request.", {}, NOTHING),
    # Two scale sets, and a recommendation that is deprecated: neither is judged by it.
    _tool("arm/assessments.list.offbypolicy.", {}),
    _tool(
        "arm/automations.GetAutomationsSubscription_", {"a5caac9c": "plan unknown, export gap"}, "leads to no event hub"
    ),
    # The answer to a request about one automation does not say what others there are.
    _tool(
        "arm/automations.PutAutomationAllAssessments_",
        {"a5caac9c": "plan unknown, export unknown"},
        "leads to no event hub",
    ),
    _tool(
        "arm/automations.PutDisableAutomation_", {"a5caac9c": "plan unknown, export unknown"}, "leads to no event hub"
    ),
    _tool("arm/automations.ValidateAutomation_", {}, NOTHING),
    # A second after it was made: it is on its way.
    _tool("arm/k8s-extension.azuredefender.", {"myCluster": CLUSTER}, "microsoft.azuredefender.kubernetes is pending"),
    _tool("arm/k8s-extension.azurepolicy.", {"my-test-cluster": CLUSTER}, "no document says whether the extension"),
    _tool(
        "arm/managedClusters.create.defender.",
        {"clustername1": but(CLUSTER, "integration covered")},
        "asks for the sensor",
    ),
    _tool(
        "arm/pricings.get.CloudPosture.managed-by-m365.",
        {"20ff7fc3": "plan unknown"},
        "no answer says whether VirtualMachines, Containers",
        posture={"20ff7fc3": True},
    ),
    # The second id of the example is of another subscription, of whose machine it names only the plan of posture.
    _tool(
        "arm/pricings.list.resource-vm.",
        {"VM-1 20ff7fc3": but(MACHINE, "plan covered"), "VM-1 d34fd44c": MACHINE},
        "VirtualMachines is on at the resource itself",
        "leaves out what has a tag TestKey1=TestValue1",
    ),
    # The example names two subscriptions in one list.
    _tool(
        "arm/pricings.list.subscription.",
        {"20ff7fc3": "plan unknown", "d34fd44c": "plan unknown"},
        "AppServices is Free",
        "VirtualMachines is switched off at some resources",
        "no answer says whether VirtualMachines, SqlServers",
        posture={"20ff7fc3": False, "d34fd44c": True},
    ),
    _tool(
        "arm/pricings.put.CloudPosture.partial-success.",
        {"20ff7fc3": "plan unknown"},
        "AgentlessVmScanning of CloudPosture failed to be switched on",
        "AgentlessDiscoveryForKubernetes of CloudPosture failed to be switched on",
        "SensitiveDataDiscovery of CloudPosture failed to be switched on",
    ),
    _tool(
        "arm/pricings.put.resource-aks.Containers.", {"demo-aks-cluster": but(CLUSTER, "plan covered")}, "free trial"
    ),
    # Settings are of all machines of a subscription, and name none.
    _tool("arm/settings.list.2022-05-01.azure-rest-api-specs-2022", {}),
    _tool("arm/settings.list.2022-05-01.azure-rest-api-specs-2026", {}),
    # The older settings of a database server decide nothing: the plan does.
    _tool("arm/sql.server.advancedThreatProtectionSettings.", {}, NOTHING),
]

_FREE = "Containers, SqlServers, SqlServerVirtualMachines, OpenSourceRelationalDatabases, CosmosDbs, KeyVaults"
_ZERO = "00000000"
_EA42 = "ea42f556-5106-4743-99b0-c129bfa71a47"
_20FF = "20ff7fc3-e762-44dd-bd96-b71116dcdc23"

NO_ENDPOINT = but(MACHINE, "sensor-installed gap")
ONLY_OTHERS = "none brings Defender for Endpoint: it has only"
TOOLS = [
    _tool("arg/resources.first-page.", {}, "was cut: 3 of 386 rows were given"),
    _tool("azure-cli/az-security-pricing-list", {_ZERO: "plan gap"}, _FREE, "VirtualMachines P1"),
    _tool("azure-cli/az-security-setting-list", {}),
    *(
        _tool(file, {"web-1": but(MACHINE, "integration gap")}, "WDATP", beside=(_machine_in(_20FF),))
        for file in (
            "azure-cli/az-security-setting-list",
            "arm/settings.list.2022-05-01.azure-rest-api-specs-2022",
            "arm/settings.list.2022-05-01.azure-rest-api-specs-2026",
        )
    ),
    _tool(
        "azure-cli/recording.managedClusters.put.azureDefender-legacy",
        {"cliakstest000002": but(CLUSTER, "integration covered")},
        "the security profile asks for the sensor",
    ),
    _tool("azure-cli/recording.pricings.list", {_ZERO: "plan gap"}, _FREE, posture={_ZERO: True}),
    _tool(
        "azure-cli/recording.pricings.put-then-get",
        {_ZERO: "plan unknown"},
        "no answer says whether Containers",
        "leaves out what has a tag A=B",
    ),
    _tool(
        "cloud-custodian/AksTest",
        {"cctestaks": but(CLUSTER, "integration gap")},
        "the security profile does not ask for the sensor",
    ),
    _tool("cloud-custodian/DefenderTest.test_azure_defender_assessments", {}),
    # Of the Log Analytics agent, which is retired.
    _tool("cloud-custodian/DefenderTest.test_azure_defender_autoprovisioning", {}, NOTHING),
    # Containers is absent, both plans that it replaced are on, and newer plans were not listed in 2018.
    _tool(
        "cloud-custodian/DefenderTest.test_azure_defender_pricing",
        {"ea42f556": "plan unknown"},
        "OpenSourceRelationalDatabases is Free",
        "KubernetesService, ContainerRegistry are enabled, and deprecated",
        posture={"ea42f556": False},
    ),
    _tool("cloud-custodian/DefenderTest.test_azure_defender_setting", {}),
    # The integration is on; whether the plan is that deploys by it, nobody asked.
    _tool("cloud-custodian/DefenderTest.test_azure_defender_setting", {"web-1": MACHINE}, beside=(_machine_in(_EA42),)),
    _tool(
        "cloud-custodian/MySQLSecurityAlertPolicies",
        dict.fromkeys(("344-mysql-server-green", "344-mysql-server-red", "terragoat-mysql-dev604"), "plan unknown"),
    ),
    _tool("cloud-custodian/ResourceGraphSource*storage", {"cctstoragey6akyqpagdt3o": "plan unknown"}),
    _tool("cloud-custodian/ResourceGraphSource*vm", {"cctestvm": NO_ENDPOINT}, ONLY_OTHERS),
    _tool(
        "cloud-custodian/SqlServerSecurityAlertPolicies",
        dict.fromkeys(("cctestsqlserverp2fkgne6rt5vw", "server-016cisads"), "plan unknown"),
    ),
    _tool("cloud-custodian/VMTest.virtual_machine_extensions", {"cctestvm": NO_ENDPOINT}, ONLY_OTHERS),
    _tool(
        "constructed/arg/mde-extensions",
        {**dict.fromkeys(("web-1", "sql-1"), but(MACHINE, "sensor-installed covered")), "web-2": NO_ENDPOINT},
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
    return SampleRow((_TRUSTED,), {"11111111": f"export {state}"}, (words,), manifest=manifest)


def _rules(file: str, state: str | None, words: str, now: datetime = NOW) -> SampleRow:
    subscription = {} if state is None else {"subscription": f"plan unknown, suppression {state}"}
    return SampleRow((file,), subscription, (words,), now=now)


SUBSCRIPTIONS = [
    SampleRow((_TRUSTED,), {"11111111": "plan unknown, export unknown"}, ("write export.alerts in the manifest",)),
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
    "absent": ("gap", "gap"),
    "covered": ("covered", "covered"),
    **dict.fromkeys(("dark-pod-security", "desired-zero", "one-not-ready"), ("covered", "gap")),
    "stale-status": ("covered", "unknown"),
}
"""DaemonSets beside three nodes: whether a sensor is installed, and whether it runs."""

_EVENTS, _NAMESPACE = "events.failed-create.pod-security", "namespace.kube-system.pod-security-baseline"
_CRASHING, _MIXED = "pods.defender.one-crashing", "nodes.mixed"


def _sensor(names: str, installed: str, running: str, *words: str) -> SampleRow:
    files = tuple(f"coverage/constructed/kubectl/{name}.json" for name in names.split())
    said = but(CLUSTER, f"sensor-installed {installed}", f"sensor-running {running}")
    return SampleRow(files, {"payments": said}, words)


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
        _sensor(f"ds.kube-system.dark-pod-security {_LINUX} {one}", "covered", "gap", "Pod Security refuses its pods")
        for one in (_EVENTS, _NAMESPACE)
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
    said = {"payments": f"admission-audits {state}, admission-denies {state}"}
    return SampleRow(files, said, words, beside, BOTH)


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
    """By the whole gate: which workloads come of it, each rung of them with its state, and why."""
    for row in ROWS:
        with subtests.test("+".join(one.rpartition("/")[2] for one in row.files), now=row.now):
            _assert_read(row)


def _assert_read(row: SampleRow) -> None:
    given = "payments" if any(part in row.files[0] for part in ("/kubectl/", "/gatekeeper/")) else None
    beside = [document(one, f"{number}.json", given) for number, one in enumerate(row.beside)]
    result = judge_documents([*(_sample(one, given) for one in row.files), *beside], row.manifest, row.now)
    found = {f"{one.workload.name} {one.workload.subject} {one.workload.kind}": one for one in result.assessed.rows}
    assert len(found) == len(row.verdicts), list(found)
    for words, states in row.verdicts.items():
        (name,) = [name for name in found if all(word in name for word in words.split())]
        said = {str(rung): str(one.state) for rung, one in found[name].verdicts.items()}
        assert said == dict(one.split(" ", 1) for one in states.split(", ")), name
    texts = [text for _, text in result.unused]
    for _, _, verdict in result.assessed.verdicts():
        counts = ", ".join(sorted(f"{state} {many}" for state, many in (verdict.counts or {}).items()))
        texts += [verdict.reason, *verdict.remarks, counts]
    for words in row.words:
        assert any(re.search(rf"(?<!\w){re.escape(words)}", text) for text in texts), (words, texts)
    if row.posture is not None:
        assert {one.subscription[:8]: one.is_known_on for one in result.posture} == row.posture


def test_each_sample_of_coverage_has_a_row() -> None:
    """One that is added must be read, too."""
    read = {file for row in ROWS for file in SAMPLES.glob(row.files[0])} | set(SAMPLES.glob(REFUSED))
    assert [str(one) for one in sorted((SAMPLES / "coverage").rglob("*.json")) if one not in read] == []


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
