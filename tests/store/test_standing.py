"""The list of what stands: in its order, by any filter, page after page; and what it says of each signal."""

from collections.abc import Sequence
from copy import replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.app.standing import LONGEST_TEXT, read_standing
from router.domain.decisions import Outcome
from router.domain.deliveries import DeliveryState
from router.domain.owners import Owner, Owners, Ownership
from router.domain.rulebook import By, Grouping, Lane, Limit, Rulebook
from router.domain.severity import GRAVITIES, Severity
from router.store.ledger import Held, LedgerRow, State
from router.store.signals import write_signals
from router.store.snapshots import Appearances
from router.store.standing import (
    MOST_COUNTED,
    StandingFilter,
    StandingPlace,
    count_standing,
    list_standing,
)
from router.store.store import Store, Transaction
from tests.builders import NOW, RESOURCE, SUBSCRIPTION, a_destination, a_rule, a_rulebook, an_ip
from tests.silences import a_silence
from tests.store.acts import DAY, HOUR, MINUTE, an_empty_store, ask, run, silenced, write_rows
from tests.store.builders import a_row
from tests.store.life import Life
from tests.store.opened import Place, changed

ELSEWHERE = "00000000-1111-4222-8333-444444444444"


class Listed(NamedTuple):
    """A signal as it is kept, and what else filters ask of it."""

    row: LedgerRow
    type: str
    subscription: str
    paged: bool
    paged_in_group: bool

    def is_wanted(self, wanted: StandingFilter) -> bool:
        """Whether a filter takes it."""
        row, severity = self.row, Severity(self.row.state.severity).label if self.row.state.severity else "unknown"
        return (
            row.stands
            and (not wanted.severities or severity in wanted.severities)
            and wanted.outcome in (None, row.outcome)
            and wanted.owner in (None, row.owner)
            and wanted.cluster in (None, row.cluster)
            and wanted.held_by in (None, row.held.rule if row.held is not None else "")
            and (wanted.type is None or wanted.type.casefold() == self.type)
            and (wanted.destination is None or wanted.destination in row.open)
            and wanted.subscription in (None, self.subscription)
            and (wanted.since is None or (row.since or NOW) >= wanted.since)
            and not (wanted.has_no_owner and row.owner)
            and not (wanted.paged_nobody and (self.paged or self.paged_in_group))
        )


TIMES = st.sampled_from([NOW, NOW + timedelta(microseconds=1), NOW + MINUTE, NOW + HOUR])
HELD = Held(rule="", until=NOW + DAY, rulebook="h", source="s", body=b"{}", since=NOW, messages=1)
LISTED = st.builds(
    lambda row, *more: Listed(row, *more),
    st.builds(
        a_row,
        state=st.builds(
            State, st.booleans(), st.just("active"), st.sampled_from([None, *map(int, Severity)]), st.none()
        ),
        outcome=st.sampled_from([Outcome.ROUTED, Outcome.SUPPRESSED, Outcome.BELOW_FLOOR]),
        since=TIMES,
        owner=st.sampled_from([None, "web", "web%"]),
        cluster=st.sampled_from([None, "aks"]),
        held=st.sampled_from([None, *(replace(HELD, rule=name) for name in ("scanner", "silence:ab12cd"))]),
        open=st.sampled_from([{}, {"tickets": 1}, {"tickets_2": 3, "oncall": 1}]),
    ),
    st.sampled_from(["vm_a", "vm_b"]),
    st.sampled_from([SUBSCRIPTION, ELSEWHERE]),
    st.booleans(),
    st.booleans(),
)
WANTED: list[tuple[str, Any]] = [
    *(("severities", some) for some in (("unknown",), ("High", "Low"), ("Critical", "Medium", "Informational"))),
    *(("outcome", one) for one in (Outcome.ROUTED, Outcome.SUPPRESSED)),
    *(("owner", one) for one in ("web", "web_")),
    *(("destination", one) for one in ("tickets", "oncall")),
    *(("since", one) for one in (NOW, NOW + MINUTE)),
    *[("subscription", SUBSCRIPTION)] * 3,
    ("cluster", "aks"),
    ("type", "VM_A"),
    *[("paged_nobody", True)] * 3,
    ("has_no_owner", True),
]
FILTERS = st.lists(st.sampled_from(WANTED), max_size=2).map(lambda some: StandingFilter(**dict(some)))

