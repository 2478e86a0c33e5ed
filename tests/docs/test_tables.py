"""What the papers list and say is what the code has and does, no more and no less."""

import inspect
import re
import sqlite3
from collections.abc import Collection, Iterator
from collections.abc import Set as AbstractSet
from contextlib import closing
from copy import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from router.app.delivery import CONCURRENCY, SHARE
from router.app.paging_answer import PagingCode
from router.app.signal_document import life_document
from router.app.signal_life import SignalLife
from router.app.signal_search import Meant
from router.app.silences import ListedSilence, listed_document
from router.app.standing import read_standing
from router.app.wiring import AT_A_TIME
from router.cli import FAILED, LOST_OUTPUT
from router.cli.interrupts import SIGNALS, code_for
from router.cli.run import DIED
from router.cli.state import document_of
from router.console.views import VIEWS
from router.coverage.assess import Assessed
from router.coverage.drill import results
from router.coverage.drill.subjects import sample_drill
from router.coverage.expected.form import ExceptionForm, ExpectationForm
from router.coverage.gate import GateResult
from router.coverage.report.document import report_object as document_of_coverage
from router.coverage.report.findings import GateReport
from router.coverage.verdicts import CoverageException, CoverageRow, CoverageState, Workload, gap
from router.decide.decision import ENTRY_KEYS, NOTED_KINDS
from router.deliver.destination import pause_after
from router.deliver.retries import seconds_after
from router.destinations import discover
from router.destinations.config import PLACEHOLDERS
from router.domain import keys
from router.domain.catalogue import Catalogue
from router.domain.clocks import AHEAD, SKEW
from router.domain.conversation import Result
from router.domain.coverage import Rung, WorkloadKind
from router.domain.decisions import Code, Outcome, StepCode
from router.domain.deliveries import LEASE, LONGEST_LIFE, LONGEST_WAIT, DeliveryState, Pause, Receipt
from router.domain.errors import BadFile, Rejected, Unauthorized, Unavailable
from router.domain.posture import Cves, Package
from router.domain.rulebook import By
from router.domain.severity import Severity
from router.domain.signals import Finding, Kind
from router.parse import read_signals
from router.parse.bodies import LARGEST_BODY, MOST_ELEMENTS
from router.rulebook.attack import AttackForm
from router.rulebook.owners import OwnerForm
from router.rulebook.policy_form import PolicyForm
from router.rulebook.schemas import PropertiesForm
from router.rulebook.when_form import WhenForm
from router.store.describing import describe
from router.store.destinations import PROBE
from router.store.permissions import FILES
from router.store.standing import StandingFilter
from router.store.store import STEPS, VERSION
from router.telemetry import metrics
from router.telemetry.exposition import about
from tests.builders import NOW, a_rulebook
from tests.coverage.builders import judged, pricing
from tests.coverage.stored_builders import drill, heard
from tests.docs.pages import ROOT, commands, options, page, pairs, spans
from tests.domain.signal_model import TRANSITIONS
from tests.silences import a_silence
from tests.store.acts import run
from tests.store.life import a_life
from tests.store.opened import open_store, rows_in
from tests.store.test_growth import GROWING
from tests.test_architecture import FLOORS

COMMANDS = page("docs/command-line.md")

type Listed = tuple[str, str, str, Collection[object]]
"""A paper, a heading, the head of a table's first column, and what that column names: a set where its order is free."""


