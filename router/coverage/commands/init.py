"""`alert-router coverage init`: drafts rules/coverage.yaml from what `check` judges, so that nobody begins with nothing."""

from __future__ import annotations

import re
from argparse import Namespace
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path

import yaml

from router.cli.given import clock_for
from router.cli.printing import print_lines, print_text
from router.cli.streams import complain
from router.coverage.commands.files import open_documents
from router.coverage.commands.live import documents_beside_files
from router.coverage.documents import CoverageDocument
from router.coverage.expected.form import ANY, CoverageForm
from router.coverage.expected.loading import manifest_of
from router.coverage.expected.manifest import FILE, NO_MANIFEST, CoverageManifest
from router.coverage.facts import Facts
from router.coverage.fields import find, find_text, objects_at
from router.coverage.gate import GateResult, judge_documents
from router.coverage.plans.table import PLANS
from router.coverage.readers import facts_of
from router.coverage.readers.plans import PlanFact
from router.coverage.report.findings import RUNG_NAMES
from router.coverage.verdicts import CoverageState, Workload
from router.destinations.wording.masking import masked
from router.domain.coverage import WorkloadKind
from router.domain.errors import BadFile
from router.domain.texts import counted, one_line
from router.rulebook.documents import parse

_MOST_PATTERNS = 50
"""Patterns of machines beyond which one for all of them says more."""

_MOST_UNANSWERED = 20
"""Answers that were refused or cut, of which the draft says each by itself."""

_ONE_BY_ONE = (
    WorkloadKind.SUBSCRIPTION,
    WorkloadKind.AWS_ACCOUNT,
    WorkloadKind.GCP_PROJECT,
    WorkloadKind.CLUSTER,
)
"""The kinds of which each is named, so that one that is missing is missed; the others come and go."""


@dataclass(frozen=True, slots=True)
class CoverageDraft:
    """A manifest that was drafted.

    Attributes:
        text: the manifest as YAML.
        result: what the gate says of the same documents under it.
    """

    text: str
    result: GateResult


def draft_of(documents: Sequence[CoverageDocument], now: datetime) -> CoverageDraft | None:
    """The draft; None where the documents name no workload. Raises BadUsage where they do not fit together."""
    seen = judge_documents(documents, NO_MANIFEST, now)
    workloads = [row.workload for row in seen.assessed.rows]
    if not workloads:
        return None
    facts = Facts.of(fact for document in documents for fact in facts_of(document))
    text = "\n".join([*_HEAD, *_export(documents), *_posture(facts, workloads), *_expectations(workloads, facts), ""])
    result = judge_documents(documents, _manifest(text), now)
    return CoverageDraft("\n".join([text, *_exceptions(result), *_notes(result), ""]), result)


def _manifest(text: str) -> CoverageManifest:
    return manifest_of(CoverageForm.model_validate(parse(text, FILE)))


_HEAD = (
    "# What Defender must watch, drafted from what there is today. Read it, change it, put it into rules/coverage.yaml.",
    "# Of several entries that fit a workload, the first one counts. What a name without a wildcard names must be there.",
)


def _export(documents: Iterable[CoverageDocument]) -> Iterator[str]:
    """The event hubs that continuous export leads to, for somebody to confirm: a hub of somebody else looks the same."""
    hubs: dict[str, dict[str, None]] = {"alerts": {}, "posture": {}}
    for item in (item for document in documents for item in document.items):
        if item.type == "microsoft.security/automations":
            properties = find(item.body, "properties") or item.body
            sources = {(find_text(one, "eventSource") or "").lower() for one in objects_at(properties, "sources")}
            for action in objects_at(properties, "actions"):
                if hub := find_text(action, "eventHubResourceId"):
                    hubs["alerts"] |= {hub: None} if "alerts" in sources else {}
                    hubs["posture"] |= {hub: None} if "assessments" in sources else {}
    lines = [f"#   {key}: {_quoted(hub)}" for key, some in hubs.items() for hub in some]
    if lines:
        yield "# Continuous export leads there today; take the # away from what is yours."
        yield "# export:"
        yield from lines


