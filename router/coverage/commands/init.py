"""`alert-router coverage init`: drafts rules/coverage.yaml from what `check` judges."""

from __future__ import annotations

import re
from argparse import Namespace
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import yaml

from router.cli.option_values import clock_for
from router.cli.printing import print_lines, print_text
from router.cli.streams import complain
from router.coverage.commands.documents import open_documents
from router.coverage.documents import CoverageDocument
from router.coverage.expected.form import ANY, CoverageForm
from router.coverage.expected.loading import build_manifest
from router.coverage.expected.manifest import FILE, NO_MANIFEST
from router.coverage.facts import Facts
from router.coverage.gate import GateResult, judge_documents
from router.coverage.plans.table import PLANS
from router.coverage.readers import read_facts
from router.coverage.readers.plans import PlanFact
from router.coverage.readers.subscriptions import AutomationFact
from router.coverage.report.findings import RUNG_NAMES, UNKNOWN
from router.coverage.verdicts import CoverageState, Workload
from router.destinations.wording.masking import masked
from router.domain.coverage import WorkloadKind
from router.domain.errors import BadFile
from router.domain.readable import counted, one_line
from router.rulebook.documents import parse

_MOST_PATTERNS = 50
"""Patterns of machines beyond which one for all of them says more."""

_MOST_UNANSWERED = 20
"""Answers that were refused or cut, of which the draft says each by itself."""

_ACCOUNTS = (WorkloadKind.AWS_ACCOUNT, WorkloadKind.GCP_PROJECT)
_ONE_BY_ONE = (WorkloadKind.SUBSCRIPTION, *_ACCOUNTS, WorkloadKind.CLUSTER)
"""The kinds of which each is named, so that one that is missing is missed; the others come and go."""

_FREE = ("foundationalcspm", "discovery")
"""The plans that cost nothing, which `posture` expects."""

_HEAD = (
    "# What Defender must watch, drafted from what there is today. Read it, change it, put it into rules/coverage.yaml.",
    "# Of several entries that fit a workload, the first one counts. What a name without a wildcard names must be there.",
)


class CoverageDraft(NamedTuple):
    """A drafted manifest as YAML, and the verdicts on the same documents under it."""

    text: str
    result: GateResult


def init(options: Namespace) -> int:
    """Print the draft, or write it if there is no such file; raises BadFile if no workload is named."""
    now = clock_for(options.now)()
    found = open_documents(options, NO_MANIFEST, now)
    documents = list(found.documents)
    for line in found.refused:
        complain(line)
    if found.refused:
        complain("no draft was made, since what these files name would be missing from it")
        return UNKNOWN
    draft = draft_manifest(documents, now)
    if draft is None:
        names = [*options.files, *dict.fromkeys(found.others.values())]
        raise BadFile(f"{', '.join(names)}: no workload is named there, so there is nothing to expect")
    if number := len(draft.result.unanswered):
        were = "was" if number == 1 else "were"
        complain(f"{counted(number, 'answer')} {were} refused or cut: the draft lacks what would have been named there")
    if options.out is None:
        print_text(draft.text)
        return 0
    _write(draft.text, options.out)
    rows = draft.result.assessed.rows
    gaps = sum(any(one.state is CoverageState.GAP for one in row.verdicts.values()) for row in rows)
    have = "has" if gaps == 1 else "have"
    print_lines([f"{options.out}: expects {counted(len(rows), 'workload')}, of which {gaps:,} {have} a gap today"])
    return 0


