"""A drill proves the path for a time; what did not arrive is named, and what proves nothing covers nothing."""

from __future__ import annotations

import shlex
from datetime import timedelta
from typing import Any

import pytest

from router.cli.parser import new_parser
from router.coverage.judges.alerts import LATELY
from router.coverage.verdicts import CoverageState, Verdict
from router.domain.clocks import SKEW
from router.domain.coverage import Rung
from tests.coverage.builders import NOW, SUBSCRIPTION, expecting, judged, pricing, verdict
from tests.coverage.machine_builders import ago
from tests.coverage.stored_builders import drill, of_state

COVERED, GAP, UNKNOWN = CoverageState.COVERED, CoverageState.GAP, CoverageState.UNKNOWN
JUST = timedelta(microseconds=1)
AGAIN = f"alert-router drill --subscription {SUBSCRIPTION} --bundle"


def of(*documents: object) -> Verdict:
    """What is known of the path of the subscription."""
    return verdict(judged(pricing("Containers"), *documents, manifest=expecting(Rung.PATH)), SUBSCRIPTION, Rung.PATH)


@pytest.mark.parametrize(
    ("ended", "state"),
    [
        (NOW + SKEW, COVERED),
        (NOW + SKEW + JUST, UNKNOWN),
        (NOW - LATELY, COVERED),
        (NOW - LATELY - JUST, UNKNOWN),
        ("yesterday", UNKNOWN),
        ("", UNKNOWN),
        ([], UNKNOWN),
    ],
)
def test_a_drill_that_passed_proves_the_path_for_a_time(ended: object, state: CoverageState) -> None:
    """Keys are rotated in the meantime; one that does not say when it ended proves nothing."""
    found = of(drill(ended=str(ended) if ended != [] else ended))
    assert found.state is state
    assert (found.remedy is None) is (state is COVERED)
    assert found.remedy in (None, f"{AGAIN} VirtualMachines")


def test_a_drill_that_failed_is_a_gap_that_names_the_hop() -> None:
    """With the seconds before it, however long ago that was; what is proposed is the same drill again."""
    found = of(drill("failed", bundle="KeyVaults", ended=ago(days=90)))
    assert found.state is GAP
    assert found.reason == (
        "the drill of KeyVaults failed 90 days ago: nothing came to the hub within 15 minutes "
        "(raised 2.5 s, nothing came over the hop hub)"
    )
    assert found.remedy == f"{AGAIN} KeyVaults"


def test_a_drill_in_a_cluster_or_at_a_machine_is_proposed_again_as_it_was() -> None:
    """Each is a drill of its own, beside those of bundles."""
    again = AGAIN.removesuffix("--bundle")
    assert of(drill("failed", bundle=None, plan="Containers", cluster="aks-1")).remedy == f"{again}--cluster aks-1"
    assert of(drill("failed", bundle=None, plan="VirtualMachines", machine="/m")).remedy == f"{again}--machine /m"
    assert of(drill("failed", cluster="aks-1"), drill(ended=NOW.isoformat())).state is GAP
    for line in (f"{AGAIN} KeyVaults", f"{again}--cluster aks-1", f"{again}--machine /m"):
        assert new_parser().parse_args(shlex.split(line)[1:]).subscription == SUBSCRIPTION


@pytest.mark.parametrize("word", ["not proven", "PASSED?", "maybe", "covered"])
def test_whatever_did_not_pass_proves_nothing(word: str) -> None:
    """A destination that rules keep samples from has seen none."""
    assert of(drill(word)).state is UNKNOWN
    assert of(drill("Passed", failed_hop=None)).state is COVERED


@pytest.mark.parametrize(
    "said",
    [
        {"destinations": []},
        {"destinations": None},
        {"destinations": [{"name": "pager"}]},
        {"destinations": [{"name": "pager", "verdict": "passed"}, {"name": "siem", "verdict": "not proven"}]},
        {"destinations": [{"name": "pager", "verdict": "failed"}]},
        {"failed_hop": "hub"},
    ],
)
def test_a_drill_that_contradicts_itself_proves_nothing(said: dict[str, Any]) -> None:
    """Somebody wrote it by hand, or cut it: a drill passes where each destination took a notice, and only then."""
    found = of(drill(**said))
    assert (found.state, found.remedy) == (UNKNOWN, f"{AGAIN} VirtualMachines")


def test_a_drill_that_passed_says_whom_it_left_out_and_is_none_if_a_destination_did_not_take_it() -> None:
    """With --to it proves some; a result that somebody edited proves nothing."""
    found = of(drill(left_out=["oncall", "rows"]))
    assert found.state is COVERED
    assert "passed" in found.reason
    assert ", without oncall, rows" in found.reason
    assert of(drill(left_out="oncall")).state is COVERED
    steps = [{"name": "oncall", "verdict": "passed"}, {"name": "tickets", "verdict": "failed"}]
    assert of(drill(destinations=steps)).state is UNKNOWN


def test_of_one_bundle_the_last_drill_counts_and_of_several_the_worst() -> None:
    """One that failed is mended by one that passed later, and not by one of another bundle."""
    passed, failed = drill(), drill("failed", ended=ago(days=2))
    assert of(passed, failed).state is COVERED
    assert of(drill(ended=ago(days=3)), failed).state is GAP
    assert of(drill(ended=ago(days=2)), failed).state is GAP
    assert of(drill(bundle="KeyVaults"), failed).state is GAP
    found = of(drill(bundle="KeyVaults"), drill("not proven"))
    assert (found.state, "VirtualMachines proved nothing" in found.remarks[0]) == (COVERED, True)


def test_a_drill_of_another_subscription_says_nothing_of_this_one() -> None:
    """It is about its own; where no drill was nobody expects the path unless the manifest does."""
    assert of(drill(subscription="22222222-2222-2222-2222-222222222222")).state is UNKNOWN
    assert of(drill(subscription=f"/subscriptions/{SUBSCRIPTION.upper()}")).state is COVERED
    plain = judged(pricing("Containers"), drill())
    assert verdict(plain, SUBSCRIPTION, Rung.PATH).state is COVERED
    assert [rung for _, rung, _ in judged(pricing("Containers")).assessed.verdicts()] == [Rung.PLAN]


def test_a_drill_is_read_from_a_state_as_from_a_file() -> None:
    """`drill --format json` prints what the state has."""
    assert of(*of_state(drill())).state is of(drill()).state is COVERED
