"""Whether a cluster is meant to have the sensor, and what must be on beside the plan of registries, accounts and machines."""

from functools import partial
from itertools import combinations, permutations

from router.coverage.expected.manifest import CoverageManifest
from router.coverage.kubernetes.commands import ASK_CLUSTER
from router.coverage.readers import read_facts
from router.coverage.remedies import ASK_CONNECTORS
from router.coverage.verdicts import Verdict
from router.domain.coverage import Rung
from tests.coverage import builders as az
from tests.coverage.builders import COVERED, GAP, UNKNOWN, cluster_extension, connected_cluster, eks_cluster, pricing
from tests.coverage.machine_builders import assessment

POLICY = "microsoft.policyinsights"
PROFILE_KEY, EXTENSION_KEY = "56a83a6e-c417-42ec-b567-1e6fcb3d09a9", "3ef9848c-c2c8-4ff3-8b9c-4c8eb8ddfce6"
HELM = az.kubectl(*az.sensor(namespace="mdc"))
EKS_CONTEXT = "arn:aws:eks:eu-west-1:123456789012:cluster/checkout"
GKE_CONTEXT = "gke_shop-prod_europe-west1_carts"
LOGGED = eks_cluster("audit", "authenticator")
SENSOR_OFF = pricing("Containers", extensions=[az.extension_of_plan("ContainerSensor", enabled="False")])


integration = partial(az.known, on=Rung.INTEGRATION)
aks, arc, eks = (partial(integration, of=name) for name in ("payments", "edge", "checkout"))


def with_properties(**properties: object) -> list[az.Json]:
    """A cluster of AKS that has those properties."""
    said = {"agentPoolProfiles": [], **properties}
    return [az.resource(az.CLUSTER, "Microsoft.ContainerService/ManagedClusters", said)]


def test_a_profile_asks_for_the_sensor_or_is_a_gap(hold: az.Hold) -> None:
    """In both forms; a missing one is off, and of two the worse one counts. Its policy add-on is read in either case."""
    type = "microsoft.containerservice/managedclusters"
    row = {"id": az.CLUSTER, "name": "payments", "type": type, "provisioningState": "x"}
    on = ({"defender": {"securityMonitoring": {"enabled": True}}}, {"AzureDefender": {"Enabled": "true"}})
    off: tuple[object, ...] = (
        {"defender": {"securityMonitoring": {"enabled": False}}},
        {"defender": {"logAnalyticsWorkspaceResourceId": "/w"}},
        *({"azureDefender": {"enabled": False}}, {"workloadIdentity": {"enabled": True}}, None),
    )
    show = f"az aks show --resource-group rg --name payments --subscription {az.SUBSCRIPTION} -o json"
    contradiction = "the documents contradict each other; the worse one counts"
    hold(
        aks,
        (COVERED, *(with_properties(securityProfile=one) for one in on), [az.managed_cluster(), SENSOR_OFF]),
        (GAP, *(with_properties(securityProfile=one) for one in off)),
        (GAP, contradiction, [az.managed_cluster(), az.managed_cluster(has_sensor=False)]),
        # A row that names the cluster, or what else was asked for, says nothing of its profile.
        (UNKNOWN, "", show, [[row]], [[{**row, "addonProfiles": {"azurepolicy": {"enabled": True}}}]]),
        (UNKNOWN, [cluster_extension(cluster=az.CLUSTER)]),
    )
    for addons, expected in (
        ({"azurepolicy": {"enabled": True}}, True),
        ({"azurePolicy": {"enabled": True}}, True),
        ({"azurepolicy": {"enabled": False}}, False),
        (None, False),
    ):
        facts = read_facts(az.document(with_properties(addonProfiles=addons)[0]))
        assert [getattr(one, "has_policy", None) for one in facts][1:] == [expected]


def test_a_gap_names_the_command_the_tag_and_the_extension_of_the_plan(hold: az.Hold) -> None:
    """The plan stays green while they leave the cluster out. A name in a document is one word of the shell."""
    said = (
        "the security profile does not ask for the sensor; its tag ms_defender_container_exclude_sensors leaves it out; "
        "ContainerSensor of the plan Containers is off: audit-log detections only, no node ever sees a sensor"
    )
    enable, tags = "az aks update --enable-defender ", {"ms_defender_container_exclude_sensors": "True", "team": "a"}
    hold(
        aks,
        (
            GAP,
            said,
            f"{enable}--resource-group rg --name payments ",
            [az.managed_cluster(has_sensor=False, tags=tags), SENSOR_OFF],
        ),
    )
    id = "/subscriptions/s/resourceGroups/r g/providers/Microsoft.ContainerService/managedClusters/$(reboot)"
    hostile = integration(az.managed_cluster(id, has_sensor=False), of="$(reboot)")
    assert (hostile.remedy or "").startswith(f"{enable}--resource-group 'r g' --name '$(reboot)'")
    of_gke = integration(az.gke_cluster(resourceLabels={"ms_defender_container_exclude_agents": "true"}), of="carts")
    assert "its tag ms_defender_container_exclude_agents leaves it out" in of_gke.reason


