"""What a destination never gets: what its policy withholds, and, of alerts about AI, all but an outline."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from pydantic import ValidationError

from router.destinations import discover
from router.destinations.config import AiAlerts, OneByOneConfig
from router.destinations.wording.masking import MASK
from router.destinations.wording.withholding import OUTLINE, WITHHELD, outline_of, withheld_from
from router.domain.deliveries import Background
from router.domain.evidence import Evidence
from router.domain.notices import Link, Notice, is_about_ai
from router.domain.rulebook import Lane
from tests.destinations import goldens
from tests.destinations.builders import a_destination, a_finding, a_group, a_notice, an_attempt, secret_names_in
from tests.destinations.conversations import converse, payload_of
from tests.destinations.goldens import CASES, Case
from tests.destinations.test_words import a_hostile_notice

KINDS = discover()
PEOPLE = [name for name, kind in KINDS.items() if kind.lane is not Lane.ROWS]
WHOLE = {"jira", "servicenow", "servicenow_events"}
cases = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
people = pytest.mark.parametrize("kind", PEOPLE)

SECRET = "hUnter2Canary"
CANARIES = (
    f"tool --password {SECRET}",
    f"https://x.example/b?sig={SECRET}%3D",
    f"curl -u a:{SECRET} https://x.example",
)

AI_TYPES = [
    "AI.Azure_CredentialTheftAttempt", "Azure_Agentic_BlockedJailbreak", "AI.Azure_Agentic_Jailbreak",
    "SIMULATED_AI.Azure_Jailbreak.ContentFiltering.BlockedAttempt", "ai.azure_llmreconnaissance",
    "SIMULATED_Azure_Agentic_BlockedJailbreak", "AI.AIModelScan_MalwareDetected",
]  # fmt: skip


def _sent(kind: str, notice: Notice, case: Case, config: dict[str, Any] | None = None) -> str:
    """All that a destination of a kind sends of a notice."""
    destination = a_destination(kind, **(config or {}))
    example = KINDS[kind].Config.model_json_schema()["examples"][0]
    attempt = an_attempt(
        notice,
        case.change,
        secrets=list(secret_names_in(example)),
        opening=goldens.opening_of(kind) if case.has_opening else None,
    )
    attempt = replace(attempt, background=Background(last=notice))
    asks, _ = converse(destination, [attempt], goldens.replay(kind, case.name))
    return "".join(payload_of(ask).decode() + str(getattr(ask, "url", "")) for ask in asks)


@people
@cases
@pytest.mark.parametrize("canary", CANARIES)
def test_a_credential_is_told_to_nobody(kind: str, case: Case, canary: str) -> None:
    """Wherever a credential stands in a notice, no ask of any kind that tells people carries it."""
    told = _sent(kind, a_hostile_notice(canary), case)
    assert SECRET not in told
    assert SECRET not in told.encode().decode("unicode_escape", "replace")


@people
@pytest.mark.parametrize("canary", CANARIES)
def test_a_preview_shows_no_credential(kind: str, canary: str) -> None:
    """What `explain --notice` prints is what people would read there."""
    destination: Any = a_destination(kind)
    shown = destination.preview(an_attempt(a_hostile_notice(canary)))
    assert MASK in shown
    assert SECRET not in shown


@pytest.mark.parametrize("kind", [name for name in KINDS if name not in PEOPLE])
def test_rows_keep_all(kind: str) -> None:
    """Rows are data: what they say of a notice is not masked."""
    assert SECRET in _sent(kind, a_hostile_notice(CANARIES[0]), CASES[0])


def _an_ai_alert(**changes: Any) -> Notice:
    values: dict[str, Any] = {
        "type": AI_TYPES[0],
        "plan": "AI",
        "title": "Detected credential theft attempts",
        "description": "prompt-canary",
        "remediation": ("prompt-canary",),
        "evidence": Evidence(**{one.name: (f"canary-{one.name}",) for one in fields(Evidence)}),
        "extended": {"canary-name": "canary-value"},
        "unlisted": ("canary-name",),
        "compromised_entity": "canary-entity",
        "cause": "canary-cause",
        "categories": ("canary-category",),
        "status_description": "canary-status",
        "correlation": "canary-correlation",
        "links": (Link(text="canary's prompt", url="https://x.example/?u=canary"),),
        "group": a_group(by=(("entity", "canary-entity"),)),
    }
    return a_notice(**values | changes)


@people
@cases
def test_of_an_alert_about_ai_most_kinds_are_told_an_outline(kind: str, case: Case) -> None:
    """No description, entity or property goes anywhere but where the kind, or the policy, says that all may be told."""
    alert = _an_ai_alert(turn=2)
    default, outline, whole = (
        _sent(kind, alert, case, config)
        for config in ({}, {"withhold": {"ai": "outline"}}, {"withhold": {"ai": "whole"}})
    )
    assert "canary" not in outline
    assert default == (whole if kind in WHOLE else outline)
    if case.name == "opened":
        assert "canary" in whole
        assert "Detected credential theft attempts" in outline
        assert OUTLINE[:30] in outline or kind == "pagerduty" or OUTLINE in outline


def test_the_kinds_that_are_told_all_of_an_alert_about_ai_are_few() -> None:
    """ServiceNow, its Event Management and Jira; a new kind is told an outline unless it says otherwise."""
    assert {name for name in PEOPLE if getattr(KINDS[name], "ai", None) is AiAlerts.WHOLE} == WHOLE


@pytest.mark.parametrize("type", AI_TYPES)
def test_alerts_about_ai_are_known_by_their_types(type: str) -> None:
    """Also as samples, in any case, and where the plan is not said."""
    assert is_about_ai(a_notice(type=type, plan=None))
    assert is_about_ai(a_notice(type=type, plan="Containers"))


@pytest.mark.parametrize("plan", [None, "VirtualMachines", "Arm", "AppServices"])
@pytest.mark.parametrize(
    "models",
    [
        "Microsoft.CognitiveServices/accounts",
        "Microsoft.MachineLearningServices/workspaces",
        "microsoft.machinelearningservices/workspaces/onlineEndpoints",
        "Microsoft.BotService/botServices",
    ],
)
def test_an_alert_on_an_ai_resource_is_about_ai_whatever_its_plan(plan: str | None, models: str) -> None:
    """The plan of an unknown type is a guess from how the type begins; Resource Manager's alerts are about management."""
    assert is_about_ai(a_notice(type="VM_SomethingNew", plan=plan, resource_type=models))
    assert not is_about_ai(a_notice(type="ARM_Something", plan=plan, resource_type=models))
    assert not is_about_ai(a_notice(type="SIMULATED_ARM_Something", plan=plan, resource_type=models))
    assert not is_about_ai(
        a_notice(type="VM_SomethingNew", plan=plan, resource_type="Microsoft.Compute/virtualMachines")
    )
    assert not is_about_ai(a_finding(type="x", plan=plan, resource_type=models))


