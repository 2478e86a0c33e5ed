"""What every store promises of the outbox: claims, results, pauses, notes, and the turn order that the pure rules give."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from copy import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.domain.decisions import Change
from router.domain.deliveries import (
    SUSPECT,
    Backlog,
    Claim,
    Delivery,
    DeliveryState,
    DeliveryStatus,
    Pause,
    Receipt,
    Settlement,
)
from router.domain.rulebook import Clause, Lane
from router.domain.severity import Severity
from router.store.claims import Recipient, bring_forward, release_claims, settle_claims
from router.store.dead_letters import Redrive, abandon_deliveries, discard, give_up_deliveries, redrive
from router.store.decisions import put_on_record
from router.store.deliveries import add_deliveries, read_statuses
from router.store.delivery_lifecycle import born_at, first_open
from router.store.delivery_status import count_deliveries, count_due, find_by_reference, find_first_due, list_backlogs
from router.store.destinations import list_delivered, list_pauses, pause_destination, resume_destination, take_probe
from router.store.forgetting import forget
from router.store.retention import Retention
from tests.builders import NOW, a_destination, a_route, a_rulebook
from tests.destinations.builders import a_notice
from tests.domain.signal_model import (
    FAR_JUMPS,
    Abandon,
    Act,
    Add,
    BringForward,
    Die,
    Event,
    Jump,
    Restart,
    Settle,
    SignalModel,
    Work,
)
from tests.examples import some_of
from tests.store.acts import DAY, HOUR, INSTANT, LEASE, an_empty_store, ask, claim, letters_in, owe, run, settle, states
from tests.store.builders import OPENING, RESOLUTION, UPDATE, a_delivery, an_entry
from tests.store.life import Life
from tests.store.opened import Place, Store, changed
from tests.store.within import claim_in, within

pytestmark = pytest.mark.usefixtures("either")

WRONG = timedelta(days=400)
"""By how much a clock is ahead that is wrong."""


def a_pause(destination: str = "tickets", **changes: Any) -> Pause:
    """A pause from now on, that is probed in a lease."""
    pause = Pause(stream="cwpp", destination=destination, since=NOW, probe=NOW + LEASE, error="401")
    return replace(pause, **changes)


def pauses(store: Store, stream: str = "cwpp") -> Mapping[str, Pause]:
    """The pauses of a stream, by destination."""
    return ask(store, list_pauses, stream)


def abandon(store: Store, *named: str, until: timedelta = timedelta(), after: timedelta = timedelta()) -> int:
    """Gives up on what is that old at destinations that are not named."""
    return ask(store, abandon_deliveries, "cwpp", named, NOW + until, NOW + after)


def give_up(store: Store, until: timedelta = timedelta(), after: timedelta = timedelta()) -> int:
    """Gives up on what is that old at `tickets`, which cannot be asked."""
    return ask(store, give_up_deliveries, "cwpp", "tickets", NOW + until, "not ready", NOW + after)


def test_a_delivery_is_owed_once_with_its_trace_and_claimed_from_its_instant_on(store: Store) -> None:
    """What is due first comes first, no more than is asked for. A claim is one worker's alone until its lease ends, and what
    is deferred is due then, to the microsecond. What was sent is owed no more."""
    traced = replace(OPENING, trace="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    ask(store, add_deliveries, [a_delivery(key="later")], NOW + INSTANT)
    owe(store, traced, traced)
    assert [one.delivery for one in claim(store, after=INSTANT, limit=1)] == [traced]
    assert [one.delivery.trace for one in claim(store, after=INSTANT)] == [None]
    assert claim(store, after=LEASE) == []
    for one in claim(store, after=LEASE + INSTANT):
        settle(store, one, DeliveryState.OWED, due=NOW + HOUR, error="503")
    assert claim(store, after=HOUR - INSTANT) == []
    later, third = claim(store, after=HOUR)
    assert (third.delivery, third.number, third.born, later.number) == (traced, 3, NOW, 3)
    for one in (third, later):
        settle(store, one, DeliveryState.SENT)
    owe(store, traced)
    assert claim(store, after=DAY) == []


def test_what_was_lost_three_times_is_tried_alone_after_everything_else_and_once_more_is_dead(store: Store) -> None:
    """It may have killed its workers, and whatever they had in hand beside it; also when a person redrives it. However much
    stands before it, what is not to be sent leaves room for what is."""
    owe(store, OPENING, a_delivery(key="twin"))
    for time in range(SUSPECT - 1):
        claim(store, after=time * LEASE)
    owe(store, a_delivery(key="innocent"))
    assert len(claim(store, after=(SUSPECT - 1) * LEASE)) == 3
    others, first, second = (claim(store, after=SUSPECT * LEASE) for _ in range(3))
    assert [(one.delivery.key, one.lost) for one in others] == [("innocent", 1)]
    assert len(first) == len(second) == 1
    assert sorted((one.delivery.key, one.lost) for one in [*first, *second]) == [("k", SUSPECT), ("twin", SUSPECT)]
    settle(store, others[0], DeliveryState.SENT)
    ended = ((1, Change.OPENED), (2, Change.RESOLVED))
    untold = [a_delivery(turn, change, key=f"u{n}") for n in range(3) for turn, change in ended]
    after = (SUSPECT + 1) * LEASE
    ask(store, add_deliveries, [*untold, a_delivery(key="last")], NOW + after)
    assert [one.delivery.key for one in claim(store, after=after, limit=1)] == ["last"]
    assert states(store)[DeliveryState.SKIPPED] == 6
    assert claim(store, after=after) == []
    letters = run(letters_in(store))
    died = "internal: its worker died each of the last 4 times it was tried"
    assert [(one.attempts, one.error) for one in letters] == [(SUSPECT + 1, died)] * 2
    assert ask(store, redrive, OPENING.id, NOW) is Redrive.OWED
    owe(store, a_delivery(key="later"))
    found = [[(one.delivery.key, one.lost) for one in claim(store)] for _ in range(2)]
    assert found == [[("later", 0)], [("k", SUSPECT)]]


def test_of_results_that_are_written_together_each_belongs_to_its_claim(store: Store) -> None:
    """Storage may take nothing for a while. An acknowledgement counts wherever it stands, but for one of before a redrive."""
    owe(store, OPENING, a_delivery(key="twin"))
    slow, twin = claim(store)

    def results(*found: tuple[Claim, DeliveryState]) -> None:
        """Writes down results of claims."""
        ask(store, settle_claims, [Settlement(claim=one, state=state, at=NOW, error="400") for one, state in found])

    results((twin, DeliveryState.SENT), (twin, DeliveryState.DEAD))
    assert states(store) == {DeliveryState.CLAIMED: 1, DeliveryState.SENT: 1}
    assert abandon(store, after=LEASE) == 1
    assert ask(store, redrive, OPENING.id, NOW + LEASE) is Redrive.OWED
    (again,) = claim(store, after=LEASE)
    results((slow, DeliveryState.SENT), (again, DeliveryState.DEAD))
    assert states(store) == {DeliveryState.DEAD: 1, DeliveryState.SENT: 1}


def test_a_reference_that_no_index_holds_is_written_down_and_found(store: Store) -> None:
    """A vendor may call a ticket what it likes: what was sent is sent, and so is what is settled together with it."""
    owe(store, OPENING)
    (opening,) = claim(store)
    # Random enough that it cannot be compressed into a page of the index.
    references = ["".join(map(chr, range(start, start + 6_000))) for start in (40_000, 39_999)]
    settle(store, opening, DeliveryState.SENT, receipt=Receipt(reference=references[0]))
    assert states(store) == {DeliveryState.SENT: 1}
    for reference, found in zip(references, (1, 0), strict=True):
        assert len(ask(store, find_by_reference, reference)) == found


def test_what_has_nowhere_left_to_go_becomes_a_dead_letter(store: Store) -> None:
    """On both sides of the age that it is given; what a worker has in hand is left to it until its lease ends."""
    owe(store, OPENING)
    settle(store, claim(store)[0], DeliveryState.OWED, due=NOW, error="503")
    assert abandon(store, "oncall", until=-INSTANT) == abandon(store, "tickets") == 0
    claim(store)
    assert [abandon(store, "oncall", after=after) for after in (timedelta(), LEASE)] == [0, 1]
    (letter,) = run(letters_in(store))
    assert letter.error == "no_destination: the policy no longer names it; its last trouble: 503"


def test_what_nobody_can_be_asked_for_is_given_up_on_and_what_is_superseded_is_skipped_before(store: Store) -> None:
    """To the instant, there and nowhere else; what is in flight is left to its worker until its lease ends."""
    assert give_up(store, DAY) == 0
    owe(store, a_delivery(key="in flight"))
    claim(store)
    ended = ((1, Change.OPENED), (2, Change.RESOLVED))
    rows = [a_delivery(turn, change, key="row", lane=Lane.ROWS) for turn, change in ended]
    owe(store, OPENING, RESOLUTION, a_delivery(key="alone"), *rows, replace(OPENING, destination="pager"))
    ask(store, add_deliveries, [a_delivery(key="younger")], NOW + INSTANT)
    assert [give_up(store, -INSTANT), give_up(store)] == [0, 5]
    letters = [(one.delivery and one.delivery.key, one.error, one.attempts, one.died) for one in run(letters_in(store))]
    assert sorted(letters, key=str) == [(key, "not ready", 0, NOW) for key in ("alone", "row", "row")]
    assert states(store)[DeliveryState.SKIPPED] == 2
    assert give_up(store, after=LEASE) == 1


def test_a_pause_keeps_when_it_began_and_one_of_several_workers_takes_its_probe(store: Store) -> None:
    """Each refused probe moves the next one, not the beginning, unless a wrong clock wrote that. It is forgotten with its
    destination, and so is what is known of an owner's key there."""
    later = a_pause(since=NOW + LEASE, probe=NOW + 2 * LEASE, error="403")
    for pause, expected in (
        (a_pause(since=NOW + WRONG, probe=NOW + WRONG), None),
        (a_pause(), None),
        (later, replace(later, since=NOW)),
    ):
        ask(store, pause_destination, pause)
        assert pauses(store) == {"tickets": expected or pause}
    pause, next = replace(later, since=NOW), NOW + HOUR

    async def probed() -> list[bool]:
        return list(await asyncio.gather(*(within(store, take_probe, pause, next) for _ in range(5))))

    assert sorted(run(probed())) == [False] * 4 + [True]
    assert (pauses(store), pauses(store, "cspm")) == ({"tickets": replace(pause, probe=next)}, {})
    ask(store, resume_destination, "cwpp", "tickets")
    assert not ask(store, take_probe, replace(pause, probe=next), NOW + DAY)
    assert pauses(store) == {}
    for name in ("gone", "tickets", "tickets:KEY", "gone:KEY"):
        ask(store, pause_destination, a_pause(name))
    abandon(store, "tickets")
    assert pauses(store).keys() == {"tickets", "tickets:KEY"}