def test_helm_covers_a_cluster_that_azure_did_not_ask_it_for(hold: az.Hold) -> None:
    """Its recommendation stays Unhealthy for ever, and the remark says so; alone one shows a gap, and never covers."""
    unasked, kube_system = az.managed_cluster(has_sensor=False), az.kubectl(*az.sensor())
    ever = "stays Unhealthy for ever"
    hold(aks, (COVERED, f"{PROFILE_KEY} {ever}", [unasked, HELM], [unasked, kube_system]))
    hold(arc, (COVERED, f"{EXTENSION_KEY} {ever}", [connected_cluster(), [cluster_extension(POLICY)], HELM]))
    cluster = {"id": az.CLUSTER, "type": "Microsoft.ContainerService/managedClusters"}
    arcs = arc, connected_cluster(), EXTENSION_KEY, az.ARC_CLUSTER
    for judge, one, key, id in ((aks, cluster, PROFILE_KEY, az.CLUSTER), arcs):
        said = {code: [one, assessment(key, code, of=id)] for code in ("Unhealthy", "Healthy", "NotApplicable")}
        hold(judge, (GAP, said.pop("Unhealthy")), (UNKNOWN, *said.values()))


def test_an_extension_of_arc_is_there_when_it_succeeded(hold: az.Hold) -> None:
    """In each form. One on its way is asked for again, one that failed is put anew; only a whole list shows that none is."""
    rest, name = cluster_extension(), "Microsoft.AzureDefender.Kubernetes"
    flat = {**rest, "properties": None, "extensionType": name, "installState": "Installed"}
    row = {**rest, "properties": {"ExtensionType": name.lower(), "ProvisioningState": "Succeeded"}}
    listed = f"{az.ARC_CLUSTER}/providers/Microsoft.KubernetesConfiguration/extensions"
    other, cluster, empty = cluster_extension(POLICY), connected_cluster(), {"id": listed, "value": []}
    failed = {**cluster_extension(state="Failed"), "id": f"{listed}/my-own"}
    ask, create = "az k8s-extension list ", "az k8s-extension create --name"
    again = f"{create} my-own --extension-type microsoft.azuredefender.kubernetes "
    offline = "Azure Arc says that it is offline, so the state of the extension is an old one"
    hold(
        arc,
        (COVERED, *([cluster_extension(state=one)] for one in ("Succeeded", "succeeded"))),
        (GAP, *([cluster_extension(state=one)] for one in ("Failed", "Deleting", "Canceled"))),
        (GAP, "", again, [failed], [cluster_extension(state="Pending"), failed]),
        (UNKNOWN, "is pending", ask, [cluster_extension(state="Pending")]),
        (UNKNOWN, *([cluster_extension(state=one)] for one in ("Creating", "Updating", ""))),
        (COVERED, [flat], [row], [{"data": [row], "count": 1}], [cluster, [other], rest]),
        (COVERED, offline, [connected_cluster(connectivity="Offline"), rest]),
        (UNKNOWN, "", ask, [cluster], [cluster, []], [cluster, other]),
        (UNKNOWN, [{"value": [other], "nextLink": "/more"}]),
        (GAP, "", f"{create} {name.lower()} ", [cluster, [other]], [empty]),
    )
    assert arc(cluster).remedy == (
        f"{ask}--cluster-type connectedClusters --cluster-name edge --resource-group rg "
        f"--subscription {az.SUBSCRIPTION} --query '{{id: `\"{listed}\"`, value: @}}' -o json"
    )


