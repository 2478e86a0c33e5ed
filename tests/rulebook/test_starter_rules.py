"""The rules that ship, and the tables beside them: ATT&CK, examples, properties, the catalogue of alert types."""

import csv
import json
import re
from collections import Counter
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
from router.domain.catalogue import Attack, Deprecation
from router.domain.decisions import Outcome
from router.domain.errors import BadFile
from router.domain.evidence import BOILERPLATE, Evidence, property_key
from router.domain.owners import find_owner_of
from router.domain.recommendations import RECOMMENDATIONS
from router.domain.rulebook import Lane, Rulebook
from router.domain.severity import Severity
from router.domain.signals import Alert, Kind, Signal, Stream
from router.parse import read_signals
from router.rulebook import load, load_all, load_attack, load_catalogue
from router.rulebook.catalogue import rows_of
from router.rulebook.examples import Example, load_examples
from router.rulebook.lints import lint
from tests.builders import RULES, an_alert
from tests.coverage_messages import a_coverage_finding
from tests.rulebook.builders import rules_in

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
    """They load without a problem or a warning, no route is in vain, and the examples of suppression end after a year."""
    assert lint(RULES, stream, load(RULES, stream, discover(), TODAY), TODAY) == ()
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
    for resource, outcome in (("Compute/virtualMachines/web-1", Outcome.ROUTED), ("Web/sites/a", Outcome.BELOW_FLOOR)):
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
    elsewhere, groups = f"/subscriptions/{ELSEWHERE}", ("rg-payments", "rg-web-01", "rg-data", "rg-build", "anything")
    places = [f"{subscription}/resourceGroups/{group}" for subscription in (elsewhere, "") for group in groups]
    for resource in (*places, elsewhere, "vm-1"):
        assert find_owner_of(an_alert(AzureResourceId=resource), the_rules(Stream.CWPP).owners) is None


ATTACK = """
version: "19.0"
tactics: {TA0005: Stealth, TA0006: Credential Access, TA0043: Reconnaissance}
intents: {PreAttack: [TA0043], CredentialAccess: [TA0006], Unknown: [], Both: [TA0005, TA0006]}
names: {Defense Evasion: TA0005}
successors: {T1001: T1002, T1002: T1003, T1008: T1009, T1009: T1008}
"""


def test_every_spelling_of_a_tactic_leads_to_its_ids_and_a_revoked_technique_to_the_last(tmp_path: Path) -> None:
    """An unknown word leads nowhere, and a ring of successors ends. All that is wrong with a table is said at once."""
    (tmp_path / "attack.yaml").write_text(ATTACK, encoding="utf-8")
    table = load_attack(tmp_path / "attack.yaml")
    tactics = {
        "Pre-attack": ("TA0043",),
        "ta0006": ("TA0006",),
        "credential access": ("TA0006",),
        "DefenseEvasion": ("TA0005",),
        "Both": ("TA0005", "TA0006"),
        "Unknown": (),
        "Impact": (),
    }
    assert {word: table.tactics_for(word) for word in tactics} == tactics
    current = {"T1001": "T1003", "T1002": "T1003", "T1003": "T1003", "T1008": "T1009"}
    assert {old: table.technique_for(old) for old in current} == current
    (tmp_path / "attack.yaml").write_text("tactics: {}\nintents: {Impact: [TA0040]}\nnames: 1\n", encoding="utf-8")
    with pytest.raises(BadFile, match=r"(?s)^[^\n]+\n[^\n]+$"):
        load_attack(tmp_path / "attack.yaml")


EXAMPLES = """
- name: one message
  now: 2026-11-24T13:00:00+01:00
  message: {AlertType: A, TimeGenerated: 2026-11-24T12:00:00Z}
  expect: {outcome: routed, routes: [b, a], suppressed_by: null, reason: otherwise}

- name: two messages
  now: 2026-11-24T12:00:00Z
  messages: [{AlertType: B}, "not json"]
  expect: {severity: High}
"""


def test_examples_are_read_as_they_are_written(tmp_path: Path) -> None:
    """A message keeps its times as text, and a text stands for itself; `expect` holds what is written and no more."""
    rules = rules_in(tmp_path, {"cwpp/examples/a.yaml": EXAMPLES})
    (one, two), problems = load_examples(rules, Stream.CWPP)
    assert problems == ()
    assert one.bodies == (b'{"AlertType": "A", "TimeGenerated": "2026-11-24T12:00:00Z"}',)
    assert one.expect == {"outcome": "routed", "routes": ["b", "a"], "suppressed_by": None, "reason": "otherwise"}
    assert (one.now.isoformat(), one.file, one.line) == ("2026-11-24T12:00:00+00:00", "cwpp/examples/a.yaml", 2)
    assert two.bodies == (b'{"AlertType": "B"}', b"not json")
    # Lists compare in any order, a code stands for any reason with it, and every difference is told.
    decision = {"outcome": "routed", "routes": ["a", "b"], "suppressed_by": None, "reason": "otherwise"}
    assert one.unmet_by(decision) == one.unmet_by(decision | {"reason": "otherwise: because"}) == {}
    assert two.unmet_by(decision) == {"severity": 'severity: expected "High", got null'}
    assert len(one.unmet_by(decision | {"reason": "routes: x", "suppressed_by": "y", "routes": ["a"]})) == 3


