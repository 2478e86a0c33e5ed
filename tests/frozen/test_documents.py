"""Documents about coverage as they were first written, which every later program reads."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from router.domain.coverage_facts import (
    AssessmentArrival,
    CoverageAssessment,
    assessments_in,
    document_of_assessments,
    joined,
)
from router.domain.coverage_sources import (
    CoverageSource,
    CoverageSourceKind,
    HeardAlert,
    LastHeard,
    document_of_last_heard,
    find_last_heard,
)
from router.domain.documents import DocumentKind, StoredDocument
from tests.builders import NOW

BODIES: dict[str, Any] = json.loads((Path(__file__).parent / "documents.json").read_bytes())
DAY, HOUR = timedelta(days=1), timedelta(hours=1)

SOURCE = LastHeard(
    source=CoverageSource(
        CoverageSourceKind.CLUSTER,
        "/subscriptions/s/resourcegroups/g/providers/microsoft.containerservice/managedclusters/shop",
    ),
    subscription="s",
    posture=NOW,
    snapshot=NOW - DAY,
    healthy=NOW - 2 * DAY,
    alert=NOW - 3 * DAY,
    real_alert=NOW - 4 * DAY,
    by_watcher=(HeardAlert(NOW - 5 * DAY, "K8S.NODE_EICAR"), HeardAlert(NOW - 4 * DAY, "K8S_ExposedDashboard")),
)
STANDING = CoverageAssessment(
    id="/vm/providers/microsoft.security/assessments/k",
    key="K",
    resource="/vm",
    title="A sensor",
    source="Aws",
    native="arn:aws:ec2:eu-west-1:1:instance/i",
    code="NotApplicable",
    cause="Exempt",
    description="somebody answers for it",
    changed=NOW - 2 * HOUR,
    arrival=AssessmentArrival(NOW, "cspm/0", 7, 1),
)
DELETED = CoverageAssessment(
    id=STANDING.id,
    key="K",
    resource="/vm",
    title="A sensor",
    arrival=AssessmentArrival(NOW - HOUR, "cspm/1", 6),
)


def stored(kind: DocumentKind) -> StoredDocument:
    """A document as it was written."""
    return StoredDocument(kind=kind, id="x", at=NOW, body=json.dumps(BODIES[kind], separators=(",", ":")).encode())


def test_when_a_source_was_last_heard_of_is_read_and_written_as_it_was() -> None:
    """Every field of it."""
    document = stored(DocumentKind.SOURCE)
    assert find_last_heard(document) == SOURCE
    assert document_of_last_heard(SOURCE, NOW).body == document.body


def test_what_is_known_of_a_resource_is_read_and_written_as_it_was() -> None:
    """What holds, and what would end it."""
    document = stored(DocumentKind.FACT)
    assert assessments_in(document, NOW) == [STANDING, DELETED]
    assert document_of_assessments(joined([DELETED, STANDING]), NOW).body == document.body
