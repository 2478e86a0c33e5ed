"""Whether a cluster is meant to have the sensor, by its profile, an extension or Helm; and whether EKS writes its logs."""

from __future__ import annotations

import pytest

from router.coverage.kubernetes.commands import ASK_CLUSTER
from router.coverage.readers import read_facts
from router.coverage.remedies import ASK_CONNECTORS
from router.coverage.verdicts import Verdict
from router.domain.coverage import Rung
from tests.coverage import builders as az
from tests.coverage.machine_builders import assessment

POLICY = "microsoft.policyinsights"
PROFILE_KEY, EXTENSION_KEY = "56a83a6e-c417-42ec-b567-1e6fcb3d09a9", "3ef9848c-c2c8-4ff3-8b9c-4c8eb8ddfce6"
HELM = az.kubectl(*az.sensor(namespace="mdc"))
EKS_CONTEXT = "arn:aws:eks:eu-west-1:123456789012:cluster/checkout"
GKE_CONTEXT = "gke_shop-prod_europe-west1_carts"
LOGGED = az.eks_cluster("audit", "authenticator")
SENSOR_OFF = az.pricing("Containers", extensions=[az.extension_of_plan("ContainerSensor", enabled="False")])


def integration(name: str, *documents: object) -> Verdict:
    """What is known of the integration of the cluster of that name."""
    return az.verdict(az.judged(*documents), name, Rung.INTEGRATION)


def aks(*documents: object) -> Verdict:
    """What is known of the cluster of AKS."""
    return integration("payments", *documents)


def arc(*documents: object) -> Verdict:
    """What is known of the cluster that Azure Arc connects."""
    return integration("edge", *documents)


def with_properties(**properties: object) -> list[az.Json]:
    """A cluster of AKS that has those properties."""
    return [
        az.resource(az.CLUSTER, "Microsoft.ContainerService/ManagedClusters", {"agentPoolProfiles": [], **properties})
    ]


def test_a_profile_asks_for_the_sensor_or_is_a_gap(subtests: pytest.Subtests) -> None:
    """In both forms, of which the older one went with api-version 2022-06; a missing one is off.

    The plan's extension deploys it on clusters that do not ask for it themselves, and of two profiles the worse one counts.
    """
    row = {
        "id": az.CLUSTER,
        "name": "payments",
        "type": "microsoft.containerservice/managedclusters",
        "provisioningState": "x",
    }
    on = ({"defender": {"securityMonitoring": {"enabled": True}}}, {"AzureDefender": {"Enabled": "true"}})
    off: tuple[object, ...] = (
        *(
            {"defender": {"securityMonitoring": {"enabled": False}}},
            {"defender": {"logAnalyticsWorkspaceResourceId": "/w"}},
        ),
        *({"azureDefender": {"enabled": False}}, {"workloadIdentity": {"enabled": True}}, None),
    )
    az.hold(
        subtests,
        aks,
        (az.COVERED, *(with_properties(securityProfile=one) for one in on), [az.managed_cluster(), SENSOR_OFF]),
        (az.GAP, *(with_properties(securityProfile=one) for one in off)),
        # A row that names the cluster, or what else was asked for, says nothing of its profile.
        (az.UNKNOWN, [[row]], [[{**row, "addonProfiles": {"azurepolicy": {"enabled": True}}}]]),
        (az.UNKNOWN, [az.cluster_extension(cluster=az.CLUSTER)]),
    )
    show = f"az aks show --resource-group rg --name payments --subscription {az.SUBSCRIPTION} -o json"
    assert aks([row]).remedy == show
    found = aks(az.managed_cluster(), az.managed_cluster(has_sensor=False))
    contradiction = "the documents contradict each other; the worse one counts"
    assert (found.state, found.remarks) == (az.GAP, (contradiction,))


def test_a_gap_names_the_command_the_tag_and_the_extension_of_the_plan() -> None:
    """The plan stays green while they leave the cluster out. A name in a document is one word of the shell."""
    tags = {"ms_defender_container_exclude_sensors": "True", "team": "a"}
    found = aks(az.managed_cluster(has_sensor=False, tags=tags), SENSOR_OFF)
    assert (found.state, found.reason) == (
        az.GAP,
        "the security profile does not ask for the sensor; its tag ms_defender_container_exclude_sensors leaves it out; "
        "ContainerSensor of the plan Containers is off: audit-log detections only, no node ever sees a sensor",
    )
    assert (found.remedy or "").startswith("az aks update --enable-defender --resource-group rg --name payments ")
    id = "/subscriptions/s/resourceGroups/r g/providers/Microsoft.ContainerService/managedClusters/$(reboot)"
    hostile = integration("$(reboot)", az.managed_cluster(id, has_sensor=False))
    assert "--resource-group 'r g' --name '$(reboot)'" in (hostile.remedy or "")
    of_gke = integration("carts", az.gke_cluster(resourceLabels={"ms_defender_container_exclude_agents": "true"}))
    assert "its tag ms_defender_container_exclude_agents leaves it out" in of_gke.reason