def test_the_name_of_a_context_says_which_cloud_is_to_be_asked() -> None:
    """As the clouds' command lines name contexts. One that Azure does not have may be misspelt, and that is said."""
    gcloud = "gcloud container clusters describe carts --location europe-west1 --project shop-prod --format json"
    azure = "az aks list -o json"
    for name, ask in {
        EKS_CONTEXT: "aws eks describe-cluster --region eu-west-1 --name checkout --output json",
        GKE_CONTEXT: gcloud,
        **dict.fromkeys(("prod", "arn:aws:eks:eu-west-1:1:cluster/--profile", "gke_-x_--y_--z"), azure),
    }.items():
        sensor = az.document(az.kubectl(*az.sensor()), "k.json", name)
        found = integration(sensor, of=name)
        assert (found.state, "a sensor is in it" in found.reason) == (UNKNOWN, True)
        assert found.remedy == az.known(sensor, of=name, on=Rung.PLAN).remedy == ask
    gke = GKE_CONTEXT, "carts", az.gke_cluster()
    for context, name, described in ((EKS_CONTEXT, "checkout", eks_cluster()), gke):
        result = az.judged(az.document(az.kubectl(*az.sensor(), *az.nodes()), "k.json", context), described)
        assert [row.workload.name for row in result.assessed.rows] == [name]
        assert az.verdict(result, name, Rung.SENSOR_RUNNING).state is COVERED
    listed = az.document([az.managed_cluster()], "clusters.json")
    misspelt, elsewhere = (az.document(az.kubectl(*az.sensor()), "k.json", name) for name in ("payment", EKS_CONTEXT))
    found = integration(misspelt, listed, of="payment")
    assert (found.state, "Azure has none called payment in clusters.json" in found.reason) == (UNKNOWN, True)
    assert "Azure" not in integration(misspelt, of="payment").reason
    assert "Azure" not in integration(elsewhere, listed, of=EKS_CONTEXT).reason


def test_eks_needs_its_logs_and_the_sensor_and_gke_a_connector(hold: az.Hold) -> None:
    """Without both logs no alert of EKS' control plane comes. GKE's project is named by its id, the connector by both."""
    plans = [{"enableDefenderAgentAutoProvisioning": one} for one in (True, False)]
    on, off, silent = (az.connector(az.offering("DefenderForContainersAws", **one)) for one in (*plans, {}))
    mend = "aws eks update-cluster-config --region eu-west-1 --name checkout --logging "
    show = f"az resource show --ids {str(az.connector()['id']).lower()} -o json"
    without = "the connector has no plan for containers"
    hold(
        eks,
        # Tags may be no object, as another tool writes them.
        (COVERED, [LOGGED, on], [LOGGED, HELM], [eks_cluster("audit", "authenticator", tags=["team"]), on]),
        (GAP, [LOGGED, off], [eks_cluster("audit"), on], [eks_cluster("authenticator"), HELM]),
        (GAP, "writes no audit and no authenticator log, so no alert of it can come", mend, [eks_cluster()]),
        (UNKNOWN, [eks_cluster(logging=None), on]),
        (UNKNOWN, [eks_cluster("audit", "authenticator", account="999999999999"), on]),
        (UNKNOWN, "no document says what brings it the sensor", ASK_CONNECTORS, [LOGGED]),
        (
            UNKNOWN,
            "the connectors that were given are of others",
            f"{ASK_CLUSTER} ",
            [LOGGED, az.connector(account="999")],
        ),
        (UNKNOWN, without, f"{ASK_CLUSTER} ", [LOGGED, az.connector(az.offering("CspmMonitorAws"))]),
        (UNKNOWN, "the connector does not say whether it brings the sensor", show, [LOGGED, silent]),
    )
    brings = az.offering("DefenderForContainersGcp", enableDefenderAgentAutoProvisioning=True)
    autopilot = az.gke_cluster(autopilot={"enabled": True})
    project = az.connector(brings, cloud="GCP", account="42")
    hold(
        partial(integration, of="carts"),
        (UNKNOWN, [az.gke_cluster()]),
        (az.NOT_COVERABLE, [autopilot]),
        (COVERED, [autopilot, HELM], [az.gke_cluster(autopilot={}), project]),
    )


REGISTRY = az.resource(az.REGISTRY, "Microsoft.ContainerRegistry/registries")
ACCOUNT_ID = f"{az.GROUP}/Microsoft.Storage/storageAccounts/files"
ACCOUNT = az.resource(ACCOUNT_ID, "Microsoft.Storage/storageAccounts")
SCANS = "ContainerRegistriesVulnerabilityAssessments"
MALWARE, DISCOVERY = "OnUploadMalwareScanning", "SensitiveDataDiscovery"

WITHOUT_LINUX = "WDATP_EXCLUDE_LINUX_PUBLIC_PREVIEW"
PLAN = pricing("VirtualMachines", subPlan="P2")
ON, OFF = az.security_setting(), az.security_setting(enabled=False)


