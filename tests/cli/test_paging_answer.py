"""Whether a signal paged anybody, and if not, why: each answer, and which of several counts."""

from copy import replace
from datetime import timedelta
from typing import Any

from router.app.paging_answer import AwaitedCode, PagingCode, paging_answer, waits_at, waits_of
from router.app.signal_document import step_words, stored_step
from router.app.signal_life import SignalLife
from router.domain.decisions import Change, DecisionStep, Outcome, StepCode
from router.domain.deliveries import DeliveryState, Pause, Receipt
from router.domain.keys import ABOUT
from router.domain.rulebook import Lane
from router.store.dead_letters import DISCARDED
from router.store.ledger import Held
from tests.builders import NOW
from tests.cli.house import Transcript
from tests.domain.lives import MINUTE, a_group_of, a_life, a_silence, decided, oncall, owed, tickets
from tests.silences import weekly
from tests.store.builders import a_row

SENT, DEAD, SKIPPED, CLAIMED = DeliveryState.SENT, DeliveryState.DEAD, DeliveryState.SKIPPED, DeliveryState.CLAIMED
EARLIER = NOW - 2 * MINUTE

PAUSE = Pause(stream="cwpp", destination="oncall", since=NOW - MINUTE, probe=NOW + MINUTE, error="401 (bad key)")
WAITING = a_group_of(waits_for_room=True)

RESOLVED_BEFORE = owed(SENT, turn=2, change=Change.RESOLVED, born=EARLIER)
TOLD = owed(SENT, born=EARLIER, settled=EARLIER)
UPDATED = owed(SENT, turn=2, change=Change.UPDATED)
BY_SILENCE = decided(Outcome.SUPPRESSED, suppressed_by="silence:ab12cd")
SAMPLE = decided(Outcome.ROUTED, sample=True, destinations=("tickets",))
TICKET = decided(Outcome.ROUTED, destinations=("tickets",), routes=())

LIVES: list[tuple[PagingCode, SignalLife]] = [
    (PagingCode.PAGED, a_life(oncall(owed(SENT, receipt=Receipt(reference="Q1"))))),
    (PagingCode.PAGED, a_life(oncall(group=a_group_of(owed(SENT))))),
    (PagingCode.PAGED, a_life(oncall(owed(SENT)), after=Outcome.SUPPRESSED)),
    (PagingCode.PAGED, a_life(oncall(owed(SENT), UPDATED))),
    (PagingCode.GROUPED, a_life(oncall(group=a_group_of(TOLD, UPDATED)))),
    (PagingCode.OWED, a_life(oncall(owed(due=NOW + MINUTE, attempts=3, error="503 (busy)")))),
    (PagingCode.OWED, a_life(oncall(owed(CLAIMED), pause=PAUSE))),
    (PagingCode.PAUSED, a_life(oncall(owed(), pause=PAUSE))),
    (PagingCode.PAUSED, a_life(oncall(owed(), pause=PAUSE, unready="KEY is missing"))),
    (PagingCode.DESTINATION_HELD, a_life(oncall(owed(), pause=PAUSE, held="held by ada until noon: exercise"))),
    (PagingCode.NOT_READY, a_life(oncall(owed(), unready="KEY is missing"))),
    (PagingCode.LIMIT, a_life(oncall(group=WAITING, limit="2 openings within 1h"))),
    (PagingCode.LIMIT, a_life(oncall(group=WAITING, lane=None))),
    (PagingCode.DEAD, a_life(oncall(owed(DEAD, attempts=12, error="410 (gone)")))),
    (PagingCode.DEAD, a_life(oncall(TOLD, RESOLVED_BEFORE, owed(DEAD, turn=3, opened=3, error="410")))),
    (
        PagingCode.SUPERSEDED,
        a_life(oncall(owed(SKIPPED), owed(SKIPPED, turn=2, change=Change.RESOLVED)), after=Outcome.RESOLVED),
    ),
    (PagingCode.DISCARDED, a_life(oncall(owed(SKIPPED, error=DISCARDED)))),
    *((PagingCode.NOT_KEPT, a_life(oncall(lane=lane))) for lane in (Lane.PAGE, None)),
    (PagingCode.BELOW_FLOOR, a_life(outcome=Outcome.BELOW_FLOOR)),
    (PagingCode.BELOW_FLOOR, a_life(outcome=Outcome.BELOW_FLOOR, after=Outcome.REPEAT)),
    (
        PagingCode.BELOW_FLOOR,
        a_life(oncall(owed(SENT, change=Change.RESOLVED)), tickets(owed(SENT)), outcome=Outcome.BELOW_FLOOR),
    ),
    (PagingCode.NOTED, a_life(outcome=Outcome.NOTED)),
    (PagingCode.SUPPRESSED, a_life(outcome=Outcome.SUPPRESSED, after=Outcome.RESOLVED)),
    (PagingCode.SUPPRESSED, a_life(decisions=(BY_SILENCE,))),
    (PagingCode.NOT_UNDERSTOOD, a_life(outcome=Outcome.QUARANTINED)),
    (PagingCode.SAMPLE, a_life(tickets(owed(SENT)), decisions=(SAMPLE,))),
    (PagingCode.NO_PAGER, a_life(tickets(owed(SENT)), decisions=(TICKET,))),
    (PagingCode.OVER, a_life(outcome=Outcome.RESOLVED)),
    (PagingCode.ANNOUNCEMENT, replace(a_life(), key=f"{ABOUT}0123456789abcdef")),
    (PagingCode.UNKNOWN, a_life(decisions=())),
    (PagingCode.UNKNOWN, a_life(decisions=(decided(Outcome.RESOLVED, turn=4),))),
]
"""Lives for each answer; the words of each are on file."""


