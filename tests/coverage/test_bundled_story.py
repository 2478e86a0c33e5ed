"""The bundled story: every toggle is green, one cluster is dark, and each document is needed to say that the others are not."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import alert_router_demo as demo
from router.coverage.documents import CoverageDocument, read_document
from router.coverage.expected.loading import read_coverage
from router.coverage.expected.manifest import DEFAULT_RUNGS, NO_MANIFEST
from router.coverage.gate import judge_documents
from router.coverage.verdicts import Verdict
from router.domain.coverage import Rung
from tests.coverage.builders import COVERED, GAP, NOW, UNKNOWN, verdict

SAMPLES = Path(demo.__file__).parent / "samples" / "coverage"
AZURE = ("pricings.json", "settings.json", "clusters.json")
HEALTHY = ("aks-cards=cards.json", "aks-ledger=ledger.json")
DARK = (*AZURE, *HEALTHY, "aks-payouts=payouts.json")
MENDED = (*AZURE, *HEALTHY, "aks-payouts=mended.json")
LABEL = "pod-security.kubernetes.io/enforce"


def test_the_dark_cluster_is_the_only_gap_and_its_reason_is_said() -> None:
    """Pod Security, the label, and the command that changes it; the neighbours are covered, and cover nothing of it."""
    gaps = {(name, rung): one for name, rung, one in _verdicts(DARK) if one.state is not COVERED}
    assert gaps.keys() == {("aks-payouts", Rung.SENSOR_RUNNING)}
    (found,) = gaps.values()
    assert found.state is GAP
    assert "Pod Security" in found.reason and f"{LABEL}=baseline" in found.reason
    assert found.remedy == f"kubectl label namespace kube-system {LABEL}=privileged --overwrite --context aks-payouts"


def test_it_is_covered_on_every_rung_that_is_expected_when_it_is_mended() -> None:
    """Nothing is left to ask: a stranger who follows the story sees it end well."""
    found = list(_verdicts(MENDED))
    assert {one.state for _, _, one in found} == {COVERED}
    cluster = {rung for name, rung, _ in found if name == "aks-payouts"}
    assert cluster == DEFAULT_RUNGS


def test_whatever_is_left_out_of_the_story_covers_nothing_of_it() -> None:
    """Each document was needed: without it less is covered, and the dark cluster never is."""
    whole = {(name, rung) for name, rung, one in _verdicts(DARK) if one.state is COVERED}
    for left_out in DARK:
        less = _verdicts(one for one in DARK if one != left_out)
        covered = {(name, rung) for name, rung, one in less if one.state is COVERED}
        assert covered <= whole
        assert covered < whole or left_out == "settings.json", "which speaks of machines, and there are none"


def test_the_manifest_misses_the_cluster_that_no_document_names() -> None:
    """Without it nobody would."""
    manifest = read_coverage(SAMPLES / "expected", NOW).manifest
    assert manifest is not None
    documents = [_document(one) for one in ("pricings.json", *HEALTHY)]
    result = judge_documents(documents, manifest, NOW)
    assert verdict(result, "aks-payouts", Rung.SENSOR_RUNNING).state is UNKNOWN
    names = {row.workload.name for row in judge_documents(documents, NO_MANIFEST, NOW).assessed.rows}
    assert "aks-payouts" not in names


def _verdicts(arguments: Iterable[str]) -> list[tuple[str, Rung, Verdict]]:
    result = judge_documents([_document(one) for one in arguments], NO_MANIFEST, NOW)
    return [(workload.name, rung, one) for workload, rung, one in result.assessed.verdicts()]


def _document(argument: str) -> CoverageDocument:
    given, _, name = argument.rpartition("=")
    return read_document((SAMPLES / name).read_bytes(), name, given or None)