def test_what_waits_is_brought_forward_for_who_wants_to_know_whether_its_destination_can_be_asked(store: Store) -> None:
    """One delivery, the one that would be tried next; what is due sooner, in flight or not its turn stays as it is."""
    now = HOUR / 4

    def brings(destination: str = "tickets") -> bool:
        return ask(store, bring_forward, "cwpp", destination, NOW + now)

    assert not brings()
    owe(store, OPENING, UPDATE, a_delivery(key="later"))
    for one in claim(store):
        due = NOW + (2 * HOUR if one.delivery.key == "later" else HOUR)
        settle(store, one, DeliveryState.OWED, due=due, error="401")
    assert (claim(store, after=now), brings(), brings("others")) == ([], True, False)
    (brought,) = claim(store, after=now)
    assert (brought.delivery.id, brought.number, brought.born) == (OPENING.id, 2, NOW)
    assert (brings(), [one.delivery.key for one in claim(store, after=now)], brings()) == (True, ["later"], False)


def test_what_is_due_is_counted_by_destination_up_to_as_much_as_is_asked_for(store: Store) -> None:
    """What is in flight or deferred is not due; what is sent is over."""

    def count(after: timedelta = timedelta(), most: int = 10, stream: str = "cwpp") -> dict[str, int]:
        return dict(ask(store, count_due, stream, ["tickets", "pager", "other"], NOW + after, most))

    owe(store, *(a_delivery(key=f"k{number}") for number in range(3)), replace(OPENING, destination="pager"))
    assert (count(), count(most=2)) == ({"tickets": 3, "pager": 1}, {"tickets": 2, "pager": 1})
    assert count(-INSTANT) == count(stream="cspm") == ask(store, count_due, "cwpp", [], NOW, 10) == {}
    sent, deferred = claim(store, limit=2)
    assert count() == {"tickets": 1, "pager": 1}
    settle(store, sent, DeliveryState.SENT)
    settle(store, deferred, DeliveryState.OWED, due=NOW + HOUR, error="503")
    assert (count(HOUR - INSTANT)["tickets"], count(HOUR)["tickets"]) == (1, 2)