def test_each_answer_has_a_life_that_it_answers(transcript: Transcript) -> None:
    """All codes are in the table of this file; the sentence that people read of each life is on file."""
    assert {code for code, _ in LIVES} == {*PagingCode}
    for code, life in LIVES:
        answer = paging_answer(life, NOW)
        assert answer.code is code
        transcript.notes(code, answer.words)


def test_what_was_sent_answers_before_what_is_owed_and_that_before_what_died() -> None:
    """Two pagers, or two deliveries: whoever asks why nobody was paged hears of the one that was, or of the one that may be."""
    sent, open_, dead, skipped = (oncall(owed(state)) for state in (SENT, DeliveryState.OWED, DEAD, SKIPPED))
    in_order = [sent, open_, oncall(group=WAITING), dead, skipped]
    codes = [PagingCode.PAGED, PagingCode.OWED, PagingCode.LIMIT, PagingCode.DEAD, PagingCode.SUPERSEDED]
    for number, code in enumerate(codes):
        others = tuple(replace(one, name=f"oncall-{place}") for place, one in enumerate(in_order[number:]))
        assert paging_answer(a_life(*reversed(others)), NOW).code is code


def test_what_a_group_paged_for_others_answers_for_nobody_who_waits() -> None:
    """A summary that was told and is over waits to open again; a page that was owed when the signal came was for it, too."""
    for before, code in ((MINUTE, PagingCode.PAGED), (2 * MINUTE, PagingCode.GROUPED)):
        assert paging_answer(a_life(oncall(group=a_group_of(owed(SENT, born=NOW - before)))), NOW).code is code
    told = owed(SENT, born=EARLIER, settled=EARLIER)
    waiting = a_group_of(told, waits_for_room=True, is_summary=True)
    assert paging_answer(a_life(oncall(group=waiting)), NOW).code is PagingCode.LIMIT
    came_before = a_life(oncall(group=waiting), decisions=(decided(Outcome.ROUTED, at=EARLIER.isoformat()),))
    assert paging_answer(came_before, NOW).code is PagingCode.PAGED


def test_a_signal_that_came_again_asks_what_was_paged_since() -> None:
    """A group that was paged before it came again called nobody anew; its first coming had been paged."""
    at = [(NOW - minutes * MINUTE).isoformat() for minutes in (9, 8, 7, 1)]
    outcomes = (Outcome.ROUTED, Outcome.RESOLVED, Outcome.REPEAT, Outcome.ROUTED)
    decisions = tuple(
        decided(one, at=when, turn=turn) for turn, (one, when) in enumerate(zip(outcomes, at, strict=True), 1)
    )
    group = a_group_of(owed(SENT, born=EARLIER))
    assert paging_answer(a_life(oncall(group=group), decisions=decisions), NOW).code is PagingCode.GROUPED
    assert paging_answer(a_life(oncall(group=group), decisions=decisions[:2]), NOW).code is PagingCode.PAGED


