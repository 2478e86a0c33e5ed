"""What a responder looks for first, out of entities in every place they can stand, and out of extended properties."""

import pytest

from router.domain.evidence import LONGEST, Evidence, command_line_of
from router.parse import evidence_of
from router.parse.evidence import MOST
from tests.parse.messages import CATALOGUE, a_flat_alert, read_alert

_CLUSTER = "/subscriptions/x/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/aks-1"


def _evidence(*entities: object, **extended: object) -> Evidence:
    return evidence_of(read_alert(a_flat_alert(Entities=list(entities), ExtendedProperties=extended)), CATALOGUE)


def test_what_an_entity_refers_to_is_found_with_it() -> None:
    """A cluster, what stands in it, and the image of a container; the file of a process, and that file's hashes; each once."""
    resource = {"$id": "5", "ResourceId": _CLUSTER, "Type": "azure-resource"}
    image = {"$id": "10", "ImageId": "cart:1", "Type": "container-image"}
    found = _evidence(
        {"$id": "4", "CloudResource": resource, "Type": "K8s-cluster"},
        {"$ref": "5"},
        {"$id": "7", "Name": "shop", "Cluster": {"$ref": "4"}, "Type": "K8s-namespace"},
        {"$id": "8", "Name": "cart-1", "Namespace": {"$ref": "7"}, "Type": "K8s-pod"},
        {"$id": "9", "Name": "cart", "Image": image, "Type": "container"},
        {"$id": "11", "Name": "node-1", "Type": "K8s-node"},
    )
    cluster = {"clusters": ("aks-1",), "namespaces": ("shop",), "pods": ("cart-1",), "containers": ("cart",)}
    assert found == Evidence(**cluster, images=("cart:1",), nodes=("node-1",), resources=(_CLUSTER,))
    hashes = [{"$id": "8", "Algorithm": "sha256", "Value": "abc", "Type": "filehash"}]
    file = {"$id": "7", "Directory": "/opt", "Name": "x", "FileHashes": hashes, "Type": "file"}
    found = _evidence({"$id": "9", "ProcessId": "0x1e", "CommandLine": "x -t 4", "ImageFile": file, "Type": "process"})
    assert found == Evidence(processes=("/opt/x: x -t 4 (0x1e)",), files=("/opt/x",), hashes=("SHA256:abc",))


def test_a_list_tells_each_thing_once_and_says_what_it_leaves_out() -> None:
    """The first of repeats keeps its place; of more than fifty elements the last tells how many more there are."""
    addresses = ["192.0.2.2", "192.0.2.1", "192.0.2.2"]
    assert _evidence(*({"Address": address, "Type": "ip"} for address in addresses)).ips == ("192.0.2.2", "192.0.2.1")
    for count, last in ((MOST, "ip-49"), (MOST + 1, "... and 2 more"), (5_000, "... and 4951 more")):
        ips = _evidence(*({"Address": f"ip-{number}", "Type": "ip"} for number in range(count))).ips
        assert (len(ips), ips[-1]) == (MOST, last)


_GUID = "00000000-0000-0000-0000-000000000000"


def _of(type: str, **said: object) -> dict[str, object]:
    return {"Type": type} | said


