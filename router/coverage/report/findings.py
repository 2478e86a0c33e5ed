"""What every form of a report says: one summary, one exit code, alike verdicts as one group, and sentences. Pure."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby

from router.coverage.assess import Assessed
from router.coverage.facts import age_words
from router.coverage.fields import parse_time
from router.coverage.gate import GateResult
from router.coverage.verdicts import (
    WORST_FIRST,
    CoverageEvidence,
    CoverageRow,
    CoverageState,
    Verdict,
    Workload,
    covered,
)
from router.destinations.wording.masking import masked
from router.domain.clocks import is_plausible
from router.domain.coverage import Rung
from router.domain.readable import counted
from router.domain.values import Value

GAP = 1
"""The exit code if there is a gap, also beside what is unknown."""

UNKNOWN = 2
"""The exit code if something is unknown, fits nothing, could not be read, was refused or cut, or if nothing was judged."""

UNSOUND = WORST_FIRST[:3]
"""The states that a report explains, worst first."""

_SUMMED = {
    state: ("has a gap", "have a gap") if state is CoverageState.GAP else (f"is {state}", f"are {state}")
    for state in WORST_FIRST
}
"""The states, worst first, as the summary counts them."""

RUNG_NAMES = {rung: rung.value.replace("-", " ") for rung in Rung}

LIMITED = "Covered within limits"
"""The title of what passes although the workload is covered."""

_MOST = 5
"""How many files or subscriptions a sentence names."""

_JUST_NOW = 60
"""Seconds within which something was asked just now."""

_RESOURCE_GROUP = re.compile(r"/resourcegroups/([^/]+)", re.IGNORECASE)


class GateReport(Value):
    """What a report is made from, and what each form of it says.

    Attributes:
        refused: the files that could not be read, a line each.
        allows_unknown: whether what is unknown lets the gate pass.
        manifest: the path of coverage.yaml; None if there is none.
        idle_exceptions: the numbers, from 1, of exceptions that have not ended and excuse nothing.
        others: the documents that are no files, by their names, each with its name in a sentence.
    """

    result: GateResult
    refused: Sequence[str]
    allows_unknown: bool
    manifest: str | None
    idle_exceptions: Sequence[int] = ()
    others: Mapping[str, str] = {}

    @property
    def assessed(self) -> Assessed:
        """The workloads and their verdicts."""
        return self.result.assessed

    @property
    def summary(self) -> str:
        """The first line: how many workloads of which files were judged, and what came of them."""
        rows = self.assessed.rows
        states = Counter(row.state for row in rows)
        parts = [f"{many:,} {words[many != 1]}" for state, words in _SUMMED.items() if (many := states[state])]
        if self.refused:
            parts.append(f"{counted(len(self.refused), 'file')} could not be read")
        unanswered = Counter(name in self.others for name, _ in self.result.unanswered)
        for is_other, what, how in ((False, "file", "not answered in full"), (True, "answer", "not given in full")):
            if number := unanswered[is_other]:
                parts.append(f"{counted(number, what)} {'was' if number == 1 else 'were'} {how}")
        if missed := len(self.assessed.missed):
            parts.append(f"{counted(missed, 'pattern')} of the manifest {'fits' if missed == 1 else 'fit'} nothing")
        words = ", ".join(parts) or "there is nothing to judge"
        return f"{counted(len(rows), 'workload')} of {self.documents} judged: {words}"

    @property
    def documents(self) -> str:
        """How many files were given, and what besides: `3 files and the state .state`."""
        names = [*self.result.used, *(name for name, _ in self.result.unused)]
        files = sum(name not in self.others for name in names) + len(self.refused)
        parts = [counted(files, "file")] if files or not self.others else []
        return " and ".join([*parts, *dict.fromkeys(self.others.values())])

    @property
    def exit_code(self) -> int:
        """0 if all is covered, excused or not coverable; 1 if there is a gap; 2 if something is not known."""
        states = {verdict.state for _, _, verdict in self.assessed.verdicts()}
        if CoverageState.GAP in states:
            return GAP
        is_unknown = CoverageState.UNKNOWN in states or self.result.unanswered or self.assessed.missed
        return UNKNOWN if (is_unknown and not self.allows_unknown) or self.refused or not states else 0

    @property
    def unused(self) -> list[tuple[str, str]]:
        """The files that say nothing of what is judged, and were not refused or cut, each with the reason."""
        unanswered = dict(self.result.unanswered)
        return [(name, reason) for name, reason in self.result.unused if name not in unanswered]

    def left_aside(self) -> Iterator[str]:
        """Yield a line for each reason why files were not used, or not in full, with the first of these files."""
        for what, found in (("not answered in full", self.result.unanswered), ("not used", self.unused)):
            names: dict[str, list[str]] = defaultdict(list)
            for name, reason in found:
                names[reason].append(name)
            for reason, some in names.items():
                yield f"{listed(some)}: {what}: {'it' if len(some) == 1 else 'each'} {masked(reason)}"

    def unexpected(self, unlisted: Iterable[str] = (), show: Callable[[str], str] = str) -> Iterator[str]:
        """Yield where what is expected and what there is do not meet; `show` writes what the manifest says."""
        if self.manifest is None:
            yield (
                "There is no manifest, so a workload that no file names is missed by nobody; alert-router coverage init "
                "drafts one."
            )
        yield from unlisted
        yield from (unmatched_sentence(number, show(glob)) for number, glob in self.assessed.unmatched)
        *some, last = [f"{number:,}" for number in self.idle_exceptions] or [""]
        if some:
            who = f"{', '.join(some)} and {last}"
            yield f"Exceptions {who} of the manifest excuse nothing today; remove them, or mend their names."
        elif last:
            yield f"Exception {last} of the manifest excuses nothing today; remove it, or mend its name."

    def postures(self, show: Callable[[str], str] = str) -> Iterator[str]:
        """Yield a sentence on the subscriptions where foundational CSPM is known to be on, and one for each reason of others.

        `show` writes the name of a subscription, which comes from elsewhere.
        """
        if on := sum(one.is_known_on for one in self.result.posture):
            yield f"Foundational CSPM is on in {counted(on, 'subscription')}."
        unknown: dict[str, list[str]] = defaultdict(list)
        for one in self.result.posture:
            if not one.is_known_on:
                unknown[one.reason].append(show(one.name))
        for reason, names in unknown.items():
            yield f"Foundational CSPM of {listed(names)} is {reason}. Without it no recommendation says anything."

    def groups(self, state: CoverageState) -> list[VerdictGroup]:
        """Return what is in a state, by rung from the bottom up; within a rung, what most workloads share comes first."""
        return _group_verdicts(one for one in self.assessed.verdicts() if one[2].state is state)

    def limits(self) -> list[VerdictGroup]:
        """Return what passes although it is covered, as the reason of each, in the same order."""
        return _group_verdicts(
            (workload, rung, covered("; ".join(verdict.limits)))
            for workload, rung, verdict in self.assessed.verdicts()
            if verdict.state is CoverageState.COVERED and verdict.limits
        )


def rungs_in(rows: Iterable[CoverageRow]) -> list[Rung]:
    """Return the rungs that are judged of any of these workloads, from the bottom up."""
    judged = {rung for row in rows for rung in row.verdicts}
    return [rung for rung in Rung if rung in judged]


class VerdictGroup(Value):
    """Workloads of which the same is known on the same rungs, for the same reason; there is at least one.

    Attributes:
        verdict: that on the first workload.
        remedies: the commands that mend it or answer it, once each.
        remarks: what else is to be said, once each, as of the first workload that it is about.
    """

    rungs: Sequence[Rung]
    workloads: Sequence[Workload]
    verdict: Verdict
    remedies: Sequence[str]
    remarks: Sequence[str]
    evidence: Sequence[CoverageEvidence]

    @property
    def rung_names(self) -> str:
        """The rungs as people read them."""
        return ", ".join(RUNG_NAMES[rung] for rung in self.rungs)


type _Member = tuple[Workload, Verdict, re.Pattern[str]]


def _group_verdicts(verdicts: Iterable[tuple[Workload, Rung, Verdict]]) -> list[VerdictGroup]:
    """Join verdicts that differ at most in what names their workloads, then rungs that hold for the same workloads."""
    alike: dict[tuple[Rung, object], list[_Member]] = defaultdict(list)
    for workload, of_one in groupby(verdicts, key=lambda one: one[0]):
        own = _own_words(workload)
        for _, rung, verdict in of_one:
            said = own.sub("", verdict.reason), own.sub("", verdict.remedy or ""), verdict.exception, verdict.excused
            alike[rung, said].append((workload, verdict, own))
    joined: dict[object, dict[Rung, list[_Member]]] = defaultdict(dict)
    for (rung, words), members in alike.items():
        joined[words, tuple(one.key for one, *_ in members)][rung] = members
    order = list(Rung).index
    groups = [
        _group(sorted(some, key=order), [one for part in some.values() for one in part]) for some in joined.values()
    ]
    return sorted(groups, key=lambda group: (order(group.rungs[0]), -len(group.workloads)))


def _group(rungs: Sequence[Rung], members: Sequence[_Member]) -> VerdictGroup:
    verdicts = [verdict for _, verdict, _ in members]
    remarks: dict[str, str] = {}
    for _, verdict, own in members:
        for remark in verdict.remarks:
            remarks.setdefault(own.sub("", remark), remark)
    return VerdictGroup(
        rungs=rungs,
        workloads=list({one.key: one for one, *_ in members}.values()),
        verdict=verdicts[0],
        remedies=list(dict.fromkeys(line for one in verdicts for line in (one.remedy or "").split("\n") if line)),
        remarks=list(remarks.values()),
        evidence=list(dict.fromkeys(piece for one in verdicts for piece in one.evidence)),
    )


def _own_words(workload: Workload) -> re.Pattern[str]:
    """Return what fits its name, its resource group and its subscription, as whole words."""
    group = _RESOURCE_GROUP.search(workload.id or "")
    words = {workload.name, workload.subscription or "", group[1] if group else ""} - {""}
    longest_first = "|".join(re.escape(word) for word in sorted(words, key=lambda word: (-len(word), word)))
    return re.compile(rf"(?<![\w-])(?:{longest_first})(?![\w-])" if words else r"(?!)", re.IGNORECASE)


def listed(names: Sequence[str], most: int = _MOST) -> str:
    """Return the first names, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"