DAY, HOUR = timedelta(days=1), timedelta(hours=1)
WINDOW = weekly(1, begins="11:00", ends="13:00")


def test_what_a_destination_is_owed_waits_for(transcript: Transcript) -> None:
    """Its time, its turn behind the first, or a worker; a signal's own turns do not hold up its group's."""
    update, waiting = owed(turn=2, change=Change.UPDATED), a_group_of(owed(turn=2), waits_for_room=True)
    for destination, waits in (
        (oncall(update, owed(due=NOW + MINUTE)), [AwaitedCode.TIME, AwaitedCode.TURN]),
        (oncall(owed(DeliveryState.SENT), update), [AwaitedCode.WORKER]),
        (oncall(*(owed(state) for state in (SENT, SKIPPED, DEAD))), []),
        # A page waits a quarter of an hour at most; what is due later is due by a clock that was wrong.
        (oncall(owed(due=NOW + 15 * MINUTE)), [AwaitedCode.TIME]),
        (oncall(owed(due=NOW + DAY)), [AwaitedCode.WORKER]),
        (oncall(owed(), group=waiting, limit="1 in 10m"), [AwaitedCode.WORKER, AwaitedCode.WORKER, AwaitedCode.ROOM]),
    ):
        found = list(waits_at(destination, NOW))
        assert [one.code for one in found] == waits
        transcript.notes(" ".join(waits), "\n".join(one.words for one in found))


def test_a_signal_itself_waits_for_what_holds_it_to_end() -> None:
    """That is said before what any destination is owed."""
    held = Held(rule="silence:ab12", until=NOW + DAY, rulebook="h", source="s")
    row = a_row(held=held)
    life = a_life(oncall(owed()), row=row)
    assert [(one.code, one.destination) for one in waits_of(life, NOW)] == [
        (AwaitedCode.END, None),
        (AwaitedCode.WORKER, "oncall"),
    ]
    assert waits_of(life, NOW)[0].words == (
        "the signal is held by silence ab12 until 2026-11-25T12:00:00Z; then it is decided again"
    )


HELD: tuple[tuple[timedelta, dict[str, Any], str], ...] = (
    (DAY, {"until": NOW}, "until 2026-11-24T12:00:00Z; the next run or the next sweep decides it again"),
    (
        DAY,
        {"until": NOW + DAY, "ended": NOW - MINUTE},
        "until 2026-11-24T11:59:00Z, when a person ended the silence; the next run or the next sweep",
    ),
    (HOUR, {"until": NOW + DAY}, "until 2026-11-25T12:00:00Z; then"),
    (HOUR, {"until": NOW + DAY, "every": WINDOW}, "until 2026-11-24T13:00:00Z; then"),
    (HOUR / 2, {"until": NOW + DAY, "every": WINDOW}, "until 2026-11-24T13:00:00Z; then"),
)


def test_what_a_silence_holds_it_holds_until_its_end_as_that_stands_now() -> None:
    """One that was extended since, or ended by a person; of one that comes again that is the end of its window."""
    for held, changes, words in HELD:
        silence = a_silence(begins=NOW - DAY, **changes)
        row = a_row(held=Held(rule=silence.name, until=NOW + held, rulebook="h", source="s"))
        (wait,) = waits_of(a_life(row=row, silences={silence.name: silence}), NOW)
        assert words in wait.words


def test_each_step_has_words_of_its_own(transcript: Transcript) -> None:
    """Those that a rule or a route answered name it; a step that only a later program knows stays as it is."""
    assert step_words().keys() == set(StepCode)
    steps = [
        *(str(DecisionStep(code, "night=ly")) for code in StepCode),
        "suppression.held=silence:ab12cd",
        "weather.rain=x",
    ]
    said = [stored_step(step) for step in steps]
    assert len({one.words for one in said}) == len(steps)
    assert [one.code for one in said[:-2]] == [*StepCode]
    transcript.notes("steps", "\n".join(f"{one.code} {one.rule}: {one.words}" for one in said))