def _posture(facts: Facts, workloads: Iterable[Workload]) -> Iterator[str]:
    """Whether foundational CSPM is on in every subscription."""
    subscriptions = [one for one in workloads if one.kind is WorkloadKind.SUBSCRIPTION]
    is_on = [
        _tiers(facts.about(PlanFact, one.subject)).get("foundationalcspm") == {"standard"} for one in subscriptions
    ]
    if is_on and all(is_on):
        yield "posture: true  # foundational CSPM is on in every subscription"
    else:
        yield "# posture: true  # foundational CSPM must be on; the files do not show it of every subscription"


def _tiers(plans: Iterable[PlanFact]) -> dict[str, set[str]]:
    """What answers say of each plan: two may contradict."""
    tiers: dict[str, set[str]] = defaultdict(set)
    for fact in plans:
        tiers[fact.plan] |= {fact.tier} if fact.tier else set()
    return tiers


def _expectations(workloads: Sequence[Workload], facts: Facts) -> Iterator[str]:
    yield "expect:"
    for kind in _ONE_BY_ONE:
        some = [one for one in workloads if one.kind is kind]
        for workload in some:
            yield f"  - kind: {kind}"
            yield _named(workload)
            if kind in (WorkloadKind.AWS_ACCOUNT, WorkloadKind.GCP_PROJECT) and workload.subscription:
                yield f"    subscription: {_quoted(workload.subscription)}"
            if kind is WorkloadKind.SUBSCRIPTION:
                yield from _plans(facts.about(PlanFact, workload.subject))
    machines = [one.name for one in workloads if one.kind is WorkloadKind.MACHINE]
    if machines:
        yield f"  - kind: {WorkloadKind.MACHINE}"
        yield f"    name: [{', '.join(map(_quoted, patterns_of(machines)))}]"
    there = {one.kind for one in workloads}
    others = [kind for kind in WorkloadKind if kind in there and kind not in (*_ONE_BY_ONE, WorkloadKind.MACHINE)]
    if others:
        yield f"  - kind: [{', '.join(others)}]"


def _named(workload: Workload) -> str:
    """The line with its id, or with the name that was given for its files, and what else a reader knows it by."""
    is_subscription = workload.kind is WorkloadKind.SUBSCRIPTION and workload.subscription
    id = workload.subscription if is_subscription else workload.id
    return f"    name: {_quoted(id or workload.name)}{_beside(workload.name, id or workload.name)}"


def _beside(name: str, id: str) -> str:
    return "" if name.lower() == id.lower() else f"  # {one_line(name)}"


def _plans(plans: Sequence[PlanFact]) -> Iterator[str]:
    """The plans that are on today and can be enabled again, and in comments the others."""
    tiers = _tiers(plans)
    names = {fact.plan: fact.name for fact in plans}
    on = [plan for plan, said in tiers.items() if said == {"standard"}]
    expected = [plan for plan in on if plan in PLANS and PLANS[plan].successor is None and plan not in _FREE]
    if expected:
        listed = (f"{PLANS[plan].name}: {_sub_plan(plan, plans)}" for plan in sorted(expected))
        yield f"    plans: {{{', '.join(listed)}}}"
    off = [names[plan] for plan, said in tiers.items() if "free" in said and plan not in _FREE]
    if off:
        yield f"    # off today: {one_line(', '.join(sorted(off)))}"
    left = [names[plan] for plan in on if plan not in expected and plan not in _FREE]
    if left:
        yield f"    # on today, and not to be enabled again, or not known: {one_line(', '.join(sorted(left)))}"


_FREE = ("foundationalcspm", "discovery")
"""The plans that cost nothing, which `posture` expects."""


def _sub_plan(plan: str, plans: Iterable[PlanFact]) -> str:
    said = {fact.sub_plan.lower() for fact in plans if fact.plan == plan and fact.sub_plan}
    known = [one.name for one in PLANS[plan].sub_plans if one.is_offered and one.name.lower() in said]
    return known[0] if len(said) == 1 and known else ANY


def patterns_of(names: Iterable[str]) -> list[str]:
    """Globs that fit machines by what stands before their numbers; others of the same sort will fit them, too."""
    stems = {re.split(r"[0-9*?]", name, maxsplit=1)[0] for name in names}
    patterns = sorted({f"{stem.lower() if stem.isascii() else stem}*" for stem in stems})
    return ["*"] if "*" in patterns or len(patterns) > _MOST_PATTERNS else patterns


