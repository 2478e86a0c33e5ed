"""The bundled story: every toggle is green, one cluster is dark, and each document is needed to say that the others are not."""

from __future__ import annotations

from pathlib import Path

import pytest

import alert_router_demo as demo
from router.coverage.documents import CoverageDocument, read_document
from router.coverage.expected.loading import read_coverage
from router.coverage.expected.manifest import DEFAULT_RUNGS, NO_MANIFEST
from router.coverage.gate import GateResult, judge_documents
from router.coverage.verdicts import CoverageState, Verdict
from router.domain.coverage import Rung
from tests.coverage.builders import NOW, verdict

SAMPLES = Path(demo.__file__).parent / "samples" / "coverage"
AZURE = ("pricings.json", "settings.json", "clusters.json")
HEALTHY = ("aks-cards=cards.json", "aks-ledger=ledger.json")
DARK = (*AZURE, *HEALTHY, "aks-payouts=payouts.json")
MENDED = (*AZURE, *HEALTHY, "aks-payouts=mended.json")
LABEL = "pod-security.kubernetes.io/enforce"


def test_the_dark_cluster_is_the_only_gap_and_its_reason_is_said() -> None:
    """Pod Security, the label, and the command that changes it; the neighbours are covered, and cover nothing of it."""
    gaps = {(name, rung): one for name, rung, one in _verdicts(DARK) if one.state is not CoverageState.COVERED}
    assert gaps.keys() == {("aks-payouts", Rung.SENSOR_RUNNING)}
    (found,) = gaps.values()
    assert found.state is CoverageState.GAP
    assert "Pod Security" in found.reason and f"{LABEL}=baseline" in found.reason
    assert found.remedy == f"kubectl label namespace kube-system {LABEL}=privileged --overwrite --context aks-payouts"


def test_it_is_covered_on_every_rung_that_is_expected_when_it_is_mended() -> None:
    """Nothing is left to ask: a stranger who follows the story sees it end well."""
    found = list(_verdicts(MENDED))
    assert {one.state for _, _, one in found} == {CoverageState.COVERED}
    cluster = {rung for name, rung, _ in found if name == "aks-payouts"}
    assert cluster == DEFAULT_RUNGS


@pytest.mark.parametrize("left_out", DARK)
def test_whatever_is_left_out_of_the_story_covers_nothing_of_it(left_out: str) -> None:
    """Each document was needed: without it less is covered, and the dark cluster never is."""
    whole = {(name, rung) for name, rung, one in _verdicts(DARK) if one.state is CoverageState.COVERED}
    less = _judged([one for one in DARK if one != left_out])
    covered = {(work.name, rung) for work, rung, one in less.assessed.verdicts() if one.state is CoverageState.COVERED}
    assert covered <= whole
    assert covered < whole or left_out == "settings.json", "which speaks of machines, and there are none"


def test_the_manifest_misses_the_cluster_that_no_document_names() -> None:
    """Without it nobody would."""
    manifest = read_coverage(SAMPLES / "expected", NOW).manifest
    assert manifest is not None
    documents = [_document(one) for one in ("pricings.json", *HEALTHY)]
    result = judge_documents(documents, manifest, NOW)
    assert verdict(result, "aks-payouts", Rung.SENSOR_RUNNING).state is CoverageState.UNKNOWN
    names = {row.workload.name for row in judge_documents(documents, NO_MANIFEST, NOW).assessed.rows}
    assert "aks-payouts" not in names


def _verdicts(arguments: tuple[str, ...]) -> list[tuple[str, Rung, Verdict]]:
    return [(workload.name, rung, one) for workload, rung, one in _judged(arguments).assessed.verdicts()]


def _judged(arguments: tuple[str, ...] | list[str]) -> GateResult:
    return judge_documents([_document(one) for one in arguments], NO_MANIFEST, NOW)


def _document(argument: str) -> CoverageDocument:
    given, _, name = argument.rpartition("=")
    return read_document((SAMPLES / name).read_bytes(), name, given or None)
