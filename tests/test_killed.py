"""A run that is killed loses nothing, and opens nothing twice where that can be told."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from router.cli.demo.soc import Soc, soc_in_thread
from router.domain.keys import signal_key
from tests.builders import RULES, alert_body

KILLS = 50
ALERTS = 40

POLICY = """
stream: cwpp
floor: {{default: Low}}
destinations:
  oncall: {{kind: pagerduty, url: "{pagerduty}", routing_key: {{secret: ROUTING_KEY}}}}
  tickets: {{kind: servicenow, url: "{servicenow}", auth: {{user: {user}, password: {{secret: PASSWORD}}}}}}
routes: [{{name: everything, when: {{}}, to: [oncall, tickets]}}]
always: []
otherwise: [tickets]
"""


@pytest.fixture(scope="module")
def soc() -> Iterator[Soc]:
    """A SOC that outlives the router."""
    with soc_in_thread() as soc:
        yield soc


@pytest.fixture(scope="module")
def environment(soc: Soc) -> Mapping[str, str]:
    """The router's app settings."""
    account = soc.accounts["cwpp"]
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**inherited, "ROUTING_KEY": account.routing_key, "PASSWORD": account.servicenow_password}


@pytest.fixture(scope="module")
def rules(soc: Soc, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rules under which every alert pages and opens a ticket."""
    rules = tmp_path_factory.mktemp("rules")
    (rules / "cwpp").mkdir()
    (rules / "attack.yaml").write_bytes((RULES / "attack.yaml").read_bytes())
    where = {"pagerduty": soc.addresses.pagerduty, "servicenow": soc.addresses.servicenow}
    (rules / "cwpp" / "policy.yaml").write_text(POLICY.format(**where, user=soc.accounts["cwpp"].servicenow_user))
    return rules


def a_run(rules: Path, state: Path, messages: Path, environment: Mapping[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "router", "run", "--rules", str(rules), "--state", str(state), str(messages)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_killed_fifty_times_it_accounts_for_every_message_and_pages_once(
    rules: Path, environment: Mapping[str, str], soc: Soc, tmp_path: Path
) -> None:
    """Kill -9 at a random moment of each run, then run again: every message is on record with one outcome, every delivery
    ended, each signal has one page, and one ticket, since there is one deliverer and look-ups are consistent."""
    chance = random.Random(20261124)  # noqa: S311  A seed, so that a failure can be had again.
    state, messages = tmp_path / "state", tmp_path / "messages.ndjson"
    lengths = [0.8]
    killed = 0
    ids: list[str] = []
    for number in range(KILLS):
        fresh = [f"kill-{number}-{n}" for n in range(ALERTS)]
        ids += fresh
        messages.write_bytes(b"\n".join(map(alert_body, fresh)))
        running = a_run(rules, state, messages, environment)
        time.sleep(chance.uniform(0.2, max(lengths)))
        if running.poll() is None:
            running.send_signal(signal.SIGKILL)
            killed += 1
        running.communicate()
        started = time.monotonic()
        again = a_run(rules, state, messages, environment)
        out, err = again.communicate(timeout=60)
        lengths = [*lengths[-4:], time.monotonic() - started]
        assert (again.returncode, err) == (0, ""), out
    assert killed > KILLS // 2
    keys = {signal_key("cwpp", "alert", id) for id in ids}
    with sqlite3.connect(state / "router.db") as db:
        assert Counter(dict(db.execute("SELECT key, outcome FROM record")).values()) == {"routed": len(ids)}
        assert dict(db.execute("SELECT state, count(*) FROM deliveries GROUP BY state")) == {"sent": 2 * len(ids)}
    db.close()
    seen = soc.state()
    assert Counter(page.dedup_key for page in soc.pagerduty.pages) == dict.fromkeys(keys, 1)
    assert Counter(ticket["correlation_id"] for ticket in seen["tickets"]) == dict.fromkeys(keys, 1)
    print(json.dumps({"kills": killed, "alerts": len(ids), "triggers folded": seen["duplicates"]["pages"]}))
