"""The app reads its vault when it is told to."""

from __future__ import annotations

import pytest

from infra.programs import NoAnswer
from infra.references import refresh
from tests.infra.azd import OUTPUTS, SUBSCRIPTION, references

AZURE = {**OUTPUTS, "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION}


class Az:
    """An Azure that finds in the vault what is there once it looks again."""

    def __init__(self, before: dict[str, str], after: dict[str, str]) -> None:
        self.statuses = before
        self.vault = after
        self.asked: list[str] = []

    def __call__(self, *arguments: str) -> object:
        """What az answers."""
        self.asked.append(" ".join(word for word in arguments if not word.startswith("https:")))
        if "post" in arguments:
            self.statuses = self.vault
            return None
        return references(**self.statuses) if arguments[0] == "rest" else None


def test_a_secret_that_was_set_reaches_the_app() -> None:
    """A worker reads its settings once, so it is started anew."""
    az = Az({"A": "SecretNotFound", "B": "Resolved"}, {"A": "Resolved", "B": "Resolved"})
    assert refresh(AZURE, az) == {"A": "Resolved", "B": "Resolved"}
    assert az.asked == [
        "rest --method get --url",
        "rest --method post --url",
        "rest --method get --url",
        f"functionapp restart --name func-test --resource-group rg-soc --subscription {SUBSCRIPTION}",
    ]


def test_work_in_hand_is_not_ended_for_nothing() -> None:
    """Neither where nothing is there yet nor where all was there before."""
    for statuses in ({"A": "SecretNotFound"}, {"A": "Resolved"}, {}):
        az = Az(statuses, statuses)
        refresh(AZURE, az)
        assert not [command for command in az.asked if "restart" in command]


def test_a_reference_is_known_by_its_id_where_it_has_no_name() -> None:
    """The last part is the setting's name."""
    answer = {
        "value": [{"id": "/subscriptions/s/appsettings/A", "properties": {"status": "Resolved"}}, "?", {"name": "B"}]
    }
    assert refresh(AZURE, lambda *_: answer) == {"A": "Resolved"}


@pytest.mark.parametrize("answer", [None, [], {}, {"value": None}])
def test_an_answer_that_cannot_be_read_is_none(answer: object) -> None:
    """It is said as unknown."""
    with pytest.raises(NoAnswer):
        refresh(AZURE, lambda *_: answer)
