"""What a router knows, as it keeps it: what messages said of a resource, when a source was last heard of, a drill."""

import json
from collections.abc import Iterable
from functools import partial

from router.coverage.documents import CoverageDocument
from router.coverage.stored import documents_of_state
from router.domain.coverage_sources import CoverageSourceKind
from router.domain.documents import DocumentKind, StoredDocument
from router.domain.silent_sources import KnownSource
from tests.coverage.builders import NOW, SUBSCRIPTION, Json, heard_by
from tests.coverage.machine_builders import ago

PASSED = "passed"


def said(*assessments: Json, seen: object = None) -> list[Json]:
    """What messages said of a resource; yesterday, unless it is said when."""
    return [{**one, "seen": ago(days=1) if seen is None else seen} for one in assessments]


def heard(
    kind: CoverageSourceKind = CoverageSourceKind.SUBSCRIPTION, subject: str = SUBSCRIPTION, **fields: object
) -> Json:
    """When a source was last heard of."""
    return {"alertRouter": "source", "kind": kind, "subject": subject, "subscription": SUBSCRIPTION, **fields}


def drill(
    verdict: str = PASSED, *, ended: object = None, bundle: str | None = "VirtualMachines", **fields: object
) -> Json:
    """What came of a drill; yesterday, unless it is said when."""
    return {
        "alertRouter": "drill",
        "subscription": SUBSCRIPTION,
        "bundle": bundle,
        "plan": None,
        "cluster": None,
        "machine": None,
        "began": ago(days=1, minutes=4),
        "ended": ago(days=1) if ended is None else ended,
        "verdict": verdict,
        "reason": "all arrived" if verdict == PASSED else "nothing came to the hub within 15 minutes",
        "failed_hop": None if verdict == PASSED else "hub",
        "hops": [{"hop": "raised", "seconds": 2.5}, *([{"hop": "hub", "seconds": 100}] if verdict == PASSED else [])],
        "destinations": [{"name": "pager", "verdict": verdict, "seconds": 3, "receipt": "P-1"}],
        **fields,
    }


def of_state(*bodies: object) -> Iterable[CoverageDocument]:
    """The documents of a state in which these bodies and sources are."""
    sources = [one for one in bodies if isinstance(one, dict) and one.get("alertRouter") == "source"]
    rest = (one if isinstance(one, bytes) else json.dumps(one).encode() for one in bodies if one not in sources)
    stored = partial(StoredDocument, kind=DocumentKind.FACT, at=NOW)
    kept = [stored(id=f"one-{number}", body=body) for number, body in enumerate(rest)]
    return documents_of_state("stream (.state)", kept, [KnownSource(heard=heard_by(one)) for one in sources])
