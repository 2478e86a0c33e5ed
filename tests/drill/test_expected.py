"""A drill expects an alert at each destination to which the routes lead a known type of its plan."""

from __future__ import annotations

from dataclasses import replace

import pytest

from router.app.rules import load_rules
from router.app.settings import now
from router.coverage.drill.running import expected_destinations
from router.coverage.drill.subjects import BUNDLES, DrillSubject, sample_drill
from router.domain.rulebook import Rulebook
from router.domain.signals import Stream
from tests.builders import RULES

SUBSCRIPTION = "d87e1b60-4a2c-4f93-b1d7-05c3e8a2f330"
POLICY = """
stream: cwpp
floor: {default: Medium}
destinations:
  pages: {kind: file, path: PATH/pages.ndjson}
  tickets: {kind: file, path: PATH/tickets.ndjson}
  vault: {kind: file, path: PATH/vault.ndjson}
  miners: {kind: file, path: PATH/miners.ndjson}
routes:
  - {name: page, when: {at_least: High, sample: false}, to: [pages]}
  - {name: vaults, when: {plan: KeyVaults}, to: [vault]}
  - {name: miners, when: {alert_type: "SIMULATED_VM_*"}, to: [miners]}
always: []
otherwise: [tickets]
"""


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Rulebook:
    """Rules that keep samples off the pager, and send key vaults elsewhere."""
    directory = tmp_path_factory.mktemp("expected")
    (directory / "cwpp").mkdir()
    (directory / "cwpp" / "policy.yaml").write_text(POLICY.replace("PATH", str(directory)))
    (directory / "attack.yaml").write_bytes((RULES / "attack.yaml").read_bytes())
    return load_rules(directory, [Stream.CWPP], now()).books[Stream.CWPP]


def test_destinations_follow_from_the_plan_and_from_what_is_raised(book: Rulebook) -> None:
    """A route that keeps samples away is expected all the same: a real alert goes there. Each bundle has known types."""
    machine = DrillSubject(plan="VirtualMachines", subscription=SUBSCRIPTION, machine="/subscriptions/x/vm")
    cases: list[tuple[DrillSubject, dict[str, bool]]] = [
        (sample_drill(SUBSCRIPTION, "VirtualMachines"), {"miners": True, "pages": False, "tickets": True}),
        (sample_drill(SUBSCRIPTION, "KeyVaults"), {"vault": True}),
        (DrillSubject(plan="Containers", cluster="aks-pay"), {"pages": True, "tickets": True}),
        (machine, {"pages": True, "tickets": True}),
    ]
    for subject, expected in cases:
        found = expected_destinations(book, subject, now())
        assert [(one.name, one.takes_samples) for one in found] == list(expected.items())
    everything = replace(book, routes=())
    for bundle in BUNDLES:
        (tickets,) = expected_destinations(everything, sample_drill(SUBSCRIPTION, bundle), now())
        assert tickets.name == "tickets", bundle