def test_a_destination_says_when_its_first_delivery_is_due(store: Store) -> None:
    """Not what waits for its turn, whichever signal was owed first; what is in flight is due when its lease ends."""

    def first() -> tuple[dict[str, datetime], dict[str, tuple[object, ...]]]:
        found = ask(store, find_first_due, "cwpp", ["pager", "tickets"], NOW + 2 * HOUR)
        backlogs = ask(store, list_backlogs, "cwpp").items()
        dues = {name: one.due for name, one in found.items() if one.due is not None}
        return dues, {name: (one.due, one.error, one.owed) for name, one in backlogs}

    assert first() == ({}, {})
    owe(store, OPENING, UPDATE)
    assert first() == ({"tickets": NOW}, {"tickets": (NOW, None, 2)})
    (opening,) = claim(store)
    owe(store, a_delivery(key="sooner"))
    (sooner,) = claim(store)
    settle(store, opening, DeliveryState.OWED, due=NOW + HOUR, error="503")
    assert first() == ({"tickets": NOW + LEASE}, {"tickets": (NOW + LEASE, None, 3)})
    settle(store, sooner, DeliveryState.SENT)
    assert first() == ({"tickets": NOW + HOUR}, {"tickets": (NOW + HOUR, "503", 2)})


def test_who_took_a_delivery_did_so_for_good(store: Store) -> None:
    """Also once nothing is kept of it; nobody else is taken for them, and what was not sent was not delivered."""

    def took(destination: str = "tickets", stream: str = "cwpp") -> bool:
        return destination in ask(store, list_delivered, stream)

    ask(store, put_on_record, [an_entry("h:1", stream="cwpp", outcome="routed", signal=OPENING.key, turn=1)])
    owe(store, OPENING, *(a_delivery(key=key) for key in ("owed", "dead", "skipped")))
    opening, *others = claim(store)
    for one in others:
        settle(store, one, DeliveryState(one.delivery.key), due=NOW, error="answered 400")
    assert not took()
    settle(store, opening, DeliveryState.SENT, receipt=Receipt())
    assert (took(), took("pager"), took(stream="cspm")) == (True, False, False)
    run(forget(store, NOW + 400 * DAY, Retention(), 10_000))
    assert DeliveryState.SENT not in states(store)
    assert took()