def _write(text: str, file: Path) -> None:
    """Write a file that is not there yet: what people expect is not overwritten by what they have."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as out:
            out.write(text)
    except OSError as fault:
        if file.exists():
            raise BadFile(f"{file}: is there already, and a draft overwrites nothing; name another file") from fault
        raise BadFile(f"{file}: cannot be written: {fault.strerror}") from fault


def draft_manifest(documents: Sequence[CoverageDocument], now: datetime) -> CoverageDraft | None:
    """Return the draft; None if the documents name no workload. Raises BadUsage if they do not fit together."""
    workloads = [row.workload for row in judge_documents(documents, NO_MANIFEST, now).assessed.rows]
    if not workloads:
        return None
    facts = Facts.of(fact for document in documents for fact in read_facts(document))
    lines = [*_HEAD, *_export_lines(facts), _posture_line(facts, workloads), *_expect_lines(workloads, facts)]
    text = "\n".join([*lines, ""])
    result = judge_documents(documents, build_manifest(CoverageForm.model_validate(parse(text, FILE)[0])), now)
    return CoverageDraft("\n".join([text, *_exception_lines(result), *_note_lines(result), ""]), result)


def _export_lines(facts: Facts) -> Iterator[str]:
    """Yield the event hubs that continuous export leads to, to be confirmed: a hub of another team looks the same."""
    hubs: dict[str, dict[str, None]] = {"alerts": {}, "posture": {}}
    for fact in facts.every(AutomationFact):
        kinds = {source.event for source in fact.sources or ()}
        for hub in filter(None, fact.hubs):
            for key, kind in (("alerts", "alerts"), ("posture", "assessments")):
                if kind in kinds:
                    hubs[key][hub] = None
    lines = [f"#   {key}: {_quoted(hub)}" for key, some in hubs.items() for hub in some]
    if lines:
        yield "# Continuous export leads there today; take the # away from what is yours."
        yield "# export:"
        yield from lines


def _posture_line(facts: Facts, workloads: Iterable[Workload]) -> str:
    subscriptions = [one for one in workloads if one.kind is WorkloadKind.SUBSCRIPTION]
    tiers = [_tiers(facts.about(PlanFact, one.subject)).get("foundationalcspm") for one in subscriptions]
    if tiers and all(one == {"standard"} for one in tiers):
        return "posture: true  # foundational CSPM is on in every subscription"
    return "# posture: true  # foundational CSPM must be on; the files do not show it of every subscription"


def _expect_lines(workloads: Sequence[Workload], facts: Facts) -> Iterator[str]:
    yield "expect:"
    by_kind = {kind: [one for one in workloads if one.kind is kind] for kind in WorkloadKind}
    for kind in _ONE_BY_ONE:
        for workload in by_kind[kind]:
            yield f"  - kind: {kind}"
            yield _name_line(workload)
            if kind in _ACCOUNTS and workload.subscription:
                yield f"    subscription: {_quoted(workload.subscription)}"
            if kind is WorkloadKind.SUBSCRIPTION:
                yield from _plan_lines(facts.about(PlanFact, workload.subject))
    if machines := [one.name for one in by_kind[WorkloadKind.MACHINE]]:
        yield f"  - kind: {WorkloadKind.MACHINE}"
        yield f"    name: [{', '.join(map(_quoted, machine_patterns(machines)))}]"
    named = (*_ONE_BY_ONE, WorkloadKind.MACHINE)
    if others := [kind for kind, some in by_kind.items() if some and kind not in named]:
        yield f"  - kind: [{', '.join(others)}]"


def _name_line(workload: Workload) -> str:
    """Return the line with its id, or the name that was given for its files, and its other name as a comment."""
    id = (workload.subscription if workload.kind is WorkloadKind.SUBSCRIPTION else None) or workload.id or workload.name
    comment = "" if workload.name.lower() == id.lower() else f"  # {one_line(workload.name)}"
    return f"    name: {_quoted(id)}{comment}"


def _plan_lines(plans: Sequence[PlanFact]) -> Iterator[str]:
    """Yield the plans that are on today and can be enabled again, and in comments the others."""
    tiers = {plan: some for plan, some in _tiers(plans).items() if plan not in _FREE}
    names = {fact.plan: fact.name for fact in plans}
    on = sorted(plan for plan, some in tiers.items() if some == {"standard"})
    expected = [plan for plan in on if plan in PLANS and PLANS[plan].successor is None]
    if expected:
        yield f"    plans: {{{', '.join(f'{PLANS[plan].name}: {_sub_plan(plan, plans)}' for plan in expected)}}}"
    if off := sorted(names[plan] for plan, some in tiers.items() if "free" in some):
        yield f"    # off today: {one_line(', '.join(off))}"
    if left := sorted(names[plan] for plan in on if plan not in expected):
        yield f"    # on today, and not to be enabled again, or not known: {one_line(', '.join(left))}"


def _tiers(plans: Iterable[PlanFact]) -> dict[str, set[str]]:
    """Return the tiers that answers give of each plan: two may contradict."""
    tiers: dict[str, set[str]] = defaultdict(set)
    for fact in plans:
        tiers[fact.plan] |= {fact.tier} if fact.tier else set()
    return tiers


def _sub_plan(plan: str, plans: Iterable[PlanFact]) -> str:
    written = {fact.sub_plan.lower() for fact in plans if fact.plan == plan and fact.sub_plan}
    known = [one.name for one in PLANS[plan].sub_plans if one.is_offered and one.name.lower() in written]
    return known[0] if len(written) == 1 and known else ANY


def machine_patterns(names: Iterable[str]) -> list[str]:
    """Return globs that fit machines by what stands before their numbers; others of the same sort fit them, too."""
    stems = {re.split(r"[0-9*?]", name, maxsplit=1)[0] for name in names}
    patterns = sorted({f"{stem.lower() if stem.isascii() else stem}*" for stem in stems})
    return ["*"] if "*" in patterns or len(patterns) > _MOST_PATTERNS else patterns


def _exception_lines(result: GateResult) -> Iterator[str]:
    """Yield what is a gap under the draft, to be mended, or excused by an owner until an end."""
    found = [
        (row.workload, {rung: one.reason for rung, one in row.verdicts.items() if one.state is CoverageState.GAP})
        for row in result.assessed.rows
    ]
    if any(gaps for _, gaps in found):
        yield "# What is a gap today. Mend it; or take the # away, and say who answers for it, why, and until when."
        yield "# exceptions:"
    for workload, gaps in found:
        if gaps:
            yield f"#   - kind: {workload.kind}"
            yield f"# {_name_line(workload)}"
            yield f"#     rungs: [{', '.join(gaps)}]"
            yield from ("#     owner:", "#     reason:", "#     ends:")
            yield from (f"#     # {RUNG_NAMES[rung]}: {one_line(masked(reason))}" for rung, reason in gaps.items())


def _note_lines(result: GateResult) -> Iterator[str]:
    if unknown := sum(one.state is CoverageState.UNKNOWN for _, _, one in result.assessed.verdicts()):
        yield f"# {counted(unknown, 'verdict')} unknown today: alert-router coverage check says what answers them."
    unanswered = dict(result.unanswered)
    for name, reason in list(unanswered.items())[:_MOST_UNANSWERED]:
        yield f"# {one_line(name)}: not answered in full, so something may be missing here: it {one_line(masked(reason))}"
    if (more := len(unanswered) - _MOST_UNANSWERED) > 0:
        yield f"# {counted(more, 'more answer')} not whole: alert-router coverage check says which."
    unused = ((name, reason) for name, reason in result.unused if name not in unanswered)
    yield from (f"# {one_line(name)}: not used: it {one_line(masked(reason))}" for name, reason in unused)


def _quoted(text: str) -> str:
    """Return a text as YAML in double quotes; half a character, which no file can hold, becomes `?`, which fits any."""
    whole = "".join("?" if "\ud800" <= letter <= "\udfff" else letter for letter in text)
    return yaml.safe_dump(whole, default_style='"', allow_unicode=False, width=float("inf")).rstrip("\n")
