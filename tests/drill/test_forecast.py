"""Before anything is raised a drill says whom it is going to call, by the rules, silences and holds as they stand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.app.clock import now
from router.app.drill_forecast import forecast
from router.app.rules import load_rules
from router.decide import decide
from router.domain.rulebook import Floor, Rulebook
from router.domain.samples import NO_SUBSCRIPTION
from router.domain.severity import Severity, severity_named
from router.domain.signals import DEFENDER, Alert, Kind, Stream
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
    return {one.name: one for one in forecast(book, NO_SILENCES, subject, now(), holds or {}).expected}


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


MENU = """
stream: cwpp
floor: {default: Medium}
destinations:
  a: {kind: file, path: PATH/a.ndjson}
  b: {kind: file, path: PATH/b.ndjson}
  c: {kind: file, path: PATH/c.ndjson}
  d: {kind: file, path: PATH/d.ndjson}
routes:
  - {name: high, when: {at_least: High}, to: [a]}
  - {name: low, when: {severity: [Low, Informational]}, to: [b]}
  - {name: real, when: {sample: false}, to: [c]}
  - {name: samples, when: {sample: true, at_least: Medium}, to: [d]}
  - {name: machines, when: {plan: VirtualMachines}, to: [b]}
  - {name: vaults, when: {plan: KeyVaults, sample: true}, to: [c]}
  - {name: type, when: {alert_type: "*DigitalCurrency*"}, to: [a, c]}
  - {name: resource, when: {resource: "sample-*"}, to: [d]}
  - {name: elsewhere, when: {subscription: 00000000-0000-0000-0000-000000000000}, to: [b]}
  - {name: tactic, when: {tactics: [Execution]}, to: [a]}
  - {name: incidents, when: {incident: true}, to: [c]}
always: []
otherwise: [d]
"""
NAMES = ("a", "b", "c", "d")


@pytest.fixture(scope="module")
def menu(tmp_path_factory: pytest.TempPathFactory) -> Rulebook:
    """Routes of many sorts, of which policies are made."""
    directory = tmp_path_factory.mktemp("menu")
    (directory / "cwpp").mkdir()
    (directory / "cwpp" / "policy.yaml").write_text(MENU.replace("PATH", str(directory)))
    (directory / "attack.yaml").write_bytes((RULES / "attack.yaml").read_bytes())
    return load_rules(directory, [Stream.CWPP], now()).books[Stream.CWPP]


@given(st.data())
def test_nobody_is_called_who_was_not_named(menu: Rulebook, data: st.DataObject) -> None:
    """Whatever the rules, and whatever samples of the plan come, of types and severities that nobody documents, too."""
    subject = samples_of(SUBSCRIPTION, data.draw(st.sampled_from(sorted(BUNDLES))))
    names = st.lists(st.sampled_from(NAMES), max_size=2, unique=True).map(tuple)
    routes = data.draw(st.lists(st.builds(replace, st.sampled_from(menu.routes), to=names), max_size=4))
    floor = Floor(data.draw(st.sampled_from([Severity.LOW, Severity.MEDIUM, Severity.HIGH])))
    book = replace(menu, routes=tuple(routes), always=data.draw(names), otherwise=data.draw(names), floor=floor)
    found = forecast(book, NO_SILENCES, subject, now(), {})
    for sample in samples_that_may_come(subject.plan):
        assert set(decide(sample, book, now()).destinations) <= found.named


def samples_that_may_come(plan: str) -> Iterator[Alert]:
    """Samples of a plan of every severity, of types and resources that are known and that are not."""
    group = "/subscriptions/{}/resourceGroups/Sample-RG/providers/x/y/Sample-VM"
    for severity, type, kind, resource in product(
        [None, "Informational", "Low", "Medium", "High", "Critical"],
        ["SIMULATED_VM_DigitalCurrencyMining", "nobody knows it"],
        [Kind.ALERT, Kind.INCIDENT],
        [None, group.format(SUBSCRIPTION), group.format(NO_SUBSCRIPTION)],
    ):
        yield Alert(
            kind=kind,
            id="a",
            type=type,
            title="[SAMPLE ALERT] x",
            severity=severity_named(severity),
            severity_written=severity,
            resource=resource,
            plan=plan,
            sample=True,
            product=DEFENDER,
        )