_DELIVERY = """
INSERT INTO deliveries (born, due, turn, opened, attempts, redriven, id, stream, destination, lane, key, change, type, state)
VALUES (?, ?, 1, 1, 1, 0, ?, 'cwpp', 'oncall', 'page', ?, 'opened', 'Notice', 'sent')
"""
_MEMBER = """
INSERT INTO members (stream, destination, signal, group_key, turn, stands, at) VALUES ('cwpp', 'oncall', ?, ?, 1, ?, ?)
"""
_LOOKUP = "INSERT INTO lookups (at, signal, stream, id_end, id, resource) VALUES (?, ?, 'cwpp', ?, ?, ?)"


def keep(store: Store, many: Sequence[Listed]) -> None:
    """Writes signals, and what else filters ask of them."""

    async def written(tx: Transaction) -> None:
        # Of some it is known when messages named it, and so its subscription.
        named = [Appearances(one.subscription, "recommendation", NOW) if one.paged else None for one in many]
        await write_signals(tx, [replace(one.row, appearances=it) for one, it in zip(many, named, strict=True)])
        for one in many:
            key, since = one.row.key, one.row.since or NOW
            await tx.execute("UPDATE signals SET type=? WHERE key=?", one.type, key)
            await tx.execute(_LOOKUP, NOW, key, key, key, f"/subscriptions/{one.subscription}/resourcegroups/a")
            # A page from before it stood, or of a group that it left, called nobody for it.
            await tx.execute(_DELIVERY, since - (not one.paged) * MINUTE, NOW, key, key)
            await tx.execute(_DELIVERY, since, NOW, f"g-{key}", f"g-{key}")
            await tx.execute(_MEMBER, key, f"g-{key}", one.paged_in_group, NOW)

    run(store.run(written))


def keys_of(many: Sequence[Listed], wanted: StandingFilter) -> list[str]:
    """Those that a filter takes, in their order."""
    order = sorted(many, key=lambda one: (one.row.state.severity or max(GRAVITIES), one.row.since or NOW, one.row.key))
    return [one.row.key for one in reversed(order) if one.is_wanted(wanted)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    stored=st.lists(LISTED, max_size=12),
    meanwhile=st.lists(LISTED, max_size=3),
    wanted=FILTERS,
    most=st.integers(1, 4),
    look_at=st.integers(1, 9),
)
def test_pages_hold_what_is_wanted_each_once_and_in_order(
    place: Place, stored: list[Listed], meanwhile: list[Listed], wanted: StandingFilter, most: int, look_at: int
) -> None:
    """As many as are asked for, or as few as so many looks find, whatever comes in between two pages."""
    stored = [one._replace(row=replace(one.row, key=f"{number:02}")) for number, one in enumerate(stored)]
    meanwhile = [one._replace(row=replace(one.row, key=f"{number:02}!")) for number, one in enumerate(meanwhile)]
    found, after = list[str](), None
    with an_empty_store(place) as store:
        keep(store, stored)
        assert ask(store, count_standing, "cwpp", wanted) == (len(keys_of(stored, wanted)), True)
        while True:
            page = ask(store, list_standing, "cwpp", wanted, after, most, look_at)
            found += [row.key for row in page.rows]
            assert page.looked_at <= look_at
            assert len(page.rows) == most if page.is_whole and page.after else len(page.rows) <= most
            if page.after is None:
                break
            after = StandingPlace.parse(str(page.after))
            assert after == page.after
            if meanwhile:
                keep(store, [meanwhile.pop()])
    assert len(set(found)) == len(found)
    assert [key for key in found if "!" not in key] == keys_of(stored, wanted)


@given(st.text() | st.from_regex(r"[0-9]\.[0-9]+\.[ -~]+"))
def test_a_place_is_written_for_a_url_and_rubbish_is_none(text: str) -> None:
    """Whatever people make of it."""
    place = StandingPlace.parse(text)
    assert place is None or StandingPlace.parse(str(place)) == place


