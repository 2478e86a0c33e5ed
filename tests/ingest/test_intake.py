"""What a message makes of its signal: turns, repeats, resolutions, what a rule held, and what is said of that rule."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from copy import replace
from datetime import timedelta
from itertools import count
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.domain.catalogue import Catalogue
from router.domain.deliveries import Claim
from router.domain.errors import StoreError
from router.domain.notices import Notice, RecordEntry, Release
from router.domain.rulebook import By, Clause, Grouping, Lane, Limit
from router.domain.signals import Stream
from router.ingest.intake import Intake, Message
from router.ingest.observations import MOST
from router.store.forgetting import forget
from router.store.quarantine import discard_quarantined, list_quarantined
from router.store.retention import Retention
from tests.builders import (
    NOW,
    a_destination,
    a_message,
    a_route,
    a_rule,
    a_rulebook,
    alert_body,
    an_ip,
    finding_body,
    without_rules,
)
from tests.constructed.posture import a_risk, a_software_update, cves_of
from tests.examples import some_of
from tests.parse.messages import COMMON_ALERT, a_common_alert, body_of
from tests.store.acts import read_fields, run
from tests.store.deadly import Deadly
from tests.store.life import Life, a_life
from tests.store.opened import Store
from tests.store.within import within

HELD: dict[str, Any] = {"Entities": [an_ip("10.20.0.5")]}
MINUTE = timedelta(minutes=1)
LATE, EARLY = {"ProcessingEndTime": NOW.isoformat()}, {"ProcessingEndTime": (NOW - MINUTE).isoformat()}
POSTURE = a_rulebook(stream=Stream.CSPM)


def changes(claims: Iterable[Claim]) -> list[str]:
    """Of each delivery what it says of its signal."""
    return [claim.delivery.change.value for claim in claims]


@pytest.fixture
def life(sqlite: Store) -> Life:
    """A router over an empty store."""
    return Life(sqlite)


def decided_of(entries: Sequence[RecordEntry]) -> list[tuple[str, str | None]]:
    """The outcomes and notices of entries."""
    return [(entry.outcome, entry.notice) for entry in entries]


LOW, OVER = {"Severity": "Low"}, {"Status": "Resolved"}
TOLD_TO_NONE = "no_destination: nobody was ever told of it, it was below_floor"
TURNS: list[tuple[list[dict[str, str]], tuple[str, str | None, str], list[str]]] = [
    ([{}], ("routed", "opened", "routes: tickets"), ["opened"]),
    ([{"Status": "New "}, {"Status": "Active"}], ("repeat", None, "same"), ["opened"]),
    ([{}, {"Status": "InProgress"}], ("routed", "updated", "routes: tickets"), ["opened", "updated"]),
    ([LOW] * 2, ("below_floor", None, "floor: Low is below Medium (default)"), []),
    ([LOW, LOW | {"Status": "Dismissed"}], ("resolved", None, TOLD_TO_NONE), []),
    ([OVER], ("resolved", "resolved", "status: Resolved"), []),
    ([OVER | LATE, EARLY], ("repeat", None, "older"), []),
    ([{"ProcessingEndTime": "9999-01-01T00:00:00Z"}, OVER | LATE], ("resolved", "resolved", "status: Resolved"), []),
]
"""Messages about one alert, what the last of them comes to, and what its ticket is told."""


def test_a_message_is_a_turn_or_a_repeat(life: Life) -> None:
    """What opened before the router was here may be open in the SIEM; what was told to none is over for none."""
    for number, (messages, decided, told) in enumerate(TURNS):
        *_, last = [life.alert(f"alert-{number}", **fields) for fields in messages]
        assert (last.outcome, last.notice, last.reason) == decided
        assert life.changes_at("tickets") == told
        assert bool(life.changes_at("sentinel")) is (messages[0].get("Severity") != "Low")


def test_a_message_that_is_twice_in_a_batch_is_on_record_as_what_it_was_first(life: Life) -> None:
    """The second one is a repeat of the first, and takes its place in nothing: what rules can match of that is kept."""
    message = a_message(alert_body())
    assert decided_of(life.ingest(message, message)) == [("routed", "opened")] * 2
    assert (life.decisions(), life.changes_at("tickets")) == (["routed"], ["opened"])
    assert read_fields(life.store, [life.key()]).keys() == {life.key()}


def test_a_message_that_is_on_record_is_a_replay_whatever_its_times_say(life: Life) -> None:
    """As long as the signal is known, 90 days after its end, also where its decision went before."""
    opened, resolved = a_message(alert_body()), a_message(alert_body(Status="Resolved"), origin="another/0")
    life.ingest(opened)
    life.goes_on(30)
    life.ingest(resolved)
    again = life.ingest(replace(opened)) + life.ingest(replace(resolved))
    assert [(entry.outcome, entry.reason) for entry in again] == [("repeat", "older"), ("repeat", "same")]
    life.deliver()
    life.goes_on(61)
    assert run(forget(life.store, life.now, Retention(), 10_000)).number == 1
    (again,) = (life.ingest(opened),)
    assert [(entry.outcome, entry.reason) for entry in again] == [("repeat", "older")]


def test_what_was_quarantined_is_no_replay_until_it_was_told(life: Life) -> None:
    """Its latest outcome counts, so that a nightly pair of runs, one for each stream, opens nothing again."""
    life.alert(Severity="Medium")
    opened, resolved = a_message(alert_body()), a_message(alert_body(Status="Resolved"))
    decided, places = [], set()
    for life.only in (Stream.CSPM, None, Stream.CSPM, None):
        entries = life.ingest(opened, resolved)
        decided.append([entry.outcome for entry in entries])
        places |= {entry.key for entry in entries}
    assert decided == [["quarantined"] * 2, ["routed", "resolved"], ["quarantined"] * 2, ["repeat", "repeat"]]
    assert len(places) == 4


def test_a_replay_of_what_is_still_held_changes_nothing(life: Life) -> None:
    """The body that comes out when the rule ends, at that instant and once, is the latest one."""
    life.book = a_rulebook(a_rule(expires=NOW + MINUTE))
    first = a_message(alert_body(AlertDisplayName="first", **HELD))
    (held,) = life.ingest(first)
    second = life.alert(AlertDisplayName="second", **HELD)
    life.ingest(first)
    life.now = NOW + MINUTE - timedelta(microseconds=1)
    assert (held.suppressed_by, life.release()) == ("scanner", [])
    life.now = NOW + MINUTE
    (released,) = life.release()
    assert (released.outcome, released.title, released.source) == ("routed", "second", second.source)
    assert (life.release(), life.changes_at("tickets")) == ([], ["opened"])


def test_a_rule_that_is_removed_lets_go_of_what_it_held_and_still_stands(life: Life) -> None:
    """Removed, disabled or changed, a rule that no longer covers a signal no longer holds it."""
    life.book = a_rulebook(a_rule())
    life.alert("stands", **HELD), life.alert("over", **HELD), life.alert("over", Status="Resolved", **HELD)
    life.book = without_rules(life.book)
    assert [(entry.id, entry.outcome) for entry in life.release()] == [("stands", "routed")]
    assert life.changes_at("tickets") == ["opened"]


def test_a_delete_is_ordered_by_its_arrival_since_its_own_time_tells_nothing(life: Life) -> None:
    """A Delete carries the date of the last status change, not of the deletion."""
    life.book = POSTURE
    old = finding_body(changed=NOW - MINUTE)
    bodies = finding_body(changed=NOW), finding_body(changed=NOW - MINUTE, action="Delete"), old
    assert decided_of([life.ingest(a_message(body))[0] for body in bodies]) == [
        ("routed", "opened"), ("resolved", "resolved"), ("routed", "opened"),
    ]  # fmt: skip


def test_what_a_person_took_out_of_quarantine_is_not_kept_again(life: Life) -> None:
    """A message that comes again, as it does to a reader that begins a hub anew, is on record already."""
    message = a_message(b"no JSON")
    (first,) = life.ingest(message)
    (kept,) = run(within(life.store, list_quarantined))
    run(within(life.store, discard_quarantined, kept.id))
    assert life.ingest(message) == [first]
    assert run(within(life.store, list_quarantined)) == []


def test_an_alert_of_azure_monitor_is_opened_by_fired_and_ended_by_resolved(life: Life) -> None:
    """Both have one id and may have one time: then the order in which they came in counts. The next one has another id."""
    over = {"condition": "Resolved"}
    forms: tuple[dict[str, Any], ...] = ({}, {}, over, over, {"alertId": f"{COMMON_ALERT}-2"})
    entries = life.ingest(*(a_message(body_of(a_common_alert(**one))) for one in forms))
    said = [("routed", "opened"), ("repeat", None), ("resolved", "resolved"), ("repeat", None), ("routed", "opened")]
    assert decided_of(entries) == said
    assert [entry.signal == life.key(COMMON_ALERT) for entry in entries] == [True] * 4 + [False]


def test_a_signal_on_the_wrong_stream_is_quarantined_whole(life: Life) -> None:
    """Posture never reaches the SOC's queue by standing on its hub."""
    life.only = Stream.CWPP
    (entry,) = life.ingest(a_message(finding_body()))
    assert (entry.outcome, entry.reason.split(":")[0], entry.stream) == ("quarantined", "wrong_stream", "cwpp")
    (kept,) = run(within(life.store, list_quarantined))
    assert kept.quarantined.body == finding_body()