_BEFORE_EXCEPTIONS = (
    "# What is a gap today. Mend it; or take the # away, and say who answers for it, why, and until when.",
    "# exceptions:",
)


def _exceptions(result: GateResult) -> Iterator[str]:
    """What is a gap under the draft, to be mended, or excused by somebody who answers for it."""
    head: Sequence[str] = _BEFORE_EXCEPTIONS
    for row in result.assessed.rows:
        gaps = {rung: one.reason for rung, one in row.verdicts.items() if one.state is CoverageState.GAP}
        if gaps:
            yield from head
            head = ()
            yield f"#   - kind: {row.workload.kind}"
            yield f"# {_named(row.workload)}"
            yield f"#     rungs: [{', '.join(gaps)}]"
            yield from ("#     owner:", "#     reason:", "#     ends:")
            yield from (f"#     # {RUNG_NAMES[rung]}: {one_line(masked(reason))}" for rung, reason in gaps.items())


def _notes(result: GateResult) -> Iterator[str]:
    unknown = sum(one.state is CoverageState.UNKNOWN for _, _, one in result.assessed.verdicts())
    if unknown:
        yield f"# {counted(unknown, 'verdict')} unknown today: alert-router coverage check says what answers them."
    unanswered = dict(result.unanswered)
    for name, reason in list(unanswered.items())[:_MOST_UNANSWERED]:
        yield f"# {one_line(name)}: not answered in full, so something may be missing here: it {one_line(masked(reason))}"
    if (more := len(unanswered) - _MOST_UNANSWERED) > 0:
        yield f"# {counted(more, 'more answer')} not whole: alert-router coverage check says which."
    unused = ((name, reason) for name, reason in result.unused if name not in unanswered)
    yield from (f"# {one_line(name)}: not used: it {one_line(masked(reason))}" for name, reason in unused)


def _quoted(text: str) -> str:
    """A text as YAML in double quotes, with escapes for whatever acts; half a character, which no file can hold, fits any."""
    whole = "".join("?" if "\ud800" <= letter <= "\udfff" else letter for letter in text)
    return yaml.safe_dump(whole, default_style='"', allow_unicode=False, width=float("inf")).rstrip("\n")


_UNREAD = 2
"""The exit code where a file could not be read: its workloads would be missing from the draft, and nobody would miss them."""


def init(options: Namespace) -> int:
    """Prints the draft, or writes it where no file is yet; raises BadFile where no workload is named."""
    now = clock_for(options.now)()
    others = documents_beside_files(options, NO_MANIFEST, now)
    opened = open_documents(options.files)
    documents = list(chain(opened.documents, *(one.documents for one in others)))
    for line in opened.refused:
        complain(line)
    if opened.refused:
        complain("no draft was made, since what these files name would be missing from it")
        return _UNREAD
    draft = draft_of(documents, now)
    if draft is None:
        names = [*options.files, *(one.words for one in others)]
        raise BadFile(f"{', '.join(names)}: no workload is named there, so there is nothing to expect")
    if unanswered := len(draft.result.unanswered):
        were = "was" if unanswered == 1 else "were"
        complain(
            f"{counted(unanswered, 'answer')} {were} refused or cut: the draft lacks what would have been named there"
        )
    if options.out is None:
        print_text(draft.text)
    else:
        _write(draft.text, options.out)
        print_lines([_summary(draft, options.out)])
    return 0


def _write(text: str, file: Path) -> None:
    """Writes a file that is not there yet: what people expect is not overwritten by what they have."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as out:
            out.write(text)
    except OSError as fault:
        if not file.exists():
            raise BadFile(f"{file}: cannot be written: {fault.strerror}") from fault
        raise BadFile(f"{file}: is there already, and a draft overwrites nothing; name another file") from fault


def _summary(draft: CoverageDraft, file: Path) -> str:
    rows = draft.result.assessed.rows
    gaps = sum(any(one.state is CoverageState.GAP for one in row.verdicts.values()) for row in rows)
    return f"{file}: expects {counted(len(rows), 'workload')}, of which {gaps:,} have a gap today"