_ENTITIES: list[tuple[dict[str, object], dict[str, tuple[str, ...]]]] = [
    (_of("K8s-service", Name="web"), {"services": ("web",)}),
    (_of("K8s-service-account", Name="ci"), {"service_accounts": ("ci",)}),
    (_of("K8s-deployment", Name="cart"), {"workloads": ("cart",)}),
    (_of("K8s-config-map", Name="env"), {"kubernetes_objects": ("env",)}),
    (_of("container-image", Digest="sha256:ab"), {"images": ("sha256:ab",)}),
    (_of("service-principal", Name="etl", AppId="7"), {"accounts": ("etl",)}),
    (_of("malware", Name="EICAR", Category="Virus"), {"malware": ("EICAR (Virus)",)}),
    (_of("registry-key", Hive="HKLM", Key="SOFTWARE\\x"), {"registry_keys": ("HKLM\\SOFTWARE\\x",)}),
    (_of("blob-container", Name="c", Url="https://s/c"), {"storage_containers": ("https://s/c",)}),
    (_of("security-group", DistinguishedName="CN=ops"), {"security_groups": ("CN=ops",)}),
    (_of("mailbox", MailboxPrimaryAddress="a@b.c", DisplayName="Ada"), {"mailboxes": ("a@b.c (Ada)",)}),
    (
        _of("mail-message", Sender="a@b.c", Recipient="d@e.f", Subject="Pay", SenderIP="192.0.2.1"),
        {"emails": ("a@b.c -> d@e.f: Pay",), "ips": ("192.0.2.1",)},
    ),
    (
        _of("SubmissionMail", Sender="a@b", Submitter="c@d", ReportType="Phish"),
        {"emails": ("a@b (reported by c@d, Phish)",)},
    ),
    (_of("mail-cluster", Query="x:y", MailCount=7), {"emails": ("x:y (7 mails)",)}),
    (_of("iotdevice", DeviceName="pump", DeviceId="d-1", Model="S7"), {"devices": ("pump (d-1, S7)",)}),
    (_of("cloud-application", Name="Box", InstanceName="prod", AppId=5), {"applications": ("Box (prod, 5)",)}),
    (_of("amazon-resource", AmazonResourceId="arn:s3:b", ResourceName="b"), {"resources": ("arn:s3:b (b)",)}),
    (_of("gcp-resource", ResourceName="gke", ProjectId="p", Location="eu"), {"resources": ("gke (p, eu)",)}),
    ({"type": "url", "url": "https://example.com/x"}, {"urls": ("https://example.com/x",)}),
    (_of("quantum-thing", Name="q"), {"others": ("quantumthing: q",)}),
    (_of("account", Name="ada", NTDomain="C", UPNSuffix="c.com"), {"accounts": ("C\\ada",)}),
    (_of("account", Name="ada", NTDomain="", UPNSuffix="c.com"), {"accounts": ("ada@c.com",)}),
    (_of("account", Name="ada@c.com", UPNSuffix="c.com"), {"accounts": ("ada@c.com",)}),
    (_of("account", Name="C\\ada", NTDomain="C"), {"accounts": ("C\\ada",)}),
    (_of("account", Name="ada"), {"accounts": ("ada",)}),
    (_of("account", aadUserId="u-1"), {"accounts": ("u-1",)}),
    (_of("account", Sid="S-1"), {"accounts": ("S-1",)}),
    (_of("host", HostName="web-01", DnsDomain=""), {"hosts": ("web-01",)}),
    (_of("host", HostName="web-01", DnsDomain="c.com"), {"hosts": ("web-01.c.com",)}),
    (_of("host", HostName="web-01.c.com", DnsDomain="C.com"), {"hosts": ("web-01.c.com",)}),
    (_of("host", NetBiosName="WEB-01"), {"hosts": ("WEB-01",)}),
    (_of("host", azureID="/a/b/web-01/"), {"hosts": ("web-01",)}),
    (_of("file", Directory="/opt/", Name="a"), {"files": ("/opt/a",)}),
    (_of("file", Directory="C:\\x", Name="b"), {"files": ("C:\\x\\b",)}),
    (_of("file", Directory="C:\\x\\", Name="b"), {"files": ("C:\\x\\b",)}),
    (_of("file", Directory="https://store/c", Name="d"), {"files": ("https://store/c/d",)}),
    (_of("file", Directory=None, Name="e"), {"files": ("e",)}),
    (_of("file", Directory="/f", Name=None), {"files": ("/f",)}),
    # .NET writes the name of a class where it made a text of an array.
    (_of("registry-value", Name="x", Value="System.Byte[]"), {"registry_values": ("x",)}),
    (_of("host", HostName="N/A"), {}),
    ({"Type": "account", "AadUserId": _GUID}, {}),
    (_of("ip"), {}),
    (_of("url", Url=""), {}),
]
"""Entities, and the lists in which what names them stands."""


def test_an_entity_is_told_in_the_list_of_its_type_as_people_know_it(subtests: pytest.Subtests) -> None:
    """An account is DOMAIN\\name, name@suffix, or its name, else its id. What has no value leaves nothing."""
    assert _evidence() == _evidence(5, None) == Evidence()
    for entity, found in _ENTITIES:
        with subtests.test(entity=entity):
            assert _evidence(entity) == Evidence(**found)


