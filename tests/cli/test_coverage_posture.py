"""What `coverage check` and `coverage report` say beside the verdicts: posture, and answers that were refused or cut."""

from __future__ import annotations

import json

import pytest

from tests.cli.house import House
from tests.coverage.builders import SQL_SERVER, SUBSCRIPTION, pricing, resource

AT = ("--now", "2026-11-25T12:00:00Z")
SERVERS = [resource(SQL_SERVER, "Microsoft.Sql/servers")]


@pytest.fixture
def covered(house: House) -> House:
    """A house in which all is covered: one SQL server and the plan of its subscription."""
    house.writes("plans.json", json.dumps(pricing("SqlServers")))
    house.writes("servers.json", json.dumps(SERVERS))
    house.writes("rules/coverage.yaml", "expect:\n  - kind: sql-server\n")
    return house


def said(house: House, format: str, *files: str, allowed: tuple[str, ...] = ()) -> tuple[int, str]:
    """What the command ends with and prints of plans, servers and other files."""
    found = house.says("coverage", "check", *AT, *allowed, "--format", format, "plans.json", "servers.json", *files)
    return found.code, found.out


@pytest.mark.parametrize(
    "answer",
    [{"error": {"code": "AuthorizationFailed"}}, {"data": SERVERS, "total_records": 2, "skip_token": "x"}],
)
def test_what_was_not_answered_in_full_is_2_unless_unknown_passes(covered: House, answer: object) -> None:
    """Every form names the file."""
    assert said(covered, "text")[0] == 0
    covered.writes("other.json", json.dumps(answer))
    for format in ("text", "json", "junit", "github", "markdown"):
        code, out = said(covered, format, "other.json")
        assert code == 2
        assert "1 file was not answered in full" in out or format == "junit"
        assert out.count("other.json") >= 1
        assert said(covered, format, "other.json", allowed=("--allow-unknown",))[0] == 0
    assert '<error message="other.json: not answered in full: it ' in said(covered, "junit", "other.json")[1]
    assert "::error title=coverage file::other.json: not answered" in said(covered, "github", "other.json")[1]
    covered.says("coverage", "report", *AT, "--out", "page.html", "plans.json", "other.json")
    assert "other.json: not answered in full" in (covered.directory / "page.html").read_text()


@pytest.mark.parametrize(
    ("plan", "is_on", "sentence"),
    [
        ("FoundationalCspm", True, "Foundational CSPM is on in 1 subscription."),
        ("Api", False, f"Foundational CSPM of {SUBSCRIPTION} is not known to be on: no answer names a plan of posture"),
    ],
)
def test_posture_is_a_line_of_every_form_and_changes_no_exit_code(
    covered: House, plan: str, is_on: bool, sentence: str
) -> None:
    """In JUnit it is a remark on the plans of the subscription, where that is judged."""
    covered.writes("posture.json", json.dumps(pricing(plan)))
    assert said(covered, "text", "posture.json")[0] == 0
    assert sentence in said(covered, "text", "posture.json")[1]
    assert sentence.replace(SUBSCRIPTION, f"`{SUBSCRIPTION}`") in said(covered, "markdown", "posture.json")[1]
    (posture,) = json.loads(said(covered, "json", "posture.json")[1])["posture"]
    assert (posture["subscription"], posture["name"], posture["known_on"]) == (SUBSCRIPTION, SUBSCRIPTION, is_on)
    assert bool(posture["evidence"]) is is_on
    covered.says("coverage", "report", *AT, "--out", "page.html", "plans.json", "posture.json")
    assert sentence in (covered.directory / "page.html").read_text()
    covered.writes("rules/coverage.yaml", "expect:\n  - kind: subscription\n    plans: {SqlServers: any}\n")
    remark = "foundational CSPM is on" if is_on else "foundational CSPM is not known to be on"
    assert remark in said(covered, "junit", "posture.json")[1]


def test_no_name_of_a_subscription_acts_in_the_sentence(covered: House) -> None:
    """Whoever names a subscription writes into a summary of CI."""
    account = {"id": SUBSCRIPTION, "tenantId": "t", "isDefault": True, "name": "<img src=x>|@team\n::error::x\u202e"}
    covered.writes("accounts.json", json.dumps([account]))
    for format in ("text", "json", "junit", "github", "markdown"):
        out = said(covered, format, "accounts.json")[1]
        assert "\u202e" not in out
        assert not any(line.startswith("::error::x") for line in out.splitlines())
    markdown = [line for line in said(covered, "markdown", "accounts.json")[1].splitlines() if "Foundational" in line]
    assert "<img" not in markdown[0]
    assert "@team" not in markdown[0]


def test_of_many_commands_the_first_ones_are_shown(covered: House) -> None:
    """All of them are in the JSON and on the page, each on its line."""
    plans = ("SqlServers", "CosmosDbs", "AppServices", "Arm", "Api")
    covered.writes("plans.json", json.dumps({"value": [pricing(name, "Free") for name in plans]}))
    expected = ", ".join(f"{name}: any" for name in plans)
    covered.writes("rules/coverage.yaml", f"expect:\n  - kind: subscription\n    plans: {{{expected}}}\n")
    text = said(covered, "text")[1].splitlines()
    shown = [line for line in text if "az security pricing create" in line]
    assert [line.split()[0] for line in shown] == ["mend"] * 4
    assert text[text.index(shown[-1]) + 1].strip() == "mend   1 more like it: in --format json"
    (row,) = json.loads(said(covered, "json")[1])["workloads"]
    assert len(row["rungs"]["plan"]["remedy"].split("\n")) == 5
    for format in ("github", "junit", "markdown"):
        out = said(covered, format)[1]
        assert f"(and 4 more {'commands' if format == 'junit' else 'like it'})" in out
        assert "-n Arm" not in out
    covered.says("coverage", "report", *AT, "--out", "page.html", "plans.json")
    assert "2 more like it" in (covered.directory / "page.html").read_text()
