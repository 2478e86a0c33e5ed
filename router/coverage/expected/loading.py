"""rules/coverage.yaml: what Defender must watch, and what need not be so for a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from router.coverage.expected.form import CoverageForm, ExpectationForm
from router.coverage.expected.manifest import FILE, NO_MANIFEST, CoverageManifest, Excuse, Expectation, ExpectedExport
from router.coverage.expected.problems import find_doubts, find_kind_hint, find_overlaps, known_extensions
from router.coverage.plans.table import PLANS
from router.coverage.verdicts import CoverageException
from router.rulebook.clauses import SEVERITIES
from router.rulebook.folder import Folder
from router.rulebook.policy_form import timedelta_for
from router.rulebook.problems import Problem
from router.rulebook.validation_messages import complaints_of, find_sound

_MISSING: Mapping[str, tuple[str, str]] = {
    "ends": ("is missing: an exception must end", "no-end"),
    "owner": ("is missing: somebody must answer for an exception", "no-owner"),
}
"""The messages and codes of keys that an exception lacks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageFile:
    """A coverage.yaml as it was read: its manifest, None if a problem stops it, and problems and warnings by line."""

    manifest: CoverageManifest | None
    problems: tuple[Problem, ...] = ()


def read_coverage(rules: Path, now: datetime) -> CoverageFile:
    """Read the coverage.yaml of a rules directory; the manifest is NO_MANIFEST if there is none.

    It is read by itself: what is expected of Defender changes no decision, and so not the hash of any rules.
    """
    folder = Folder(rules)
    if not folder.has(FILE):
        return CoverageFile(manifest=NO_MANIFEST)
    manifest = _read(folder, now)
    return CoverageFile(manifest=manifest, problems=folder.problems)


def _read(folder: Folder, now: datetime) -> CoverageManifest | None:
    """Return the manifest, unless a problem stops it; problems are noted in the folder."""
    if (document := folder.read(FILE)) is None:
        return None
    for path, message, code in complaints_of(CoverageForm, document.value):
        missing = _MISSING.get(str(path[-1])) if code == "missing-key" else None
        if kind := find_kind_hint(document.value, path):
            message = message.partition("; did you mean")[0] + kind
        text, sort = missing or (message, code)
        folder.note(document, path, text, code=sort)
    if (form := find_sound(CoverageForm, document.value)) is None:
        return None
    for doubt in find_doubts(form, now):
        folder.note(document, doubt.path, doubt.message, doubt.level, doubt.code)
    if not folder.is_sound:
        return None
    manifest = build_manifest(form)
    for doubt in find_overlaps(manifest):
        folder.note(document, doubt.path, doubt.message, doubt.level, doubt.code)
    return manifest


def build_manifest(form: CoverageForm) -> CoverageManifest:
    """Return the manifest of a form without a problem."""
    within, export = timedelta_for(form.heard_within), form.export
    if form.expect is None:
        expectations = tuple(replace(one, heard_within=within) for one in NO_MANIFEST.expectations)
    else:
        expectations = tuple(_expectation(entry, within, number) for number, entry in enumerate(form.expect, 1))
    return CoverageManifest(
        expectations=expectations,
        excuses=tuple(
            Excuse(
                selects=one.selector,
                rungs=frozenset(one.rungs or ()),
                exception=CoverageException(owner=one.owner.strip(), reason=one.reason.strip(), ends=one.ends),
                number=number,
            )
            for number, one in enumerate(form.exceptions, 1)
        ),
        export=ExpectedExport(
            alerts=export.alerts,
            posture=export.posture,
            severities=frozenset(SEVERITIES[name] for name in export.severities),
        )
        if export is not None
        else None,
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
