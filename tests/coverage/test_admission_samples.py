"""Upstream manifests of Gatekeeper, as a careful person reads them: something is to be deployed, and nothing is proved."""

from __future__ import annotations

from pathlib import Path

import pytest

from router.coverage.documents import CoverageDocument, read_document
from router.domain.coverage import CoverageState
from tests.coverage.admission_builders import AUDIT, MANAGER, a_constraint, a_pod, audits, denies
from tests.coverage.builders import kubectl

SAMPLES = Path(__file__).parents[3] / "shared" / "samples" / "coverage" / "gatekeeper"
WEBHOOK = "ValidatingWebhookConfiguration.gatekeeper-validating-webhook-configuration"
DEPLOYMENTS = ("Deployment.gatekeeper-audit", "Deployment.gatekeeper-controller-manager")
MUTATING, NAMESPACE = (
    "MutatingWebhookConfiguration.gatekeeper-mutating-webhook-configuration",
    "Namespace.gatekeeper-system",
)

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not SAMPLES.is_dir(), reason="needs the samples of ../shared"),
]

COVERED, UNKNOWN = CoverageState.COVERED, CoverageState.UNKNOWN


def samples(*names: str) -> list[CoverageDocument]:
    """Some of the manifests."""
    return [read_document((SAMPLES / f"{name}.json").read_bytes(), f"{name}.json") for name in names]


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ((WEBHOOK,), "nobody asked for the pods of gatekeeper-controller-manager"),
        (DEPLOYMENTS, "nobody asked for the webhook validation.gatekeeper.sh"),
        ((WEBHOOK, *DEPLOYMENTS), "the Deployment gatekeeper-controller-manager says nothing of pods that are ready"),
        ((MUTATING,), "nobody asked which gates stand before the cluster"),
        ((NAMESPACE,), "nobody asked which gates stand before the cluster"),
        ((WEBHOOK, *DEPLOYMENTS, MUTATING, NAMESPACE), "nobody asked for its constraints"),
    ],
)
def test_a_manifest_says_what_is_wanted_and_not_what_runs(names: tuple[str, ...], says: str) -> None:
    """They have no status; each row is a set of files that somebody may have at hand."""
    for rung in (audits, denies):
        found = rung(*samples(*names))
        assert found.state is UNKNOWN
        assert says in found.reason


def test_the_upstream_webhook_is_asked_about_new_pods() -> None:
    """With ready pods and a constraint beside it, it audits; its failure policy and the namespace left out are said."""
    rest = kubectl(a_pod(MANAGER), a_pod(AUDIT), a_constraint("deny"))
    found = audits(*samples(WEBHOOK, NAMESPACE), rest)
    assert found.state is COVERED
    assert denies(*samples(WEBHOOK), rest).state is COVERED
    for part in ("failurePolicy Ignore", "is not asked in namespace gatekeeper-system"):
        assert any(part in one for one in found.remarks), part
