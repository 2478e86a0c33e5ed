"""The report: against the time before, ATT&CK, how soon destinations were told, and what ends. Over both engines."""

from copy import replace
from datetime import timedelta
from typing import Any

import pytest

from router.app.destination_states import KnownDestination, hold
from router.app.report import read_report
from router.app.rules import Rules
from router.domain.deliveries import DeliveryState, Settlement
from router.domain.rulebook import Lane, Rulebook
from router.domain.signals import Stream
from router.store.claims import settle_claims
from router.store.store import Store
from tests.builders import NOW, a_message, a_route, a_rule, a_rulebook, an_ip, finding_body
from tests.silences import HOUR, a_silence
from tests.store.acts import DAY, SECOND, ask, run, silenced
from tests.store.life import Life

pytestmark = pytest.mark.usefixtures("either")

SCANNER = "10.20.0.5"
PAGED = a_rulebook(a_rule(ip=[SCANNER]), routes=[a_route("all", "oncall")])


def report_on(store: Store, book: Rulebook, since: str = "7d", *others: Rulebook) -> Any:
    """The report as of NOW."""
    return run(read_report(store, Rules({one.stream: one for one in (book, *others)}, ()), since, NOW))


def test_a_time_is_told_against_the_equally_long_time_before(store: Store) -> None:
    """To the hour, the one that has begun with it; where counting began later than that, the report says so."""
    life = Life(store, PAGED)
    ends = NOW + HOUR  # NOW is a whole hour, which has begun.
    for number, at in enumerate([ends - 14 * DAY, ends - 14 * DAY, ends - 7 * DAY - SECOND, ends - 7 * DAY, NOW]):
        life.now = at
        life.alert(f"a{number}", Severity=("High", "Medium")[number % 2])
    life.now = ends - 14 * DAY - SECOND
    life.alert("long ago")
    found = report_on(store, PAGED)
    alerts = found["streams"][0]
    assert (found["begins"], found["before"], found["is_before_whole"]) == (ends - 7 * DAY, ends - 14 * DAY, True)
    assert alerts["received"] == {"now": 2, "before": 3}
    assert [(one["name"], one["now"], one["before"]) for one in alerts["severities"]] == [
        ("High", 1, 2),
        ("Medium", 1, 1),
    ]
    assert [sum(one["routed"] for one in alerts["parts"][place:]) for place in (0, 1, -1)] == [2, 1, 1]
    assert alerts["parts"][0]["begins"] == (ends - 7 * DAY).replace(hour=0)
    assert report_on(store, PAGED, "24h")["streams"][0]["received"] == {"now": 1, "before": 0}
    month = report_on(store, PAGED, "30d")
    assert (month["is_before_whole"], month["counted_since"]) == (False, life.now.replace(minute=0, second=0))
    assert month["streams"][0]["received"] == {"now": 6, "before": 0}


def test_attack_says_what_was_routed_held_or_not_seen(store: Store) -> None:
    """By tactic and technique. A sample counts for nothing; what came out later counts, and what is held on counts once."""
    life = Life(store, replace(PAGED, suppressions=a_rulebook(a_rule(ip=[SCANNER], expires=NOW)).suppressions))
    life.now = NOW - DAY
    held = {"Entities": [an_ip(SCANNER)], "Intent": "Execution", "Techniques": ["T1059", "nonsense"]}
    life.alert("held", **held)
    life.alert("also held", **{**held, "Techniques": ["T1562"]})
    life.alert("low", Intent="Discovery", Severity="Low")
    life.alert("sample", Intent="Impact", AlertType="SIMULATED_VM_Test")
    life.alert("bare", Intent="Unknown")
    life.book = replace(life.book, hash="changed")
    life.release()
    attack = report_on(store, life.book)["streams"][0]["attack"]
    tactics = {one["id"]: one for one in attack["tactics"]}
    assert [*tactics][:15] == [*life.book.attack.tactics]
    states = {id: (one["state"], one["routed"], one["held"], one["below_floor"]) for id, one in tactics.items()}
    assert states["TA0002"] == ("held", 0, 2, 0)
    assert (states["TA0007"], states["TA0040"]) == (("below_floor", 0, 0, 1), ("nothing", 0, 0, 0))
    assert attack["without"]["now"] == 1
    # What took the place of T1562, and its tactic, which is not the one that the alert named.
    assert [one["id"] for one in tactics["TA0002"]["techniques"]] == ["T1059"]
    assert [(one["id"], one["held"]) for one in tactics["TA0112"]["techniques"]] == [("T1685", 1)]
    life.now = NOW
    life.release()
    found = report_on(store, life.book)["streams"][0]
    assert {one["id"]: one["state"] for one in found["attack"]["tactics"]}["TA0002"] == "routed"
    assert (found["received"]["now"], [one["outcome"] for one in found["further"]]) == (5, ["suppressed", "routed"])