SENT, DEAD, SKIPPED = DeliveryState.SENT, DeliveryState.DEAD, DeliveryState.SKIPPED


def news(turn: int, *, opened: int = 1, status_only: bool = False, lane: Lane = Lane.TICKET) -> Delivery:
    """A signal is opened, by its first turn, or it changes."""
    change = Change.OPENED if turn == opened else Change.UPDATED
    notice = a_notice(key="k", turn=turn, status_only=status_only)
    return replace(a_delivery(turn, change, opened=opened, lane=lane), content=notice)


def status(turn: int, opened: int = 1, lane: Lane = Lane.TICKET) -> Delivery:
    """Its status changes, and nothing else."""
    return news(turn, opened=opened, status_only=True, lane=lane)


def ends(store: Store, delivery: Delivery, state: DeliveryState) -> None:
    """A delivery is owed, and comes to an end; one that is skipped died, and a person discarded it."""
    owe(store, delivery)
    settle(store, claim(store)[0], SENT if state is SENT else DEAD, error=None if state is SENT else "400")
    if state is SKIPPED:
        assert ask(store, discard, delivery.id, NOW)


TOLD = (news(1), SENT)
HISTORIES: dict[str, tuple[Sequence[tuple[Delivery, DeliveryState]], Sequence[Delivery], tuple[int, bool]]] = {
    "all was told": ([TOLD, (news(2), SENT)], [status(9)], (9, True)),
    "only statuses died": ([TOLD, (status(2), DEAD), (status(3), DEAD)], [status(9)], (9, True)),
    "the opening died": ([(news(1), DEAD)], [status(9)], (9, False)),
    "a person discarded the opening": ([(news(1), SKIPPED)], [status(9)], (9, False)),
    "news died, and a status with it": ([TOLD, (news(2), DEAD), (status(3), DEAD)], [status(9)], (9, False)),
    "news died, and a status told of it": ([TOLD, (news(2), DEAD), (status(3), SENT)], [status(9)], (9, True)),
    "nothing is known": ([], [status(9)], (9, True)),
    "an earlier opening died": ([(news(1), DEAD)], [status(9, opened=5)], (9, True)),
    "a page": ([], [status(9, lane=Lane.PAGE)], (9, False)),
    "a row": ([], [status(9, lane=Lane.ROWS)], (9, False)),
    # It stands for what was skipped for it, and the next one for itself alone.
    "a status supersedes news": ([TOLD], [news(2), status(3), status(4)], (4, False)),
    "a status supersedes one": ([TOLD], [status(5), status(6)], (6, True)),
    "news supersedes a status": ([TOLD], [status(7), news(8)], (8, False)),
}


