"""docs/architecture.md says what the code has, no more and no less."""

from __future__ import annotations

import inspect
import re
from datetime import timedelta

from router.app.delivery import SHARE, SLOTS
from router.app.wiring import POINTERS
from router.cli import FAILED, NOBODY_READS
from router.cli.decisions import KEYS
from router.cli.interrupts import SIGNALS, code_for
from router.cli.run import DIED
from router.decide.decision import NOTED_KINDS
from router.deliver.retry import seconds_after
from router.domain import keys
from router.domain.asks import Result
from router.domain.clocks import AHEAD, SKEW
from router.domain.decisions import Outcome
from router.domain.deliveries import DeliveryState, Pause
from router.domain.errors import Rejected, Unauthorized, Unavailable
from router.domain.keeping import Retention
from router.domain.lanes import LEASE, LONGEST, LONGEST_WAIT
from router.domain.notices import Receipt
from router.domain.pauses import PROBE, credentials_by, pause_after
from router.domain.reasons import Code
from router.domain.signals import Kind
from router.parse.bodies import LARGEST_BODY, MOST_ELEMENTS
from router.store.sqlite.private import FILES
from tests.builders import NOW
from tests.docs.command_line import commands
from tests.docs.pages import ROOT, column, page, pairs, spans
from tests.test_architecture import FLOORS

PAGE = page("docs/architecture.md")


def test_the_house_is_drawn_as_it_stands() -> None:
    """Every part of router/ is on the page, and nothing else is."""
    (tree,) = [fence.text for fence in PAGE.fences if fence.text.startswith("router/\n")]
    drawn = {line.split()[0].rstrip("/") for line in tree.splitlines()[1:]}
    parts = {path.name for path in (ROOT / "router").iterdir() if not path.name.startswith("__")}
    assert drawn == parts


def test_the_table_of_imports_is_the_one_that_is_enforced() -> None:
    """What each part may import is on the page as the architecture test has it."""
    written = pairs(PAGE.table("The house", "part"), "part", "may import")
    assert {part: set(spans(cell)) for part, cell in written.items()} == FLOORS


def test_every_kind_of_signal_is_listed_with_its_stream() -> None:
    """Kinds, their streams, and which of them are never resolved and have no severity."""
    table = PAGE.table("Reading", "kind")
    assert {spans(row["kind"])[0]: spans(row["stream"])[0] for row in table} == {
        kind.value: kind.stream.value for kind in Kind
    }
    numbers = {kind.value for kind in NOTED_KINDS}
    for head, word in (("resolved when", "never"), ("severity from", "none")):
        assert {spans(row["kind"])[0] for row in table if row[head] == word} == numbers


def test_every_outcome_is_listed() -> None:
    """The outcomes are those of the code."""
    assert column(PAGE.table("Deciding", "outcome"), "outcome") == [outcome.value for outcome in _as_listed()]


def _as_listed() -> list[Outcome]:
    order = ("quarantined", "resolved", "noted", "below_floor", "suppressed", "routed", "repeat")
    assert set(order) == {outcome.value for outcome in Outcome}
    return [Outcome(name) for name in order]


def test_every_reason_code_is_listed_with_an_outcome() -> None:
    """The codes are those of the code, each with an outcome that there is."""
    table = PAGE.table("Deciding", "code")
    assert set(column(table, "code")) == {code.value for code in Code}
    assert len(table) == len(Code)
    assert set(column(table, "with outcome")) == {outcome.value for outcome in Outcome}


def test_the_longest_body_is_as_told() -> None:
    """`too_large` names the limit that the reader has."""
    told = pairs(PAGE.table("Deciding", "code"), "code", "means")["too_large"]
    assert told == f"longer than {LARGEST_BODY // 2**20} MiB, or of more than {MOST_ELEMENTS:,} elements"