def test_alerts_about_ai_are_known_by_plan() -> None:
    """Also one about management, and of a type that nobody knows yet."""
    assert is_about_ai(a_notice(type="Something_New", plan="AI"))
    assert is_about_ai(a_notice(type="ARM_Something", plan="AI"))
    assert not is_about_ai(a_notice(type="Airflow_Something", plan=None))


def test_an_outline_has_no_field_that_is_not_known_to_be_harmless() -> None:
    """Whatever a notice gains is left out; the portal's page and runbooks stay."""
    told = outline_of(_an_ai_alert(link="https://portal.azure.com/x", runbooks=("https://wiki.example/ai",)))
    assert (told.link, told.runbooks) == ("https://portal.azure.com/x", ("https://wiki.example/ai",))
    assert (told.title, told.links, told.extended) == ("Detected credential theft attempts", (), {})
    assert outline_of(told) == told
    assert outline_of(_an_ai_alert(is_whole=True)).is_whole


def test_an_incident_is_about_ai_where_it_names_such_an_alert() -> None:
    """By its plan, its resource, or the type of an alert in its properties."""
    incident = {"kind": "incident", "type": "SecurityIncident", "plan": "VirtualMachines"}
    assert not is_about_ai(a_notice(**incident))
    assert is_about_ai(a_notice(**incident, extended={"alerts": "VM_X, AI.Azure_Jailbreak"}))
    assert is_about_ai(a_notice(**incident, resource_type="Microsoft.CognitiveServices/accounts"))
    assert is_about_ai(a_notice(**incident | {"plan": "AI"}))


@people
@cases
def test_what_is_withheld_reaches_no_ask(kind: str, case: Case) -> None:
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
        group=case.group and replace(case.group, by=(("entity", value),)),
    )
    told = _sent(kind, notice, case, {"withhold": ["suspicious-COMMAND", "Files", "no such property"]})
    assert "canary" not in told.lower()
    if case.name == "opened":
        assert "canary" in _sent(kind, notice, case).lower()


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


@pytest.mark.parametrize(("value", "told"), [("abc", "it is abc"), ("abcd", f"it is {WITHHELD}")])
def test_only_values_of_four_characters_are_looked_for_in_texts(value: str, told: str) -> None:
    """What is shorter stands in too many words."""
    notice = a_notice(description=f"it is {value}", extended={"p": value})
    assert withheld_from(notice, {"p"}).description == told


def test_where_nothing_is_withheld_a_notice_is_itself() -> None:
    """No name, or none that the notice has, changes nothing."""
    notice = a_notice()
    assert withheld_from(notice, set()) is notice
    assert withheld_from(notice, {"nothing"}) == notice


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
@pytest.mark.parametrize("written", ["path", {"ai": "all"}, {"paths": []}, ["..."], [1]], ids=str)
def test_what_withhold_may_say(kind: str, written: object) -> None:
    """Names with a letter or a digit, in a list or under `properties`, and how much of alerts about AI."""
    model = KINDS[kind].Config
    example = model.model_json_schema()["examples"][0]
    assert issubclass(model, OneByOneConfig)
    with pytest.raises(ValidationError):
        model.model_validate(example | {"withhold": written})
    read = model.model_validate(example | {"withhold": ["User name"]})
    assert read.withhold.properties == ("User name",)
    assert model.model_validate(read.model_dump(exclude_unset=True)) == read


def test_an_ocsf_finding_is_masked_as_well() -> None:
    """The webhook's other body is made of the same notice."""
    told = _sent("webhook", a_hostile_notice(CANARIES[0]), CASES[0], {"body": "ocsf"})
    assert SECRET not in told
    assert MASK in told
