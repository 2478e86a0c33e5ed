"""docs/command-line.md lists every command and exit code."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from router.app.signal_life import SignalLife
from router.app.signal_search import Meant
from router.cli import FAILED, LOST_OUTPUT
from router.cli.interrupts import SIGNALS, code_for
from router.cli.run import DIED
from router.cli.signal_document import document_of as life_of
from router.cli.signal_paging import PagingCode
from router.cli.silences import ListedSilence, document_of_listed
from router.cli.state import document_of
from router.coverage.assess import Assessed, CoverageRow
from router.coverage.gate import GateResult
from router.coverage.report.document import report_object as document_of_coverage
from router.coverage.report.findings import GateReport
from router.coverage.verdicts import CoverageException, CoverageState, Workload, gap
from router.domain.coverage import Rung, WorkloadKind
from router.store.describing import describe
from tests.builders import NOW
from tests.coverage.builders import judged, pricing
from tests.coverage.stored_builders import drill, heard
from tests.docs.command_line import commands, options
from tests.docs.pages import page, spans
from tests.silences import a_silence
from tests.store.acts import run
from tests.store.opened import open_store

PAGE = page("docs/command-line.md")


def test_every_exit_code_is_listed() -> None:
    """The codes are those of the code."""
    codes = {0, DIED, FAILED, LOST_OUTPUT, *map(code_for, SIGNALS)}
    listed = [int(row["exit code"]) for row in PAGE.table("The command line", "exit code")]
    assert listed == sorted(codes)


def test_every_command_has_a_block() -> None:
    """The commands are those of the parser, in its order."""
    blocks = PAGE.prose.partition("\n## Commands\n")[2].partition("\n## ")[0]
    assert re.findall(r"^### (.+)$", blocks, re.MULTILINE) == commands()


@pytest.mark.parametrize("command", commands())
def test_a_block_names_each_option_of_its_command(command: str) -> None:
    """The options are those of the parser, each once behind a dash; one that is shared is in the table above."""
    items = re.findall(r"^- (.+(?:\n  .+)*)", PAGE.section(command), re.MULTILINE)
    heads = [
        item.partition(": ")[2] if item.startswith(("shared", "as ")) else item.partition(":")[0] for item in items
    ]
    named = [name.split()[0] for head in heads for name in spans(head) if name.startswith("--")]
    assert sorted(named) == sorted(name for name, takers in options().items() if command in takers)
    shared = {spans(row["shared option"])[0].split()[0] for row in PAGE.table("The command line", "shared option")}
    for item in items:
        if item.startswith("shared"):
            assert {name for name in spans(item) if name.startswith("--")} <= shared


def test_every_key_of_a_state_is_listed(tmp_path: Path) -> None:
    """In the order in which they are printed."""
    store = open_store(tmp_path)
    empty = run(describe(store, NOW))
    run(store.close())
    assert empty is not None
    listed = [name for row in PAGE.table("state", "key") for name in spans(row["key"])]
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
    section = "coverage check"
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
    listed = [
        name for row in PAGE.table("silences list", "key of a silence") for name in spans(row["key of a silence"])
    ]
    one = ListedSilence(a_silence(), None, 0, share=0)
    assert sorted(listed) == sorted({*document_of_listed(one, NOW), "would_have_held"})


def test_every_key_of_a_signals_life_is_listed() -> None:
    """In the order in which they are printed, and each answer to whether it paged anybody."""
    section = "explain"
    listed = [name for row in PAGE.table(section, "key") for name in spans(row["key"])]
    assert listed == list(life_of(SignalLife(key="k", stream="cwpp"), Meant("k", "cwpp"), NOW))
    assert [spans(row["`paging.code`"])[0] for row in PAGE.table(section, "`paging.code`")] == list(PagingCode)