def test_findings_have_the_tactics_that_they_name_and_the_titles_that_they_have(store: Store) -> None:
    """Defender's list of what could name a tactic is of alerts; a type that is a number is also titled of what is well."""
    posture, named = Life(store, a_rulebook(stream=Stream.CSPM)), {"tactics": ["Initial Access"]}
    for status in ("Unhealthy", "Healthy"):
        posture.ingest(a_message(finding_body("f", status, title="Patch " + status, metadata=named), at=NOW))
    posture.ingest(a_message(finding_body("well", "Healthy", title="Encrypt"), at=NOW))
    found = report_on(store, PAGED, "24h", posture.book)["streams"][1]
    assert [(one["id"], one["state"]) for one in found["attack"]["tactics"]] == [("TA0001", "routed")]
    assert {(one["name"], one["title"]) for one in found["types"]} == {("f", "Patch Healthy"), ("well", "Encrypt")}


def test_how_soon_people_were_told_is_of_what_told_them_of_something_new(store: Store) -> None:
    """Half of it within some seconds, 95 % within others, both rounded down; what is routed but owed or dead told nobody."""
    life = Life(store, PAGED)
    for number in range(20):
        life.alert(f"a{number}")
    waits = report_on(store, PAGED)["streams"][0]
    assert (waits["for_people"]["opened"]["now"], waits["told"]["now"]["sent"], waits["told"]["owed"]) == (20, 0, 20)
    claims = life.claims("oncall")
    assert len(claims) == 20
    for number, one in enumerate(claims):
        took = timedelta(seconds=125) if number == 19 else SECOND * number / 10
        done = Settlement(claim=one, state=DeliveryState.SENT, at=NOW + took)
        ask(store, settle_claims, [done])
    life.alert("a0", Severity="Medium")
    life.alert("dies")
    (update, dying) = life.claims("oncall")
    life.settle(update, DeliveryState.SENT)
    life.settle(dying, DeliveryState.DEAD, error="answered 400")
    life.alert("waits")
    alerts, findings = report_on(store, PAGED)["streams"]
    assert alerts["pages"]["now"] == {"sent": 21, "retried": 0, "dead": 1, "timed": 20, "median": 0.9, "p95": 1.8}
    assert alerts["told"] == alerts["pages"] and alerts["pages"]["owed"] == 1
    nothing = {**dict.fromkeys(("sent", "retried", "dead", "timed"), 0), "median": None, "p95": None}
    assert alerts["pages"]["before"] == findings["pages"]["now"] == nothing
    assert [(one["name"], one["lane"], one["owed"]) for one in alerts["destinations"]] == [
        ("oncall", "page", 1),
        ("tickets", "ticket", 0),
        ("sentinel", "rows", 23),
    ]
    assert findings["destinations"] == []


def test_what_ends_within_thirty_days_is_on_the_calendar(store: Store) -> None:
    """Rules, silences and holds of destinations, the next end first, with what each holds; nothing that ends later."""
    book = a_rulebook(
        a_rule("soon", ip=[SCANNER], expires=NOW + 30 * DAY),
        a_rule("later", ip=["10.0.0.7"], expires=NOW + 30 * DAY + SECOND),
        a_rule("off", enabled=False, expires=NOW + DAY),
        destinations=[*PAGED.destinations.values()],
    )
    posture = a_rulebook(stream=Stream.CSPM)
    silenced(store, a_silence("ab", lasts=HOUR), a_silence("cd", begins=NOW - 2 * HOUR, lasts=HOUR))
    known = KnownDestination(Stream.CWPP, "tickets", Lane.TICKET)
    run(hold(store, known, NOW + 2 * HOUR, NOW, author="ana", reason="moves"))
    life = Life(store, book)
    life.alert(Entities=[an_ip(SCANNER)], AzureResourceId="/elsewhere")
    Life(store, posture).ingest(a_message(finding_body("f"), at=NOW))
    found = report_on(store, book, "7d", posture)
    assert [(one["kind"], one["name"], one["ends"], one["holding"]) for one in found["ends_soon"]] == [
        ("silence", "silence:ab", NOW + HOUR, 0),
        ("hold", "tickets", NOW + 2 * HOUR, 0),
        ("rule", "soon", NOW + 30 * DAY, 1),
    ]
    days = [day for week in found["weeks"] for day in week]
    assert all(len(week) == 7 for week in found["weeks"])
    assert [day["date"] for day in days if day["rule"] + day["silence"] + day["hold"]] == ["2026-11-24", "2026-12-24"]
    assert [day["date"] for day in days if day["is_within"]][::30] == ["2026-11-24", "2026-12-24"]
