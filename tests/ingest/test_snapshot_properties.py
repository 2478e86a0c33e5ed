"""Whatever weeks bring, findings end when the model says, and come again when it says."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from router.domain.deliveries import Claim
from router.store.sqlite import SqliteStore
from tests.builders import NOW
from tests.ingest.snapshot_model import Model, Said
from tests.ingest.weeks import DAY, HOUR, Weeks, body_of, notices

FINDINGS = {f"f{n}": "vulnerability" if n % 4 == 3 else "recommendation" for n in range(12)}
WEEK = 7 * DAY
SECOND = timedelta(seconds=1)


class Week:
    """What one week brings.

    Attributes:
        rows: the findings that its snapshot names, in their order; none where it is missing.
        others: other messages, by the hours after the snapshot at which they come.
        silent: whether the second partition cannot be read on the day of the snapshot and the two after it.
        again: how many of the latest events come in once more.
    """

    def __init__(self, rows: Sequence[str], others: Sequence[tuple[int, str, bool]], silent: bool, again: int) -> None:
        self.rows, self.others, self.silent, self.again = rows, others, silent, again

    def __repr__(self) -> str:
        return f"Week({self.rows}, {self.others}, {self.silent}, {self.again})"

    def messages(self, start: datetime) -> list[Said]:
        """The messages of a week that begins at an instant, in the order in which the hub gets them."""
        snapshot = [Said(name, FINDINGS[name], start + n * HOUR + n * SECOND) for n, name in enumerate(self.rows)]
        others = [
            Said(name, FINDINGS[name], start + hours * HOUR + timedelta(seconds=1800 + n), False, deletes)
            for n, (hours, name, deletes) in enumerate(self.others)
        ]
        return sorted([*snapshot, *others], key=lambda one: one.at)


@st.composite
def weeks(draw: st.DrawFn) -> list[Week]:
    """Some weeks: most findings stay, and now and then much goes, comes again, is missing or stops halfway."""
    names, there, found = list(FINDINGS), set(FINDINGS), []
    for _ in range(draw(st.integers(3, 6))):
        there ^= set(draw(st.lists(st.sampled_from(names), max_size=2)))
        match draw(st.sampled_from([*["whole"] * 6, "half", "missing", "repair", "switched off"])):
            case "half":
                rows = sorted(there)[: len(there) // 2]
            case "missing":
                rows = []
            case "repair":
                there = set(sorted(there)[: 1 + len(there) // 5])
                rows = sorted(there)
            case "switched off":
                rows = [name for name in sorted(there) if FINDINGS[name] == "recommendation"]
            case _:
                rows = sorted(there)
        rows = draw(st.permutations(rows))
        others = draw(st.lists(st.tuples(st.integers(30, 150), st.sampled_from(names), st.booleans()), max_size=2))
        found.append(Week(rows, others, draw(st.integers(0, 5)) == 0, draw(st.integers(0, 3))))
    return found


EXAMPLES = settings(max_examples=25, deadline=None)


@EXAMPLES
@given(weeks())
def test_from_a_hub_findings_end_and_come_again_as_the_model_says(some: list[Week]) -> None:
    """Whatever order its partitions are read in, whatever comes twice, and at whatever time it is looked."""

    async def live(directory: Path) -> None:
        router, model = Weeks(SqliteStore(directory)), Model()
        for number, week in enumerate([*some, Week([], [], False, 0)]):
            start = NOW + number * WEEK
            due = week.messages(start)
            for day in range(7):
                router.now = start + (day + 1) * DAY
                ripe = [one for one in due if one.at < router.now - HOUR]
                due = due[len(ripe) :]
                for one in ripe:
                    router.publish([one], int(one.finding[1:]) % 2)
                router.shelf.silent = {"1"} if week.silent and day < 3 else set()
                until = await _sweep(router, model)
                if until is not None:
                    model.looks(until)
                assert by_finding(await router.deliver()) == model.tells()
            for partition, events in router.shelf.events.items():
                await router.event_intake.ingest_events(
                    partition, events[-week.again :] if week.again else [], router.now
                )
            assert await router.deliver() == []
        await router.store.close()

    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(live(Path(directory)))


def by_finding(claims: Sequence[Claim]) -> dict[str, list[str]]:
    """The changes that were told of each finding, in order."""
    told: dict[str, list[str]] = {}
    for change, finding in notices(claims):
        told.setdefault(finding, []).append(change)
    return told


async def _sweep(router: Weeks, model: Model) -> datetime | None:
    """A sweep; the model hears what the sweep takes in."""
    before = {place: len(router.taken.get(place, ())) for place in ("0", "1")}
    until, _ = await router.sweep()
    for place in ("0", "1"):
        if place not in router.shelf.silent:
            some = [one for partition, one in router.published if partition == place]
            model.hears(some[before[place] :])
            router.taken[place] = some
    return until


@EXAMPLES
@given(weeks())
def test_from_files_findings_end_and_come_again_as_the_model_says(some: list[Week]) -> None:
    """A file each week, and one for each other message; and now and then the week's file once more some days later."""

    async def live(directory: Path) -> None:
        router, model = Weeks(SqliteStore(directory)), Model()
        for number, week in enumerate([*some, Week([], [], False, 0)]):
            start = NOW + number * WEEK
            runs = {start: [Said(name, FINDINGS[name], start) for name in week.rows]}
            runs |= {
                start + hours * HOUR: [Said(name, FINDINGS[name], start + hours * HOUR, False, deletes)]
                for hours, name, deletes in week.others
            }
            runs |= {start + days * DAY: [] for days in (1, 2)}
            for at, said in sorted(runs.items()):
                router.now = at
                model.hears(said)
                model.looks(at)
                await router.run([body_of(one) for one in said], f"{at}" if said else None)
                assert by_finding(await router.deliver()) == model.tells()
            if week.again:
                router.now = start + week.again * 2 * DAY + HOUR
                model.hears_again(runs[start], router.now)
                model.looks(router.now)
                await router.run([body_of(one) for one in runs[start]], f"{start}")
                assert by_finding(await router.deliver()) == model.tells()
        await router.store.close()

    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(live(Path(directory)))
