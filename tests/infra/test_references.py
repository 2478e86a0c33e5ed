"""az and azd are called for the hooks, and the app reads its vault when it is told to."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from infra.programs import Answer, NoAnswer, answer_of, document_of
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
    """A worker reads its settings once, so it is started anew; where nothing came, work in hand is not ended for nothing."""
    az = Az({"A": "SecretNotFound", "B": "Resolved"}, {"A": "Resolved", "B": "Resolved"})
    assert refresh(AZURE, az) == {"A": "Resolved", "B": "Resolved"}
    assert az.asked == [
        "rest --method get --url",
        "rest --method post --url",
        "rest --method get --url",
        f"functionapp restart --name func-test --resource-group rg-soc --subscription {SUBSCRIPTION}",
    ]
    for statuses in ({"A": "SecretNotFound"}, {"A": "Resolved"}, {}):
        az = Az(statuses, statuses)
        refresh(AZURE, az)
        assert not [command for command in az.asked if "restart" in command]


def test_an_answer_is_read_as_far_as_it_goes(subtests: pytest.Subtests) -> None:
    """A reference without a name is known by the last part of its id; an answer that cannot be read is none."""
    nameless = {"id": "/subscriptions/s/appsettings/A", "properties": {"status": "Resolved"}}
    assert refresh(AZURE, lambda *_: {"value": [nameless, "?", {"name": "B"}]}) == {"A": "Resolved"}
    answers: list[object] = [None, [], {}, {"value": None}]
    for answer in answers:
        with subtests.test(repr(answer)), pytest.raises(NoAnswer):
            refresh(AZURE, lambda *_, answer=answer: answer)


@pytest.fixture
def az(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where an az can be put; nothing else is on the path but what a script needs."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin")
    return tmp_path / "az"


def says(az: Path, *lines: str) -> None:
    """Makes az do that."""
    az.write_text("\n".join(("#!/bin/sh", *lines, "")))
    az.chmod(0o755)


def test_what_az_answers_is_read(az: Path) -> None:
    """Warnings are no part of the answer, silence is none; and where az would ask, it gets no answer, and goes on."""
    says(az, "echo old >&2", """echo "[\\"$*\\"]" """)
    assert document_of("account", "show") == ["account show --output json"]
    says(az, "exit 0")
    assert document_of("rest") is None
    says(az, "read answer || echo '\"nobody\"'")
    assert document_of("rest") == "nobody"


def test_what_az_complains_of_is_one_line(az: Path, subtests: pytest.Subtests) -> None:
    """The first that is not empty, or the error behind a warning; one that hangs is ended."""
    for lines, why in (
        (["echo >&2", "echo ' ERROR: no ' >&2", "exit 3"], "ERROR: no"),
        (["echo 'WARNING: Unable' >&2", "echo 'ERROR: no right' >&2", "exit 1"], "ERROR: no right"),
        (["exit 3"], "it said nothing"),
        (["echo x"], "az graph query: it answered no JSON"),
    ):
        says(az, *lines)
        with subtests.test(why), pytest.raises(NoAnswer, match=f"^{why}$"):
            document_of("graph", "query", "-q")
    assert Answer(1, "", "WARNING: This is a preview\n").why == "WARNING: This is a preview"
    os.mkfifo(az.with_name("never"))
    says(az, f"exec cat {az.with_name('never')}")
    with pytest.raises(NoAnswer, match=r"^az: no answer within 0 s$"):
        answer_of("az", "rest", limit=timedelta())
