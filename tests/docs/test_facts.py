"""What the pages about messages, deliveries, state, versions and the house say is what the code does."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from router.app.delivery import CONCURRENCY, SHARE
from router.app.wiring import AT_A_TIME
from router.decide.decision import NOTED_KINDS
from router.deliver.retries import seconds_after
from router.domain.catalogue import Catalogue
from router.domain.clocks import AHEAD, SKEW
from router.domain.conversation import Result
from router.domain.decisions import Outcome
from router.domain.deliveries import LEASE, LONGEST_LIFE, LONGEST_WAIT, Pause, Receipt
from router.domain.errors import BadFile, Rejected, Unauthorized, Unavailable
from router.domain.posture import Cves, Package
from router.domain.severity import Severity
from router.domain.signals import Finding, Kind
from router.parse import read_signals
from router.parse.bodies import LARGEST_BODY, MOST_ELEMENTS
from router.store.destinations import PROBE, pause_after
from router.store.store import STEPS, VERSION
from tests.builders import NOW
from tests.docs.pages import ROOT, page, pairs, spans
from tests.domain.signal_model import TRANSITIONS
from tests.store.acts import run
from tests.store.opened import open_store, rows_in

MESSAGES, DELIVERY = page("docs/messages.md"), page("docs/delivery.md")
STATE, HOUSE, UPGRADE = page("docs/state.md"), page("docs/architecture.md"), page("docs/upgrade.md")

MOST_WORDS = 2_000


def test_the_house_is_drawn_as_it_stands_in_few_words() -> None:
    """Every part of router/ is on the page, and nothing else is; detail goes to where it is needed."""
    (tree,) = [fence.text for fence in HOUSE.fences if fence.text.startswith("router/\n")]
    drawn = {line.split()[0].rstrip("/") for line in tree.splitlines()[1:]}
    assert drawn == {path.name for path in (ROOT / "router").iterdir() if not path.name.startswith("__")}
    assert len(HOUSE.text.split()) <= MOST_WORDS


def test_the_states_of_a_delivery_are_drawn_as_they_change() -> None:
    """An arrow for every change of state that the functions of the lifecycle make, and no other."""
    (drawing,) = [fence.text for fence in HOUSE.fences if fence.text.startswith("stateDiagram-v2")]
    arrows = set(re.findall(r"^ +(\S+) --> (\w+)", drawing, re.MULTILINE))
    assert arrows == {(before or "[*]", after) for made in TRANSITIONS.values() for before, after in made}


def test_every_kind_of_signal_is_told_with_its_stream() -> None:
    """Kinds, their streams, and which of them are never resolved and have no severity; drawn with what becomes of each."""
    table = MESSAGES.table("Reading", "kind")
    streams = {spans(row["kind"])[0]: spans(row["stream"])[0] for row in table}
    assert streams == {kind.value: kind.stream.value for kind in Kind}
    for head, word in (("resolved when", "never"), ("severity from", "none")):
        numbers = {spans(row["kind"])[0] for row in table if row[head] == word}
        assert numbers == {kind.value for kind in NOTED_KINDS}
    (picture,) = [fence.text for fence in MESSAGES.fences if fence.language == "mermaid"]
    words = set(re.findall(r"[a-z_]+", picture))
    outcomes = {"quarantine" if one is Outcome.QUARANTINED else one.value for one in Outcome}
    assert {kind.value for kind in Kind} | outcomes <= words


def test_the_recommendation_that_is_shown_is_read_whole() -> None:
    """Whoever writes one after this example has a package, CVEs and a risk."""
    (finding,) = read_signals(MESSAGES.fence("individual-recommendation.json").encode(), Catalogue())
    assert isinstance(finding, Finding)
    package = Package(name="lodash", type="npm", installed=("4.17.15",), fixed="4.17.21", fix_status="FixAvailable")
    assert (finding.category, finding.package) == ("SoftwareUpdate", package)
    assert (finding.cves, finding.scanner) == (Cves(ids=("CVE-2026-1111", "CVE-2026-2222")), "mdvm")
    assert (finding.severity, finding.level, finding.snapshot) == (Severity.HIGH, Severity.CRITICAL, True)


def test_codes_and_steps_stand_with_outcomes_that_there_are() -> None:
    """Each step settles one or does not settle; `too_large` names the limit that the reader has."""
    outcomes = {outcome.value for outcome in Outcome}
    codes = MESSAGES.table("Deciding", "code")
    assert {spans(row["with outcome"])[0] for row in codes} == outcomes
    steps = MESSAGES.table("Deciding", "step")
    assert {spans(row["then"])[0] for row in steps if spans(row["then"])} == outcomes
    assert {row["then"] for row in steps if not spans(row["then"])} == {"asked on", "stays"}
    told = pairs(codes, "code", "means")["too_large"]
    assert told == f"longer than {LARGEST_BODY // 2**20} MiB, or of more than {MOST_ELEMENTS:,} elements"


def test_the_lanes_are_as_told() -> None:
    """Sends at a time, the share of one destination, and the longest life of a delivery."""
    rows = DELIVERY.table("Delivering", "lane")
    assert len(rows) == len(CONCURRENCY)
    for row in rows:
        lane = next(lane for lane in CONCURRENCY if f"`{lane}`" == row["lane"])
        hours, minutes = divmod(LONGEST_WAIT[lane] // timedelta(minutes=1), 60)
        lease = LEASE[lane] // timedelta(minutes=1)
        assert list(row.values())[1:] == [
            str(CONCURRENCY[lane]),
            str(CONCURRENCY[lane] // SHARE),
            f"{hours} hours" if hours else f"{minutes} minutes",
            f"{LONGEST_LIFE[lane] // timedelta(hours=1)} hours",
            f"{lease} minute{'s' if lease > 1 else ''}",
        ]
    assert f"makes {AT_A_TIME} calls at a time to one destination" in DELIVERY.prose


def test_what_resumes_a_paused_destination_is_as_told() -> None:
    """Each kind of result, in the order of the table."""
    results: list[Result] = [
        Receipt(),
        Rejected("", authenticated=True),
        Unauthorized(""),
        Rejected(""),
        Unavailable(""),
    ]
    paused = Pause(stream="cwpp", destination="tickets", since=NOW, probe=NOW, error="before")
    after = [pause_after(paused, [result], stream="cwpp", destination="tickets", now=NOW) for result in results]
    table = DELIVERY.table("Delivering", "what a probe brings")
    assert [(row["our credentials were"], row["the destination"]) for row in table] == [
        ("taken", "is resumed")
        if one is None
        else ("not known" if one.error == "before" else "refused", "stays paused")
        for one in after
    ]


def test_waits_and_clocks_are_as_told() -> None:
    """How far clocks may differ, how far a message's own time may run ahead, retries, and probes."""
    assert (timedelta(minutes=5), timedelta(days=1), timedelta(minutes=5)) == (SKEW, AHEAD, PROBE)
    for attempt, least in ((1, 2), (2, 4), (3, 8), (40, 600)):
        assert seconds_after(attempt, 0) == least
    assert [seconds_after(attempt, 1) for attempt in (1, 2, 3)] == [4, 6, 10]
    for told in (
        "and 5 minutes more, by which the clocks of two workers may differ",
        "after 2, 4, 8 ... seconds and up to 2 more, 10 minutes at most",
        "probes it every 5 minutes",
    ):
        assert told in DELIVERY.prose


