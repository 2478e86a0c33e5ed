"""Every document of ../shared/samples/coverage, and some of its neighbours, read as a careful person reads it."""

from __future__ import annotations

import json
import re

import pytest

from router.coverage.documents import CoverageDocument
from router.coverage.gate import GateResult, judge_documents
from router.coverage.readers import read_facts
from router.coverage.readers.messages import AlertFact
from tests.coverage.builders import document
from tests.coverage.sample_rows import REFUSED, ROWS, SampleRow, answers_in
from tests.samples import SAMPLES

pytestmark = pytest.mark.shared


@pytest.mark.parametrize("row", ROWS, ids=lambda row: "+".join(one.rpartition("/")[2] for one in row.files))
def test_a_sample_is_read_as_a_careful_person_reads_it(row: SampleRow) -> None:
    """By the whole gate: which workloads come of it, each rung of them with its state, and why."""
    result = _judged(row)
    found = {f"{one.workload.name} {one.workload.subject} {one.workload.kind}": one for one in result.assessed.rows}
    assert len(found) == len(row.verdicts), list(found)
    for words, states in row.verdicts.items():
        (name,) = [name for name in found if all(word in name for word in words.split())]
        said = {str(rung): str(one.state) for rung, one in found[name].verdicts.items()}
        assert said == dict(one.split(" ", 1) for one in states.split(", ")), name
    texts = [text for _, text in result.unused]
    for _, _, verdict in result.assessed.verdicts():
        counts = ", ".join(sorted(f"{state} {many}" for state, many in (verdict.counts or {}).items()))
        texts += [verdict.reason, *verdict.remarks, counts]
    for words in row.words:
        assert any(re.search(rf"(?<!\w){re.escape(words)}", text) for text in texts), (words, texts)
    if row.posture is not None:
        assert {one.subscription[:8]: one.is_known_on for one in result.posture} == row.posture


def test_each_sample_of_coverage_has_a_row() -> None:
    """One that is added must be read, too."""
    read = {file for row in ROWS for file in SAMPLES.glob(row.files[0])} | set(SAMPLES.glob(REFUSED))
    assert [str(one) for one in sorted((SAMPLES / "coverage").rglob("*.json")) if one not in read] == []


@pytest.mark.parametrize(
    ("name", "samples"),
    [
        ("demisto-content/alerts_2022-01-01_api_excerpt.json", {True}),
        ("azure-rest-api-specs/stable/2019-01-01/examples/Alerts/GetAlertsSubscription_example.json", {False}),
        ("azure-rest-api-specs/preview/2015-06-01-preview/examples/Alerts/GetAlertsSubscription_example.json", {False}),
        ("coverage/arm/alerts.simulate.request.2022-01-01.from-typespec.json", set()),
    ],
)
def test_which_alerts_are_samples(name: str, samples: set[bool]) -> None:
    """A request to make some is no alert."""
    alerts = [fact for fact in read_facts(_sample(name)) if isinstance(fact, AlertFact)]
    assert {fact.is_sample for fact in alerts} == samples
    assert all(fact.time is not None and fact.type for fact in alerts)


def _judged(row: SampleRow) -> GateResult:
    is_of_cluster = any(part in row.files[0] for part in ("/kubectl/", "/gatekeeper/"))
    given = "payments" if is_of_cluster else None
    beside = [document(one, f"{number}.json", given) for number, one in enumerate(row.beside)]
    return judge_documents([*(_sample(one, given) for one in row.files), *beside], row.manifest, row.now)


def _sample(name: str, given: str | None = None) -> CoverageDocument:
    (path,) = SAMPLES.glob(name)
    return document(answers_in(json.loads(path.read_bytes())), path.name, given)
