"""Whether a sensor was deployed to a cluster, what left it out, what would answer it; no other cluster speaks for it."""

import shlex
from functools import partial

import pytest

from router.coverage.gate import GateResult
from router.coverage.kubernetes.commands import ASK_CLUSTER
from router.coverage.verdicts import Verdict
from router.domain.coverage import Rung
from router.domain.errors import BadUsage
from tests.coverage import builders as az
from tests.coverage.builders import COVERED, GAP, NOT_COVERABLE, UNKNOWN, Hold, Json, judged, kubectl, nodes, verdict
from tests.coverage.kubernetes_builders import COLLECTOR, PUBLISHER, as_object, collector, part, pod, publisher, running

BOTH = (Rung.SENSOR_INSTALLED, Rung.SENSOR_RUNNING)
INSTALL = "az aks update --enable-defender --name payments --resource-group RESOURCE_GROUP"
ENABLE = f"az aks update --enable-defender --resource-group rg --name payments --subscription {az.SUBSCRIPTION}"
ASK = f"{ASK_CLUSTER} {az.IN_PAYMENTS} > payments.json"
PROXY = az.daemon_set("kube-proxy", image="mcr.microsoft.com/oss/kubernetes/kube-proxy:v1.34")
LIVE, DARK = kubectl(*az.sensor(), *nodes()), kubectl(*az.sensor(ready=0), *nodes())
EKS, GKE = "arn:aws:eks:eu-west-1:123456789012:cluster/shop", "gke_shop-prod_europe-west1_carts"


def on(rung: Rung, *documents: Json, name: str = "payments") -> Verdict:
    """What documents say of a cluster on a rung; all of them are of that cluster."""
    named = [az.document(one, f"{number}.json", name) for number, one in enumerate(documents)]
    return az.known(*named, of=name, on=rung)


installed, runs = (partial(on, rung) for rung in BOTH)


def cluster(**properties: object) -> Json:
    """A cluster of which Azure says little else."""
    return az.resource(az.CLUSTER, "Microsoft.ContainerService/managedClusters", properties)


def test_what_azure_says_of_a_cluster_says_nothing_of_what_is_in_it(hold: Hold) -> None:
    """A profile makes no sensor run, and Helm needs none. One that is stopped is not coverable, unless a sensor is seen."""
    wishes = (az.managed_cluster(), az.managed_cluster(has_sensor=False))
    stopped, partly = cluster(powerState={"code": "Stopped"}), kubectl(*az.sensor(ready=1), *nodes())
    for judge in (installed, runs):
        hold(
            judge,
            (UNKNOWN, "give payments=payments.json", ASK, *([wish] for wish in wishes)),
            (UNKNOWN, [stopped, az.managed_cluster()]),
            (COVERED, [stopped, LIVE], *([wish, LIVE] for wish in wishes)),
            (NOT_COVERABLE, [stopped]),
        )
    hold(runs, (NOT_COVERABLE, [stopped, DARK]), (GAP, [stopped, partly]))
    hold(installed, (UNKNOWN, "security profile of the cluster does not ask", [wishes[1]]))
    assert "security profile" not in str(installed(cluster(addonProfiles={})).remarks)


def test_only_a_whole_list_of_a_namespace_of_defenders_shows_that_no_sensor_is_there(hold: Hold) -> None:
    """One by its name, the first page, another namespace's list and lists of something else prove no absence."""
    shop, web = (az.daemon_set("logger", namespace=name, image="x") for name in ("shop", "web"))
    typed, of_pods = (
        {"apiVersion": version, "kind": kind, "items": []}
        for version, kind in (("apps/v1", "DaemonSetList"), ("v1", "PodList"))
    )
    first_page = {**kubectl(PROXY), "metadata": {"continue": "token"}}
    for judge in (installed, runs):
        hold(
            judge,
            (GAP, "0.json, whose list is empty", INSTALL, [kubectl()]),
            (GAP, "sensor is in 0.json", INSTALL, [kubectl(PROXY)]),
            (GAP, "", INSTALL, [typed], [kubectl(shop), kubectl(PROXY)]),
            (GAP, "", INSTALL, [kubectl(shop, pod("node-0", "web", namespace="web"))]),
            (GAP, "", INSTALL, [kubectl(az.daemon_set("x", namespace="mdc", image="x"))]),
            (GAP, "", ENABLE, [kubectl(), az.managed_cluster()], [kubectl(PROXY), az.managed_cluster()]),
            (UNKNOWN, "", ASK, [kubectl(shop)], [kubectl(shop, *nodes())], [kubectl(shop), kubectl(web)], [PROXY]),
            (UNKNOWN, "", ASK, [first_page], [kubectl(*nodes())], [of_pods]),
        )