def evidence_time(evidence: CoverageEvidence) -> datetime | None:
    """Return when a piece of evidence was known so, else when it says that it was; None if neither is said."""
    return parse_time((evidence.time or "") if evidence.known_at is None else evidence.known_at)


def ago(instant: datetime, now: datetime) -> str:
    """Return how long ago an instant was: `3 days ago`."""
    if not is_plausible(instant, now):
        return "of a time to come"
    return f"{age_words(instant, now)} ago" if (now - instant).total_seconds() >= _JUST_NOW else "just now"


def evidence_line(one: CoverageEvidence, now: datetime, *, says_age_of_files: bool = False) -> str:
    """Return a piece of evidence in one line; its age as far as it was asked or heard, of a file only if that is wanted."""
    instant = evidence_time(one) if one.known_at is not None or says_age_of_files else None
    age = f", {ago(instant, now)}" if instant is not None else ""
    what = f"{one.field} is {one.value or 'not there'}"
    if one.field == "items":
        what = f"its items hold {one.value}" if one.value else "its items are not there"
    return f"{one.document}: {what}{f' at {one.time}' if one.time else ''}{age}"


def unmatched_sentence(number: int, glob: str) -> str:
    """Return what is to be said of a glob of an entry that fits nothing."""
    return f"Entry {number} of the manifest expects {glob}, which fits nothing that the files name."
