"""Whether a cluster is meant to have the sensor, by its profile, an extension or Helm; and whether EKS writes its logs."""

from __future__ import annotations

import pytest

from router.coverage.expected.manifest import NO_MANIFEST, Expectation
from router.coverage.facts import CoverageCase, Facts, RecommendationFact, ResourceFact, Source
from router.coverage.judges.clusters import judge_cluster_integration as judge
from router.coverage.kubernetes.commands import ASK_CLUSTER
from router.coverage.readers import read_facts
from router.coverage.remedies import ASK_CONNECTORS
from router.coverage.verdicts import CoverageState, Verdict
from router.domain.coverage import Rung
from router.domain.recommendations import find_recommendation
from tests.coverage.builders import (
    ARC_CLUSTER,
    CLUSTER,
    NOW,
    SUBSCRIPTION,
    Json,
    cluster_extension,
    connected_cluster,
    connector,
    document,
    eks_cluster,
    extension_of_plan,
    gke_cluster,
    judged,
    kubectl,
    managed_cluster,
    nodes,
    offering,
    pricing,
    resource,
    sensor,
    verdict,
)

COVERED, GAP, UNKNOWN = CoverageState.COVERED, CoverageState.GAP, CoverageState.UNKNOWN

POLICY = "microsoft.policyinsights"


def integration(name: str, *documents: object) -> Verdict:
    """What is known of the integration of the cluster of that name."""
    return verdict(judged(*documents), name, Rung.INTEGRATION)


def aks(**properties: object) -> Json:
    """An AKS cluster with those properties."""
    return resource(CLUSTER, "Microsoft.ContainerService/ManagedClusters", {"agentPoolProfiles": [], **properties})


def test_a_profile_that_asks_for_the_sensor_is_enough() -> None:
    """The plan's extension deploys it on clusters that do not ask for it themselves."""
    off = pricing("Containers", extensions=[extension_of_plan("ContainerSensor", enabled="False")])
    assert integration("payments", managed_cluster(), off).state is COVERED


@pytest.mark.parametrize(
    ("profile", "state"),
    [
        ({"defender": {"securityMonitoring": {"enabled": True}}}, COVERED),
        ({"defender": {"securityMonitoring": {"enabled": False}}}, GAP),
        ({"defender": {"logAnalyticsWorkspaceResourceId": "/w"}}, GAP),
        ({"azureDefender": {"enabled": True}}, COVERED),
        ({"azureDefender": {"enabled": False}}, GAP),
        ({"AzureDefender": {"Enabled": "true"}}, COVERED),
        ({"workloadIdentity": {"enabled": True}}, GAP),
        (None, GAP),
    ],
)
def test_both_forms_of_the_profile_are_read_and_a_missing_one_is_off(profile: object, state: CoverageState) -> None:
    """The older form went with api-version 2022-06."""
    assert integration("payments", aks(securityProfile=profile)).state is state


@pytest.mark.parametrize("more", [{}, {"addonProfiles": {"azurepolicy": {"enabled": True}}}])
def test_a_projection_without_the_profile_says_nothing_of_it(more: Json) -> None:
    """A row of Resource Graph that names the cluster, or what else was asked for."""
    row = {
        "id": CLUSTER,
        "name": "payments",
        "type": "microsoft.containerservice/managedclusters",
        "provisioningState": "Succeeded",
        **more,
    }
    found = integration("payments", [row])
    assert (found.state, found.remedy) == (
        UNKNOWN,
        "az aks show --resource-group rg --name payments --subscription 11111111-1111-1111-1111-111111111111 -o json",
    )


def test_a_gap_names_the_command_the_tag_and_the_extension_of_the_plan() -> None:
    """The plan stays green while they leave the cluster out."""
    cluster = managed_cluster(has_sensor=False, tags={"ms_defender_container_exclude_sensors": "True", "team": "a"})
    off = pricing("Containers", extensions=[extension_of_plan("ContainerSensor", enabled="False")])
    found = integration("payments", cluster, off)
    assert found.state is GAP
    assert found.reason == (
        "the security profile does not ask for the sensor; its tag ms_defender_container_exclude_sensors leaves it out; "
        "ContainerSensor of the plan Containers is off: audit-log detections only, no node ever sees a sensor"
    )
    assert (found.remedy or "").startswith("az aks update --enable-defender --resource-group rg --name payments ")


def test_a_name_in_a_remedy_is_one_word_of_the_shell() -> None:
    """Names in documents are untrusted."""
    id = "/subscriptions/s/resourceGroups/r g/providers/Microsoft.ContainerService/managedClusters/$(reboot)"
    found = integration("$(reboot)", managed_cluster(id, has_sensor=False))
    assert "--resource-group 'r g' --name '$(reboot)'" in (found.remedy or "")


