"""What a responder looks for first, out of entities in every place they can stand."""

from __future__ import annotations

import pytest

from router.domain.evidence import LONGEST, Evidence
from router.parse import evidence_of
from router.parse.evidence import MOST
from tests.parse.messages import CATALOGUE, a_flat_alert, read_alert

_CLUSTER = "/subscriptions/x/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/aks-1"


def _evidence(*entities: object) -> Evidence:
    return evidence_of(read_alert(a_flat_alert(Entities=list(entities), ExtendedProperties={})), CATALOGUE)


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
    """A process is its file, command line and id; its file and that file's hashes are evidence too."""
    hashes = [{"$id": "8", "Algorithm": "sha256", "Value": "abc", "Type": "filehash"}]
    file = {"$id": "7", "Directory": "/tmp", "Name": "x", "FileHashes": hashes, "Type": "file"}  # noqa: S108
    found = _evidence({"$id": "9", "ProcessId": "0x1e", "CommandLine": "x -t 4", "ImageFile": file, "Type": "process"})
    assert found == Evidence(processes=("/tmp/x: x -t 4 (0x1e)",), files=("/tmp/x",), hashes=("SHA256:abc",))  # noqa: S108


@pytest.mark.parametrize(
    ("process", "words"),
    [
        ({"CommandLine": "x"}, ("x",)),
        ({"ProcessId": 7, "ImageFile": {"$ref": "1"}}, ("C:\\tools\\x.exe (7)",)),
        ({"ProcessId": "7"}, ("process 7",)),
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


@pytest.mark.parametrize(
    ("entity", "found"),
    [
        ({"Type": "K8s-service", "Name": "web"}, {"services": ("web",)}),
        ({"Type": "K8s-service-account", "Name": "ci"}, {"service_accounts": ("ci",)}),
        ({"Type": "K8s-deployment", "Name": "cart"}, {"workloads": ("cart",)}),
        ({"Type": "K8s-config-map", "Name": "env"}, {"kubernetes_objects": ("env",)}),
        ({"Type": "container-image", "Digest": "sha256:ab"}, {"images": ("sha256:ab",)}),
        ({"Type": "service-principal", "Name": "etl", "AppId": "7"}, {"accounts": ("etl",)}),
        ({"Type": "malware", "Name": "EICAR", "Category": "Virus"}, {"malware": ("EICAR (Virus)",)}),
        ({"Type": "registry-key", "Hive": "HKLM", "Key": "SOFTWARE\\x"}, {"registry_keys": ("HKLM\\SOFTWARE\\x",)}),
        ({"Type": "blob-container", "Name": "c", "Url": "https://s/c"}, {"storage_containers": ("https://s/c",)}),
        ({"Type": "security-group", "DistinguishedName": "CN=ops"}, {"security_groups": ("CN=ops",)}),
        (
            {"Type": "mailbox", "MailboxPrimaryAddress": "a@b.c", "DisplayName": "Ada"},
            {"mailboxes": ("a@b.c (Ada)",)},
        ),
        (
            {
                "Type": "mail-message",
                "Sender": "a@b.c",
                "Recipient": "d@e.f",
                "Subject": "Pay",
                "SenderIP": "192.0.2.1",
            },
            {"emails": ("a@b.c -> d@e.f: Pay",), "ips": ("192.0.2.1",)},
        ),
        (
            {"Type": "SubmissionMail", "Sender": "a@b.c", "Submitter": "d@e.f", "ReportType": "Phish"},
            {"emails": ("a@b.c (reported by d@e.f, Phish)",)},
        ),
        ({"Type": "mail-cluster", "Query": "x:y", "MailCount": 7}, {"emails": ("x:y (7 mails)",)}),
        (
            {"Type": "iotdevice", "DeviceName": "pump", "DeviceId": "d-1", "Model": "S7"},
            {"devices": ("pump (d-1, S7)",)},
        ),
        (
            {"Type": "cloud-application", "Name": "Box", "InstanceName": "prod", "AppId": 5},
            {"applications": ("Box (prod, 5)",)},
        ),
        (
            {"Type": "amazon-resource", "AmazonResourceId": "arn:aws:s3:::b", "ResourceName": "b"},
            {"resources": ("arn:aws:s3:::b (b)",)},
        ),
        (
            {"Type": "gcp-resource", "ResourceName": "gke", "ProjectId": "p", "Location": "europe-west4"},
            {"resources": ("gke (p, europe-west4)",)},
        ),
        ({"Type": "quantum-thing", "Name": "q"}, {"others": ("quantumthing: q",)}),
        ({"Type": "host", "HostName": "N/A"}, {}),
        ({"Type": "account", "AadUserId": "00000000-0000-0000-0000-000000000000"}, {}),
    ],
)
def test_every_type_of_entity_has_a_list(entity: dict[str, object], found: dict[str, tuple[str, ...]]) -> None:
    """What names the entity stands in the list of its type; a type that nobody knows stands among the others."""
    assert _evidence(entity) == Evidence(**found)


def test_an_address_brings_its_location_and_what_threat_intelligence_knows() -> None:
    """Both stand behind the address, each in a list of its own."""
    location = {
        "CountryName": "China",
        "State": "Hubei",
        "City": "Wuhan",
        "Asn": 4837,
        "Carrier": "Unicom",
        "Longitude": 1.3,
    }
    threat = {
        "ProviderName": "Feed",
        "ThreatType": "C2",
        "ThreatName": "rarog",
        "Confidence": 0.8,
        "ReportLink": "https://r",
    }
    found = _evidence({"Type": "ip", "Address": "192.0.2.1", "Location": location, "ThreatIntelligence": [threat]})
    assert found == Evidence(
        ips=("192.0.2.1",),
        locations=("192.0.2.1: Wuhan, Hubei, China (AS4837, Unicom)",),
        threats=("192.0.2.1: C2 rarog (Feed, confidence 0.8). https://r",),
    )


@pytest.mark.parametrize("spelling", ["IpAdresses", "IpAddresses", "ipAddress"])
def test_a_domain_has_its_addresses_behind_it(spelling: str) -> None:
    """Defender misspells the property, its documentation does not."""
    address = {"$id": "1", "Type": "ip", "Address": "192.0.2.1"}
    found = _evidence(address, {"Type": "dns", "DomainName": "x.example", spelling: [{"$ref": "1"}]})
    assert found == Evidence(ips=("192.0.2.1",), domains=("x.example (192.0.2.1)",))


@pytest.mark.parametrize(
    ("connection", "words"),
    [
        (
            {
                "SourceAddress": {"$ref": "1"},
                "DestinationAddress": {"$ref": "2"},
                "DestinationPort": 22,
                "Protocol": "Tcp",
            },
            "192.0.2.1 -> [2001:db8::1]:22 Tcp",
        ),
        ({"SourceAddress": {"$ref": "1"}, "SourcePort": 5, "DestinationPort": 22}, "192.0.2.1:5 -> port 22"),
        ({"SourceAddress": {"$ref": "1"}, "Protocol": "Tcp"}, "192.0.2.1 Tcp"),
        ({"DestinationAddress": {"$ref": "1"}}, "? -> 192.0.2.1"),
        ({"FriendlyName": "a -> b"}, "a -> b"),
    ],
)
def test_a_connection_is_told_by_its_ends(connection: dict[str, object], words: str) -> None:
    """Source -> destination:port protocol, as far as they are known."""
    ends = [
        {"$id": "1", "Type": "ip", "Address": "192.0.2.1"},
        {"$id": "2", "Type": "ip", "Address": "2001:db8::1"},
    ]
    assert _evidence(*ends, connection | {"Type": "network-connection"}).connections == (words,)


def test_a_registry_value_stands_behind_its_key() -> None:
    """Key, name and data, as far as they are known."""
    key = {"$id": "1", "Type": "registry-key", "Hive": "HKLM", "Key": "Run"}
    values = [{"Name": "x", "Value": "c:\\x.exe"}, {"Value": "y"}, {"Name": "z"}, {}]
    found = _evidence(key, *({"Type": "registry-value", "Key": {"$ref": "1"}} | value for value in values))
    assert found.registry_values == ("HKLM\\Run\\x = c:\\x.exe", "HKLM\\Run\\(default) = y", "HKLM\\Run\\z")


def test_a_session_says_whose_it_is_also_where_it_refers_to_itself() -> None:
    """Account, host and time stand behind its id; a reference in a circle says nothing more."""
    entities = [
        {"$id": "1", "Type": "account", "Name": "ada"},
        {"$id": "2", "Type": "host-logon-session", "SessionId": "0x7", "Account": {"$ref": "1"}, "Host": {"$ref": "2"}},
    ]
    assert _evidence(*entities).sessions == ("0x7 (ada)",)


def test_a_session_says_its_times_to_the_second() -> None:
    """An end in the same second says nothing, and what is no time stays as it is."""
    session = {"Type": "host-logon-session", "SessionId": "0x7", "StartTimeUtc": "2026-11-17T01:58:40.5812345Z"}
    start = "0x7 (from 2026-11-17 01:58:40 UTC"
    assert _evidence(session | {"EndTimeUtc": "2026-11-17T01:58:40.9812345Z"}).sessions == (f"{start})",)
    assert _evidence(session | {"EndTimeUtc": "2026-11-17T03:00:00+01:00"}).sessions == (
        f"{start} to 2026-11-17 02:00:00 UTC)",
    )
    assert _evidence(session | {"StartTimeUtc": "soon"}).sessions == ("0x7 (from soon)",)


def test_a_value_that_is_the_name_of_a_class_says_nothing() -> None:
    """.NET writes it where somebody made a text of an array."""
    value = {"Type": "registry-value", "Name": "windowposition", "Value": "System.Byte[]"}
    assert _evidence(value).registry_values == ("windowposition",)


def _of_properties(*entities: object, **extended: object) -> Evidence:
    message = a_flat_alert(Entities=list(entities), ExtendedProperties=extended)
    return evidence_of(read_alert(message), CATALOGUE)


@pytest.mark.parametrize("name", ["Container image", "containerImage", "CONTAINER_IMAGE", " container-image "])
def test_a_property_is_found_however_it_is_spelled(name: str) -> None:
    """Names are compared by letters and digits alone."""
    assert _of_properties(**{name: "cart:1"}) == Evidence(images=("cart:1",))


def test_properties_follow_entities_and_say_nothing_twice() -> None:
    """What an entity said already, in that list or as a process, is left out, whatever its case."""
    process = {"Type": "process", "CommandLine": "net user", "ProcessId": "0x7", "ImageFile": {"$ref": "1"}}
    file = {"$id": "1", "Type": "file", "Directory": "c:\\w", "Name": "net.exe"}
    said = {"Suspicious Command Line": "NET USER", "Suspicious Process": "C:\\w\\net.exe", "Process Id": "0x7"}
    words = "c:\\w\\net.exe: net user (0x7)"
    assert _of_properties(process, file, **said) == Evidence(processes=(words,), files=("c:\\w\\net.exe",))
    found = _of_properties(process, **{"Process Id": "0x8", "Suspicious Command": "net user /add"})
    assert (found.processes, found.commands) == (("net user (0x7)", "process 0x8"), ("net user /add",))


def test_what_nobody_would_read_of_an_entity_is_evidence_of_its_own() -> None:
    """The SID of a group is not shown where its name is, so that a property that says it is."""
    group = {"Type": "security-group", "DistinguishedName": "CN=ops", "Sid": "S-1-5-32"}
    assert _of_properties(group, **{"Security group": "S-1-5-32"}).security_groups == ("CN=ops", "S-1-5-32")


_ADA = {"Type": "account", "Name": "ada", "NTDomain": "SHOP", "Sid": "S-1-5-21-7-500"}


@pytest.mark.parametrize(
    ("entities", "extended", "accounts"),
    [
        ([_ADA], {}, ("SHOP\\ada",)),
        ([_ADA], {"User SID": "S-1-5-21-7-500", "User Name": "ada"}, ("SHOP\\ada (S-1-5-21-7-500)",)),
        ([{"Type": "account", "Sid": "S-1-5-21-7-500"}, _ADA], {}, ("SHOP\\ada (S-1-5-21-7-500)",)),
        ([], {"User SID": "S-1-5-18", "User Name": "ada"}, ("ada (S-1-5-18)",)),
        ([_ADA], {"User SID": "S-1-5-18"}, ("SHOP\\ada", "S-1-5-18")),
        ([], {"User SID": "S-1-5-18"}, ("S-1-5-18",)),
    ],
)
def test_an_account_is_told_once_with_a_sid_that_is_its_own(
    entities: list[object], extended: dict[str, object], accounts: tuple[str, ...]
) -> None:
    """A SID that is said by itself stands behind the name that it stands for, and alone where nobody says which one."""
    assert _of_properties(*entities, **extended).accounts == accounts


def test_lists_inside_a_text_are_several_values() -> None:
    """A JSON list is its elements, and in a list of names a comma stands between two."""
    found = _of_properties(**{"Machines": '["a", "b", null]', "Attacker source IP": "IP Address: 192.0.2.1, 192.0.2.2"})
    assert found == Evidence(hosts=("a", "b"), attackers=("192.0.2.1", "192.0.2.2"))


def test_reports_are_named_with_their_addresses() -> None:
    """A dictionary of links is one line for each, which says that it is a report."""
    links = '{"Kind":"MultiLink","DisplayValueToUrlDictionary":{"Report: A":"https://a","Report: B":"https://b"}}'
    assert _of_properties(enrichment_tas_threat__reports=links).threats == (
        "Threat report: A: https://a",
        "Threat report: B: https://b",
    )


@pytest.mark.parametrize(
    "nothing",
    ["", " ", "N/A", "None", "-", "N/A (not used)", "00000000-0000-0000-0000-000000000000", None, "System.String[]"],
)
def test_a_property_without_a_value_says_nothing(nothing: object) -> None:
    """Placeholders are no evidence."""
    assert _of_properties(**{"User Name": nothing}) == Evidence()


def test_a_property_of_a_megabyte_is_cut() -> None:
    """A value is cut visibly; the portal has it whole."""
    (command,) = _of_properties(Script="x" * 1_000_000).commands
    assert (len(command), command[-8:]) == (LONGEST, "x… [cut]")


@pytest.mark.parametrize(
    ("extended", "objects"),
    [
        ({"Resource type": "clusterroles", "Resource name": "cluster-admin"}, ("clusterroles: cluster-admin",)),
        ({"Resource name": "cluster-admin", "Resource type": "clusterroles"}, ("clusterroles: cluster-admin",)),
        ({"Resource name": "cluster-admin", "Resource type": "N/A"}, ("cluster-admin",)),
        ({"Resource type": "pods"}, ("pods",)),
    ],
)
def test_an_object_of_kubernetes_is_one_item(extended: dict[str, str], objects: tuple[str, ...]) -> None:
    """Its name behind its type, whichever of the two properties comes first."""
    message = a_flat_alert(Entities=[], ExtendedProperties=extended)
    assert evidence_of(read_alert(message), CATALOGUE).kubernetes_objects == objects