def test_what_shows_that_a_sensor_was_deployed(hold: Hold) -> None:
    """One that is dark, or the extension of Azure Arc, which says nothing of whether it runs; a part of one is none."""
    assert [installed(DARK).state, runs(DARK).state] == [COVERED, GAP]
    going = collector(metadata={"deletionTimestamp": "2026-11-25T00:00:00Z"})
    hold(installed, (GAP, [kubectl(publisher())], [kubectl(going, publisher())]), (COVERED, [kubectl(collector())]))
    there, failed, creating = (
        az.cluster_extension(state=one, cluster=az.CLUSTER) for one in ("Succeeded", "Failed", "Creating")
    )
    why = {"properties": {**as_object(failed, "properties"), "errorInfo": {"message": "no egress"}}}
    hold(installed, (COVERED, [there], [there, kubectl()]), (GAP, [failed, there]), (UNKNOWN, [creating]))
    hold(installed, (GAP, "no egress", [{**failed, **why}]))
    hold(runs, (GAP, [there, kubectl()]), (UNKNOWN, [there]))


def test_a_tag_that_leaves_a_cluster_out_is_the_reason(hold: Hold) -> None:
    """Only these names, and only where they say so; unless its sensor is seen to run: then somebody manages it by Helm."""
    names = ("exclude_sensors", "exclude_agents", "exclude_azurepolicy")
    sensors, agents, policy = (f"ms_defender_container_{name}" for name in names)
    partly = kubectl(*az.sensor(ready=2), *nodes())
    for name in (sensors, agents, "ms_defender_e2e_discovery_exclude", "MS_Defender_Container_Exclude_Sensors"):
        value = "true" if name.islower() else "True"
        excluded, said = az.managed_cluster(tags={name: value}), f"the tag {name}={value} leaves the cluster out"
        mend = f"az tag update --resource-id {az.CLUSTER} --operation Delete --tags {name}={value}"
        hold(installed, (GAP, said, mend, [excluded]), (COVERED, [excluded, LIVE]))
        hold(runs, (GAP, said, mend, [excluded]), (GAP, said, [excluded, DARK]), (COVERED, [excluded, LIVE]))
        assert runs(excluded, partly).reason.startswith("DaemonSet ")
    for tags in ({sensors: "false"}, {sensors: ""}, {policy: "true"}, {"exclude": "true"}):
        assert {judge(az.managed_cluster(tags=tags)).state for judge in (installed, runs)} == {UNKNOWN}


def test_a_sensor_that_is_missing_is_installed_as_its_cloud_has_it() -> None:
    """Elsewhere by Azure Arc; in Azure also where only nodes or name say so. Whatever it is called, the line runs only that."""

    def of(name: str, provider: str) -> GateResult:
        some = [{**one, "spec": {"providerID": provider}} for one in nodes()]
        return judged(az.document(kubectl(*some, az.daemon_set("kube-proxy", image="proxy")), "one.json", name))

    eks, gke = "arn:aws:eks:eu-west-1:111122223333:cluster/ledger", "gke_contoso-pay_europe-west4_ledger"
    for name, provider in ((eks, ""), (gke, ""), ("ledger", "aws:///eu-west-1a/i-0123"), ("ledger", "k3s://a")):
        for rung in BOTH:
            connect, create = map(shlex.split, (verdict(of(name, provider), name, rung).remedy or "").split("\n"))
            assert connect[:5] == ["az", "connectedk8s", "connect", "--name", "ledger"]
            assert connect[-2:] == ["--kube-context", name]
            assert create[:3] == ["az", "k8s-extension", "create"]
            assert "microsoft.azuredefender.kubernetes" in create
    for provider in ("azure:///subscriptions/x/resourceGroups/mc", ""):
        assert verdict(of("payments", provider), "payments", Rung.SENSOR_INSTALLED).remedy == INSTALL
    name = "../prod; rm -rf ~"
    found = runs(kubectl(*nodes()), name=name)
    assert found.remedy == f"{ASK_CLUSTER} --context '{name}' > prod-rm-rf.json"