@pytest.mark.parametrize("namespace", ["mdc", "kube-system"])
def test_helm_covers_a_cluster_whose_profile_is_off(namespace: str) -> None:
    """Its recommendation stays Unhealthy for ever, and the remark says so."""
    found = integration("payments", managed_cluster(has_sensor=False), kubectl(*sensor(namespace=namespace)))
    assert found.state is COVERED
    assert "56a83a6e-c417-42ec-b567-1e6fcb3d09a9 stays Unhealthy for ever" in found.remarks[0]


def test_the_worse_of_two_profiles_counts() -> None:
    """The contradiction is said."""
    found = integration("payments", managed_cluster(), managed_cluster(has_sensor=False))
    assert found.state is GAP
    assert found.remarks == ("the documents contradict each other; the worse one counts",)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("Succeeded", COVERED),
        ("succeeded", COVERED),
        ("Failed", GAP),
        ("Deleting", GAP),
        ("Canceled", GAP),
        ("Pending", UNKNOWN),
        ("Creating", UNKNOWN),
        ("Updating", UNKNOWN),
        ("", UNKNOWN),
    ],
)
def test_an_extension_of_arc_is_there_when_it_succeeded(state: str, expected: CoverageState) -> None:
    """One that is on its way there is asked for again, and so is one without a state."""
    assert integration("edge", connected_cluster(), cluster_extension(state=state)).state is expected


def test_an_extension_that_failed_is_put_again_under_its_own_name() -> None:
    """One that is pending goes on by itself, and is looked at again."""
    failed = {**cluster_extension(state="Failed"), "id": f"{cluster_extension()['id']}".rpartition("/")[0] + "/my-own"}
    assert (integration("edge", failed).remedy or "").startswith(
        "az k8s-extension create --name my-own --extension-type microsoft.azuredefender.kubernetes "
    )
    pending = integration("edge", cluster_extension(state="Pending"))
    assert (pending.remedy or "").startswith("az k8s-extension list ")
    assert "is pending" in pending.reason
    assert integration("edge", cluster_extension(state="Pending"), failed).state is GAP


def test_an_extension_is_read_in_every_form() -> None:
    """As `az k8s-extension` flattens it, by its older name for the state, and as Resource Graph cases it."""
    rest = cluster_extension()
    flat = {
        **rest,
        "properties": None,
        "extensionType": "Microsoft.AzureDefender.Kubernetes",
        "installState": "Installed",
    }
    row = {
        **rest,
        "properties": {"ExtensionType": "microsoft.azuredefender.kubernetes", "ProvisioningState": "Succeeded"},
    }
    for one in (flat, row, {"data": [row], "count": 1}):
        assert integration("edge", one).state is COVERED


@pytest.mark.parametrize(
    ("documents", "state"),
    [
        ((connected_cluster(),), UNKNOWN),
        ((connected_cluster(), []), UNKNOWN),
        ((connected_cluster(), cluster_extension(POLICY)), UNKNOWN),
        ((connected_cluster(), [cluster_extension(POLICY)]), GAP),
        (({"value": [cluster_extension(POLICY)], "nextLink": "/more"},), UNKNOWN),
        ((connected_cluster(), [cluster_extension(POLICY)], cluster_extension()), COVERED),
        (({"id": f"{ARC_CLUSTER}/providers/Microsoft.KubernetesConfiguration/extensions", "value": []},), GAP),
    ],
)
def test_only_a_whole_list_shows_that_an_extension_is_absent(
    documents: tuple[object, ...], state: CoverageState
) -> None:
    """An empty list does not say whose it is, unless it was asked to."""
    found = integration("edge", *documents)
    assert found.state is state
    if state is GAP:
        assert (found.remedy or "").startswith("az k8s-extension create --name microsoft.azuredefender.kubernetes ")


def test_what_lists_the_extensions_says_whose_they_are() -> None:
    """So that an empty answer is one, too."""
    assert integration("edge", connected_cluster()).remedy == (
        "az k8s-extension list --cluster-type connectedClusters --cluster-name edge --resource-group rg "
        f"--subscription {SUBSCRIPTION} --query "
        f"""'{{id: `"{ARC_CLUSTER}/providers/Microsoft.KubernetesConfiguration/extensions"`, value: @}}' -o json"""
    )


def test_a_cluster_that_arc_does_not_hear_of_has_an_old_answer() -> None:
    """The extension's row stays as it was."""
    found = integration("edge", connected_cluster(connectivity="Offline"), cluster_extension())
    assert found.remarks == ("Azure Arc says that it is offline, so the state of the extension is an old one",)


