"""Weekly files of posture: a finding that two of them came without closes its ticket, which says so."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from alert_router_demo.soc import Soc, soc_in_thread
from router.cli import main
from tests.builders import NOW, RULES
from tests.constructed.weeks import row_of

POLICY = """
stream: cspm
floor: {{default: Medium}}
destinations:
  backlog: {{kind: servicenow, url: "{url}", auth: {{user: {user}, password: {{secret: PASSWORD}}}}{group}}}
routes: []
always: []
otherwise: [backlog]
"""
GROUPED = ", group: {by: [subscription], window: 7d}"
NAMES = "abcdefgh"
WEEK = timedelta(days=7)


@pytest.fixture
def soc(monkeypatch: pytest.MonkeyPatch) -> Iterator[Soc]:
    """A SOC whose secrets the router knows."""
    with soc_in_thread() as soc:
        monkeypatch.setenv("PASSWORD", soc.accounts["cspm"].servicenow_password)
        monkeypatch.setenv("ALERT_ROUTER_CA_FILE", str(soc.addresses.ca))
        yield soc


class Files:
    """A router over files, and the SOC's tickets."""

    def __init__(self, directory: Path, soc: Soc, capture: pytest.CaptureFixture[str], group: str = "") -> None:
        self._directory, self._soc, self._capture = directory, soc, capture
        rules = directory / "rules" / "cspm"
        rules.mkdir(parents=True)
        (directory / "rules" / "attack.yaml").write_bytes((RULES / "attack.yaml").read_bytes())
        user = soc.accounts["cspm"].servicenow_user
        (rules / "policy.yaml").write_text(POLICY.format(url=soc.addresses.servicenow, user=user, group=group))

    def run(self, after: timedelta, name: str, bodies: Sequence[bytes]) -> str:
        """Routes a file at an instant; returns what is printed."""
        file = self._directory / f"{name}.ndjson"
        file.write_bytes(b"\n".join(bodies))
        at = self._directory
        given = ("--rules", at / "rules", "--state", at / "state", "--decisions", at / "decisions.ndjson")
        self._capture.readouterr()
        assert (
            main(["run", *map(str, given), "--stream", "cspm", "--now", f"{NOW + after:%Y-%m-%dT%H:%M:%SZ}", str(file)])
            == 0
        )
        return self._capture.readouterr().out

    def decisions(self) -> list[dict[str, Any]]:
        """What the last run wrote of its decisions."""
        return [json.loads(line) for line in (self._directory / "decisions.ndjson").read_text().splitlines()]

    def closed(self) -> dict[str, str]:
        """The notes of each ticket that is closed, by what it is about."""
        tickets = self._soc.state()["tickets"]
        return {str(one["short_description"]): str(one["close_notes"]) for one in tickets if one["state"] == "6"}


def snapshot(names: Sequence[str]) -> list[bytes]:
    """A file of a snapshot."""
    return [row_of(name) for name in names]


def test_a_finding_that_two_weekly_files_came_without_closes_its_ticket_a_day_later(
    tmp_path: Path, soc: Soc, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says "not seen since", what it was and where; the funnel counts it; and the finding may come again."""
    files = Files(tmp_path, soc, capsys)
    for number, names in enumerate((NAMES, NAMES[:-1], NAMES[:-1])):
        files.run(number * WEEK, f"week-{number}", snapshot(names))
    assert files.closed() == {}
    said = files.run(2 * WEEK + timedelta(days=1), "week-2", snapshot(NAMES[:-1]))
    assert "1 finding ended: not seen in two snapshots" in said
    (ended,) = [one for one in files.decisions() if one["outcome"] == "resolved"]
    assert (ended["title"], ended["reason"].partition(":")[0]) == ("Update h", "not_seen")
    ((title, notes),) = files.closed().items()
    assert title == "High: Update h - vm-h"
    assert notes.startswith(
        "Not seen since 2026-11-24, two snapshots came without it. It stood here for 15 days, since 2026-11-24 12:00 UTC.\n"
        "High: Update h - vm-h\nResource: "
    )
    assert "\nPackage: h\n" in notes
    assert "fixed" not in notes.lower()
    files.run(2 * WEEK + timedelta(days=2), "week-0", snapshot(NAMES))
    assert len(files.closed()) == 1
    files.run(3 * WEEK, "week-3", snapshot(NAMES[::-1]))
    tickets = [one for one in soc.state()["tickets"] if one["short_description"] == title]
    assert [one["state"] == "6" for one in tickets] == [True, False]


def test_a_group_ends_with_the_last_of_its_members(
    tmp_path: Path, soc: Soc, capsys: pytest.CaptureFixture[str]
) -> None:
    """Members leave it as by any resolution."""
    files = Files(tmp_path, soc, capsys, GROUPED)
    for number, names in enumerate((NAMES, NAMES[:-1], NAMES[:-1], NAMES[:-1])):
        files.run(number * WEEK, f"week-{number}", snapshot(names))
    assert len(soc.state()["tickets"]) == 1
    files.run(4 * WEEK, "gone", [row_of(name, action="Delete", is_snapshot=False) for name in NAMES[:-1]])
    assert len(files.closed()) == 1


def test_an_exempted_finding_closes_its_ticket_as_exempt(
    tmp_path: Path, soc: Soc, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what the message says of the exemption."""
    files = Files(tmp_path, soc, capsys)
    files.run(timedelta(), "open", snapshot("h"))
    exempt = {
        "code": "NotApplicable",
        "cause": "Exempt",
        "description": "Accepted until May",
        "statusChangeDate": f"{NOW}",
    }
    files.run(WEEK, "exempt", [row_of("h", status=exempt, is_snapshot=False)])
    (notes,) = files.closed().values()
    assert notes.startswith(
        "Exempt, not fixed: Accepted until May. It stood here for 7 days, since 2026-11-24 12:00 UTC.\n"
    )
