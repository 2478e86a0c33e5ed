"""What a gate came to: how a workload stands, how many stand so, and the exit code."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from router.coverage.assess import CoverageRow
from router.coverage.fields import time_of
from router.coverage.gate import GateResult
from router.coverage.plans.posture import SubscriptionPosture
from router.coverage.recency import age_of
from router.coverage.verdicts import CoverageEvidence, CoverageState
from router.destinations.wording.masking import masked
from router.domain.clocks import is_plausible
from router.domain.coverage import Rung
from router.domain.texts import counted

NO_TIME = "no time said"
"""What is said of a file that does not say how old it is."""

_JUST_NOW = 60
"""Seconds within which something was asked just now."""


def instant_of(evidence: CoverageEvidence) -> datetime | None:
    """When a piece of evidence was known so, else when it says that it was; None where neither is said."""
    return time_of((evidence.time or "") if evidence.known_at is None else evidence.known_at)


def age_seconds(evidence: CoverageEvidence, now: datetime) -> int | None:
    """How old a piece of evidence is; below 0 where it is of a time to come, None where nothing is said."""
    instant = instant_of(evidence)
    return int((now - instant).total_seconds()) if instant is not None else None


def ago(instant: datetime | None, now: datetime) -> str:
    """How long ago something was: `3 days ago`."""
    if instant is None:
        return NO_TIME
    if not is_plausible(instant, now):
        return "of a time to come"
    return f"{age_of(instant, now)} ago" if (now - instant).total_seconds() >= _JUST_NOW else "just now"


def age_clause(evidence: CoverageEvidence, now: datetime) -> str:
    """What stands behind a line on a piece of evidence that was asked, or heard, at an instant; empty for that of a file."""
    return f", {ago(instant_of(evidence), now)}" if evidence.known_at is not None else ""


GAP = 1
"""The exit code where there is a gap, also beside what is unknown."""

UNKNOWN = 2
"""The exit code where something is unknown, fits nothing, could not be read, was refused or cut, or nothing was judged."""

_WORST_FIRST = (
    CoverageState.GAP,
    CoverageState.UNKNOWN,
    CoverageState.EXCUSED,
    CoverageState.COVERED,
    CoverageState.NOT_COVERABLE,
)

_SAID: Mapping[CoverageState, tuple[str, str]] = {
    CoverageState.GAP: ("has a gap", "have a gap"),
    CoverageState.UNKNOWN: ("is unknown", "are unknown"),
    CoverageState.EXCUSED: ("is excused", "are excused"),
    CoverageState.COVERED: ("is covered", "are covered"),
    CoverageState.NOT_COVERABLE: ("is not coverable", "are not coverable"),
}

RUNG_NAMES: Mapping[Rung, str] = {rung: rung.value.replace("-", " ") for rung in Rung}
"""The rungs as people read them."""

NOTHING_EXPECTED = (
    "There is no manifest, so a workload that no file names is missed by nobody; alert-router coverage init drafts one."
)
"""What is to be said where nobody wrote down what is expected."""


LIMITED = "Covered within limits"
"""What stands above what passes although the workload is covered."""

_MOST_FILES = 5
"""How many files are named that were not used for one reason."""


class GateReport(NamedTuple):
    """What is to be said of a gate.

    Attributes:
        result: what was judged.
        refused: the files that could not be read, a line each.
        allows_unknown: whether what is unknown lets the gate pass.
        manifest: the file that says what is expected; None where there is none.
        idle_exceptions: which exceptions of it have not ended and excuse nothing, from 1.
        others: the documents that are no files, by their names, each with what it is called in a sentence.
    """

    result: GateResult
    refused: tuple[str, ...]
    allows_unknown: bool
    manifest: str | None
    idle_exceptions: tuple[int, ...] = ()
    others: tuple[tuple[str, str], ...] = ()


def state_of(row: CoverageRow) -> CoverageState:
    """The worst state of a workload; of one on which no rung is expected, covered."""
    states = {verdict.state for verdict in row.verdicts.values()}
    return next((state for state in _WORST_FIRST if state in states), CoverageState.COVERED)


def summary_of(report: GateReport) -> str:
    """The first line: how many workloads of which files were judged, and what came of them."""
    result = report.result
    states = Counter(map(state_of, result.assessed.rows))
    head = f"{counted(len(result.assessed.rows), 'workload')} of {documents_words(report)} judged"
    said = [f"{many:,} {_SAID[state][many != 1]}" for state in _WORST_FIRST if (many := states[state])]
    unread = len(report.refused)
    if unread:
        said.append(f"{counted(unread, 'file')} could not be read")
    others = dict(report.others)
    unanswered = [name in others for name, _ in result.unanswered]
    for number, what, how in (
        (unanswered.count(False), "file", "not answered in full"),
        (unanswered.count(True), "answer", "not given in full"),
    ):
        if number:
            said.append(f"{counted(number, what)} {'was' if number == 1 else 'were'} {how}")
    if missed := len(result.assessed.missed):
        said.append(f"{counted(missed, 'pattern')} of the manifest {'fits' if missed == 1 else 'fit'} nothing")
    return f"{head}: {', '.join(said)}" if said else f"{head}: there is nothing to judge"


def documents_words(report: GateReport) -> str:
    """How many files were given, and what besides: `3 files and the state .state`."""
    result, others = report.result, dict(report.others)
    names = [*result.used, *(name for name, _ in result.unused)]
    files = sum(name not in others for name in names) + len(report.refused)
    said = [counted(files, "file")] if files or not others else []
    return " and ".join([*said, *dict.fromkeys(others.values())])


def exit_code_of(report: GateReport) -> int:
    """0 where all is covered, excused or not coverable; 1 where there is a gap; 2 where something is not known."""
    assessed = report.result.assessed
    states = {verdict.state for _, _, verdict in assessed.verdicts()}
    if CoverageState.GAP in states:
        return GAP
    is_unknown = CoverageState.UNKNOWN in states or report.result.unanswered or assessed.missed
    return UNKNOWN if (is_unknown and not report.allows_unknown) or report.refused or not states else 0


def idle_exceptions_line(report: GateReport) -> str | None:
    """What is to be said of exceptions that excuse nothing; None where there are none."""
    *some, last = [f"{number:,}" for number in report.idle_exceptions] or [""]
    if not last:
        return None
    if not some:
        return f"Exception {last} of the manifest excuses nothing today; remove it, or mend its name."
    who = f"{', '.join(some)} and {last}"
    return f"Exceptions {who} of the manifest excuse nothing today; remove them, or mend their names."


def unmatched_sentence(number: int, glob: str) -> str:
    """What is to be said of a glob of an entry that fits nothing."""
    return f"Entry {number} of the manifest expects {glob}, which fits nothing that the files name."


def left_aside(report: GateReport) -> Iterator[str]:
    """The files of which not all was used: a line for each reason, with the first files of which it is."""
    yield from _file_lines("not answered in full", report.result.unanswered)
    yield from _file_lines("not used", unused_files(report))


def unused_files(report: GateReport) -> list[tuple[str, str]]:
    """The files that say nothing of what is judged, and were not refused or cut, each with the reason."""
    unanswered = dict(report.result.unanswered)
    return [(name, reason) for name, reason in report.result.unused if name not in unanswered]


def _file_lines(what: str, reasons: Iterable[tuple[str, str]]) -> Iterator[str]:
    files: dict[str, list[str]] = {}
    for name, reason in reasons:
        files.setdefault(reason, []).append(name)
    for reason, names in files.items():
        many = f" and {len(names) - _MOST_FILES:,} more" if len(names) > _MOST_FILES else ""
        it = "it" if len(names) == 1 else "each"
        yield f"{', '.join(names[:_MOST_FILES])}{many}: {what}: {it} {masked(reason)}"


def first_command(remedy: str) -> str:
    """The first command of a remedy, and how many come after it."""
    first, *others = remedy.split("\n")
    return f"{first} (and {counted(len(others), 'more command')})" if others else first


_MOST_NAMES = 5
"""How many subscriptions are named of which the same is to be said."""


def posture_sentences(postures: Sequence[SubscriptionPosture], named: Callable[[str], str] = str) -> Iterator[str]:
    """One sentence on the subscriptions where it is known to be on, and one for each reason why it is not known of others.

    `named` writes the name of a subscription, which is anybody's words.
    """
    if on := [one for one in postures if one.is_known_on]:
        yield f"Foundational CSPM is on in {counted(len(on), 'subscription')}."
    unknown: dict[str, list[str]] = defaultdict(list)
    for one in postures:
        if not one.is_known_on:
            unknown[one.reason].append(named(one.name))
    for reason, names in unknown.items():
        more = f" and {len(names) - _MOST_NAMES:,} more" if len(names) > _MOST_NAMES else ""
        whose = f"{', '.join(names[:_MOST_NAMES])}{more}"
        yield f"Foundational CSPM of {whose} is {reason}. Without it no recommendation says anything."


def posture_remark(posture: SubscriptionPosture) -> str:
    """What is to be said of one subscription."""
    return f"foundational CSPM is {'on' if posture.is_known_on else posture.reason}"
