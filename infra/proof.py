"""Raises a sample alert and shows that it was routed: `infra/hooks/prove.py`, by any Python that is new enough.

The command line of Azure has no command that raises one; its REST API has:
https://learn.microsoft.com/rest/api/defenderforcloud/alerts/simulate
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from infra.programs import NoAnswer, answer_of, document_of
from infra.references import Ask
from router.domain.errors import UserError


class Step(NamedTuple):
    """A part of the way, and how many minutes it takes at most: reckoned from what its source says, not measured."""

    what: str
    minutes: int
    source: str


STEPS = (
    Step(
        "Defender makes sample alerts and exports them",
        10,
        "[a few minutes](https://learn.microsoft.com/azure/defender-for-cloud/alert-validation)",
    ),
    Step(
        "the router takes them in, decides and sends",
        5,
        "[the sweep](operations.md#what-runs): every minute it takes in what came two minutes ago and no trigger brought",
    ),
    Step(
        "the decisions can be queried",
        10,
        "[20 seconds to 3 minutes on average](https://learn.microsoft.com/azure/azure-monitor/logs/data-ingestion-time); "
        "the first rows of a new table later",
    ),
)

LONGEST = sum(step.minutes for step in STEPS)
"""In minutes."""

PAUSE = timedelta(seconds=20)
BUNDLE = "VirtualMachines"

QUERY = (
    "AlertRouterDecisions_CL | where IsSample and TimeGenerated >= datetime({since}) "
    "| project TimeGenerated, SignalTitle, Severity, Outcome, Reason, Routes, Destinations"
)

_LOGS = "https://api.loganalytics.io"


def prove(values: Mapping[str, str], ask: Ask, wait: Callable[[timedelta], None], say: Callable[[str], None]) -> bool:
    """Whether a sample alert was routed in time; raises NoAnswer, KeyError where azd knows no such value."""
    subscription = values["AZURE_SUBSCRIPTION_ID"]
    logs = _workspace(values["WORKSPACE_ID"], ask)
    # By Azure's own clock; and whoever may not query is told before anything is raised.
    (start,) = _rows(logs, "print at = now()", ask)
    place = _location(subscription, ask)
    say(f"raising sample alerts of {BUNDLE} in {subscription}")
    _post(
        f"https://management.azure.com/subscriptions/{subscription}/providers/Microsoft.Security/locations/{place}"
        "/alerts/default/simulate?api-version=2022-01-01",
        {"properties": {"kind": "Bundles", "bundles": [BUNDLE]}},
        ask,
    )
    say(f"waiting for what becomes of them, {LONGEST} minutes at most; Ctrl-C ends the waiting only")
    shown: set[str] = set()
    why = ""
    for _ in range(int(timedelta(minutes=LONGEST) / PAUSE)):
        try:
            rows = _rows(logs, QUERY.format(since=start["at"]), ask)
        except NoAnswer as fault:
            rows, why = [], f" ({fault})"
        for line in dict.fromkeys(map(_line_of, rows)):
            if line not in shown:
                say(line)
                shown.add(line)
        if any(row["Outcome"] == "routed" for row in rows):
            return True
        wait(PAUSE)
    say(f"nothing was routed within {LONGEST} minutes{why}: docs/deploy.md, A sample alert, says where to look")
    return False


def _line_of(row: Mapping[str, object]) -> str:
    to = _listed(row["Destinations"])
    return f"{row['Outcome']}: {row['Severity']} {row['SignalTitle']}, {row['Reason'] or 'for no reason'}, to {to or 'nobody'}"


def _listed(value: object) -> str:
    # A dynamic column comes as text.
    try:
        found = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        found = value
    return ", ".join(map(str, found)) if isinstance(found, list) else str(found or "")


def _workspace(id: str, ask: Ask) -> str:
    shown = ask("monitor", "log-analytics", "workspace", "show", "--ids", id)
    if not isinstance(shown, Mapping) or not shown.get("customerId"):
        raise NoAnswer(f"az monitor log-analytics workspace show: it does not know {id}")
    return f"{_LOGS}/v1/workspaces/{shown['customerId']}/query"


def _location(subscription: str, ask: Ask) -> str:
    # That where Defender keeps the subscription's data, not that of any resource.
    listed = ask("security", "location", "list", "--subscription", subscription)
    if not isinstance(listed, list) or not listed or not isinstance(listed[0], Mapping) or not listed[0].get("name"):
        raise NoAnswer("az security location list: Defender keeps nothing of this subscription yet; is a plan on?")
    return str(listed[0]["name"])


def _rows(logs: str, query: str, ask: Ask) -> list[dict[str, object]]:
    answer = _post(logs, {"query": query}, ask, "--resource", _LOGS)
    try:
        table = answer["tables"][0]  # type: ignore[index]
        return [dict(zip((column["name"] for column in table["columns"]), row, strict=True)) for row in table["rows"]]
    except (KeyError, IndexError, TypeError, ValueError):
        raise NoAnswer("az rest: the workspace answered no table") from None


def _post(url: str, body: object, ask: Ask, *more: str) -> object:
    # In a file: on Windows the quotes of JSON do not survive the batch file that az is.
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "body.json")
        path.write_text(json.dumps(body), "utf-8")
        return ask("rest", "--method", "post", "--url", url, "--body", f"@{path}", *more)


def _values() -> dict[str, str]:
    said = answer_of("azd", "env", "get-values")
    if said.code != 0:
        raise NoAnswer(f"azd env get-values: {said.why}")
    lines = (line.partition("=") for line in said.out.splitlines())
    return {name: value.strip().strip('"') for name, _, value in lines}


def main() -> int:
    """Says how it goes; 1 where nothing was routed in time, or one line where something does not answer."""
    try:
        routed = prove(_values(), document_of, lambda pause: time.sleep(pause.total_seconds()), _say)
    except UserError as fault:
        print(fault, file=sys.stderr)
        return 1
    except KeyError as missing:
        print(f"{missing.args[0]}: azd has no such value; run azd up first", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0 if routed else 1


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