@pytest.mark.parametrize("before", HISTORIES)
def test_a_status_is_a_note_for_tickets_where_nothing_before_it_stayed_untold(store: Store, before: str) -> None:
    """What never got through is said by what follows; what an earlier opening left untold is another story. In doubt the router
    is loud: what cannot be read is no note."""
    history, then, is_note = HISTORIES[before]
    for delivery, state in history:
        ends(store, delivery, state)
    owe(store, *then)
    (one,) = claim(store)
    assert (one.delivery.turn, one.is_note) == is_note
    settle(store, one, SENT)
    if one.is_note:
        ends(store, status(10), DEAD)
        run(changed(store, "UPDATE notices SET body=? WHERE turn=10", b"\0"))
        owe(store, status(11))
        assert [one.is_note for one in claim(store)] == [False]


def test_the_next_status_after_one_that_stood_for_news_is_a_note(store: Store) -> None:
    """It stands for itself alone: what was skipped for the one before was told by that."""
    ends(store, *TOLD)
    owe(store, news(2), status(3))
    (one,) = claim(store)
    settle(store, one, SENT)
    assert (one.is_note, states(store)) == (False, {SENT: 2, SKIPPED: 1})
    owe(store, status(4))
    assert [one.is_note for one in claim(store)] == [True]


HIGH = Clause("severity", "High", lambda signal, attack: signal.severity is Severity.HIGH)
PLACES = a_destination("oncall", Lane.PAGE), a_destination("tickets"), a_destination("more")
ROUTES = [a_route("page", "oncall", when=[HIGH]), a_route("all", "tickets", "more")]
BOOK = a_rulebook(routes=ROUTES, destinations=PLACES)
OPENED, RESOLVED = Change.OPENED, Change.RESOLVED


@pytest.fixture
def life(store: Store) -> Life:
    """A router that pages what is High, and opens tickets of everything at two destinations."""
    return Life(store, BOOK)


def heard_by(life: Life, destination: str = "tickets") -> list[tuple[int, Change, bool]]:
    """What a destination is told: the turn, its change, and whether that is the first and the last."""
    return sorted((one.delivery.turn, one.delivery.change, one.is_untold) for one in life.owed(destination))


def test_what_was_routed_to_a_pager_and_ended_untold_is_told_to_tickets_once_and_pages_nobody(life: Life) -> None:
    """Its resolution alone; what no pager was to hear of, and a sample, with which nothing happened, is told to nobody."""
    for fields in ({}, {"Severity": "Medium"}, {"AlertDisplayName": "[SAMPLE ALERT] test"}):
        for status in ("New", "InProgress", "Resolved"):
            life.alert(str(fields), Status=status, **fields)
    assert heard_by(life) == heard_by(life, "more") == [(3, RESOLVED, True)]
    assert heard_by(life, "oncall") == []
    # Of what opened again the latest is told: what stands as ever, of two ends the second, so that there is one ticket.
    for status in ("New", "Resolved", "New"):
        life.alert("stands", Status=status), life.alert("over", Status=status)
    life.alert("over", Status="Resolved"), life.alert("{}", Status="Resolved")
    assert heard_by(life) == [(3, OPENED, False), (4, RESOLVED, True)]


