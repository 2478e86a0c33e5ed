"""What the tables of the papers list is what the code has, no more and no less."""

from __future__ import annotations

import inspect
import re
from collections.abc import Collection, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from router.app.signal_life import SignalLife
from router.app.signal_search import Meant
from router.cli import FAILED, LOST_OUTPUT
from router.cli.decisions import KEYS
from router.cli.interrupts import SIGNALS, code_for
from router.cli.run import DIED
from router.cli.signal_document import document_of as life_of
from router.cli.signal_paging import PagingCode
from router.cli.silences import ListedSilence, document_of_listed
from router.cli.state import document_of
from router.coverage.assess import Assessed, CoverageRow
from router.coverage.drill import results
from router.coverage.drill.subjects import sample_drill
from router.coverage.expected.form import ExceptionForm, ExpectationForm
from router.coverage.gate import GateResult
from router.coverage.report.document import report_object as document_of_coverage
from router.coverage.report.findings import GateReport
from router.coverage.verdicts import CoverageException, CoverageState, Workload, gap
from router.destinations import discover
from router.destinations.config import PLACEHOLDERS
from router.domain import keys
from router.domain.coverage import Rung, WorkloadKind
from router.domain.decisions import Code, Outcome, StepCode
from router.domain.deliveries import DeliveryState
from router.domain.rulebook import By
from router.rulebook.attack import AttackForm
from router.rulebook.owners import OwnerForm
from router.rulebook.policy_form import PolicyForm
from router.rulebook.schemas import PropertiesForm
from router.rulebook.when_form import WhenForm
from router.store.describing import describe
from router.store.permissions import FILES
from router.telemetry import metrics
from tests.builders import NOW
from tests.coverage.builders import judged, pricing
from tests.coverage.stored_builders import drill, heard
from tests.docs.command_line import commands, options
from tests.docs.pages import page, spans
from tests.silences import a_silence
from tests.store.acts import run
from tests.store.opened import open_store
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
    instruments = (*metrics.COUNTERS, metrics.AGE, *metrics.GAUGES)
    yield "operations.md", "What to alert on", "metric", {one.name for one in instruments}


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
    silence = document_of_listed(ListedSilence(a_silence(), None, 0, share=0), NOW)
    yield "command-line.md", "silences list", "key of a silence", {*silence, "would_have_held"}
    life = life_of(SignalLife(key="k", stream="cwpp"), Meant("k", "cwpp"), NOW)
    yield "command-line.md", "explain", "key", list(life)
    yield "command-line.md", "explain", "`paging.code`", list(PagingCode)
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
    assert tuple(spans(next(block for block in record.split("\n\n") if block.startswith("`id`")))) == KEYS
    heading = "reads more of a larger state"
    assert [row[heading] for row in page("docs/state.md").table("Tables", heading)] == list(GROWING)
    rows = page("docs/architecture.md").table("The house", "part")
    assert {part: set(spans(row["may import"])) for row in rows for part in spans(row["part"])} == FLOORS


def test_every_command_has_a_block_that_names_its_options(subtests: pytest.Subtests) -> None:
    """Commands and options are those of the parser, each option once behind a dash; one that is shared is in the table
    above."""
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
