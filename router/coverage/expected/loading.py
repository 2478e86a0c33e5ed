"""rules/coverage.yaml: what Defender must watch, and what need not be so for a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

from router.coverage.expected.doubts import RungsOf, known_extensions, unclear_parts
from router.coverage.expected.form import CoverageForm, ExceptionForm, ExpectationForm, ExportForm
from router.coverage.expected.kinds import kind_meant
from router.coverage.expected.manifest import NO_MANIFEST, CoverageManifest, Excuse, Expectation, ExpectedExport
from router.coverage.expected.overlaps import covered_entries, exceptions_in_vain
from router.coverage.plans.table import PLANS
from router.coverage.verdicts import CoverageException
from router.rulebook.clauses import SEVERITIES
from router.rulebook.documents import Document
from router.rulebook.folder import Folder
from router.rulebook.policy_form import timedelta_for
from router.rulebook.problems import Problem
from router.rulebook.validation_messages import complaints_of, find_sound

FILE = "coverage.yaml"

_MISSING: Mapping[str, tuple[str, str]] = {
    "ends": ("is missing: an exception must end", "no-end"),
    "owner": ("is missing: somebody must answer for an exception", "no-owner"),
}
"""What to say of keys that an exception lacks, and the codes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageFile:
    """What coverage.yaml says.

    Attributes:
        manifest: what is expected; None where a problem stops it.
        problems: problems and warnings, by line.
        document: the file; None where there is none, or it could not be read.
    """

    manifest: CoverageManifest | None
    problems: tuple[Problem, ...] = ()
    document: Document | None = None


def read_coverage(rules: Path, rungs_of: RungsOf, now: datetime) -> CoverageFile:
    """What the coverage.yaml of a rules directory says at `now`; NO_MANIFEST where there is none.

    It is read by itself: what is expected of Defender changes no decision, and so not the hash of any rules.
    """
    folder = Folder(rules)
    if not folder.has(FILE):
        return CoverageFile(manifest=NO_MANIFEST)
    if (document := folder.read(FILE)) is None:
        return CoverageFile(manifest=None, problems=folder.problems)
    for path, message, code in complaints_of(CoverageForm, document.value):
        missing = _MISSING.get(str(path[-1])) if code == "missing-key" else None
        if meant := kind_meant(document.value, path):
            message = message.partition("; did you mean")[0] + meant
        said, sort = missing or (message, code)
        folder.note(document, path, said, code=sort)
    if (form := find_sound(CoverageForm, document.value)) is None:
        return CoverageFile(manifest=None, problems=folder.problems, document=document)
    for doubt in unclear_parts(form, rungs_of, now):
        folder.note(document, *doubt)
    if not folder.is_sound:
        return CoverageFile(manifest=None, problems=folder.problems, document=document)
    manifest = manifest_of(form)
    for doubt in (*covered_entries(manifest), *exceptions_in_vain(manifest, rungs_of)):
        folder.note(document, *doubt)
    return CoverageFile(manifest=manifest, problems=folder.problems, document=document)


def manifest_of(form: CoverageForm) -> CoverageManifest:
    """What a form without a problem means."""
    within = timedelta_for(form.heard_within)
    if form.expect is None:
        expectations = tuple(replace(one, heard_within=within) for one in NO_MANIFEST.expectations)
    else:
        expectations = tuple(_expectation(entry, within, number) for number, entry in enumerate(form.expect, 1))
    return CoverageManifest(
        expectations=expectations,
        excuses=tuple(map(_excuse, form.exceptions, count(1))),
        export=_export(form.export) if form.export is not None else None,
        expects_posture=form.posture,
        is_given=True,
    )


def _expectation(form: ExpectationForm, within: timedelta, number: int) -> Expectation:
    plans = [(PLANS[name.lower()], sub_plan) for name, sub_plan in (form.plans or {}).items()]
    spelled = {name.lower(): name for name in known_extensions(form)}
    return Expectation(
        selects=form.selector,
        rungs=frozenset(form.rungs) if form.rungs is not None else None,
        plans={plan.name: found.name if (found := plan.find_sub_plan(sub_plan)) else None for plan, sub_plan in plans},
        extensions=frozenset(spelled.get(name.lower(), name) for name in form.extensions or ()),
        heard_within=timedelta_for(form.heard_within) if form.heard_within is not None else within,
        number=number,
    )


def _excuse(form: ExceptionForm, number: int) -> Excuse:
    return Excuse(
        selects=form.selector,
        rungs=frozenset(form.rungs or ()),
        exception=CoverageException(owner=form.owner.strip(), reason=form.reason.strip(), ends=form.ends),
        number=number,
    )


def _export(form: ExportForm) -> ExpectedExport:
    return ExpectedExport(
        alerts=form.alerts, posture=form.posture, severities=frozenset(SEVERITIES[name] for name in form.severities)
    )