def test_a_fault_of_ours_parks_the_message_and_not_its_neighbours(life: Life) -> None:
    """A rule of ours that breaks on one alert must not cost the batch: the message is kept, with reason `internal`."""

    def breaks(signal: object, attack: object) -> bool:
        if getattr(signal, "id", None) == "bad":
            raise ZeroDivisionError
        return True

    life.book = a_rulebook(routes=[a_route("odd", "tickets", when=[Clause("odd", "odd", breaks)])])
    entries = life.ingest(*(a_message(alert_body(id)) for id in ("a", "bad", "c")))
    assert [entry.reason for entry in entries] == ["routes: odd", "internal: ZeroDivisionError", "routes: odd"]
    assert len(run(within(life.store, list_quarantined))) == 1


def test_a_body_with_several_signals_gives_each_its_own_outcome(life: Life) -> None:
    """An array in one message is as many signals, told apart by their place in it."""
    message = a_message(b"[" + alert_body("a") + b",17," + alert_body("b", Severity="Low") + b"]")
    entries = life.ingest(message)
    assert [entry.outcome for entry in entries] == ["routed", "quarantined", "below_floor"]
    assert [entry.source for entry in entries] == [f"{message.source}[{n}]" for n in (1, 2, 3)]


def test_every_decision_is_owed_to_the_records_second_home(life: Life) -> None:
    """Where a policy names one, also what forwards nothing is told there, once a message."""
    life.book, life.only = a_rulebook(record=a_destination("record", Lane.ROWS)), Stream.CWPP
    messages = [a_message(alert_body("a")), a_message(alert_body("b", Severity="Low")), a_message(b"?")]
    for _ in range(2):
        life.ingest(*messages)
    entries = [claim.delivery.content for claim in life.owed("record")]
    outcomes = sorted(entry.outcome for entry in entries if isinstance(entry, RecordEntry))
    assert outcomes == ["below_floor", "quarantined", "routed"]