def test_the_lanes_are_as_told() -> None:
    """Sends at a time, the share of one destination, and the longest life of a delivery."""
    for row in PAGE.table("Delivering", "lane"):
        lane = next(lane for lane in SLOTS if f"`{lane}`" == row["lane"])
        assert row["sends at a time"] == str(SLOTS[lane])
        assert row["of one destination"] == str(SLOTS[lane] // SHARE)
        assert row["longest wait"] == _told(LONGEST_WAIT[lane])
        assert row["longest life"] == f"{LONGEST[lane] // timedelta(hours=1)} hours"
        assert row["a claim's lease"] == f"{LEASE[lane] // timedelta(minutes=1)} minutes"
    assert len(PAGE.table("Delivering", "lane")) == len(SLOTS)
    assert f"carries {POINTERS} pointers of a lane at a time, and {POINTERS // SHARE} of one destination" in PAGE.prose


def _told(span: timedelta) -> str:
    hours, minutes = divmod(span // timedelta(minutes=1), 60)
    return f"{hours} hours" if hours else f"{minutes} minutes"


def test_what_resumes_a_paused_destination_is_as_told() -> None:
    """Each kind of result, in the order of the table."""
    table = PAGE.table("Delivering", "what a probe brings")
    said = [row["our credentials were"] for row in table]
    results: list[Result] = [
        Receipt(),
        Rejected("", authenticated=True),
        Unauthorized(""),
        Rejected(""),
        Unavailable(""),
    ]
    assert [one.replace("not known", "unknown") for one in said] == [credentials_by(result) for result in results]
    paused = Pause(stream="cwpp", destination="tickets", since=NOW, probe=NOW, error="")
    ends = [pause_after(paused, [result], stream="cwpp", destination="tickets", now=NOW) is None for result in results]
    assert [row["the destination"] for row in table] == [
        "is resumed" if is_over else "stays paused" for is_over in ends
    ]


def test_how_far_clocks_may_differ_is_as_told() -> None:
    """And how far a message's own time may run ahead."""
    assert timedelta(minutes=5) == SKEW
    assert "and 5 minutes more, by which the clocks of two workers may differ" in PAGE.prose
    assert timedelta(days=1) == AHEAD


def test_the_waits_are_as_told() -> None:
    """2, 4, 8 seconds and up to 2 more, 10 minutes at most; a probe every 5 minutes."""
    assert "after 2, 4, 8 ... seconds and up to 2 more, 10 minutes at most" in PAGE.prose
    for attempt, least in ((1, 2), (2, 4), (3, 8)):
        assert least <= seconds_after(attempt) <= least + 2
    assert seconds_after(40) == 600
    assert timedelta(minutes=5) == PROBE
    assert "probes it every 5 minutes" in PAGE.prose


def test_every_state_of_a_delivery_is_listed() -> None:
    """The states are those of the outbox."""
    assert column(PAGE.table("Delivering", "state"), "state") == [state.value for state in DeliveryState]


def test_what_is_kept_how_long_is_as_told() -> None:
    """Retention is on the page as it is by default."""
    told = [
        int(found[1]) for row in PAGE.table("The state", "kept") if (found := re.match(r"(\d+) days", row["how long"]))
    ]
    is_kept = Retention()
    assert told == [is_kept.resolved.days, is_kept.held.days, is_kept.payloads.days]


def test_every_key_is_listed() -> None:
    """The keys are those that router/domain/keys.py makes."""
    made = [name for name, value in vars(keys).items() if inspect.isfunction(value) and not name.startswith("_")]
    assert column(PAGE.table("Keys", "key"), "key") == made


def test_the_record_has_the_keys_that_are_told() -> None:
    """A line of the decisions file has these keys in this order."""
    listed = next(block for block in PAGE.section("The record").split("\n\n") if block.startswith("`id`"))
    assert tuple(spans(listed)) == KEYS


def test_every_exit_code_is_listed() -> None:
    """The codes are those of the code."""
    codes = {0, DIED, FAILED, NOBODY_READS, *map(code_for, SIGNALS)}
    listed = [int(row["exit code"]) for row in PAGE.table("The command line", "exit code")]
    assert listed == sorted(codes)


def test_every_file_of_a_state_is_listed() -> None:
    """The files are those that are kept private."""
    named = [name for row in PAGE.table("The state", "file") for name in spans(row["file"])]
    assert {*named, "router.db-journal"} == set(FILES)


def test_every_command_is_listed() -> None:
    """The commands are those of the parser."""
    assert column(PAGE.table("The command line", "command"), "command") == commands()