def of_the_code() -> Iterator[Listed]:
    """What is a constant, an enumeration or a form."""
    outcomes = ["quarantined", "resolved", "noted", "below_floor", "suppressed", "routed", "repeat"]
    assert set(outcomes) == set(Outcome)
    yield "messages.md", "Deciding", "outcome", outcomes
    yield "messages.md", "Deciding", "step", list(StepCode)
    yield "messages.md", "Deciding", "code", set(Code)
    made = [name for name, value in vars(keys).items() if inspect.isfunction(value) and not name.startswith("_")]
    yield "messages.md", "Keys", "key", made
    yield "delivery.md", "Delivering", "state", list(DeliveryState)
    yield "state.md", "Where it lies", "file", set(FILES) - {"router.db-journal"}
    yield "destinations.md", "Placeholders", "placeholder", [f"{{{name}}}" for name in PLACEHOLDERS]
    yield "destinations.md", "The kinds", "kind", list(discover())
    yield "rules.md", "The keys of `when`", "key", list(WhenForm.model_fields)
    yield "rules.md", "Groups and limits", "`by`", list(By)
    yield "rules.md", "The policy", "key", list(PolicyForm.model_fields)
    owners = [key for key in OwnerForm.model_fields if key not in ("group", "service", "pager", "environment")]
    yield "owners.md", "Owners", "key", owners
    yield "coverage.md", "What the manifest says", "key of an entry", list(ExpectationForm.model_fields)
    assert set(ExceptionForm.model_fields) - set(ExpectationForm.model_fields) == {"owner", "reason", "ends"}
    yield "coverage.md", "The ladder", "rung", list(Rung)
    yield "coverage.md", "What is known of a workload", "state", set(CoverageState)
    yield "suppressions.md", "Suppression rules", "key", set(PropertiesForm.model_fields)
    # The version is told before the tables.
    yield "attack.md", "The tables of attack.yaml", "table", list(AttackForm.model_fields)[1:]
    yield "drill.md", "Verdicts", "hop", list(results.DrillHop)
    yield "console.md", "The views", "page", {view.path.replace(":path", "") for view in VIEWS}
    instruments = (*metrics.COUNTERS, metrics.AGE, *metrics.GAUGES)
    yield "operations.md", "What to alert on", "metric", {one.name for one in instruments}
    scraped = {f"{about(one)[0]}{'_total' * (one in metrics.COUNTERS)}" for one in instruments}
    yield "serve.md", "What to watch", "metric", scraped | {"alert_router_build_info"}


def of_what_is_printed(directory: Path) -> Iterator[Listed]:
    """The keys of JSON, in the order in which they are printed."""
    store = open_store(directory)
    empty = run(describe(store, NOW))
    run(store.close())
    assert empty is not None
    yield "command-line.md", "state", "key", list(document_of(empty, Path(".state")))
    exception = CoverageException(owner="a", reason="b", ends=NOW)
    verdict = replace(gap("why"), exception=exception, counts={CoverageState.GAP: 1})
    workload = Workload(kind=WorkloadKind.CLUSTER, name="payments", subject="payments")
    rows = (CoverageRow(workload=workload, verdicts={Rung.PLAN: verdict}),)
    result = GateResult(assessed=Assessed(rows=rows), used=(), unused=())
    printed: dict[str, Any] = document_of_coverage(GateReport(result, (), False, None), NOW)
    known = judged(pricing("Containers"), heard(), drill())
    said: dict[str, Any] = document_of_coverage(GateReport(known, (), False, None), NOW)
    (row,) = printed["workloads"]
    for head, document in {
        "key": printed,
        "key of a workload": row,
        "key of a rung": row["rungs"]["plan"],
        "key of evidence": said["workloads"][0]["rungs"]["path"]["evidence"][0],
        "key of a source": said["sources"][0],
        "key of a drill": said["drills"][0],
    }.items():
        yield "command-line.md", "coverage check", head, list(document)
    # Of one as it is made, changed and listed.
    silence = listed_document(ListedSilence(a_silence(), None, 0, share=0), NOW)
    yield "command-line.md", "silences list", "key of a silence", {*silence, "would_have_held"}
    life = life_document(SignalLife(key="k", stream="cwpp"), Meant("k", "cwpp"), NOW)
    yield "command-line.md", "explain", "key", list(life)
    yield "command-line.md", "explain", "`paging.code`", list(PagingCode)
    with a_life(a_rulebook()) as standing:
        standing.alert()
        listed = run(read_standing(standing.store, "cwpp", StandingFilter(), None, 1, NOW))
    yield "command-line.md", "signals list", "key", list(listed)
    yield "command-line.md", "signals list", "key of a signal that stands", list(listed["signals"][0])
    at = datetime(2026, 11, 26, tzinfo=UTC)
    opened = results.OpenReceipt("oncall", "page", None, None, "x")
    judgement = results.DrillJudgement(results.DrillVerdict.PASSED, "x", None, (), ())
    subject = sample_drill("d87e1b60-4a2c-4f93-b1d7-05c3e8a2f330", "DNS")
    left = results.result_object(
        results.DrillResult(subject=subject, began=at, ended=at, judgement=judgement, open=(opened,))
    )
    yield "drill.md", "What it leaves behind", "key", list(left)
    (row,) = [one for one in page("docs/drill.md").table("What it leaves behind", "key") if one["key"] == "`open`"]
    assert set(spans(row["says"])) == set(left["open"][0])  # type: ignore[index]


