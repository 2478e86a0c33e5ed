"""Whether a signal paged anybody, and if not, why: each answer, and which of several counts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from router.app.signal_life import SignalLife
from router.cli.signal_paging import PagingCode, paging_answer
from router.domain.decisions import Change, Outcome
from router.domain.deliveries import DeliveryState, Pause, Receipt
from router.domain.keys import ABOUT
from router.domain.rulebook import Lane
from router.store.dead_letters import DISCARDED
from tests.builders import NOW
from tests.domain.lives import MINUTE, a_group_of, a_life, decided, oncall, owed, tickets

SENT, DEAD, SKIPPED, CLAIMED = DeliveryState.SENT, DeliveryState.DEAD, DeliveryState.SKIPPED, DeliveryState.CLAIMED
EARLIER = NOW - 2 * MINUTE

PAUSE = Pause(stream="cwpp", destination="oncall", since=NOW - MINUTE, probe=NOW + MINUTE, error="401 (bad key)")
WAITING = a_group_of(waits_for_room=True)

LIVES: dict[PagingCode, list[tuple[SignalLife, str]]] = {
    PagingCode.PAGED: [
        (
            a_life(oncall(owed(SENT, receipt=Receipt(reference="Q1")))),
            "It paged somebody: oncall took turn 1 (opened) at 2026-11-24T12:00:00Z, as Q1.",
        ),
        (
            a_life(oncall(group=a_group_of(owed(SENT)))),
            "It paged somebody: oncall took turn 1 of its group (opened) at 2026-11-24T12:00:00Z.",
        ),
        (
            a_life(oncall(owed(SENT)), after=Outcome.SUPPRESSED),
            "It paged somebody: oncall took turn 1 (opened) at 2026-11-24T12:00:00Z.",
        ),
        # What calls is the opening, where it was sent, and not the update that followed.
        (
            a_life(oncall(owed(SENT), owed(SENT, turn=2, change=Change.UPDATED))),
            "It paged somebody: oncall took turn 1 (opened) at 2026-11-24T12:00:00Z.",
        ),
    ],
    PagingCode.GROUPED: [
        (
            a_life(
                oncall(
                    group=a_group_of(
                        owed(SENT, born=EARLIER, settled=EARLIER), owed(SENT, turn=2, change=Change.UPDATED)
                    )
                )
            ),
            "It called nobody anew: its group of 3 signals had paged before it came: oncall took turn 1 of its group (opened) "
            "at 2026-11-24T11:58:00Z.",
        ),
    ],
    PagingCode.OWED: [
        (
            a_life(oncall(owed(due=NOW + MINUTE, attempts=3, error="503 (busy)"))),
            "It paged nobody yet: turn 1 to oncall (opened) is due again at 2026-11-24T12:01:00Z after 3 attempts; its last "
            "trouble: 503 (busy).",
        ),
        (
            a_life(oncall(owed(CLAIMED), pause=PAUSE)),
            "It paged nobody yet: turn 1 to oncall (opened) is being sent, or was when its worker died: then it is tried again "
            "when that claim ends.",
        ),
    ],
    PagingCode.PAUSED: [
        (
            a_life(oncall(owed(), pause=PAUSE)),
            "It paged nobody yet: turn 1 to oncall (opened) waits, because oncall is paused since 2026-11-24T11:59:00Z: 401 "
            "(bad key); one delivery tries again at 2026-11-24T12:01:00Z.",
        ),
        (  # A secret that this shell lacks says nothing of the worker that was refused.
            a_life(oncall(owed(), pause=PAUSE, unready="KEY is missing")),
            "It paged nobody yet: turn 1 to oncall (opened) waits, because oncall is paused since 2026-11-24T11:59:00Z: 401 "
            "(bad key); one delivery tries again at 2026-11-24T12:01:00Z.",
        ),
    ],
    PagingCode.DESTINATION_HELD: [
        (
            a_life(oncall(owed(), pause=PAUSE, held="held by ada until noon: exercise")),
            "It paged nobody yet: turn 1 to oncall (opened) waits, because oncall is held by ada until noon: exercise.",
        )
    ],
    PagingCode.NOT_READY: [
        (
            a_life(oncall(owed(), unready="KEY is missing")),
            "It paged nobody yet: turn 1 to oncall (opened) waits until oncall can be asked: KEY is missing.",
        )
    ],
    PagingCode.LIMIT: [
        (
            a_life(oncall(group=WAITING, limit="2 openings within 1h")),
            "It paged nobody yet: its group at oncall waits for room under the limit of 2 openings within 1h.",
        ),
        (
            a_life(oncall(group=WAITING, lane=None)),
            "It paged nobody yet: its group at oncall waits for room under the limit of that destination.",
        ),
    ],
    PagingCode.DEAD: [
        (
            a_life(oncall(owed(DEAD, attempts=12, error="410 (gone)"))),
            "It paged nobody: its delivery to oncall died at 2026-11-24T12:00:00Z after 12 attempts: 410 (gone).",
        ),
        # It was over, and came again.
        (
            a_life(
                oncall(
                    owed(SENT, born=EARLIER, settled=EARLIER),
                    owed(SENT, turn=2, change=Change.RESOLVED, born=EARLIER),
                    owed(DEAD, turn=3, opened=3, error="410"),
                )
            ),
            "It paged nobody: its delivery to oncall died at 2026-11-24T12:00:00Z after 1 attempt: 410.",
        ),
    ],
    PagingCode.SUPERSEDED: [
        (
            a_life(oncall(owed(SKIPPED), owed(SKIPPED, turn=2, change=Change.RESOLVED)), after=Outcome.RESOLVED),
            "It paged nobody: its delivery to oncall was skipped at 2026-11-24T12:00:00Z, since a later turn left nothing to "
            "say.",
        )
    ],
    PagingCode.DISCARDED: [
        (
            a_life(oncall(owed(SKIPPED, error=DISCARDED))),
            "It paged nobody: a person discarded its dead letter to oncall at 2026-11-24T12:00:00Z.",
        )
    ],
    PagingCode.NOT_KEPT: [
        (
            a_life(oncall(lane=lane)),
            "Nobody knows any more: it was decided for oncall, and no delivery there is kept.",
        )
        for lane in (Lane.PAGE, None)
    ],
    PagingCode.BELOW_FLOOR: [
        (a_life(outcome=Outcome.BELOW_FLOOR), "It paged nobody: it is below the floor (below_floor)."),
        (
            a_life(outcome=Outcome.BELOW_FLOOR, after=Outcome.REPEAT),
            "It paged nobody: it is below the floor (below_floor).",
        ),
    ],
    PagingCode.NOTED: [
        (a_life(outcome=Outcome.NOTED), "It paged nobody: it is only noted (noted), which asks nobody."),
    ],
    PagingCode.SUPPRESSED: [
        (
            a_life(outcome=Outcome.SUPPRESSED, after=Outcome.RESOLVED),
            "It paged nobody: at 2026-11-24T11:59:00Z rule nightly held it until 2026-12-01T00:00:00Z.",
        ),
        (
            a_life(decisions=(decided(Outcome.SUPPRESSED, suppressed_by="silence:ab12cd"),)),
            "It paged nobody: at 2026-11-24T11:59:00Z silence ab12cd held it until 2026-12-01T00:00:00Z.",
        ),
    ],
    PagingCode.NOT_UNDERSTOOD: [
        (
            a_life(outcome=Outcome.QUARANTINED),
            "It paged nobody: its message was not understood (quarantined) and lies in the quarantine.",
        )
    ],
    PagingCode.SAMPLE: [
        (
            a_life(tickets(owed(SENT)), decisions=(decided(Outcome.ROUTED, sample=True, destinations=("tickets",)),)),
            "It paged nobody: it is one of Defender's samples, and its routes (page) lead to tickets, none of which is a "
            "pager.",
        )
    ],
    PagingCode.NO_PAGER: [
        (
            a_life(tickets(owed(SENT)), decisions=(decided(Outcome.ROUTED, destinations=("tickets",), routes=()),)),
            "It paged nobody: no route takes it, and the rest goes to tickets, none of which is a pager.",
        )
    ],
    PagingCode.OVER: [
        (a_life(outcome=Outcome.RESOLVED), "It paged nobody: it was over when it was first heard of."),
    ],
    PagingCode.ANNOUNCEMENT: [
        (
            replace(a_life(), key=f"{ABOUT}0123456789abcdef"),
            "It pages nobody: it is no signal, but tells of rules, silences and holds to whom the policy's `notify` names.",
        )
    ],
    PagingCode.UNKNOWN: [
        (a_life(decisions=()), "Nobody knows any more: no decision says it that is kept."),
        (
            a_life(decisions=(decided(Outcome.RESOLVED, turn=4),)),
            "Nobody knows any more: no decision says it that is kept.",
        ),
    ],
}
"""Lives for each answer, with its words."""


@pytest.mark.parametrize("code", PagingCode)
def test_each_answer_has_a_life_that_it_answers(code: PagingCode) -> None:
    """All codes are in the table of this file, with the sentence that people read."""
    for life, words in LIVES[code]:
        assert paging_answer(life, NOW) == (code, words)


def test_what_was_sent_answers_before_what_is_owed_and_that_before_what_died() -> None:
    """Two pagers, or two deliveries: whoever asks why nobody was paged hears of the one that was, or of the one that may be."""
    sent, open_, dead, skipped = (oncall(owed(state)) for state in (SENT, DeliveryState.OWED, DEAD, SKIPPED))
    in_order = [sent, open_, oncall(group=WAITING), dead, skipped]
    codes = [PagingCode.PAGED, PagingCode.OWED, PagingCode.LIMIT, PagingCode.DEAD, PagingCode.SUPERSEDED]
    for number, code in enumerate(codes):
        others = tuple(replace(one, name=f"oncall-{place}") for place, one in enumerate(in_order[number:]))
        assert paging_answer(a_life(*reversed(others)), NOW).code is code


@pytest.mark.parametrize(("before", "code"), [(MINUTE, PagingCode.PAGED), (2 * MINUTE, PagingCode.GROUPED)])
def test_a_group_that_the_signal_began_was_paged_for_it(before: object, code: PagingCode) -> None:
    """Its page was owed when the signal was routed, and not before."""
    group = a_group_of(owed(SENT, born=NOW - before))  # type: ignore[operator]
    assert paging_answer(a_life(oncall(group=group)), NOW).code is code


def test_a_resolution_pages_nobody() -> None:
    """Nor does a ticket."""
    life = a_life(oncall(owed(SENT, change=Change.RESOLVED)), tickets(owed(SENT)), outcome=Outcome.BELOW_FLOOR)
    assert paging_answer(life, NOW).code is PagingCode.BELOW_FLOOR


def test_what_a_group_paged_for_others_answers_for_nobody_who_waits() -> None:
    """A summary that was told and is over waits to open again: what it had sent was for those before."""
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