def test_what_ended_untold_stays_so_though_its_worker_dies_or_is_refused(life: Life) -> None:
    """Its ticket may be there or not: what tries it next has to know. What was tried before it ended is resolved as ever."""
    life.alert(), life.alert(Status="Resolved")
    (lost,) = life.claims("tickets")
    life.now += LEASE
    (refused,) = life.claims("tickets")
    life.settle(refused, DeliveryState.OWED, due=life.now, error="answered 503")
    (last,) = life.owed("tickets")
    assert [one.is_untold for one in (lost, refused, last)] == [True] * 3
    assert last.number == 3
    life.alert("tried")
    (tried,) = life.claims("tickets")
    life.settle(tried, DeliveryState.OWED, due=life.now, error="answered 503")
    life.alert("tried", Status="Resolved")
    assert heard_by(life) == [(1, OPENED, False), (2, RESOLVED, False)]


def test_what_ended_untold_where_nothing_can_be_asked_is_a_dead_letter_in_the_end(life: Life) -> None:
    """One for each ticket destination. An opening that its resolution told of is not told again: that were a second ticket."""

    def give_up(destination: str) -> None:
        ask(life.store, give_up_deliveries, "cwpp", destination, life.now, "not ready", life.now)

    life.alert(), life.alert(Status="Resolved")
    for destination in ("tickets", "oncall"):
        give_up(destination)
    (letter,) = run(letters_in(life.store))
    assert letter.delivery is not None and letter.delivery.change is RESOLVED
    life.alert("untried")
    give_up("tickets")
    life.alert("untried", Status="Resolved")
    assert heard_by(life) == [(2, RESOLVED, True)]
    opening = next(one for one in run(letters_in(life.store)) if one.id != letter.id)
    assert ask(life.store, redrive, opening.id, life.now) is Redrive.OVERTAKEN
    assert heard_by(life) == []


# The turn order of a store is the one that the pure rules give, whatever happens to a signal.


LANES = st.sampled_from([Lane.TICKET, Lane.ROWS])
LATE = NOW + timedelta(days=9_000)
"""Later than any clock of a history."""

LOOKS = 4
"""Events after which somebody looks at the figures."""