IMAGES = [
    "mcr.microsoft.com/azuredefender/stable/pod-collector:1",
    "mcr.azure.cn/azuredefender/stable/low-level-collector@sha256:0",
    "mirror.example.com:5000/mcr/azuredefender/stable/low-level-collector:2",
]


def test_a_collector_is_found_however_it_was_deployed() -> None:
    """By image, labels, else name. What is another product's, runs once in a cluster, or collects nothing is none."""
    for name, where, image in (
        *((COLLECTOR, "kube-system", IMAGES[0]), ("microsoft-defender-collectors-ds", "mdc", IMAGES[0])),
        *(("microsoft-defender-collectors-ds", "kube-system", IMAGES[1]), (COLLECTOR, "mdc", IMAGES[2])),
        (COLLECTOR, "azuredefender", "mirror.example.com/no/name/of/defender"),
        ("renamed-by-somebody", "security", IMAGES[2]),
    ):
        found = running(part(name, namespace=where, image=image), publisher(namespace=where), *nodes())
        by_name = any("by its name alone" in one for one in found.remarks)
        assert (found.state, by_name) == (COVERED, "azuredefender/" not in image), name
    body = part("renamed", image="mirror.example.com/renamed")
    for labels in ({"dsName": "microsoft-defender-collector"}, {"app": "defender-k8s-sensor", "dsName": "collectors"}):
        spec = {**as_object(body, "spec"), "selector": {"matchLabels": labels}}
        assert running({**body, "spec": spec}, publisher(), *nodes()).state is COVERED
    for name, image in (
        *(("microsoft-defender-pod-collector-misc", IMAGES[0]), ("otel-collector", "otel/opentelemetry-collector")),
        ("microsoft-defender-pod-collector-virtual-kubelet", IMAGES[0]),
        ("microsoft-defender-something-ds", "mcr.microsoft.com/azuredefender/stable/anti-malware-collector:1.0.16"),
        ("collector", "example.com/notazuredefender/stable/pod-collector:1"),
    ):
        assert running(part(name, image=image), publisher(), *nodes()).state is GAP, name
    for image in ("registry.k8s.io/pause:3.9", "busybox", "mirror.example.com:5000/ubuntu@sha256:0"):
        found = running(part(COLLECTOR, image=image), part(PUBLISHER, image=image), *nodes())
        assert (found.state, any(image in one and COLLECTOR in one for one in found.remarks)) == (GAP, True)