def containers(
    tier: str = "Standard", *, enabled: object = "True", failed: bool = False, scope: str | None = None
) -> az.Json:
    """The plan Containers with the extension that scans registries, at the subscription or at the registry itself."""
    status = {"operationStatus": {"code": "Failed", "message": "no role"}} if failed else {}
    extensions = [{**az.extension_of_plan(SCANS, enabled=enabled), **status}]
    if scope is not None:
        return pricing("Containers", tier, scope=scope, extensions=extensions)
    coverage = "FullyCovered" if tier == "Standard" else "NotCovered"
    return pricing("Containers", tier, extensions=extensions, resourcesCoverageStatus=coverage)


def test_the_images_of_a_registry_are_scanned_where_plan_and_extension_are_on(hold: az.Hold) -> None:
    """At the subscription, or at the registry itself; of two answers the worse one counts, and only one to PUT says why."""
    scans, own = [az.extension_of_plan(SCANS)], containers(scope=az.REGISTRY)
    security, here = (
        f"/subscriptions/{az.SUBSCRIPTION}/providers/Microsoft.Security",
        f"--subscription {az.SUBSCRIPTION}",
    )
    ask = f"az rest --method get --url '{security}/pricings?api-version=2024-01-01'"
    mend = f"az security pricing create -n Containers --tier standard --extensions name={SCANS} isEnabled=True {here}"
    failed = f"extension {SCANS} failed to be switched on: no role, so nobody scans its images"
    hold(
        partial(az.known, REGISTRY, of="images", on=Rung.INTEGRATION),
        (COVERED, [containers()], [containers(enabled="true")], [containers(), own], [containers("Free"), own]),
        (GAP, "", mend, [containers(enabled="False")]),
        (GAP, [containers("Free")], [containers("Free", enabled="False")], [containers(), containers("Free")]),
        (GAP, [containers(), containers("Free", scope=az.REGISTRY)], [containers(), containers(enabled="False")]),
        (GAP, [containers(), containers(enabled="False", scope=az.REGISTRY)]),
        (GAP, failed, [containers(failed=True)], [containers(), containers(failed=True)]),
        (UNKNOWN, "", ask, []),
        (UNKNOWN, [containers(enabled=None)], [pricing("Containers")], [pricing("Containers", extensions=scans)]),
        (UNKNOWN, [pricing("CloudPosture", extensions=scans)]),
        (UNKNOWN, [pricing("CloudPosture", scope=az.REGISTRY, extensions=scans)]),
    )


def test_a_storage_account_is_as_good_as_the_worst_extension_that_is_expected(hold: az.Hold) -> None:
    """In any case of names; what scans nothing by its own setting is a gap. Where none is expected there is no rung."""

    def account(manifest: CoverageManifest, malware: object, discovery: object, *own: az.Json) -> Verdict:
        said = ((MALWARE, malware), (DISCOVERY, discovery))
        extensions = [az.extension_of_plan(name, enabled=enabled) for name, enabled in said]
        fields = {"subPlan": "DefenderForStorageV2", "resourcesCoverageStatus": "FullyCovered"}
        plan = pricing("StorageAccounts", extensions=extensions, **fields)
        return az.known(ACCOUNT, plan, *own, of="files", on=Rung.INTEGRATION, manifest=manifest)

    both, one = (az.expecting_plans(None, *some) for some in ((MALWARE.lower(), DISCOVERY), (MALWARE,)))
    switches = {"isEnabled": True, "overrideSubscriptionLevelSettings": True}
    off = {"malwareScanning": {"onUpload": {"isEnabled": False}}}
    hold(
        account,
        (COVERED, [both, "True", "True"], [one, "True", "False"]),
        (GAP, [both, "True", "False"], [both, "False", None]),
        (GAP, [one, "True", None, az.setting(ACCOUNT_ID, "defenderForStorageSettings", **switches, **off)]),
        (UNKNOWN, [both, "True", None]),
    )
    for manifest in (az.expecting_plans(), az.expecting_plans(None, SCANS), az.expecting(Rung.INTEGRATION)):
        (row,) = az.judged(ACCOUNT, manifest=manifest).assessed.rows
        assert Rung.INTEGRATION not in row.verdicts


def machine(*documents: object, system: str | None = "windows", tags: dict[str, str] | None = None) -> Verdict:
    """What is known of a machine of that system."""
    disk = {"storageProfile": {"osDisk": {"osType": system}}} if system else {}
    one = az.resource(az.MACHINE, "Microsoft.Compute/virtualMachines", disk, tags=tags or {})
    return az.known(one, *documents, of="web-1", on=Rung.INTEGRATION)