def test_every_table_of_the_state_is_listed_and_its_questions_can_be_asked(tmp_path: Path) -> None:
    """As both engines make it; what is written of a table's columns is one of them."""
    schema = "\n".join(STEPS)
    stored = {*re.findall(r"EXISTS (\w+) \(", schema), *re.findall(r"\b(\w+) (?:TEXT|BYTEA|BIGINT)\b", schema)}
    rows = STATE.table("Names in storage", "word")
    assert {name for row in rows for name in spans(row["in the state"])} <= stored
    run(open_store(tmp_path).close())
    with closing(sqlite3.connect(tmp_path / "router.db")) as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type='table'")]
        columns = {name: [row[1] for row in db.execute(f"PRAGMA table_info({name})")] for name in tables}
        keys = {name: [names for names in _unique_in(db, name) if names != ["place"]] or [["place"]] for name in tables}
    listed = {spans(row["table"])[0]: row for row in STATE.table("Tables", "table")}
    assert listed.keys() == set(tables)
    for name, row in listed.items():
        assert spans(row["its key"]) in keys[name], name
        assert set(spans(row["holds"])) <= {*columns[name], "damaged", "version", "commit"}, name
    asked = [fence.text for fence in STATE.fences if fence.text.startswith("SELECT")]
    assert len(asked) > 1
    assert not [statement for statement in asked if rows_in(tmp_path, statement)]


def _unique_in(db: sqlite3.Connection, table: str) -> list[list[str]]:
    """The columns by which the rows of a table differ: of its primary key, and of what else is unique."""
    indexes = [index[1] for index in db.execute(f"PRAGMA index_list({table})") if index[2]]
    found = [[row[2] for row in db.execute(f"PRAGMA index_info({name})")] for name in indexes]
    return [[row[1] for row in db.execute(f"PRAGMA table_info({table})") if row[5]], *found]


def test_a_state_of_another_form_is_refused_in_the_words_of_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the letter, and the version is that of the code."""
    assert f"This program writes version {VERSION}, which" in " ".join(UPGRADE.prose.split())
    monkeypatch.chdir(tmp_path)
    run(open_store(Path(".state")).close())
    with closing(sqlite3.connect(Path(".state") / "router.db")) as db, db:
        db.execute("UPDATE meta SET value=? WHERE name='version'", (str(VERSION + 1),))
    with pytest.raises(BadFile) as told:
        open_store(Path(".state"))
    assert f"{told.value}\n" in [fence.text for fence in UPGRADE.fences]
