"""docs/drill.md: its commands are understood, its workflow may do what it must and no more, its tables say all there is."""

from __future__ import annotations

import re
import shlex
from datetime import UTC, datetime
from typing import Any

import yaml

from router.app.settings import HEARTBEAT
from router.cli.parser import new_parser
from router.coverage.drill.results import (
    DrillHop,
    DrillJudgement,
    DrillResult,
    DrillVerdict,
    OpenReceipt,
    result_object,
)
from router.coverage.drill.subjects import sample_drill
from tests.docs.pages import ROOT, column, page, spans

PAGE = page("docs/drill.md")
SUBSCRIPTION = "d87e1b60-4a2c-4f93-b1d7-05c3e8a2f330"
NOW = datetime(2026, 11, 26, tzinfo=UTC)


def the_workflow() -> dict[Any, Any]:
    """The workflow that people copy; `on` reads as true."""
    workflow: dict[Any, Any] = yaml.safe_load(PAGE.fence("drill.yml"))
    return workflow


def commands() -> list[str]:
    """Every command that the page shows, also in the workflow."""
    text = "\n".join(fence.text for fence in PAGE.fences if fence.language in ("sh", "yaml"))
    return re.findall(r"(?:^|run: )(alert-router drill .*)$", text, re.MULTILINE)


def test_every_command_is_understood() -> None:
    """By the program's own parser."""
    found = commands()
    assert len(found) == 5
    for line in found:
        words = shlex.split(re.sub(r'"\$\(.*\)"', "/id", line).replace('"$SUBSCRIPTION"', SUBSCRIPTION))
        new_parser().parse_args([word if word != "config.yaml" else __file__ for word in words[1:]])


def test_the_workflow_may_sign_in_and_read_the_rules_and_nothing_else() -> None:
    """As an identity of its own; of secrets it knows the address of the dead man's switch."""
    workflow = the_workflow()
    assert workflow["permissions"] == {"contents": "read", "id-token": "write"}
    assert f"`{workflow[True]['schedule'][0]['cron']}` in UTC" in PAGE.prose, "the check there follows it"
    assert workflow["concurrency"] == "drill"
    ((_, job),) = workflow["jobs"].items()
    assert "permissions" not in job
    text = PAGE.fence("drill.yml")
    assert re.findall(r"secrets\.(\w+)", text) == ["DRILL_HEARTBEAT"]
    assert "DRILL_CLIENT_ID" in text
    (step,) = [one for one in job["steps"] if one.get("name") == "drill"]
    assert step["env"].keys() == {"SUBSCRIPTION", "ALERT_ROUTER_STATE", HEARTBEAT}
    # No expression stands in a script: what a variable holds would be run. https://docs.github.com/actions/security-for-github-actions
    assert not any("${{" in one.get("run", "") for one in job["steps"])


def test_the_job_lasts_longer_than_its_drill_and_what_comes_after() -> None:
    """Else its samples stand."""
    ((_, job),) = the_workflow()["jobs"].items()
    (within,) = re.findall(r"--within (\d+)m", PAGE.fence("drill.yml"))
    assert job["timeout-minutes"] >= int(within) + 10


def test_the_workflow_pins_what_our_own_workflows_pin() -> None:
    """By the whole commit."""
    own = "".join(path.read_text() for path in (ROOT / ".github" / "workflows").iterdir())
    for step in the_workflow()["jobs"]["drill"]["steps"]:
        if "uses" in step:
            name, _, commit = step["uses"].partition("@")
            assert re.fullmatch(r"[0-9a-f]{40}", commit)
            assert step["uses"] in own or name not in own


def test_every_key_of_a_result_is_listed() -> None:
    """And every hop."""
    judgement = DrillJudgement(DrillVerdict.PASSED, "x", None, (), ())
    opened = OpenReceipt("oncall", "page", None, None, "x")
    result = DrillResult(
        subject=sample_drill(SUBSCRIPTION, "DNS"), began=NOW, ended=NOW, judgement=judgement, open=(opened,)
    )
    written = result_object(result)
    table = next(table for table in PAGE.tables("What it leaves behind") if "key" in table[0])
    assert [key for row in table for key in spans(row["key"])] == list(written)
    (row,) = [one for one in table if one["key"] == "`open`"]
    assert written["open"]
    assert set(spans(row["says"])) == set(written["open"][0])  # type: ignore[index]
    hops = next(table for table in PAGE.tables("Verdicts") if "hop" in table[0])
    assert column(hops, "hop") == [one.value for one in DrillHop]
