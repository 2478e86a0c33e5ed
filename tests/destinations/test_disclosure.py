"""Ways around `withhold`, around masking and around the outline of alerts about AI."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from router.decide import decide, notice_for
from router.destinations.wording.escaping import name_of, texts_in
from router.destinations.wording.withholding import disclosed
from router.domain.notices import Notice
from router.ingest.grouping.group_notices import named_member
from router.parse import evidence_of
from tests.builders import NOW, a_rulebook
from tests.destinations.builders import a_group, a_notice
from tests.parse.messages import CATALOGUE, a_flat_alert, read_alert

CANARY = "CANARY"
NAME = "Suspicious Command"
MODELS = "/subscriptions/1/resourceGroups/rg/providers/Microsoft.CognitiveServices/accounts/x"


def noticed(**alert: Any) -> Notice:
    """The notice of an alert, as it is made of its message."""
    signal, book = read_alert(a_flat_alert(**alert)), a_rulebook()
    return notice_for(signal, evidence_of(signal, CATALOGUE), decide(signal, book, NOW), book, "key", 1)


def texts_sent(notice: Notice, *withheld: str, has_ai_whole: bool = True) -> str:
    """All that is told of a notice."""
    return "\n".join(texts_in(disclosed(notice, frozenset(map(name_of, withheld)), has_ai_whole=has_ai_whole)))


@pytest.mark.parametrize(
    "alert",
    [
        {"Description": "Ran %{Suspicious Command}", "ExtendedProperties": {NAME: f"{CANARY} {'x' * 400}"}},
        {"AlertDisplayName": "Ran %{Suspicious Command}", "ExtendedProperties": {NAME: f"{CANARY} {'x' * 400}"}},
        {"ExtendedProperties": {NAME: json.dumps([f"curl {CANARY} a", "b c"])}},
        {"ExtendedProperties": {NAME: json.dumps({"line": f"curl {CANARY} a", "user": "b c"})}},
        {"ExtendedProperties": {NAME: f"{CANARY} {'x' * 5_000}"}},
        {
            "ExtendedProperties": {NAME: f"{CANARY} Bob"},
            "ExtendedLinks": [{"Href": f"https://x.example/?u={CANARY}%20Bob", "Label": "l", "Type": "webLink"}],
        },
    ],
    ids=[
        "long in a text",
        "long in a title",
        "a JSON list",
        "a JSON object",
        "longer than evidence",
        "encoded in a link",
    ],
)
def test_what_is_withheld_is_told_in_no_other_form(alert: dict[str, Any]) -> None:
    """Placeholders cut at 300 characters, evidence at 4,000, and JSON becomes several items: none of that is the value."""
    assert CANARY not in texts_sent(noticed(**alert), NAME)


def test_a_group_withholds_what_the_title_of_another_member_quotes() -> None:
    """A member is named by its title with the names of its placeholders, since its properties are not known by then."""
    member = noticed(AlertDisplayName="Ran %{Suspicious Command}", ExtendedProperties={NAME: f"curl {CANARY} | sh"})
    head = a_notice(group=a_group(named=(named_member(member),)))
    assert CANARY not in texts_sent(head, NAME)
    assert named_member(member).title == "Ran [Suspicious Command]"


TOKEN = "ghp_" + "A" * 36


def test_a_credential_is_masked_before_a_placeholder_is_cut() -> None:
    """What is filled in is cut at 300 characters."""
    notice = noticed(Description="Ran %{Note}", ExtendedProperties={"Note": f"{'x' * 279} {TOKEN}"})
    assert "ghp_A" not in texts_sent(notice)


@pytest.mark.parametrize(
    "alert",
    [
        {"AlertDisplayName": "Jailbreak: %{Prompt}", "ExtendedProperties": {"Prompt": CANARY}},
        {"ExtendedLinks": [{"Href": "https://x.example/", "Label": CANARY, "Type": "webLink"}]},
        {"ExtendedLinks": [{"Href": f"https://x.example/?q={CANARY}", "Label": "l", "Type": "webLink"}]},
    ],
    ids=["a title that is filled in", "what a link is called", "an address"],
)
def test_an_outline_quotes_no_property(alert: dict[str, Any]) -> None:
    """A prompt may stand wherever the message, and not Defender's own table, says it."""
    assert CANARY not in texts_sent(noticed(AlertType="AI.Azure_Jailbreak", **alert), has_ai_whole=False)


@pytest.mark.parametrize(
    "alert",
    [
        {"Description": f"Made of AI.Azure_Jailbreak: {CANARY}", "Entities": []},
        {"Description": CANARY, "Entities": [{"$id": "2", "Type": "azure-resource", "ResourceId": MODELS}]},
    ],
    ids=["its description names one", "its evidence names a model's account"],
)
def test_an_incident_is_about_ai_wherever_it_names_that(alert: dict[str, Any]) -> None:
    """An incident has no plan and type of its own; what it is made of stands in its texts and its evidence."""
    incident = noticed(AlertType="SecurityIncident", IsIncident=True, **alert)
    assert CANARY not in texts_sent(incident, has_ai_whole=False)


def test_a_group_outlines_a_member_about_ai() -> None:
    """The title of a member about AI, too, has what its placeholders stood for."""
    prompt = {"AlertDisplayName": "Jailbreak: %{Prompt}", "ExtendedProperties": {"Prompt": CANARY}}
    member = noticed(AlertType="AI.Azure_Jailbreak", **prompt)
    head = replace(a_notice(), group=a_group(named=(named_member(member),)))
    assert CANARY not in texts_sent(head, has_ai_whole=False)