def test_helm_covers_a_cluster_of_arc() -> None:
    """Though the extension is not in its list."""
    found = integration("edge", connected_cluster(), [cluster_extension(POLICY)], kubectl(*sensor(namespace="mdc")))
    assert found.state is COVERED
    assert "3ef9848c-c2c8-4ff3-8b9c-4c8eb8ddfce6" in found.remarks[0]


@pytest.mark.parametrize(
    ("cluster", "key"),
    [
        ({"id": CLUSTER, "type": "Microsoft.ContainerService/managedClusters"}, "56a83a6e-c417-42ec-b567-1e6fcb3d09a9"),
        (connected_cluster(), "3ef9848c-c2c8-4ff3-8b9c-4c8eb8ddfce6"),
    ],
)
@pytest.mark.parametrize(("code", "state"), [("unhealthy", GAP), ("healthy", UNKNOWN), ("notapplicable", UNKNOWN)])
def test_a_recommendation_shows_a_gap_and_never_covers(
    cluster: Json, key: str, code: str, state: CoverageState
) -> None:
    """Where nothing else was asked."""
    facts = list(read_facts(document(cluster)))
    workload = next(fact.workload for fact in facts if isinstance(fact, ResourceFact))
    said = RecommendationFact(
        subject=workload.subject,
        recommendation=key,
        known=find_recommendation(key),
        title="",
        code=code,
        cause="",
        source=Source(document="a.json"),
    )
    case = CoverageCase(
        workload=workload, expectation=Expectation(), manifest=NO_MANIFEST, facts=Facts.of([*facts, said]), now=NOW
    )
    found = judge(case)
    assert found is not None
    assert found.state is state


def test_what_only_kubectl_shows_is_of_no_known_cloud() -> None:
    """A sensor is there, but who knows whether an EKS cluster's control plane is logged."""
    found = integration("prod", document(kubectl(*sensor()), "k.json", "prod"))
    assert found.state is UNKNOWN
    assert "a sensor is in it" in found.reason


EKS_CONTEXT = "arn:aws:eks:eu-west-1:123456789012:cluster/checkout"
GKE_CONTEXT = "gke_shop-prod_europe-west1_carts"


@pytest.mark.parametrize(
    ("name", "ask"),
    [
        ("prod", "az aks list -o json"),
        (EKS_CONTEXT, "aws eks describe-cluster --region eu-west-1 --name checkout --output json"),
        (
            GKE_CONTEXT,
            "gcloud container clusters describe carts --location europe-west1 --project shop-prod --format json",
        ),
        ("arn:aws:eks:eu-west-1:1:cluster/--profile", "az aks list -o json"),
        ("gke_-x_--y_--z", "az aks list -o json"),
    ],
)
def test_the_name_of_a_context_says_which_cloud_is_to_be_asked(name: str, ask: str) -> None:
    """As the command lines of the clouds name contexts; Azure's do it by the cluster's name alone."""
    result = judged(document(kubectl(*sensor()), "k.json", name))
    assert [verdict(result, name, rung).remedy for rung in (Rung.INTEGRATION, Rung.PLAN)] == [ask, ask]


@pytest.mark.parametrize(
    ("context", "name", "described"), [(EKS_CONTEXT, "checkout", eks_cluster()), (GKE_CONTEXT, "carts", gke_cluster())]
)
def test_what_that_cloud_answers_is_of_the_cluster_of_the_context(context: str, name: str, described: Json) -> None:
    """Else the answer would be of another cluster, which nobody asked with kubectl."""
    result = judged(document(kubectl(*sensor(), *nodes()), "k.json", context), described)
    assert [row.workload.name for row in result.assessed.rows] == [name]
    assert verdict(result, name, Rung.SENSOR_RUNNING).state is COVERED


def test_a_name_that_azure_does_not_have_is_said() -> None:
    """It may be misspelt: the file is then of a cluster of its own, and the one that it means stays unknown."""
    listed = document([managed_cluster()], "clusters.json")
    found = integration("payment", document(kubectl(*sensor()), "k.json", "payment"), listed)
    assert found.state is UNKNOWN
    assert "Azure has none called payment in clusters.json" in found.reason
    assert "Azure" not in integration("payment", document(kubectl(*sensor()), "k.json", "payment")).reason
    assert "Azure" not in integration(EKS_CONTEXT, document(kubectl(*sensor()), "k.json", EKS_CONTEXT), listed).reason


LOGGED = eks_cluster("audit", "authenticator")
CONNECTOR = str(connector()["id"]).lower()


