"""Commands on a state know the owners that its tags name."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime

import pytest

from router.coverage.commands.tags import keep_tags
from router.coverage.documents import parsed_document
from tests.builders import RESOURCE, finding_body
from tests.cli.house import House
from tests.store.opened import open_store

NOW = "2026-11-24T12:00:00Z"
RULE = "rules/cspm/suppressions/payments.json"
OWNED = {"field": "owner", "in": ["payments"]}


@pytest.fixture
def tagged(house: House) -> House:
    """A house that took in a finding, and then heard of the tag that says whose its resource is."""
    house.writes("rules/owners.yaml", 'tags: live\nowners: [{tag: {team: "*"}, group: "{tag.team}"}]\n')
    house.writes("finding.ndjson", finding_body())
    assert house.says("run", "--now", NOW, "finding.ndjson").code == 0
    asyncio.run(keep(house))
    return house


async def keep(house: House) -> None:
    """What `coverage check --live` read is kept in the state."""
    store = open_store(house.directory / ".state")
    document = parsed_document({"id": RESOURCE, "tags": {"Team": "payments"}}, "answer")
    await keep_tags(store, [document], datetime(2026, 11, 24, 11, tzinfo=UTC))
    await store.close()


def test_explain_says_whose_a_message_is_by_the_tags_of_the_state_that_is_named(tagged: House) -> None:
    """Without one it knows none."""
    explain = ("explain", "--format", "json", "--now", NOW, "finding.ndjson")
    owners = [json.loads(tagged.says(*explain, *state).out)[0]["owner"] for state in ((), ("--state", ".state"))]
    assert owners == [None, "payments"]


def test_a_preview_of_a_rule_by_owner_asks_them_too(tagged: House) -> None:
    """Where owners.yaml does not say `live`, it knows none."""
    scope = {"allOf": [OWNED]}
    rule = {"alertType": "assessment-1", "state": "Enabled", "reason": "x", "comment": "known, owner a@example.com",
            "expirationDateUtc": "2026-12-20T00:00:00Z", "suppressionAlertsScope": scope}  # fmt: skip
    tagged.writes(RULE, json.dumps({"properties": rule}))
    preview = ("rules", "preview", "--state", ".state", "--format", "json", "--now", NOW, RULE)
    (by_tags,) = json.loads(tagged.says(*preview).out)
    tagged.writes("rules/owners.yaml", 'owners: [{tag: {team: "*"}, group: "{tag.team}"}]\n')
    (without,) = json.loads(tagged.says(*preview).out)
    assert (by_tags["signals"], without["signals"]) == (1, 0)