def test_a_file_speaks_of_its_own_cluster_alone() -> None:
    """One without a name is of the one cluster of the call, or of none, and that is said; what says nothing makes none."""
    apart = judged(az.document(LIVE, "healthy.json", "healthy"), az.document(DARK, "dark.json", "dark"))
    assert [verdict(apart, name, Rung.SENSOR_RUNNING).state for name in ("healthy", "dark")] == [COVERED, GAP]
    alone = judged(az.managed_cluster(), kubectl(*az.sensor()), kubectl(*nodes()))
    assert verdict(alone, "payments", Rung.SENSOR_RUNNING).state is COVERED
    lending = az.managed_cluster(az.CLUSTER.replace("payments", "lending"))
    for name in ("3.json", "nodes of payments.json", "nodes[1].json"):
        result = judged(az.managed_cluster(), lending, az.document(LIVE, name))
        assert {verdict(result, one, Rung.SENSOR_RUNNING).state for one in ("payments", "lending")} == {UNKNOWN}
        assert [unused for unused, _ in result.unused] == [name]
    nothing = "says nothing of what is judged"
    nameless = "does not say which cluster it is of; write NAME=FILE"
    for other, reason in (
        (kubectl(pod("node-0", "web", namespace="shop")), nameless),
        ({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}, nothing),
        ({"apiVersion": "example.com/v1", "kind": "Sensor"}, nothing),
    ):
        alone, both = judged(az.pricing("Containers")), judged(az.pricing("Containers"), other)
        assert (both.assessed, both.unused) == (alone.assessed, (("2.json", reason),))


def _node(number: int, where: str = "") -> Json:
    body = az.node(f"node-{number}")
    metadata = {**as_object(body, "metadata"), "uid": f"uid-{number}-{where}"}
    return {**body, "metadata": metadata, "spec": {"providerID": where}}


def test_uids_and_nodes_tell_clusters_apart() -> None:
    """One under two names, or two under one, would cover each other. What a node says of where it is counts, if it says it."""
    for first, second, uids in (("payments", "payments", "ab"), ("payments", "lending", "aa")):
        spaces = [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system", "uid": uid}} for uid in uids
        ]
        with pytest.raises(BadUsage, match=r"2\.json.*1\.json"):
            judged(az.document(spaces[0], "1.json", first), az.document(spaces[1], "2.json", second))
    answer = kubectl(*az.sensor(), *map(_node, range(3)))
    documents = [az.document(answer, f"{name}.json", name) for name in ("payments", "lending")]
    with pytest.raises(BadUsage, match=r"lending\.json items\[2\].*payments\.json items\[2\].*node node-0"):
        judged(*documents)
    assert judged(documents[0], az.document(answer, "again.json", "payments"))
    group, tail = "MC_rg_payments_westeurope", "providers/Microsoft.Compute/virtualMachineScaleSets/v/virtualMachines/0"
    azure = az.managed_cluster()
    mine = {**azure, "properties": {**as_object(azure, "properties"), "nodeResourceGroup": group}}
    in_aws, in_gcp = "aws:///eu-west-1a/i-0123456789abcdef0", "gce://shop-prod/europe-west1-b/gke-carts-1"
    in_azure = f"azure:///subscriptions/{az.SUBSCRIPTION}/resourceGroups/{group.lower()}/{tail}"
    in_lending = in_azure.replace("payments", "lending")
    own = {
        "payments": (in_azure, "kind://docker/kind/kind-control-plane", "azure:///subscriptions/0/x", ""),
        EKS: (in_aws, "eks-hybrid:///eu-west-1/shop/mi-0123456789abcdef0", ""),
        GKE: (in_gcp,),
        GKE.replace("west1", "west1-c"): (in_gcp,),
    }
    others = {
        "payments": (in_lending, f"azure:///subscriptions/22222222/resourceGroups/{group}/{tail}", in_aws, in_gcp),
        EKS: ("aws:///us-east-1a/i-0123456789abcdef0", in_gcp, in_azure),
        GKE: (*("gce://shop-test/europe-west1-b/c", "gce://shop-prod/us-west1-b/c", "gce://shop-prod"), in_aws),
    }
    for wheres, is_own in ((own, True), (others, False)):
        for name, where in ((name, where) for name, some in wheres.items() for where in some):
            answer = kubectl(*az.sensor(), *(_node(number, where) for number in range(3)))
            for given in (name, None) if name == "payments" else (name,):
                files = [az.document(answer, "answer.json", given), *([mine] if name == "payments" else [])]
                if is_own:
                    assert verdict(judged(*files), name, Rung.SENSOR_RUNNING).state is COVERED
                    continue
                with pytest.raises(BadUsage, match=r"is not of the cluster .+: node node-0 is in "):
                    judged(*files)