def test_an_address_brings_what_is_known_of_it_and_stands_behind_its_domain() -> None:
    """Location and threats have lists of their own. Defender misspells the property of a domain, its documentation does not."""
    where = {"CountryName": "China", "State": "Hubei", "City": "Wuhan", "Asn": 4837, "Carrier": "Unicom", "Latitude": 1}
    threat = {
        "ProviderName": "Feed",
        "ThreatType": "C2",
        "ThreatName": "rarog",
        "Confidence": 0.8,
        "ReportLink": "https://r",
    }
    found = _evidence({"Type": "ip", "Address": "192.0.2.1", "Location": where, "ThreatIntelligence": [threat]})
    assert found == Evidence(
        ips=("192.0.2.1",),
        locations=("192.0.2.1: Wuhan, Hubei, China (AS4837, Unicom)",),
        threats=("192.0.2.1: C2 rarog (Feed, confidence 0.8). https://r",),
    )
    address = {"$id": "1", "Type": "ip", "Address": "192.0.2.1"}
    for spelling in ("IpAdresses", "IpAddresses", "ipAddress"):
        found = _evidence(address, {"Type": "dns", "DomainName": "x.example", spelling: [{"$ref": "1"}]})
        assert found == Evidence(ips=("192.0.2.1",), domains=("x.example (192.0.2.1)",))


def test_connections_and_registry_values_are_told_as_far_as_they_are_known() -> None:
    """Source -> destination:port protocol; key, name and data."""
    ends = [{"$id": id, "Type": "ip", "Address": address} for id, address in (("1", "192.0.2.1"), ("2", "2001:db8::1"))]
    source, destination = {"SourceAddress": {"$ref": "1"}}, {"DestinationAddress": {"$ref": "2"}}
    cases: list[tuple[dict[str, object], str]] = [
        (source | destination | {"DestinationPort": 22, "Protocol": "Tcp"}, "192.0.2.1 -> [2001:db8::1]:22 Tcp"),
        (source | {"SourcePort": 5, "DestinationPort": 22}, "192.0.2.1:5 -> port 22"),
        (source | {"Protocol": "Tcp"}, "192.0.2.1 Tcp"),
        ({"DestinationAddress": {"$ref": "1"}}, "? -> 192.0.2.1"),
        ({"FriendlyName": "a -> b"}, "a -> b"),
    ]
    for connection, words in cases:
        assert _evidence(*ends, connection | {"Type": "network-connection"}).connections == (words,)
    key = {"$id": "1", "Type": "registry-key", "Hive": "HKLM", "Key": "Run"}
    values = [{"Name": "x", "Value": "c:\\x.exe"}, {"Value": "y"}, {"Name": "z"}, {}]
    found = _evidence(key, *({"Type": "registry-value", "Key": {"$ref": "1"}} | value for value in values))
    assert found.registry_values == ("HKLM\\Run\\x = c:\\x.exe", "HKLM\\Run\\(default) = y", "HKLM\\Run\\z")


def test_a_session_says_whose_it_is_and_its_times_to_the_second() -> None:
    """A reference in a circle and an end in the same second say nothing more, and what is no time stays as it is."""
    session: dict[str, object] = {"$id": "2", "Type": "host-logon-session", "SessionId": "0x7"}
    ada = {"$id": "1", "Type": "account", "Name": "ada"}
    assert _evidence(ada, session | {"Account": {"$ref": "1"}, "Host": {"$ref": "2"}}).sessions == ("0x7 (ada)",)
    start = {"StartTimeUtc": "2026-11-17T01:58:40.5812345Z"}
    for times, words in (
        (start | {"EndTimeUtc": "2026-11-17T01:58:40.9812345Z"}, "from 2026-11-17 01:58:40 UTC"),
        (
            start | {"EndTimeUtc": "2026-11-17T03:00:00+01:00"},
            "from 2026-11-17 01:58:40 UTC to 2026-11-17 02:00:00 UTC",
        ),
        ({"StartTimeUtc": "soon"}, "from soon"),
    ):
        assert _evidence(session | times).sessions == (f"0x7 ({words})",)