def test_an_incident_is_told_of_as_it_grows_beyond_what_a_row_knows(life: Life) -> None:
    """One alert more is an update on either side of the bound; the same ones again, in any order, and fewer are repeats."""
    alerts = [f"al-{number}" for number in range(MOST + 3)]

    def come(named: list[str]) -> str:
        entity = {"$id": "1", "Type": "security-alert", "SystemAlertIds": named}
        entry = life.alert(IsIncident=True, Entities=[entity])
        return str(entry.notice or entry.outcome)

    assert [come(alerts[: MOST + more]) for more in range(4)] == ["opened"] + ["updated"] * 3
    spelled = [f"{alert.upper()} " for alert in alerts]
    for some in (alerts, alerts[::-1], spelled, alerts[:-1], alerts[1:], alerts[:9], []):
        assert come(some) == "repeat"


ONE, TWO, THREE = (f"CVE-2026-100{number}" for number in (1, 2, 3))


def of(*cves: str, **changes: Any) -> Any:
    """A software update with some CVEs."""
    return a_software_update(cves, **changes)


STATES = [
    (of(ONE, TWO), of(ONE, TWO, THREE), True),
    (of(ONE), of(), True),
    (of(ONE), of(ONE, additional={"FixedVersion": ""}), True),
    (of(ONE), of(ONE, additional={"FixedVersion": "5.0"}), True),
    (of(ONE), of(ONE, risk=a_risk()), True),
    (of(ONE, risk=a_risk()), of(ONE, risk=a_risk(level="High")), True),
    (of(ONE, risk=a_risk()), of(ONE, risk=a_risk(isContextualRisk=False)), True),
    (of(ONE), of(ONE, additional={"CvesDetails": cves_of(ONE)[:-1]}), True),
    (of(ONE, TWO), of(TWO, ONE, TWO), False),
    (of(ONE), of(ONE, additional={"CvesDetails": [{"cveId": ONE.lower()}]}), False),
    (of(ONE), of(ONE, risk=a_risk(level="None")), False),
    (of(ONE, risk=a_risk()), of(ONE, risk=orjson.dumps(a_risk(riskFactors=[])).decode()), False),
    (of(ONE), of(ONE, additional={"ScannersDetails": {}, "MaxCvssScore": "9.9"}), False),
]
"""Two states of a finding, and whether the second one is news."""