def settings(*names: str, **others: bool) -> list[az.Json]:
    """A whole list of settings: those that are on, and others."""
    return [*map(az.security_setting, names), *(az.security_setting(name, enabled=on) for name, on in others.items())]


def test_a_machine_needs_the_integration_and_the_plan(hold: az.Hold) -> None:
    """In each form of the setting. Its own plan is enough; nothing rests on direct onboarding. Of two the worse one counts."""
    free, own = pricing("VirtualMachines", "Free"), pricing("VirtualMachines", scope=az.MACHINE)
    without = "WDATP is on, but the plan VirtualMachines is off, so nothing is deployed"
    onboarding = [{"name": "MdeDesignatedSubscription", "isEnabled": "False"}]
    url = f"/subscriptions/{az.SUBSCRIPTION}/providers/Microsoft.Security/"
    body = """--body '{"kind": "DataExportSettings", "properties": {"enabled": true}}'"""
    put = f"az rest --method put --url '{url}settings/WDATP?api-version=2022-05-01' {body}"
    offs = (OFF, az.security_setting(enabled="False"), [{**ON, "properties": None, "enabled": False}])
    unasked = ((), (PLAN,), (ON,), (*settings("MCAS", "WDATP_VNEXT"), PLAN))
    hold(
        machine,
        (COVERED, [ON, PLAN], [ON, free, own], [ON, pricing("VirtualMachines", extensions=onboarding)]),
        (GAP, without, [ON, free]),
        (GAP, "", put, *([off, PLAN] for off in offs), *permutations((ON, OFF, PLAN))),
        (UNKNOWN, "", f"az rest --method get --url '{url}", *unasked),
    )
    assert [one.field for one in machine(ON, PLAN).evidence] == ["properties.enabled", "properties.pricingTier"]
    assert "--tier standard --subplan P2" in (machine(ON, free).remedy or "")


def test_linux_is_covered_only_where_it_is_known_not_to_be_left_out() -> None:
    """By the setting, or a whole list that names such settings. What else keeps the sensor off is a remark."""
    left_out, taken_in = (settings("WDATP", **{WITHOUT_LINUX: one}) for one in (True, False))
    listed = settings("WDATP", "WDATP_UNIFIED_SOLUTION")
    for said, *expected in (
        (left_out, GAP, COVERED, UNKNOWN),
        (taken_in, COVERED, COVERED, COVERED),
        (ON, UNKNOWN, COVERED, UNKNOWN),
        (settings("MCAS", "WDATP"), UNKNOWN, COVERED, UNKNOWN),
        (listed, COVERED, COVERED, COVERED),
        ({"value": listed, "nextLink": "/more"}, UNKNOWN, COVERED, UNKNOWN),
    ):
        assert [machine(said, PLAN, system=one).state for one in ("linux", "windows", None)] == expected, said
    free = pricing("VirtualMachines", "Free", scope=az.MACHINE)
    tags = {"excludeMDEAutoProvisioning": "True"}
    found = machine(settings("WDATP", WDATP_UNIFIED_SOLUTION=False), PLAN, free, tags=tags)
    assert found.state is COVERED
    assert found.remarks == (
        "WDATP_UNIFIED_SOLUTION is off, so Windows Server 2012 R2 and 2016 may have no sensor",
        "its tag excludeMDEAutoProvisioning keeps Defender for Endpoint off it",
        "the plan VirtualMachines is off at the machine itself: see the rung plan",
    )


def test_removing_an_answer_never_covers_a_machine() -> None:
    """Of all sets of answers, each against the same without one of them."""
    own = pricing("VirtualMachines", scope=az.MACHINE)
    refused = {"error": {"code": "SubscriptionNotRegistered", "message": "none"}}
    answers: tuple[object, ...] = (ON, settings("WDATP", "WDATP_UNIFIED_SOLUTION"), PLAN, own, refused)
    answers += (az.security_setting(WITHOUT_LINUX, enabled=False), az.security_setting("MCAS"))
    every = [chosen for many in range(len(answers) + 1) for chosen in combinations(range(len(answers)), many)]
    for system in ("linux", None):
        covered = {some: machine(*(answers[one] for one in some), system=system).state is COVERED for some in every}
        assert True in covered.values()
        for some in (one for one, is_covered in covered.items() if not is_covered):
            assert not any(covered[tuple(one for one in some if one != removed)] for removed in some), some