def test_every_name_is_listed(tmp_path: Path, subtests: pytest.Subtests) -> None:
    """Kinds, outcomes, codes, keys, states: whoever adds one adds its row."""
    for name, heading, head, wanted in (*of_the_code(), *of_what_is_printed(tmp_path)):
        with subtests.test(name, heading=heading, column=head):
            table = next(one for one in page(f"docs/{name}").tables(heading) if next(iter(one[0])) == head)
            listed = [spans(row[head]) for row in table]
            named = [span for cell in listed for span in (cell[:1] if name == "destinations.md" else cell)]
            assert (set(named) if isinstance(wanted, AbstractSet) else named) == wanted
            assert len(named) == len(wanted)


def test_what_stands_in_words_is_listed() -> None:
    """Exit codes, the record's keys in their order, statements that read more of a larger state, and what parts may import."""
    codes = {0, DIED, FAILED, LOST_OUTPUT, *map(code_for, SIGNALS)}
    assert [int(row["exit code"]) for row in COMMANDS.table("The command line", "exit code")] == sorted(codes)
    record = page("docs/messages.md").section("The record")
    assert tuple(spans(next(block for block in record.split("\n\n") if block.startswith("`id`")))) == ENTRY_KEYS
    heading = "reads more of a larger state"
    assert [row[heading] for row in page("docs/state.md").table("Tables", heading)] == list(GROWING)
    rows = page("docs/architecture.md").table("The house", "part")
    assert {part: set(spans(row["may import"])) for row in rows for part in spans(row["part"])} == FLOORS


def test_every_command_has_a_block_that_names_its_options(subtests: pytest.Subtests) -> None:
    """Commands and options are the parser's, each option once behind a dash; a shared one is in the table above."""
    blocks = COMMANDS.prose.partition("\n## Commands\n")[2].partition("\n## ")[0]
    assert re.findall(r"^### (.+)$", blocks, re.MULTILINE) == commands()
    rows = COMMANDS.table("The command line", "shared option")
    shared = {spans(row["shared option"])[0].split()[0] for row in rows}
    takers = options()
    for command in commands():
        with subtests.test(command):
            items = re.findall(r"^- (.+(?:\n  .+)*)", COMMANDS.section(command), re.MULTILINE)
            heads = [one.partition(": ")[2 if one.startswith(("shared", "as ")) else 0] for one in items]
            named = [name.split()[0] for head in heads for name in spans(head) if name.startswith("--")]
            assert sorted(named) == sorted(name for name, several in takers.items() if command in several)
            for one in items:
                if one.startswith("shared"):
                    assert {name for name in spans(one) if name.startswith("--")} <= shared


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
        assert set(spans(row["holds"])) <= {*columns[name], "damaged", "version", "oldest", "commit"}, name
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