def test_each_known_property_belongs_to_a_list_or_is_boilerplate_for_a_reason() -> None:
    """The table names lists that exist, each name once and sorted; what is left out says why. One key means two things only
    where its spelling tells: a cluster's alerts say `Resource type` of an object, and all `resourceType` of the resource."""
    rows = [[*row, ""][:4] for row in rows_of("properties.tsv")]
    names = [name for name, *_ in rows]
    keys = [property_key(name) for name in names]
    assert keys == sorted(keys)
    assert len(names) == len(set(names))
    assert {listed for _, listed, *_ in rows} <= {*Evidence.__struct_fields__, BOILERPLATE}
    assert all(source for _, _, source, _ in rows)
    assert [name for name, listed, _, reason in rows if (listed == BOILERPLATE) != bool(reason)] == []
    assert [key for key, count in Counter(keys).items() if count > 1] == ["resourcetype"]
    table = load_catalogue().properties
    assert table.find_list("resourceType", "Virtual Machine") == table.find_list("Resource Type", "x") == BOILERPLATE
    assert table.find_list("Resource type", "pods") == "kubernetes_objects"


CATALOGUE = load_catalogue()
EVER = Path(__file__).with_name("catalogue_ever.tsv")
"""Every alert type that was ever in the catalogue, with its plan, tactics and severity. Rows are added, never taken away."""

AGENTIC = ("AI.Azure_Agentic_Jailbreak", "Azure_Agentic_BlockedJailbreak", "AI.Azure_Agentic_BlockedJailbreak")


def test_no_alert_type_is_ever_lost_and_what_is_deprecated_is_read_as_ever() -> None:
    """Microsoft takes types off its pages that still arrive: what was known once is known for good, no row comes twice, and a
    type keeps the plan, the tactics and the severity that it had."""
    with EVER.open(encoding="utf-8", newline="") as file:
        rows = {row["alert_type"].lower(): row for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)}
    assert len(rows) == len(EVER.read_text(encoding="utf-8").splitlines()) - 1 >= 492
    assert sorted(CATALOGUE.types.keys() - rows.keys()) == [], f"add what is new to {EVER.name}, so that it is not lost"
    assert {type for type in rows if CATALOGUE.types[type].deprecation} >= set(map(str.lower, AGENTIC))
    for type, row in rows.items():
        known = CATALOGUE.types[type]
        said = (known.plan, known.tactics, known.severity)
        assert said == (row["plan"] or None, tuple(row["tactics"].split()), row["severity"] or None), row


def test_the_columns_hold_what_their_readers_know() -> None:
    """Plans are plans, severities are severities, and the plan is the one that the type's prefix names."""
    plans, severities = set(CATALOGUE.plan_names.values()), {severity.label for severity in Severity}
    for type, known in CATALOGUE.types.items():
        assert known.plan in plans, type
        assert known.severity is None or known.severity in severities, type
        assert CATALOGUE.find_plan(None, f"{type}_never_seen") == known.plan, type
    assert set(CATALOGUE.resource_plans.values()) <= plans


def test_an_entry_says_since_when_it_is_deprecated() -> None:
    """With the day where Microsoft gives one, and what replaces it where anything does: 75 stand on the page of
    deprecated alerts, which gives no dates, and 32 have one. What was seen in the field only says so."""
    for type, since, replaced_by in (
        ("AI.Azure_PhishingContentInModelResponse", "2025-09", "AI.Azure_MaliciousUrl.ModelResponse"),
        ("AI.Azure_DataLeakInModelResponse.Sensitive", "2025-04-20", "AI.Azure_SensitiveDataAnomaly"),
        *((type, "2026-07-01", None) for type in AGENTIC),
        ("SIMULATED_AppServices_WpThemeInjection", "2025-12-11", None),
        ("VM_TimerServiceDisabled", None, None),
    ):
        known = CATALOGUE.find_type(type)
        assert known is not None, type
        assert known.deprecation == Deprecation(since, (replaced_by,) if replaced_by else ())
    deprecated = [known.deprecation for known in CATALOGUE.types.values() if known.deprecation]
    assert Counter(one.since is None for one in deprecated) == {True: 75, False: 32}
    assert all(CATALOGUE.find_type(heir) for one in deprecated for heir in one.replaced_by)
    nodes = (f"k8s.node_{what}" for what in ("driftdetection", "driftblocked", "malwareblocked"))
    field_only = {type for type, known in CATALOGUE.types.items() if known.field_only}
    assert field_only == {*nodes, "ai.azure_agentic_blockedjailbreak"}


def test_the_catalogue_knows_types_plans_and_prefixes() -> None:
    """An alert type is known with its plan, tactics and severity; an unknown one of a known family has a plan."""
    known = CATALOGUE.find_type("simulated_sql.db_bruteforce")
    assert known is not None
    assert (known.plan, known.tactics, known.severity) == ("SqlServers", ("PreAttack",), "High")
    plans = {
        ("Servers", "X"): "VirtualMachines",
        (None, "SQL.MySQL_New"): "OpenSourceRelationalDatabases",
        (None, "X"): None,
    }
    assert {asked: CATALOGUE.find_plan(*asked) for asked in plans} == plans
    assert load_catalogue() is CATALOGUE