def test_properties_follow_entities_and_say_nothing_twice() -> None:
    """Whatever its case. A SID that is said by itself stands behind the name that it stands for, else alone."""
    process = {"Type": "process", "CommandLine": "net user", "ProcessId": "0x7", "ImageFile": {"$ref": "1"}}
    file = {"$id": "1", "Type": "file", "Directory": "c:\\w", "Name": "net.exe"}
    said = {"Suspicious Command Line": "NET USER", "Suspicious Process": "C:\\w\\net.exe", "Process Id": "0x7"}
    words = "c:\\w\\net.exe: net user (0x7)"
    assert _evidence(process, file, **said) == Evidence(processes=(words,), files=("c:\\w\\net.exe",))
    found = _evidence(process, **{"Process Id": "0x8", "Suspicious Command": "net user /add"})
    assert (found.processes, found.commands) == (("net user (0x7)", "process 0x8"), ("net user /add",))
    # The SID of a group is not shown where its name is.
    group = {"Type": "security-group", "DistinguishedName": "CN=ops", "Sid": "S-1-5-32"}
    assert _evidence(group, **{"Security group": "S-1-5-32"}).security_groups == ("CN=ops", "S-1-5-32")
    ada = {"Type": "account", "Name": "ada", "NTDomain": "SHOP", "Sid": "S-1-5-21-7-500"}
    own, other = {"User SID": "S-1-5-21-7-500", "User Name": "ada"}, {"User SID": "S-1-5-18"}
    assert _evidence(ada).accounts == ("SHOP\\ada",)
    assert _evidence(ada, **own).accounts == ("SHOP\\ada (S-1-5-21-7-500)",)
    assert _evidence({"Type": "account", "Sid": "S-1-5-21-7-500"}, ada).accounts == ("SHOP\\ada (S-1-5-21-7-500)",)
    assert _evidence(**other, **{"User Name": "ada"}).accounts == ("ada (S-1-5-18)",)
    assert _evidence(ada, **other).accounts == ("SHOP\\ada", "S-1-5-18")
    assert _evidence(**other).accounts == ("S-1-5-18",)


def test_a_property_is_found_however_it_is_spelled_and_only_where_it_says_something() -> None:
    """By letters and digits alone. Placeholders are no evidence; a long value is cut visibly, and the portal has it whole."""
    for name in ("Container image", "containerImage", "CONTAINER_IMAGE", " container-image "):
        assert _evidence(**{name: "cart:1"}) == Evidence(images=("cart:1",))
    for nothing in ("", " ", "N/A", "None", "-", "N/A (not used)", _GUID, None, "System.String[]"):
        assert _evidence(**{"User Name": nothing}) == Evidence()
    (command,) = _evidence(Script="x" * 1_000_000).commands
    assert (len(command), command[-8:]) == (LONGEST, "x… [cut]")


def test_lists_inside_a_text_are_several_values_and_an_object_of_kubernetes_is_one() -> None:
    """In a list of names a comma stands between two; a dictionary of links is a line each; an object has its type before it."""
    found = _evidence(**{"Machines": '["a", "b", null]', "Attacker source IP": "IP Address: 192.0.2.1, 192.0.2.2"})
    assert found == Evidence(hosts=("a", "b"), attackers=("192.0.2.1", "192.0.2.2"))
    links = '{"Kind":"MultiLink","DisplayValueToUrlDictionary":{"Report: A":"https://a","Report: B":"https://b"}}'
    threats = ("Threat report: A: https://a", "Threat report: B: https://b")
    assert _evidence(enrichment_tas_threat__reports=links).threats == threats
    for extended, told in (
        ({"Resource type": "clusterroles", "Resource name": "cluster-admin"}, "clusterroles: cluster-admin"),
        ({"Resource name": "cluster-admin", "Resource type": "clusterroles"}, "clusterroles: cluster-admin"),
        ({"Resource name": "cluster-admin", "Resource type": "N/A"}, "cluster-admin"),
        ({"Resource type": "pods"}, "pods"),
    ):
        assert _evidence(**extended).kubernetes_objects == (told,)


_SHELL = {"$id": "1", "Type": "file", "Directory": "c:\\windows\\system32", "Name": "cmd.exe"}
_TOOL = {"$id": "2", "Type": "file", "Directory": "c:\\temp", "Name": "regsvr32.exe"}
_ADA = {"$id": "3", "Type": "account", "Name": "ada", "NTDomain": "SHOP"}
_PARENT = {"$id": "4", "Type": "process", "ProcessId": "0xbc8", "CommandLine": "", "ImageFile": {"$ref": "1"}}
_ALONE = {
    "$id": "5",
    "Type": "process",
    "ProcessId": "0x123c",
    "CommandLine": ".\\regsvr32 /u /s x",
    "ImageFile": {"$ref": "2"},
}
_CHILD = _ALONE | {"Account": {"$ref": "3"}, "ParentProcess": {"$ref": "4"}}
_CHILD_WORDS = "c:\\temp\\regsvr32.exe: .\\regsvr32 /u /s x (0x123c), by SHOP\\ada, child of cmd.exe"
_PARENT_WORDS = "c:\\windows\\system32\\cmd.exe (0xbc8)"