def test_helm_covers_a_cluster_that_azure_did_not_ask_it_for() -> None:
    """Its recommendation stays Unhealthy for ever, and the remark says so."""
    for found, key in (
        (aks(az.managed_cluster(has_sensor=False), HELM), PROFILE_KEY),
        (aks(az.managed_cluster(has_sensor=False), az.kubectl(*az.sensor())), PROFILE_KEY),
        (arc(az.connected_cluster(), [az.cluster_extension(POLICY)], HELM), EXTENSION_KEY),
    ):
        assert (found.state, f"{key} stays Unhealthy for ever" in found.remarks[0]) == (az.COVERED, True)


def test_an_extension_of_arc_is_there_when_it_succeeded(subtests: pytest.Subtests) -> None:
    """One that is on its way there is asked for again, and so is one without a state. Only a whole list shows that none is.

    It is read as `az k8s-extension` flattens it, by its older name for the state, and as Resource Graph cases it.
    """
    rest, name = az.cluster_extension(), "Microsoft.AzureDefender.Kubernetes"
    flat = {**rest, "properties": None, "extensionType": name, "installState": "Installed"}
    row = {**rest, "properties": {"ExtensionType": name.lower(), "ProvisioningState": "Succeeded"}}
    listed = f"{az.ARC_CLUSTER}/providers/Microsoft.KubernetesConfiguration/extensions"
    other = az.cluster_extension(POLICY)
    az.hold(
        subtests,
        arc,
        (az.COVERED, *([az.cluster_extension(state=one)] for one in ("Succeeded", "succeeded"))),
        (az.GAP, *([az.cluster_extension(state=one)] for one in ("Failed", "Deleting", "Canceled"))),
        (az.UNKNOWN, *([az.cluster_extension(state=one)] for one in ("Pending", "Creating", "Updating", ""))),
        (az.COVERED, [flat], [row], [{"data": [row], "count": 1}], [az.connected_cluster(), [other], rest]),
        (az.UNKNOWN, [az.connected_cluster()], [az.connected_cluster(), []], [az.connected_cluster(), other]),
        (az.UNKNOWN, [{"value": [other], "nextLink": "/more"}]),
        (az.GAP, [az.connected_cluster(), [other]], [{"id": listed, "value": []}]),
    )
    assert (arc({"id": listed, "value": []}).remedy or "").startswith(f"az k8s-extension create --name {name.lower()} ")
    assert arc(az.connected_cluster()).remedy == (
        "az k8s-extension list --cluster-type connectedClusters --cluster-name edge --resource-group rg "
        f"--subscription {az.SUBSCRIPTION} --query '{{id: `\"{listed}\"`, value: @}}' -o json"
    )


def test_an_extension_that_failed_is_put_again_under_its_own_name() -> None:
    """One that is pending goes on by itself, and is looked at again; where Arc hears nothing, its state is an old one."""
    failed = {
        **az.cluster_extension(state="Failed"),
        "id": f"{az.cluster_extension()['id']}".rpartition("/")[0] + "/my-own",
    }
    again = "az k8s-extension create --name my-own --extension-type microsoft.azuredefender.kubernetes "
    assert (arc(failed).remedy or "").startswith(again)
    pending = arc(az.cluster_extension(state="Pending"))
    assert (pending.remedy or "").startswith("az k8s-extension list ")
    assert "is pending" in pending.reason
    assert arc(az.cluster_extension(state="Pending"), failed).state is az.GAP
    found = arc(az.connected_cluster(connectivity="Offline"), az.cluster_extension())
    assert found.remarks == ("Azure Arc says that it is offline, so the state of the extension is an old one",)


def test_a_recommendation_shows_a_gap_and_never_covers(subtests: pytest.Subtests) -> None:
    """Where nothing else was asked, and posture is not known to be on."""
    cluster = {"id": az.CLUSTER, "type": "Microsoft.ContainerService/managedClusters"}
    for judge, one, key, id in (
        (aks, cluster, PROFILE_KEY, az.CLUSTER),
        (arc, az.connected_cluster(), EXTENSION_KEY, az.ARC_CLUSTER),
    ):
        said = {code: [one, assessment(key, code, of=id)] for code in ("Unhealthy", "Healthy", "NotApplicable")}
        az.hold(subtests, judge, (az.GAP, said.pop("Unhealthy")), (az.UNKNOWN, *said.values()))


