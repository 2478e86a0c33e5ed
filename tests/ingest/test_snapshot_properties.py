"""Whatever weeks bring, findings end when the model says, and come again when it says."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from router.domain.deliveries import Claim
from tests.builders import NOW
from tests.examples import some_of
from tests.ingest.snapshot_model import Model, Said
from tests.ingest.weeks import DAY, HOUR, Weeks, body_of, notices
from tests.store.opened import open_store

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
        files: by the half days after the snapshot, which of the files so far come in once more, by how many came since.
    """

    def __init__(
        self,
        rows: Sequence[str],
        others: Sequence[tuple[int, str, bool]],
        silent: bool,
        again: int,
        files: Mapping[int, int],
    ) -> None:
        self.rows, self.others, self.silent, self.again, self.files = rows, others, silent, again, files

    def __repr__(self) -> str:
        return f"Week({self.rows}, {self.others}, {self.silent}, {self.again}, {self.files})"

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
        files = draw(st.dictionaries(st.integers(0, 13), st.integers(0, 9), max_size=3))
        found.append(Week(rows, others, draw(st.integers(0, 5)) == 0, draw(st.integers(0, 3)), files))
    return found


EXAMPLES = settings(max_examples=some_of(25), deadline=None)


@EXAMPLES
@given(weeks())
def test_from_a_hub_findings_end_and_come_again_as_the_model_says(some: list[Week]) -> None:
    """Whatever order its partitions are read in, whatever comes twice, and at whatever time it is looked."""

    async def live(directory: Path) -> None:
        router, model = Weeks(open_store(directory)), Model()
        for number, week in enumerate([*some, Week([], [], False, 0, {})]):
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
@given(weeks(), st.sampled_from([WEEK, WEEK, 2 * DAY]))
def test_from_files_findings_end_and_come_again_as_the_model_says(some: list[Week], pace: timedelta) -> None:
    """A file each week, or sooner, and one for each other message; now and then a file once more, some hours or weeks later."""

    async def live(directory: Path) -> None:
        router, model = Weeks(open_store(directory)), Model()
        files: list[tuple[str, list[Said]]] = []
        runs = _runs([*some, Week([], [], False, 0, {})], pace)
        for at in sorted(runs):
            router.now, name, said = at, f"{at}", runs[at]
            if isinstance(said, int):
                name, said = files[-1 - said % len(files)]
                model.hears_again(said, at)
            else:
                files.append((name, said))
                model.hears(said)
            model.looks(at)
            await router.run([body_of(one) for one in said], name)
            assert by_finding(await router.deliver()) == model.tells()
        await router.store.close()

    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(live(Path(directory)))


NEW = "lacking"
STAYING = ("f0", "f1", "f2", "f4")
FILES = {
    "whole": [(name, True, False) for name in (*STAYING, "f5")],
    NEW: [(name, True, False) for name in STAYING],
    "lacking, once more": [(name, True, False) for name in STAYING],
    "row": [("f5", True, False)],
    "message": [("f5", False, False)],
    "delete": [("f5", False, True)],
    "nothing": [],
}
"""What files hold: which findings, each as a row of a snapshot or not, and whether it is a Delete. One is new each time."""


@settings(EXAMPLES, max_examples=some_of(100))
@given(
    st.lists(
        st.tuples(st.sampled_from([*FILES, *[NEW] * 8]), st.sampled_from([1, 25, 25, 25, 80, 170])),
        min_size=6,
        max_size=14,
    )
)
def test_a_file_that_is_read_again_is_news_or_a_replay_as_the_model_says(some: list[tuple[str, int]]) -> None:
    """Whenever the same few files are read, and however soon what one of them lacks has ended."""

    async def live(directory: Path) -> None:
        router, model, read = Weeks(open_store(directory)), Model(), set[str]()
        for number, (file, hours) in enumerate([("delete", 0), ("whole", 1), ("message", 1), *some]):
            router.now += hours * HOUR
            name = f"{file} {number}" if file == NEW else file
            said = [Said(finding, FINDINGS[finding], router.now, *how) for finding, *how in FILES[file]]
            if name in read:
                model.hears_again(said, router.now)
            else:
                model.hears(said)
            read.add(name)
            model.looks(router.now)
            await router.run([body_of(one) for one in said], name)
            assert by_finding(await router.deliver()) == model.tells()
        await router.store.close()

    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(live(Path(directory)))


def _runs(some: Sequence[Week], pace: timedelta) -> dict[datetime, list[Said] | int]:
    """When which file is taken in: what a new one holds, or of one that comes once more how many came since."""
    runs: dict[datetime, list[Said] | int] = {}
    for number, week in enumerate(some):
        start = NOW + number * pace
        runs |= {start + days * DAY: [] for days in (1, 2)}
        runs[start] = [Said(name, FINDINGS[name], start) for name in week.rows]
        for hours, name, deletes in week.others:
            at = start + hours * HOUR + HOUR / 4
            runs[at] = [Said(name, FINDINGS[name], at, False, deletes)]
        runs |= {start + half * DAY / 2 + HOUR / 2: back for half, back in week.files.items()}
    return runs