class InStore:
    """A signal in a store, and its model, to which the same happens: after each event both are in the same state."""

    def __init__(self, store: Store, lane: Lane) -> None:
        self.store = store
        self.model = SignalModel(lane)
        self.claims: list[Claim] = []
        self.receipts: dict[int, Receipt] = {}

    async def play(self, events: Sequence[Event]) -> None:
        """Has it all happen, a second apart."""
        for place, event in enumerate(events, 1):
            self.model.now += timedelta(seconds=1)
            await self.happen(event)
            entries = await within(self.store, read_statuses, self.model.clock, "key=?", "k")
            assert {one.turn: facts(one) for one in entries} == {
                turn: facts(one) for turn, one in self.model.entries.items()
            }, event
            if place % LOOKS == 0:
                await self.look()

    async def happen(self, event: Event) -> None:
        """Has something happen to both."""
        model, before = self.model, dict(self.model.entries)
        if isinstance(event, Settle):
            await self.settle(event)
        if isinstance(event, Die):
            for _ in range(event.times):
                model.happen(Die())
                await self.work()
            self.claims.clear()
            return
        model.happen(event)
        match event:
            case Add():
                one = list(model.entries.values())[-1]
                owed = a_delivery(one.turn, one.change, opened=one.opened, lane=one.lane)
                await within(self.store, add_deliveries, [owed, owed], model.clock)
            case Work():
                await self.work()
            case Abandon():
                await within(self.store, abandon_deliveries, "cwpp", [], LATE, model.clock)
            case BringForward():
                await within(self.store, bring_forward, "cwpp", "tickets", model.clock)
            case Restart():
                await within(self.store, release_claims)
            case Act(redrives, which):
                letters = [one for one in before.values() if one.state is DeliveryState.DEAD][which : which + 1]
                for letter in letters:
                    after = model.entries[letter.turn].state
                    is_owed = after is DeliveryState.OWED
                    expected = True if not redrives else Redrive.OWED if is_owed else Redrive.OVERTAKEN
                    do = redrive if redrives else discard
                    assert await within(self.store, do, letter.id, model.clock) is expected

    async def work(self) -> None:
        """Claims as the model did. What is given up on has a pass of its own here."""
        clock, until = self.model.clock, self.model.clock + self.model.lease
        for _ in range(3):
            if found := await claim_in(self.store, Recipient("cwpp", Lane.TICKET, "tickets"), clock, until, 10):
                break
        ours = [one for one in self.model.entries.values() if one.due == until and one.state is DeliveryState.CLAIMED]
        for one in found:
            entry = self.model.entries[one.delivery.turn]
            assert (one.number, one.lost, one.born) == (entry.attempts, entry.lost, born_at(entry.born, clock))
            assert one.opening == (self.receipts.get(entry.opened) if entry.opened != entry.turn else None)
        assert len(found) == len(ours) <= 1
        self.claims += found

    async def settle(self, event: Settle) -> None:
        """Settles a claim as the model is about to."""
        if len(self.claims) > event.which:
            made = self.claims.pop(-1 - event.which)
            settlement = self.model.settlement_for(event, made)
            if event.state is DeliveryState.SENT:
                settlement = replace(settlement, receipt=Receipt(reference=made.id))
                ours = self.model.entries[made.delivery.turn]
                if ours.state is not DeliveryState.SENT and made.id.startswith(f"{ours.redriven}-"):
                    self.receipts[ours.turn] = Receipt(reference=made.id)
            await within(self.store, settle_claims, [settlement])

    async def look(self) -> None:
        """Compares the figures that people are shown."""
        entries = list(self.model.entries.values())
        counts = Counter(("tickets", one.state) for one in entries)
        assert await within(self.store, count_deliveries, "cwpp") == counts
        first, owed = first_open(entries), sum(one.is_open for one in entries)
        next = (first.due, first.error) if first is not None else (None, None)
        oldest = min((one.born for one in entries if one.is_open), default=None)
        dead = [one for one in entries if one.state is DeliveryState.DEAD]
        backlogs = {"tickets": Backlog(entries[0].lane, oldest, len(dead), owed, *next)} if entries else {}
        assert await within(self.store, list_backlogs, "cwpp") == backlogs
        letters = await letters_in(self.store)
        told = [(one.delivery.turn, one.attempts, one.born, one.died, one.error) for one in letters]  # type: ignore[union-attr]
        dead.sort(key=lambda one: (str(one.settled), one.id))
        assert told == [(one.turn, one.attempts, one.born, one.settled, one.error) for one in dead]


def facts(entry: DeliveryStatus) -> tuple[object, ...]:
    """What of a delivery is the same wherever it is kept."""
    due = entry.due if entry.is_open else None
    counted = (entry.attempts, entry.lost, entry.redriven)
    return entry.state, due, *counted, entry.born, entry.settled, entry.error, entry.failed


EXAMPLES: list[list[Event]] = [
    [Add(), Abandon(), Add(ends=True), Work()],
    [Add(), Abandon(), Act(redrives=False), Add(ends=True), Work(), Add(), Abandon(), Act(redrives=True)],
    [Add(), Work(), Work(9), Settle(DeliveryState.DEAD, 1), Settle(DeliveryState.SENT), Add(True), Work()],
    [Jump(timedelta(days=400)), Add(), Jump(timedelta()), Work()],
    [
        Add(), Work(), Settle(DeliveryState.OWED, 0, 1, spent=False), Jump(timedelta(days=3)), Add(), Work(),
        Settle(DeliveryState.SENT, 1), Jump(timedelta()), Work(),
    ],
]  # fmt: skip


def play(place: Place, lane: Lane, events: Sequence[Event]) -> None:
    """Plays over an empty store."""
    with an_empty_store(place) as store:
        run(InStore(store, lane).play(events))


def test_the_rules_of_turns_are_those_of_each_store(place: Place) -> None:
    """Whatever a store reads and writes set by set, it decides as one function does of one signal."""
    for events in EXAMPLES:
        play(place, Lane.TICKET, events)
    many = some_of(40 if isinstance(place, str) else 200)

    @settings(max_examples=many)
    @given(LANES, FAR_JUMPS)
    def whatever_happens(lane: Lane, events: Sequence[Event]) -> None:
        play(place, lane, events)

    whatever_happens()