def test_what_is_said_of_cves_fix_and_risk_is_part_of_a_findings_state(subtests: pytest.Subtests) -> None:
    """Other CVEs, another version that mends it and another level are an update; the same in another form is a repeat."""
    for first, then, is_news in STATES:
        with subtests.test(first=first, then=then), a_life(POSTURE) as life:
            entries = [life.ingest(a_message(orjson.dumps(message)))[0] for message in (first, then, then)]
            second = ("routed", "updated") if is_news else ("repeat", None)
            assert decided_of(entries) == [("routed", "opened"), second, ("repeat", None)]


HOUR = timedelta(hours=1)
SCANNER: dict[str, Any] = {"Entities": [an_ip("10.20.0.5")]}
RULE = replace(a_rule(expires=NOW + HOUR), owner="ada@contoso.example")
BOOK = a_rulebook(RULE)
RELEASE = Release(kind="rule", name="scanner", author=RULE.owner, since="2026-11-24T12:00:00Z", messages=1)


@pytest.fixture
def holding(sqlite: Store) -> Life:
    """A router with a rule that holds what a scanner causes."""
    return Life(sqlite, BOOK)


def a_held_message(place: int, **fields: Any) -> Message:
    """A message about one and the same alert, which the rule covers."""
    body = alert_body(**{**SCANNER, "Description": f"text {place}", **fields})
    return a_message(body, place=place, at=NOW + place * timedelta(seconds=1))


def releases(holding: Life) -> list[Release | None]:
    """What the notices that tickets get say of what had held the alert."""
    contents = [claim.delivery.content for claim in holding.owed("tickets")]
    return [content.release for content in contents if isinstance(content, Notice)]


@settings(max_examples=some_of(40), deadline=None)
@given(st.lists(st.tuples(st.lists(st.integers(1, 6), max_size=4), st.booleans()), max_size=6))
def test_a_release_counts_each_message_that_was_held_once(batches: Sequence[tuple[list[int], bool]]) -> None:
    """In whatever batches it came again, and whether the answer to a commit was lost. What is older was not held."""
    messages = {place: a_held_message(place) for place in range(7)}
    with a_life(BOOK) as holding:
        holding.ingest(messages[0])
        latest, expected = 0, 1
        for number, (places, is_lost) in enumerate(batches, start=1):
            holding.now = NOW + number * MINUTE
            for place in sorted(set(places)):
                expected, latest = expected + (place > latest), max(latest, place)
            for _ in range(1 + is_lost):
                holding.ingest(*(messages[place] for place in places))
        holding.now = NOW + HOUR
        holding.release()
        assert releases(holding) == [replace(RELEASE, ended="2026-11-24T13:00:00Z", messages=expected)]