@pytest.mark.parametrize(
    ("connected", "says", "ask"),
    [
        ([], "no document says what brings it the sensor", ASK_CONNECTORS),
        ([connector(account="999")], "the connectors that were given are of others", ASK_CLUSTER),
        ([connector(offering("CspmMonitorAws"))], "the connector has no plan for containers", ASK_CLUSTER),
        (
            [connector(offering("DefenderForContainersAws"))],
            "the connector does not say whether it brings the sensor",
            f"az resource show --ids {CONNECTOR} -o json",
        ),
    ],
)
def test_what_was_answered_is_not_asked_again(connected: list[Json], says: str, ask: str) -> None:
    """Somebody would run the same query for ever; the cluster itself may show a sensor that came by Helm."""
    found = integration("checkout", LOGGED, *connected)
    assert found.state is UNKNOWN
    assert found.remedy is not None
    assert found.remedy.startswith(ask)
    assert says in found.reason


AGENT_ON = connector(offering("DefenderForContainersAws", enableDefenderAgentAutoProvisioning=True))
AGENT_OFF = connector(offering("DefenderForContainersAws", enableDefenderAgentAutoProvisioning=False))


@pytest.mark.parametrize(
    ("documents", "state"),
    [
        ((eks_cluster("audit", "authenticator"), AGENT_ON), COVERED),
        ((eks_cluster("audit", "authenticator"), AGENT_OFF), GAP),
        ((eks_cluster("audit", "authenticator"),), UNKNOWN),
        ((eks_cluster("audit", "authenticator"), kubectl(*sensor(namespace="mdc"))), COVERED),
        ((eks_cluster("audit"), AGENT_ON), GAP),
        ((eks_cluster("authenticator"), kubectl(*sensor(namespace="mdc"))), GAP),
        ((eks_cluster(logging=None), AGENT_ON), UNKNOWN),
        ((eks_cluster("audit", "authenticator", account="999999999999"), AGENT_ON), UNKNOWN),
    ],
)
def test_eks_needs_its_logs_and_the_sensor(documents: tuple[object, ...], state: CoverageState) -> None:
    """Without both logs no alert of the control plane comes, whatever runs on the nodes."""
    assert integration("checkout", *documents).state is state


def test_the_logs_of_eks_are_turned_on_by_one_line() -> None:
    """With the region of the cluster."""
    found = integration("checkout", eks_cluster())
    assert found.reason == "its control plane writes no audit and no authenticator log, so no alert of it can come"
    assert (found.remedy or "").startswith(
        "aws eks update-cluster-config --region eu-west-1 --name checkout --logging "
    )


@pytest.mark.parametrize(
    ("documents", "state"),
    [
        ((gke_cluster(),), UNKNOWN),
        ((gke_cluster(autopilot={"enabled": True}),), CoverageState.NOT_COVERABLE),
        ((gke_cluster(autopilot={"enabled": True}), kubectl(*sensor(namespace="mdc"))), COVERED),
        (
            (
                gke_cluster(autopilot={}),
                connector(
                    offering("DefenderForContainersGcp", enableDefenderAgentAutoProvisioning=True),
                    cloud="GCP",
                    account="42",
                ),
            ),
            COVERED,
        ),
    ],
)
def test_gke_gets_the_sensor_from_the_connector_of_its_project(
    documents: tuple[object, ...], state: CoverageState
) -> None:
    """Which Google's documents name by its id, and the connector by id and number."""
    assert integration("carts", *documents).state is state


def test_a_label_of_gke_is_a_reason() -> None:
    """It leaves the cluster out of what the connector deploys."""
    found = integration("carts", gke_cluster(resourceLabels={"ms_defender_container_exclude_agents": "true"}))
    assert "its tag ms_defender_container_exclude_agents leaves it out" in found.reason


def test_tags_that_are_no_object_say_nothing() -> None:
    """As another tool may write them."""
    assert integration("checkout", eks_cluster("audit", "authenticator", tags=["team"]), AGENT_ON).state is COVERED


def test_arc_and_aks_are_told_apart_by_their_ids() -> None:
    """An extension of an AKS cluster says nothing of its profile."""
    found = integration("payments", cluster_extension(cluster=CLUSTER))
    assert found.state is UNKNOWN
    assert integration("edge", cluster_extension(cluster=ARC_CLUSTER)).state is COVERED


@pytest.mark.parametrize(
    ("addons", "expected"),
    [
        ({"azurepolicy": {"enabled": True}}, True),
        ({"azurePolicy": {"enabled": True}}, True),
        ({"azurepolicy": {"enabled": False}}, False),
        (None, False),
    ],
)
def test_the_policy_add_on_is_read_in_either_case(addons: object, expected: bool) -> None:
    """Microsoft writes it in two."""
    facts = read_facts(document(aks(addonProfiles=addons)))
    assert [getattr(one, "has_policy", None) for one in facts][1:] == [expected]
