"""az is called for the hooks: a sample alert is raised and seen routed, and the app reads its vault when it is told to."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from infra.programs import Answer, NoAnswer, answer_of, document_of
from infra.proof import LONGEST, PAUSE, QUERY, STEPS, prove
from infra.references import refresh
from router.destinations.log_analytics import log_tables
from tests.infra.azd import OUTPUTS, SUBSCRIPTION, references
from tests.infra.predicted import ROOT

VALUES = {**OUTPUTS, "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION}
NOW = "2026-11-25T12:00:00Z"
COLUMNS = ("TimeGenerated", "SignalTitle", "Severity", "Outcome", "Reason", "Routes", "Destinations")


def row(outcome: str = "routed", title: str = "A sample", to: str = '["oncall", "sentinel"]') -> list[str]:
    """A decision as the workspace answers it."""
    return [NOW, title, "High", outcome, "routes: page-high", '["page-high"]', to]


class Azure:
    """An Azure in which decisions can be queried one batch after another; a text is what az complains of."""

    def __init__(self, *batches: Sequence[list[str]] | str) -> None:
        self.batches = list(batches)
        self.asked: list[tuple[str, Any]] = []
        self.waited = timedelta()
        self.said: list[str] = []
        self.at: object = {"tables": [{"columns": [{"name": "at"}], "rows": [[NOW]]}]}
        self.locations = [{"name": "centralus"}]

    def ask(self, *arguments: str) -> object:
        """What az answers."""
        if arguments[0] != "rest":
            return {"customerId": "workspace-1"} if arguments[0] == "monitor" else self.locations
        url, body = arguments[arguments.index("--url") + 1], arguments[arguments.index("--body") + 1]
        self.asked.append((url, json.loads(Path(body.removeprefix("@")).read_text())))
        if "simulate" in url:
            return None
        if "now()" in self.asked[-1][1]["query"]:
            return self.at
        batch = self.batches.pop(0) if self.batches else []
        if isinstance(batch, str):
            raise NoAnswer(batch)
        return {"tables": [{"columns": [{"name": name} for name in COLUMNS], "rows": batch}]}

    def proves(self) -> bool:
        """Whether it comes through."""

        def wait(pause: timedelta) -> None:
            self.waited += pause

        return prove(VALUES, self.ask, wait, self.said.append)


def test_what_becomes_of_it_is_shown() -> None:
    """Each decision once, until one is routed."""
    azure = Azure([], [row("suppressed", "Another")], "busy", [row("suppressed", "Another"), row()], [row()])
    assert azure.proves()
    assert azure.said[-2:] == [
        "suppressed: High Another, routes: page-high, to oncall, sentinel",
        "routed: High A sample, routes: page-high, to oncall, sentinel",
    ]
    assert azure.waited == 3 * PAUSE


def test_it_is_raised_once_and_after_the_workspace_answered() -> None:
    """Where Defender keeps the subscription's data; and only what came since is looked at, by Azure's clock."""
    azure = Azure([row()])
    assert azure.proves()
    (first, simulate, then) = azure.asked
    assert first[1] == {"query": "print at = now()"}
    assert simulate == (
        f"https://management.azure.com/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Security/locations/centralus"
        "/alerts/default/simulate?api-version=2022-01-01",
        {"properties": {"kind": "Bundles", "bundles": ["VirtualMachines"]}},
    )
    assert then == ("https://api.loganalytics.io/v1/workspaces/workspace-1/query", {"query": QUERY.format(since=NOW)})


def test_the_columns_are_those_that_the_program_writes() -> None:
    """A query for others would end before anything was seen."""
    assert QUERY.startswith("AlertRouterDecisions_CL | where IsSample and TimeGenerated >= datetime({since}) | ")
    assert QUERY.endswith(" | project " + ", ".join(COLUMNS))
    assert {"IsSample", *COLUMNS} <= log_tables()["AlertRouterDecisions_CL"].columns.keys()


def test_it_gives_up_when_the_longest_is_over_and_says_why() -> None:
    """What was last complained of is said, too."""
    azure = Azure("busy")
    assert not azure.proves()
    assert azure.waited == timedelta(minutes=LONGEST) == timedelta(minutes=sum(step.minutes for step in STEPS))
    assert azure.said[-1].startswith(f"nothing was routed within {LONGEST} minutes (busy): ")


def test_whatever_stands_in_a_column_is_shown(subtests: pytest.Subtests) -> None:
    """A dynamic column comes as text."""
    for to, shown in {"": "nobody", "[]": "nobody", "null": "nobody", "[": "[", "oncall": "oncall"}.items():
        with subtests.test(to):
            azure = Azure([row(to=to)])
            assert azure.proves()
            assert azure.said[-1].endswith(f"to {shown}")


def test_nothing_is_raised_where_nobody_could_see_it(subtests: pytest.Subtests) -> None:
    """A workspace that cannot be queried ends it at once, and so does a subscription in which no plan is on, or ever was."""
    answers: list[object] = [None, {}, {"tables": []}, {"tables": [{"columns": [], "rows": [["x"]]}]}]
    for answer in answers:
        azure = Azure()
        azure.at = answer
        with subtests.test(str(answer)):
            with pytest.raises(NoAnswer):
                azure.proves()
            assert not [url for url, _ in azure.asked if "simulate" in url]
    azure = Azure()
    azure.locations = []
    with pytest.raises(NoAnswer, match="is a plan on"):
        azure.proves()


def test_any_python_can_run_it() -> None:
    """Nothing is installed for it: who reads docs/deploy.md has azd, az and a Python."""
    bare = [sys.executable, "-S", "-c", "import infra.proof"]
    subprocess.run(bare, cwd=ROOT, check=True)


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
