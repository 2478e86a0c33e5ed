"""The rules that ship: what a SOC starts with is sound, loud enough, and still there in a year."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest

import alert_router_demo as demo
from router.decide.decision import decide, entry_for
from router.decide.signal_facts import with_coverage_level
from router.destinations import discover
from router.domain.catalogue import Attack
from router.domain.decisions import Outcome
from router.domain.owners import find_owner_of
from router.domain.recommendations import RECOMMENDATIONS
from router.domain.rulebook import Lane, Rulebook
from router.domain.severity import Severity
from router.domain.signals import Alert, Kind, Signal, Stream
from router.parse import read_signals
from router.rulebook import Example, load_all, load_catalogue, load_examples
from tests.builders import RULES, an_alert
from tests.coverage_messages import a_coverage_finding

TODAY = datetime(2026, 11, 24, tzinfo=UTC)
IN_A_YEAR = TODAY + timedelta(days=365)


@cache
def the_rules(stream: Stream, now: datetime = TODAY) -> Rulebook:
    """The starter's rulebook of a stream, with which nothing is wrong."""
    result = load_all(RULES, discover(), now)[stream]
    assert result.problems == ()
    assert result.rulebook is not None
    return result.rulebook


@cache
def the_examples(stream: Stream) -> tuple[Example, ...]:
    """The starter's examples of a stream."""
    examples, problems = load_examples(RULES, stream)
    assert problems == ()
    return examples


@pytest.mark.parametrize("stream", Stream)
def test_the_starter_rules_are_sound_today_and_in_a_year(stream: Stream) -> None:
    """They load without a problem or a warning, and the examples of suppression do not end before anybody has tried them."""
    rules = the_rules(stream, IN_A_YEAR).suppressions.by_name.values()
    assert rules
    assert all(rule.is_active(now) for rule in rules for now in (TODAY, IN_A_YEAR))
    assert the_rules(stream).suppressions.by_name.keys() == {rule.name for rule in rules}


@pytest.mark.parametrize("stream", Stream)
def test_every_route_and_every_rule_has_an_example(stream: Stream) -> None:
    """Each route is seen to be taken; each rule is seen to hold in its last second, and not at the instant of its end."""
    book, examples = the_rules(stream), the_examples(stream)
    shown: list[Any] = [name for example in examples for name in (example.expect.get("routes") or ())]  # type: ignore[attr-defined]
    assert set(shown) == {route.name for route in book.routes}
    assert {example.expect.get("suppressed_by") for example in examples} - {None} == book.suppressions.by_name.keys()
    for rule in book.suppressions.by_name.values():
        last = [one for one in examples if one.expect.get("suppressed_by") == rule.name]
        assert any(one.now == rule.expires - timedelta(seconds=1) for one in last)
        after = [one for one in examples if one.now == rule.expires and one.expect["outcome"] == "routed"]
        assert _unnumbered(after) & _unnumbered(last)


def _unnumbered(examples: Iterable[Example]) -> set[bytes]:
    """The messages of examples without the number at the end of each id."""
    return {body.partition(b'"SystemAlertId"')[0] for one in examples for body in one.bodies}


@pytest.mark.parametrize("stream", Stream)
def test_the_starter_examples_come_true(stream: Stream, subtests: pytest.Subtests) -> None:
    """Each example's messages get the decision that it expects."""
    book = the_rules(stream)
    for example in the_examples(stream):
        with subtests.test(example.name):
            for signal in [signal for body in example.bodies for signal in read_signals(body, book.catalogue)]:
                assert isinstance(signal, Signal), signal
                graded = with_coverage_level(signal, book)
                entry = entry_for(graded, decide(signal, book, example.now), key="", source="", now=example.now)
                line = {key: getattr(entry, key) for key in example.expect}
                assert example.unmet_by({k: list(v) if isinstance(v, tuple) else v for k, v in line.items()}) == {}


def test_what_defender_does_not_watch_is_the_soc_s_within_days_and_pages_nobody() -> None:
    """Each recommendation that says so, whatever severity Defender gives it; none waits in the backlog of a month."""
    book = the_rules(Stream.CSPM)
    for one, severity in product(RECOMMENDATIONS, (None, *(one.label for one in Severity))):
        finding = a_coverage_finding(one.key or "f00d", title=one.title, severity=severity)
        decision = decide(finding, book, TODAY)
        if not one.is_deprecated:
            assert decision.people == ("soc-coverage",)
            assert decision.respond_by == TODAY + timedelta(days=3)
    assert Lane.PAGE not in {spec.lane for spec in book.destinations.values()}
    assert decide(a_coverage_finding(status="Healthy"), book, TODAY).outcome is Outcome.RESOLVED


