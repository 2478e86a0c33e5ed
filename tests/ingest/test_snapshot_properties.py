"""Whatever weeks bring, findings end when the model says, and come again when it says."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import NOW
from tests.examples import some_of
from tests.ingest.weeks import DAY, HOUR, WEEK, Model, Said, Weeks, a_life_of_weeks, body_of, notices
from tests.store.acts import run

FINDINGS = {f"f{n}": "vulnerability" if n % 4 == 3 else "recommendation" for n in range(12)}
SECOND = timedelta(seconds=1)


class Week(NamedTuple):
    """What one week brings.

    Attributes:
        rows: the findings that its snapshot names, in their order; none where it is missing.
        others: other messages, by the hours after the snapshot at which they come.
        silent: whether the second partition cannot be read on the day of the snapshot and the two after it.
        again: how many of the latest events come in once more.
    """

    rows: Sequence[str] = ()
    others: Sequence[tuple[int, str, bool]] = ()
    silent: bool = False
    again: int = 0

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
            case "switched off":
                rows = [name for name in sorted(there) if FINDINGS[name] == "recommendation"]
            case how:
                there = set(sorted(there)[: 1 + len(there) // 5]) if how == "repair" else there
                rows = sorted(there)
        rows = draw(st.permutations(rows))
        others = draw(st.lists(st.tuples(st.integers(30, 150), st.sampled_from(names), st.booleans()), max_size=2))
        found.append(Week(rows, others, draw(st.integers(0, 5)) == 0, draw(st.integers(0, 3))))
    return found


EXAMPLES = settings(max_examples=some_of(25), deadline=None)


@EXAMPLES
@given(weeks())
def test_from_a_hub_findings_end_and_come_again_as_the_model_says(some: list[Week]) -> None:
    """Whatever order its partitions are read in, whatever comes twice, and at whatever time it is looked."""
    model = Model()
    with a_life_of_weeks() as router:
        for number, week in enumerate([*some, Week()]):
            start = NOW + number * WEEK
            due = week.messages(start)
            for day in range(7):
                router.now = start + (day + 1) * DAY
                ripe = [one for one in due if one.at < router.now - HOUR]
                due = due[len(ripe) :]
                for one in ripe:
                    router.publish([one], int(one.finding[1:]) % 2)
                router.shelf.silent = {"1"} if week.silent and day < 3 else set()
                until = _sweep(router, model)
                if until is not None:
                    model.looks(until)
                assert by_finding(notices(router.deliver())) == model.tells()
            for partition, events in router.shelf.events.items():
                again = events[-week.again :] if week.again else []
                run(router.event_intake.ingest_events(partition, again, router.now))
            assert router.deliver() == []


def by_finding(told: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """The changes that were told of each finding, in order."""
    found: dict[str, list[str]] = {}
    for change, finding in told:
        found.setdefault(finding, []).append(change)
    return found


def _sweep(router: Weeks, model: Model) -> datetime | None:
    """A sweep; the model hears what the sweep takes in."""
    before = {place: len(router.taken.get(place, ())) for place in ("0", "1")}
    until, _ = run(router.sweep())
    for place in ("0", "1"):
        if place not in router.shelf.silent:
            some = [one for partition, one in router.published if partition == place]
            model.hears(some[before[place] :])
            router.taken[place] = some
    return until


class Files:
    """A router and a model of it, which read files, some of them again and again."""

    def __init__(self, router: Weeks) -> None:
        self.router, self.model, self.known = router, Model(), set[str]()

    def read(self, at: datetime, name: str, said: Sequence[Said]) -> None:
        """Both read a file; people are told as the model says."""
        if name in self.known:
            self.model.hears_again(said, at)
        else:
            self.model.hears(said)
        self.known.add(name)
        self.model.looks(at)
        told = self.router.reads((at - NOW) / DAY, [body_of(one) for one in said], name)
        assert by_finding(told) == self.model.tells()


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
READ = st.tuples(st.sampled_from([*FILES, *[NEW] * 8]), st.sampled_from([1, 25, 25, 25, 80, 170]))


@settings(EXAMPLES, max_examples=some_of(100))
@given(st.lists(READ, min_size=6, max_size=14))
def test_a_file_that_is_read_again_is_news_or_a_replay_as_the_model_says(some: list[tuple[str, int]]) -> None:
    """Whenever the same few files are read, and however soon what one of them lacks has ended."""
    at = NOW
    with a_life_of_weeks() as router:
        reader = Files(router)
        for number, (file, hours) in enumerate([("delete", 0), ("whole", 1), ("message", 1), *some]):
            at += hours * HOUR
            said = [Said(finding, FINDINGS[finding], at, *how) for finding, *how in FILES[file]]
            reader.read(at, f"{file} {number}" if file == NEW else file, said)