def _process(command: str, id: str = "", **more: object) -> dict[str, object]:
    return {"$id": id, "Type": "process", "CommandLine": command} | more


def test_a_process_is_told_once_with_its_image_its_account_and_its_parent() -> None:
    """All that one of two says is told. A command line that names its image stands alone, and so does what is known alone."""
    assert _evidence(_SHELL, _TOOL, _ADA, _PARENT, _CHILD).processes == (_CHILD_WORDS, _PARENT_WORDS)
    number = {"Type": "process", "ProcessId": "0x123c"}
    again = (_SHELL, _TOOL, _ADA, _PARENT, number, _ALONE | {"$id": "6"}, _CHILD)
    assert _evidence(*again).processes == (_CHILD_WORDS, _PARENT_WORDS)
    assert _evidence(_SHELL, number | {"ProcessId": "0xbc8"}, _PARENT).processes == (_PARENT_WORDS,)
    nothing: dict[str, object] = {"CommandLine": None, "ImageFile": None}
    for more, words in (
        ({"CommandLine": "C:\\TEMP\\regsvr32.exe /u"}, ("C:\\TEMP\\regsvr32.exe /u (0x123c)",)),
        ({"CommandLine": None}, ("c:\\temp\\regsvr32.exe (0x123c)",)),
        ({"CommandLine": "x", "ImageFile": None}, ("x (0x123c)",)),
        (nothing, ("process 0x123c",)),
        (nothing | {"ProcessId": 7}, ("process 7",)),
        ({"CommandLine": "x", "ImageFile": None, "ProcessId": None}, ("x",)),
        (nothing | {"ProcessId": None}, ()),
    ):
        assert _evidence(_TOOL, _ALONE | more).processes == words


def test_what_an_alert_is_about_stands_before_its_ancestors() -> None:
    """What most properties name is first, then the nearest parent, however they are listed; numbers alone come last."""
    grandparent = _process("explorer", "6")
    parent = _process("bash", "7", ParentProcess={"$ref": "6"})
    near = _process("sh", "8", ParentProcess={"$ref": "7"})
    child = _process("miner", ParentProcess={"$ref": "8"})
    properties = {"Process Id": "0x8", "Parent Process": "init"}
    found = _evidence({"Type": "process", "ProcessId": "7"}, grandparent, parent, near, child, **properties)
    assert found.processes == ("miner", "sh", "bash", "explorer", "init", "process 7", "process 0x8")
    circle = [_process(name, id, ParentProcess={"$ref": of}) for name, id, of in ("a67", "b76", "c88")]
    assert sorted(_evidence(*circle).processes) == ["a", "b", "c"]
    processes = [_process(f"{name} -x", ProcessId=f"0x{number}") for number, name in enumerate("abc", 1)]
    processes[1]["ImageFile"] = {"$ref": "2"}
    for extended in (
        {"Suspicious Process Id": "0x2"},
        {"suspicious command line": "B -x"},
        {"Suspicious Process": "c:\\temp\\regsvr32.exe"},
        {"Process Id": "0x2", "Process Name": "bash"},
    ):
        assert _evidence(_TOOL, *processes, **extended).processes[0] == "c:\\temp\\regsvr32.exe: b -x (0x2)"


def test_the_command_line_of_a_process_is_found_in_its_words() -> None:
    """What other products log is what it is compared with."""
    lines = {
        _CHILD_WORDS: ".\\regsvr32 /u /s x",
        "c:\\windows\\system32\\cmd.exe (0xbc8), child of x": "c:\\windows\\system32\\cmd.exe",
        "php -r 1 (42)": "php -r 1",
        "echo a: b, c (d)": "echo a: b, c (d)",
        "x, by SHOP\\ada": "x",
        "process 0x7": "",
        "process 0x7, by ada": "",
    }
    assert {words: command_line_of(words, ["c:\\temp\\regsvr32.exe"]) for words in lines} == lines