def test_every_alert_type_that_is_high_in_microsofts_reference_pages() -> None:
    """No alert type of the catalogue that is High, or worse, waits for the morning."""
    book = the_rules(Stream.CWPP)
    pagers = {name for name, spec in book.destinations.items() if spec.lane is Lane.PAGE}
    assert max(book.floor.default, *book.floor.by_plan.values()) < Severity.HIGH
    high = {type: known for type, known in load_catalogue().types.items() if known.severity == "High"}
    assert len(high) > 100
    for type, known in high.items():
        alert = Alert(kind=Kind.ALERT, id="1", type=type, title=type, severity=Severity.HIGH, plan=known.plan)
        assert pagers & {name for route in book.routes if route.matches(alert, Attack()) for name in route.to}, type


def test_a_low_alert_of_an_unknown_type_meets_the_floor_of_its_resource() -> None:
    """Low alerts on machines are early signs that hunting needs, and most of those on Windows are in no reference."""
    message = {"AlertType": "SUSPECT_SVCHOST", "SystemAlertId": "1", "Severity": "Low"}
    for resource, outcome in (
        ("Compute/virtualMachines/web-01", Outcome.ROUTED),
        ("Web/sites/shop", Outcome.BELOW_FLOOR),
    ):
        place = f"/subscriptions/{ELSEWHERE}/resourceGroups/rg/providers/Microsoft.{resource}"
        (alert,) = read_signals(json.dumps(message | {"AzureResourceId": place}).encode(), load_catalogue())
        assert isinstance(alert, Alert)
        assert decide(alert, the_rules(Stream.CWPP), TODAY).outcome is outcome


def test_each_stream_keeps_a_record_of_its_own() -> None:
    """Both streams have a record in Log Analytics, through a rule of its own."""
    records = {stream: the_rules(stream).record for stream in Stream}
    assert all(record is not None and record.kind == "log_analytics" for record in records.values())
    assert records[Stream.CWPP] != records[Stream.CSPM]


SAMPLES = Path(demo.__file__).parent / "samples"
SUBSCRIPTIONS = re.findall(r"^\|.*`([0-9a-f-]{36})` \|$", (SAMPLES / "README.md").read_text(), re.MULTILINE)
"""Where the bundled samples say that they come from."""

ELSEWHERE = "0b5e7d10-9c1f-4a58-a7a3-6c1d2e3f4a5b"
"""A subscription of somebody who has just deployed the rules that ship."""


def the_samples(stream: Stream, *, moved: bool) -> list[Signal]:
    """The bundled samples of a stream that are understood, as they are or as another tenant would send them."""
    bodies = (SAMPLES / f"{stream}.ndjson").read_text().splitlines()
    if moved:
        bodies = [re.sub("|".join(SUBSCRIPTIONS), ELSEWHERE, body, flags=re.IGNORECASE) for body in bodies]
    found = [one for body in bodies for one in read_signals(body.encode(), load_catalogue())]
    return [one for one in found if isinstance(one, Signal)]


@pytest.mark.parametrize("stream", Stream)
def test_the_starter_rules_silence_nobody_and_own_nothing(stream: Stream) -> None:
    """What they hold and own is the samples', and in another tenant, whatever it calls its things, not even that."""
    assert len(SUBSCRIPTIONS) == 3
    book = the_rules(stream)
    for moved in (False, True):
        signals = the_samples(stream, moved=moved)
        held = [one for one in signals if decide(one, book, TODAY).outcome is Outcome.SUPPRESSED]
        owned = [one for one in signals if find_owner_of(one, book.owners) is not None]
        assert (bool(held), bool(owned)) == (not moved, not moved)


def test_every_starter_rule_and_owner_names_a_subscription_of_the_samples() -> None:
    """So none of them can hold or own anything that somebody meets, also where nothing of the samples would lie in it."""
    for rule in [rule for stream in Stream for rule in the_rules(stream).suppressions.by_name.values()]:
        values = [value for group in rule.groups for element in group for value in element.values]
        assert any(subscription in value for value in values for subscription in SUBSCRIPTIONS), rule.name
    for group in ("rg-payments", "rg-web-01", "rg-data", "rg-build", "anything"):
        for resource in (f"/subscriptions/{ELSEWHERE}/resourceGroups/{group}", f"/resourceGroups/{group}"):
            assert find_owner_of(an_alert(AzureResourceId=resource), the_rules(Stream.CWPP).owners) is None
    for resource in (f"/subscriptions/{ELSEWHERE}", "vm-1"):
        assert find_owner_of(an_alert(AzureResourceId=resource), the_rules(Stream.CWPP).owners) is None
