"""What a responder looks for first, out of entities in every place they can stand."""

from __future__ import annotations

import pytest

from router.domain.evidence import Evidence
from router.parse import evidence_of
from router.parse.evidence import MOST
from tests.parse.messages import a_flat_alert, read_alert

_CLUSTER = "/subscriptions/x/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/aks-1"


def _evidence(*entities: object) -> Evidence:
    return evidence_of(read_alert(a_flat_alert(Entities=list(entities))))


def test_a_cluster_s_entities_are_told_apart() -> None:
    """Cluster, namespace, pod, container and image are found through their references, each once."""
    resource = {"$id": "5", "ResourceId": _CLUSTER, "Type": "azure-resource"}
    found = _evidence(
        {"$id": "4", "CloudResource": resource, "Type": "K8s-cluster"},
        {"$ref": "5"},
        {"$id": "7", "Name": "shop", "Cluster": {"$ref": "4"}, "Type": "K8s-namespace"},
        {"$id": "8", "Name": "cart-1", "Namespace": {"$ref": "7"}, "Type": "K8s-pod"},
        {
            "$id": "9",
            "Name": "cart",
            "Image": {"$id": "10", "ImageId": "cart:1", "Type": "container-image"},
            "Type": "container",
        },
        {"$id": "11", "Name": "node-1", "Type": "K8s-node"},
    )
    assert found == Evidence(
        clusters=("aks-1",),
        namespaces=("shop",),
        pods=("cart-1",),
        containers=("cart",),
        images=("cart:1",),
        nodes=("node-1",),
        resources=(_CLUSTER,),
    )


def test_a_process_brings_its_file_and_hashes() -> None:
    """A process is its command line and id; its file and that file's hashes are evidence too."""
    hashes = [{"$id": "8", "Algorithm": "sha256", "Value": "abc", "Type": "filehash"}]
    file = {"$id": "7", "Directory": "/tmp", "Name": "x", "FileHashes": hashes, "Type": "file"}  # noqa: S108
    found = _evidence({"$id": "9", "ProcessId": "0x1e", "CommandLine": "x -t 4", "ImageFile": file, "Type": "process"})
    assert found == Evidence(processes=("x -t 4 (0x1e)",), files=("/tmp/x",), hashes=("SHA256:abc",))  # noqa: S108


@pytest.mark.parametrize(
    ("process", "words"),
    [
        ({"CommandLine": "x"}, ("x",)),
        ({"ProcessId": 7, "ImageFile": {"$ref": "1"}}, ("C:\\tools\\x.exe (7)",)),
        ({"ProcessId": "7"}, ("(7)",)),
        ({"CommandLine": ""}, ()),
    ],
)
def test_a_process_is_told_by_what_it_has(process: dict[str, object], words: tuple[str, ...]) -> None:
    """A process without a command line is told by its file, else by its id alone."""
    file = {"$id": "1", "Directory": "C:\\tools\\", "Name": "x.exe", "Type": "file"}
    assert _evidence(file, process | {"Type": "process"}).processes == words


@pytest.mark.parametrize(
    ("account", "words"),
    [
        ({"Name": "ada", "NTDomain": "CONTOSO", "UPNSuffix": "contoso.com"}, "CONTOSO\\ada"),
        ({"Name": "ada", "NTDomain": "", "UPNSuffix": "contoso.com"}, "ada@contoso.com"),
        ({"Name": "ada@contoso.com", "UPNSuffix": "contoso.com"}, "ada@contoso.com"),
        ({"Name": "CONTOSO\\ada", "NTDomain": "CONTOSO"}, "CONTOSO\\ada"),
        ({"Name": "ada"}, "ada"),
        ({"aadUserId": "u-1"}, "u-1"),
        ({"Sid": "S-1"}, "S-1"),
    ],
)
def test_an_account_is_written_as_people_know_it(account: dict[str, object], words: str) -> None:
    """An account is DOMAIN\\name, name@suffix, or its name; without one, its id."""
    assert _evidence(account | {"Type": "account"}).accounts == (words,)


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ({"HostName": "web-01", "DnsDomain": ""}, "web-01"),
        ({"HostName": "web-01", "DnsDomain": "contoso.com"}, "web-01.contoso.com"),
        ({"HostName": "web-01.contoso.com", "DnsDomain": "Contoso.com"}, "web-01.contoso.com"),
        ({"NetBiosName": "WEB-01"}, "WEB-01"),
        ({"azureID": "/a/b/web-01/"}, "web-01"),
    ],
)
def test_a_host_is_told_by_its_name_else_by_its_resource(host: dict[str, object], words: str) -> None:
    """A host that carries only its resource id is called as that resource is."""
    assert _evidence(host | {"Type": "host"}).hosts == (words,)


def test_files_take_the_slash_of_their_directory() -> None:
    """A path is written as its system writes it."""
    files = [("/opt/", "a"), ("C:\\x", "b"), ("https://store/c", "d"), (None, "e"), ("/f", None)]
    found = _evidence(*({"Directory": directory, "Name": name, "Type": "file"} for directory, name in files))
    assert found.files == ("/opt/a", "C:\\x\\b", "https://store/c/d", "e", "/f")


def test_what_stands_twice_is_told_once_and_in_order() -> None:
    """Repeats are left out, and the first of them keeps its place."""
    addresses = ["192.0.2.2", "192.0.2.1", "192.0.2.2"]
    assert _evidence(*({"Address": address, "Type": "ip"} for address in addresses)).ips == ("192.0.2.2", "192.0.2.1")


@pytest.mark.parametrize(
    ("count", "last"), [(MOST, "ip-49"), (MOST + 1, "... and 2 more"), (5_000, "... and 4951 more")]
)
def test_a_list_is_bounded_and_says_what_it_leaves_out(count: int, last: str) -> None:
    """A list holds at most fifty elements, the last of which tells how many more there are."""
    ips = _evidence(*({"Address": f"ip-{number}", "Type": "ip"} for number in range(count))).ips
    assert (len(ips), ips[-1]) == (MOST, last)


def test_an_alert_without_entities_has_no_evidence() -> None:
    """No entities, no evidence; and entities without a value leave none."""
    assert _evidence() == _evidence({"Type": "ip"}, {"Type": "url", "Url": ""}, 5, None) == Evidence()


def test_urls_are_evidence() -> None:
    """A url entity is told as it is."""
    assert _evidence({"url": "https://example.com/x", "type": "url"}).urls == ("https://example.com/x",)
