"""docs/command-line.md lists every command and exit code."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from router.app.signal_life import SignalLife
from router.app.signal_search import Meant
from router.cli import FAILED, NOBODY_READS
from router.cli.interrupts import SIGNALS, code_for
from router.cli.run import DIED
from router.cli.signal_answers import PagingCode
from router.cli.signal_document import document_of as life_of
from router.cli.silences import ListedSilence, document_of_listed
from router.cli.state import document_of
from router.coverage.assess import Assessed, CoverageRow
from router.coverage.gate import GateResult
from router.coverage.report.document import document_of as document_of_coverage
from router.coverage.report.findings import GateReport
from router.coverage.verdicts import CoverageException, CoverageState, Workload, gap
from router.domain.coverage import Rung, WorkloadKind
from router.store.describing import describe
from tests.builders import NOW
from tests.coverage.builders import judged, pricing
from tests.coverage.stored_builders import drill, heard
from tests.docs.command_line import commands, options
from tests.docs.pages import column, page, spans
from tests.silences import a_silence
from tests.store.acts import run
from tests.store.opened import open_store

PAGE = page("docs/command-line.md")


def test_every_exit_code_is_listed() -> None:
    """The codes are those of the code."""
    codes = {0, DIED, FAILED, NOBODY_READS, *map(code_for, SIGNALS)}
    listed = [int(row["exit code"]) for row in PAGE.table("The command line", "exit code")]
    assert listed == sorted(codes)


def test_every_command_is_listed() -> None:
    """The commands are those of the parser."""
    assert column(PAGE.table("The command line", "command"), "command") == commands()


def test_every_option_is_listed_with_the_commands_that_take_it() -> None:
    """The options are those of the parser; the name of a group that is no command stands for each of its commands."""
    told = {
        spans(row["option"])[0].split()[0]: {
            command
            for command in commands()
            for name in spans(row["of"])
            if command == name or (name not in commands() and command.startswith(f"{name} "))
        }
        for row in PAGE.table("The command line", "option")
    }
    assert told == options()


def test_every_key_of_a_state_is_listed(tmp_path: Path) -> None:
    """In the order in which they are printed."""
    store = open_store(tmp_path)
    empty = run(describe(store, NOW))
    run(store.close())
    assert empty is not None
    listed = [name for row in PAGE.table("What is in a state", "key") for name in spans(row["key"])]
    assert listed == list(document_of(empty, Path(".state")))


def test_every_key_of_coverage_is_listed() -> None:
    """Of all of it, of a workload and of a rung, in the order in which they are printed."""
    exception = CoverageException(owner="a", reason="b", ends=NOW)
    verdict = replace(gap("why"), exception=exception, counts={CoverageState.GAP: 1})
    workload = Workload(kind=WorkloadKind.CLUSTER, name="payments", subject="payments")
    rows = (CoverageRow(workload=workload, verdicts={Rung.PLAN: verdict}),)
    printed = document_of_coverage(
        GateReport(GateResult(assessed=Assessed(rows=rows), used=(), unused=()), (), False, None), NOW
    )
    known = judged(pricing("Containers"), heard(), drill())
    said: dict[str, Any] = document_of_coverage(GateReport(known, (), False, None), NOW)
    workloads = printed["workloads"]
    assert isinstance(workloads, list)
    (row,) = workloads
    section = "Coverage for programs"
    parts = {
        "key": printed,
        "key of a workload": row,
        "key of a rung": row["rungs"]["plan"],
        "key of evidence": _first(_first(said["workloads"])["rungs"]["path"]["evidence"]),
        "key of a source": _first(said["sources"]),
        "key of a drill": _first(said["drills"]),
    }
    for head, document in parts.items():
        listed = [name for one in PAGE.table(section, head) for name in spans(one[head])]
        assert listed == list(document)


def _first(listed: Any) -> Any:
    return listed[0]


def test_every_key_of_a_silence_is_listed() -> None:
    """Of one as it is made, changed and listed."""
    listed = [name for row in PAGE.table("Silences for programs", "key") for name in spans(row["key"])]
    one = ListedSilence(a_silence(), None, 0, share=0)
    assert sorted(listed) == sorted({*document_of_listed(one, NOW), "would_have_held"})


def test_every_key_of_a_signals_life_is_listed() -> None:
    """In the order in which they are printed, and each answer to whether it paged anybody."""
    section = "The life of a signal"
    listed = [name for row in PAGE.table(section, "key") for name in spans(row["key"])]
    assert listed == list(life_of(SignalLife(key="k", stream="cwpp"), Meant("k", "cwpp"), NOW))
    assert [spans(row["answer"])[0] for row in PAGE.table(section, "answer")] == list(PagingCode)
