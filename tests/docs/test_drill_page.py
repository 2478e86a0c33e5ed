"""docs/drill.md: its commands are understood, its workflow may do what it must and no more, its tables say all there is."""

from __future__ import annotations

import re
import shlex
from typing import Any

import yaml

from router.app.settings import HEARTBEAT
from router.cli.parser import new_parser
from tests.docs.pages import ROOT, page

PAGE = page("docs/drill.md")
SUBSCRIPTION = "d87e1b60-4a2c-4f93-b1d7-05c3e8a2f330"


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


def test_the_job_lasts_longer_than_its_drill_and_pins_what_our_own_workflows_pin() -> None:
    """Else its samples stand; and by the whole commit."""
    ((_, job),) = the_workflow()["jobs"].items()
    (within,) = re.findall(r"--within (\d+)m", PAGE.fence("drill.yml"))
    assert job["timeout-minutes"] >= int(within) + 10
    own = "".join(path.read_text() for path in (ROOT / ".github" / "workflows").iterdir())
    for used in (step["uses"] for step in job["steps"] if "uses" in step):
        name, _, commit = used.partition("@")
        assert re.fullmatch(r"[0-9a-f]{40}", commit)
        assert used in own or name not in own