def test_a_release_that_dies_at_any_statement_is_told_once(holding: Life) -> None:
    """The next sweep does the rest of it, and nothing twice; so where only the answer to a commit is lost."""
    store = holding.store
    for step in count(1, 3):
        holding.now = NOW
        holding.alert(f"alert-{step}", **SCANNER)
        holding.now, holding.store = NOW + HOUR, Deadly(store, step, is_done=True)
        with suppress(StoreError):
            holding.release()
        deadly, holding.store = holding.store, store
        holding.release()
        (told,) = holding.owed("tickets")
        assert isinstance(told.delivery.content, Notice)
        assert (told.delivery.content.id, told.delivery.change) == (f"alert-{step}", "opened")
        if not deadly.died:
            return


def test_a_message_that_rises_above_what_the_rule_covers_says_what_had_held_the_others(holding: Life) -> None:
    """The rule has not ended: it covers no more what the alert says. What falls below the floor is held no more either."""
    holding.ingest(a_held_message(1), a_held_message(2), a_held_message(3, Entities=[]))
    assert releases(holding) == [replace(RELEASE, messages=2)]
    holding.alert("low", **SCANNER), holding.alert("low", Severity="Informational", **SCANNER)
    holding.book = without_rules(holding.book)
    holding.alert("low", **SCANNER)
    assert releases(holding) == [None]


def test_a_rule_that_is_gone_is_named_without_an_owner() -> None:
    """Whose it was stands in the file that is there no more; its end is known from when it held the alert."""
    for after, ended in ((MINUTE, None), (HOUR, "2026-11-24T13:00:00Z")):
        with a_life(BOOK) as holding:
            holding.ingest(a_held_message(1))
            holding.book = without_rules(holding.book)
            holding.now += after
            holding.release()
            assert releases(holding) == [replace(RELEASE, author=None, ended=ended)]


def test_a_rule_that_takes_over_says_since_when_it_held_the_alert_itself(holding: Life) -> None:
    """What another one held before it is not its own; the message that it took over is the first that it held.

    A rule whose file changed goes on counting, and what is decided again is no further message.
    """
    holding.ingest(a_held_message(1), a_held_message(2))
    holding.now = NOW + HOUR
    other = replace(a_rule("maintenance", expires=NOW + 3 * HOUR), owner="bob@contoso.example")
    holding.book = replace(a_rulebook(other), hash="another")
    assert holding.release() == []
    holding.book = replace(a_rulebook(replace(other, comment="again")), hash="a third")
    assert holding.release() == []
    holding.ingest(a_held_message(3))
    holding.now = NOW + 3 * HOUR
    holding.release()
    told = replace(RELEASE, name="maintenance", author=other.owner, since="2026-11-24T13:00:00Z", messages=2)
    assert releases(holding) == [replace(told, ended="2026-11-24T15:00:00Z")]


def test_what_was_never_held_and_what_resolves_says_nothing_of_a_rule(holding: Life) -> None:
    """An alert that people know of, is held, and resolves: its resolution is not released."""
    holding.book = without_rules(holding.book)
    holding.ingest(a_held_message(1))
    assert releases(holding) == [None]
    holding.book = BOOK
    holding.ingest(a_held_message(2), a_held_message(3, Status="Resolved"))
    assert releases(holding) == [None]


def test_a_group_that_waited_for_room_says_what_had_held_the_member_in_whose_words_it_opens(sqlite: Store) -> None:
    """All of it, also where the rule has a long name."""
    spec = replace(a_destination("tickets"), group=Grouping((By.ALERT_TYPE,), None), limit=Limit(1, HOUR))
    book = a_rulebook(a_rule("scanner " * 100), destinations=[spec], always=())
    holding = Life(sqlite, book)
    holding.alert(**SCANNER)
    holding.alert("other", AlertType="VM_Other")
    holding.deliver()
    holding.book = without_rules(book)
    holding.release()
    assert releases(holding) == []  # it waits for its turn
    holding.goes_on(1 / 12)
    run(
        Intake(sqlite, {holding.book.stream: holding.book}, Catalogue()).admit_waiting(holding.book.stream, holding.now)
    )
    (opening, *_) = [release for release in releases(holding) if release is not None]
    assert (opening.name, opening.since, opening.messages) == ("scanner " * 100, "2026-11-24T12:00:00Z", 1)
