"""Before anything is raised a drill says whom it is going to call, by the rules, silences and holds as they stand."""

from __future__ import annotations

import pytest

from router.app.clock import now
from router.app.drill_forecast import forecast
from router.app.rules import load_rules
from router.domain.rulebook import Rulebook
from router.domain.signals import Stream
from router.domain.silences import NO_SILENCES
from router.drill.expected import ExpectedDestination
from router.drill.subjects import BUNDLES, DrillSubject, samples_of
from tests.builders import RULES

SUBSCRIPTION = "d87e1b60-4a2c-4f93-b1d7-05c3e8a2f330"
POLICY = """
stream: cwpp
floor: {default: Medium}
destinations:
  pages: {kind: file, path: PATH/pages.ndjson}
  tickets: {kind: file, path: PATH/tickets.ndjson}
  vault: {kind: file, path: PATH/vault.ndjson}
routes:
  - {name: page, when: {at_least: High, sample: false}, to: [pages]}
  - {name: vaults, when: {plan: KeyVaults}, to: [vault]}
always: []
otherwise: [tickets]
"""


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Rulebook:
    """Rules that keep samples off the pager, and send key vaults elsewhere."""
    directory = tmp_path_factory.mktemp("forecast")
    (directory / "cwpp").mkdir()
    (directory / "cwpp" / "policy.yaml").write_text(POLICY.replace("PATH", str(directory)))
    (directory / "attack.yaml").write_bytes((RULES / "attack.yaml").read_bytes())
    return load_rules(directory, [Stream.CWPP], now()).books[Stream.CWPP]


def expected_by(
    book: Rulebook, subject: DrillSubject, holds: dict[str, str] | None = None
) -> dict[str, ExpectedDestination]:
    """The destinations that a drill is to prove, by name."""
    return {one.name: one for one in forecast(book, NO_SILENCES, subject, now(), holds or {})}


def test_whom_rules_keep_samples_from_is_expected_and_said_to_be_out_of_reach(book: Rulebook) -> None:
    """A real alert would go there, so that it is not proven as long as no sample does."""
    found = expected_by(book, samples_of(SUBSCRIPTION, "VirtualMachines"))
    assert found.keys() == {"pages", "tickets"}
    assert (found["pages"].hindrance, found["pages"].types) == ("the rules keep samples from it", 0)
    assert found["tickets"].is_called
    assert found["tickets"].types > 10


def test_rules_are_asked_of_the_plan_that_is_drilled(book: Rulebook) -> None:
    """What is only for another plan is not expected."""
    found = expected_by(book, samples_of(SUBSCRIPTION, "KeyVaults"))
    assert found["vault"].is_called
    assert "vault" not in expected_by(book, samples_of(SUBSCRIPTION, "SqlServers"))


def test_a_destination_that_is_held_is_said_to_be(book: Rulebook) -> None:
    """By whom and until when."""
    found = expected_by(book, samples_of(SUBSCRIPTION, "VirtualMachines"), {"tickets": "it is held by ana"})
    assert found["tickets"].hindrance == "it is held by ana"


def test_a_real_alert_of_a_cluster_reaches_the_pager(book: Rulebook) -> None:
    """It is no sample, and of Kubernetes."""
    found = expected_by(book, DrillSubject(plan="Containers", cluster="aks-pay"))
    assert found["pages"].is_called


@pytest.mark.parametrize("bundle", sorted(BUNDLES))
def test_types_are_known_of_every_bundle(book: Rulebook, bundle: str) -> None:
    """Else a drill of it would expect nobody."""
    assert any(one.is_called for one in expected_by(book, samples_of(SUBSCRIPTION, bundle)).values())