@pytest.mark.usefixtures("either")
def test_a_count_stops_at_a_thousand_and_one(store: Store) -> None:
    """Whatever there is."""
    write_rows(store, [a_row(f"{number}", owner="web" if number % 2 else None) for number in range(MOST_COUNTED + 1)])
    assert ask(store, count_standing, "cwpp", StandingFilter()) == (MOST_COUNTED, True)
    assert ask(store, count_standing, "cwpp", StandingFilter(owner="web")) == (MOST_COUNTED // 2 + 1, True)


# What a signal's row says of its life, and the list of each signal.

SCANNER = "203.0.113.7"
OWNERS = Owners((Ownership(lambda _, group: group == "rg-web", Owner("web-shop")),))
CLUSTER = "/subscriptions/1/resourceGroups/rg-db/providers/Microsoft.ContainerService/managedClusters/pay-aks"


def a_book(*rules: Any, grouped: bool = False) -> Rulebook:
    """Everything goes to a pager and to tickets, and, for rows, to a table."""
    specs = [a_destination("oncall", Lane.PAGE), a_destination("tickets"), a_destination("sentinel", Lane.ROWS)]
    if grouped:
        lasting = replace(specs[1], group=Grouping((By.ALERT_TYPE,), None), limit=Limit(1, DAY))
        specs = [replace(specs[0], group=Grouping((By.ALERT_TYPE,), HOUR)), lasting]
    book = a_rulebook(
        *rules, routes=(), otherwise=("oncall", "tickets"), always=("sentinel",)[grouped:], destinations=specs
    )
    return replace(book, owners=OWNERS)


def test_a_signal_stands_since_it_was_first_routed_or_held_in_its_latest_life(store: Store) -> None:
    """With its owner and cluster as the latest decision found them; what is over keeps all of it."""
    life = Life(store, a_book(a_rule(ip=(SCANNER,), expires=NOW + DAY)))

    def known(id: str = "alert-1") -> tuple[datetime | None, str | None, str | None]:
        row = life.row(id)
        assert row is not None
        return row.since, row.owner, row.cluster

    life.alert(Severity="Low")
    assert known() == (None, None, None)
    life.goes_on(1 / 24)
    first = life.now
    life.alert(AzureResourceId=CLUSTER)
    assert known() == (first, None, "pay-aks")
    life.goes_on(1 / 24)
    life.alert(Severity="Critical")
    assert known() == (first, "web-shop", None)
    life.alert(Status="Resolved")
    assert known() == (first, "web-shop", None)
    life.goes_on(1 / 24)
    again = life.now
    life.alert("held", Entities=[an_ip(SCANNER)])
    life.alert(StartTimeUtc=again.isoformat(), TimeGenerated=again.isoformat())
    assert known() == known("held") == (again, "web-shop", None)
    life.goes_on(1)
    assert [entry.outcome for entry in life.release()] == ["routed"]
    assert known("held") == (again, "web-shop", None)


def listed(life: Life, **wanted: Any) -> list[dict[str, Any]]:
    """What the list says of what stands."""
    document = run(read_standing(life.store, "cwpp", StandingFilter(**wanted), None, 50, life.now))
    assert (document["count"], document["after"], document["is_whole"]) == (len(document["signals"]), None, True)
    signals: list[dict[str, Any]] = document["signals"]
    return signals


def words_of(one: dict[str, Any]) -> list[str]:
    """What was told of a signal, and what keeps it."""
    return [state["words"] for state in one["states"]]


@pytest.mark.usefixtures("either")
def test_each_signal_is_listed_with_whom_it_was_told_to_and_what_keeps_it(store: Store) -> None:
    """In the words of its notice, or of what is kept where it has none; nothing is left of what was told before it began."""
    life = Life(store, a_book(a_rule(ip=(SCANNER,), expires=NOW + DAY)))
    life.alert()
    (owed,) = listed(life)
    assert words_of(owed) == [
        f"owed to {name} since 2026-11-24T12:00:00Z" for name in ("oncall", "sentinel", "tickets")
    ]
    assert listed(life, paged_nobody=True) == [owed]
    for destination in ("oncall", "sentinel"):
        for claim in life.claims(destination):
            life.settle(claim, DeliveryState.SENT)
    for claim in life.claims("tickets"):
        life.settle(claim, DeliveryState.DEAD, error="400")
    (told,) = listed(life)
    paged = {
        "code": "paged",
        "link": None,
        "destination": "oncall",
        "at": "2026-11-24T12:00:00Z",
        "reference": "INC0012345",
    }
    assert told["states"][0] == paged | {"words": "paged oncall at 2026-11-24T12:00:00Z, INC0012345"}
    assert words_of(told)[1:] == ["rows at sentinel, INC0012345", "given up on at tickets"]
    assert (told["title"], told["where"], told["owner"]) == ("Something happened", "vm-1", "web-shop")
    assert (told["severity"], told["resource"], told["subscription"]) == ("High", RESOURCE, SUBSCRIPTION)
    assert listed(life, paged_nobody=True) == []
    silenced(store, a_silence(alert_type="VM_Test", lasts=2 * HOUR))
    life.goes_on(1 / 24)
    life.alert("held", Entities=[an_ip(SCANNER)], Severity="Critical", AzureResourceId=CLUSTER)
    held, _ = listed(life)
    assert held | {"states": []} == held | {
        "outcome": "suppressed", "severity": "Critical", "title": "Something happened", "where": "pay-aks",
        "cluster": "pay-aks", "owner": None, "since": "2026-11-24T13:00:00Z", "respond_by": None, "states": [],
    }  # fmt: skip
    (words,) = words_of(held)
    assert words.startswith("held by ")


@pytest.mark.usefixtures("either")
def test_a_member_of_a_group_says_so_and_what_was_paged_before_it_came_called_nobody_for_it(store: Store) -> None:
    """A group that has no room yet waits for it."""
    life = Life(store, a_book(grouped=True))
    life.alert("first")
    life.deliver()
    life.goes_on(1 / 48)
    life.alert("second")
    life.alert("other", AlertType="VM_Other")
    found = {one["id"]: words_of(one) for one in listed(life)}
    paged, ticket = "paged oncall at 2026-11-24T12:00:00Z, INC0012345", "ticket at tickets, INC0012345"
    in_groups = ["one of 2 in a group at oncall", "one of 2 in a group at tickets"]
    owed = "owed to oncall since 2026-11-24T12:30:00Z"
    assert found["first"] == [paged, ticket, *in_groups, owed]
    assert found["second"] == [ticket, *in_groups, owed]
    assert found["other"] == ["one of 1 in a group at oncall", owed, "waits for room at tickets"]
    assert {one["id"] for one in listed(life, paged_nobody=True)} == {"second", "other"}


HOSTILE = "<b>\u202e\x1b[31m" + "x" * 100_000


def test_texts_are_masked_legible_and_no_longer_than_a_line(store: Store) -> None:
    """What an alert says acts on nothing; of one about AI nothing is told that its outline lacks."""
    life = Life(store, a_book(a_rule(ip=(SCANNER,))))
    secret = "password=hunter2hunter2"
    life.alert("a", AlertDisplayName=f"{secret} {HOSTILE}", CompromisedEntity=HOSTILE, AzureResourceId=None)
    life.alert("held", AlertDisplayName=f"{secret} {HOSTILE}", Entities=[an_ip(SCANNER)])
    life.alert("ai", AlertType="AI.Azure_Jailbreak", AlertDisplayName="Asked {Prompt}", CompromisedEntity="what a user asked",
               ExtendedProperties={"Prompt": "what a user asked"}, AzureResourceId=None)  # fmt: skip
    for one in listed(life):
        texts = [text for text in one.values() if isinstance(text, str)]
        assert all(len(text) <= LONGEST_TEXT and "\u202e" not in text and "\x1b" not in text for text in texts)
        assert not any("hunter2" in text or "what a user asked" in text for text in texts), one


@pytest.mark.usefixtures("either")
def test_what_is_damaged_is_left_out_or_told_by_what_is_left(store: Store) -> None:
    """A row that cannot be read is set aside; without what rules match the decision says what it is, and else nothing does."""
    life = Life(store, a_book(a_rule(ip=(SCANNER,))))
    for id in ("a", "b", "c"):
        life.alert(id, Entities=[an_ip(SCANNER)])
    run(changed(store, "UPDATE signals SET rule_fields=? WHERE key<>?", b"?", life.key("c")))
    run(changed(store, "DELETE FROM decisions WHERE signal=?", life.key("b")))
    run(changed(store, "UPDATE signals SET turn=0 WHERE key=?", life.key("c")))
    document = run(read_standing(store, "cwpp", StandingFilter(), None, 50, NOW))
    assert {one["key"]: one["title"] for one in document["signals"]} == {
        life.key("a"): "Something happened",
        life.key("b"): "what this is is not kept",
    }