def test_the_name_of_a_context_says_which_cloud_is_to_be_asked() -> None:
    """As the command lines of the clouds name contexts; Azure's do it by the cluster's name alone.

    A sensor is there, but who knows whether an EKS cluster's control plane is logged.
    """
    gcloud = "gcloud container clusters describe carts --location europe-west1 --project shop-prod --format json"
    for name, ask in {
        "prod": "az aks list -o json",
        EKS_CONTEXT: "aws eks describe-cluster --region eu-west-1 --name checkout --output json",
        GKE_CONTEXT: gcloud,
        "arn:aws:eks:eu-west-1:1:cluster/--profile": "az aks list -o json",
        "gke_-x_--y_--z": "az aks list -o json",
    }.items():
        result = az.judged(az.document(az.kubectl(*az.sensor()), "k.json", name))
        assert [az.verdict(result, name, rung).remedy for rung in (Rung.INTEGRATION, Rung.PLAN)] == [ask, ask]
        found = az.verdict(result, name, Rung.INTEGRATION)
        assert (found.state, "a sensor is in it" in found.reason) == (az.UNKNOWN, True)
    for context, name, described in (
        (EKS_CONTEXT, "checkout", az.eks_cluster()),
        (GKE_CONTEXT, "carts", az.gke_cluster()),
    ):
        result = az.judged(az.document(az.kubectl(*az.sensor(), *az.nodes()), "k.json", context), described)
        assert [row.workload.name for row in result.assessed.rows] == [name]
        assert az.verdict(result, name, Rung.SENSOR_RUNNING).state is az.COVERED


def test_a_name_that_azure_does_not_have_is_said() -> None:
    """It may be misspelt: the file is then of a cluster of its own, and the one that it means stays unknown."""
    listed = az.document([az.managed_cluster()], "clusters.json")
    misspelt, elsewhere = (az.document(az.kubectl(*az.sensor()), "k.json", name) for name in ("payment", EKS_CONTEXT))
    found = integration("payment", misspelt, listed)
    assert (found.state, "Azure has none called payment in clusters.json" in found.reason) == (az.UNKNOWN, True)
    assert "Azure" not in integration("payment", misspelt).reason
    assert "Azure" not in integration(EKS_CONTEXT, elsewhere, listed).reason


def test_what_was_answered_is_not_asked_again() -> None:
    """Somebody would run the same query for ever; the cluster itself may show a sensor that came by Helm."""
    containers = [az.connector(az.offering("DefenderForContainersAws"))]
    show = f"az resource show --ids {str(az.connector()['id']).lower()} -o json"
    for connected, says, ask in (
        ([], "no document says what brings it the sensor", ASK_CONNECTORS),
        ([az.connector(account="999")], "the connectors that were given are of others", ASK_CLUSTER),
        ([az.connector(az.offering("CspmMonitorAws"))], "the connector has no plan for containers", ASK_CLUSTER),
        (containers, "the connector does not say whether it brings the sensor", show),
    ):
        found = integration("checkout", LOGGED, *connected)
        assert (found.state, says in found.reason) == (az.UNKNOWN, True)
        assert (found.remedy or "").startswith(ask)


def test_eks_needs_its_logs_and_the_sensor(subtests: pytest.Subtests) -> None:
    """Without both logs no alert of the control plane comes, whatever runs on the nodes; one line turns them on."""
    on, off = (
        az.connector(az.offering("DefenderForContainersAws", enableDefenderAgentAutoProvisioning=one))
        for one in (True, False)
    )

    def eks(*documents: object) -> Verdict:
        return integration("checkout", *documents)

    az.hold(
        subtests,
        eks,
        # Tags may be no object, as another tool writes them.
        (az.COVERED, [LOGGED, on], [LOGGED, HELM], [az.eks_cluster("audit", "authenticator", tags=["team"]), on]),
        (az.GAP, [LOGGED, off], [az.eks_cluster("audit"), on], [az.eks_cluster("authenticator"), HELM]),
        (az.UNKNOWN, [LOGGED], [az.eks_cluster(logging=None), on]),
        (az.UNKNOWN, [az.eks_cluster("audit", "authenticator", account="999999999999"), on]),
    )
    found = eks(az.eks_cluster())
    assert found.reason == "its control plane writes no audit and no authenticator log, so no alert of it can come"
    assert (found.remedy or "").startswith(
        "aws eks update-cluster-config --region eu-west-1 --name checkout --logging "
    )


def test_gke_gets_the_sensor_from_the_connector_of_its_project(subtests: pytest.Subtests) -> None:
    """Which Google's documents name by its id, and the connector by id and number."""
    brings = az.offering("DefenderForContainersGcp", enableDefenderAgentAutoProvisioning=True)
    autopilot = az.gke_cluster(autopilot={"enabled": True})
    project = az.connector(brings, cloud="GCP", account="42")
    az.hold(
        subtests,
        lambda *documents: integration("carts", *documents),
        (az.UNKNOWN, [az.gke_cluster()]),
        (az.NOT_COVERABLE, [autopilot]),
        (az.COVERED, [autopilot, HELM], [az.gke_cluster(autopilot={}), project]),
    )


def test_the_policy_add_on_is_read_in_either_case() -> None:
    """Microsoft writes it in two."""
    for addons, expected in (
        ({"azurepolicy": {"enabled": True}}, True),
        ({"azurePolicy": {"enabled": True}}, True),
        ({"azurepolicy": {"enabled": False}}, False),
        (None, False),
    ):
        facts = read_facts(az.document(with_properties(addonProfiles=addons)[0]))
        assert [getattr(one, "has_policy", None) for one in facts][1:] == [expected]
