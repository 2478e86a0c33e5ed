"""What holds for machines whatever the documents are."""

from __future__ import annotations

import json
import shlex
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from router.coverage.documents import CoverageDocument
from router.coverage.gate import GateResult
from router.domain.coverage import CoverageState, Rung, Verdict
from router.domain.recommendation_table import EDR_INSTALLED, EDR_RUNNING, SQL_PROTECTED
from tests.coverage.builders import MACHINE, Json, document, judged, pricing, resource, verdict
from tests.coverage.machine_builders import (
    ARC,
    ARC_SQL,
    EXCLUDED,
    POSTURE,
    SET,
    SQL,
    ago,
    all_healthy,
    arc_machine,
    arc_sql,
    assessment,
    device,
    extension,
    health,
    joined,
    machine,
    scale_set,
    sql_extension,
    sql_machine,
)
from tests.examples import some_of

SAID: list[Any] = [
    machine(),
    machine(tags=EXCLUDED),
    machine(power="deallocated"),
    machine(power="running", resources=None),
    machine(timeCreated=ago(hours=1)),
    extension(),
    extension("Failed"),
    joined(None, None),
    joined("MDE.Linux", "Creating"),
    assessment(EDR_INSTALLED),
    assessment(EDR_INSTALLED, "Unhealthy"),
    assessment(EDR_INSTALLED, "NotApplicable", cause="Exempt"),
    all_healthy(),
    assessment(EDR_RUNNING[0], "Unhealthy"),
    POSTURE,
    pricing("FoundationalCspm", "Free"),
    health(),
    health(healthy=False),
    device(),
    device(seen=ago(days=30)),
    device(healthStatus="Inactive"),
    arc_machine(),
    arc_machine("Disconnected"),
    arc_machine("Expired"),
    extension(of=ARC, type="MDE.Windows"),
    joined(None, None, of=ARC),
    assessment(EDR_INSTALLED, of=ARC),
    all_healthy(ARC),
    scale_set("Uniform"),
    device(f"{SET}/virtualMachines/0"),
    device(f"{SET}/virtualMachines/0", healthStatus="Inactive"),
    sql_machine(),
    sql_extension(),
    sql_extension("Failed"),
    assessment("f00d", title=SQL_PROTECTED, of=SQL),
    assessment("f00d", "Unhealthy", title=SQL_PROTECTED),
    arc_sql("Protected", at=ago(hours=1)),
    arc_sql("Unprotected"),
    sql_extension(of=ARC),
    assessment("f00d", title=SQL_PROTECTED, of=ARC_SQL),
]
"""Every sort of document, saying the one thing and the other."""

DOCUMENTS = [
    one if isinstance(one, CoverageDocument) else document(one, f"{number}.json") for number, one in enumerate(SAID)
]


RUNGS = (Rung.SENSOR_INSTALLED, Rung.SENSOR_RUNNING)


def verdicts(result: GateResult) -> dict[tuple[str, str, Rung], Verdict]:
    """Every verdict on a sensor, by workload and rung."""
    return {(one.kind, one.subject, rung): said for one, rung, said in result.assessed.verdicts() if rung in RUNGS}


@settings(max_examples=some_of(500), deadline=None)
@given(st.sets(st.sampled_from(range(len(DOCUMENTS))), min_size=1, max_size=7))
def test_taking_a_document_away_never_covers(chosen: set[int]) -> None:
    """Save where documents contradict each other, of which the worse one counts, and of which it is said."""
    assume(not _contradict(chosen))
    before = verdicts(judged(*(DOCUMENTS[one] for one in chosen)))
    for gone in chosen:
        for key, said in verdicts(judged(*(DOCUMENTS[one] for one in chosen if one != gone))).items():
            if said.state is CoverageState.COVERED and key in before:
                assert before[key].state is CoverageState.COVERED, (key, before[key])


CONTRADICTIONS = [
    (extension(), extension("Failed")),
    (health(), health(healthy=False)),
    (health(), device(healthStatus="Inactive")),
    (device(), device(healthStatus="Inactive")),
    (device(), health(healthy=False)),
    (device(f"{SET}/virtualMachines/0"), device(f"{SET}/virtualMachines/0", healthStatus="Inactive")),
    (all_healthy(), health(healthy=False)),
    (all_healthy(), device(healthStatus="Inactive")),
    (all_healthy(), assessment(EDR_RUNNING[0], "Unhealthy")),
    (assessment(EDR_INSTALLED), assessment(EDR_INSTALLED, "Unhealthy")),
    (assessment(EDR_INSTALLED), assessment(EDR_INSTALLED, "NotApplicable", cause="Exempt")),
    (joined(None, None), extension("Failed")),
    (machine(power="running", resources=None), extension("Failed")),
    (joined("MDE.Linux", "Creating"), extension("Failed")),
    (machine(tags=EXCLUDED), machine()),
    (machine(tags=EXCLUDED), machine(power="deallocated")),
    (machine(tags=EXCLUDED), machine(power="running", resources=None)),
    (machine(tags=EXCLUDED), machine(timeCreated=ago(hours=1))),
    (POSTURE, pricing("FoundationalCspm", "Free")),
    (arc_machine(), arc_machine("Disconnected")),
    (arc_machine(), arc_machine("Expired")),
    (sql_extension(), sql_extension("Failed")),
    (arc_sql("Protected", at=ago(hours=1)), arc_sql("Unprotected")),
    (assessment("f00d", title=SQL_PROTECTED, of=ARC_SQL), arc_sql("Unprotected")),
    (assessment("f00d", title=SQL_PROTECTED, of=SQL), assessment("f00d", "Unhealthy", title=SQL_PROTECTED)),
]
"""Documents that cannot both be true of one sensor at one time."""


def _contradict(chosen: set[int]) -> bool:
    picked = [SAID[one] for one in chosen]
    return any(one in picked and other in picked for one, other in CONTRADICTIONS)


UNRELATED: list[Any] = [
    {"hello": "world"},
    [{"resourceId": MACHINE, "cost": 1}],
    resource(f"{MACHINE}-disk", "Microsoft.Compute/disks"),
    assessment("1195afff-c881-495e-9bc5-1486211ae03f", "Unhealthy"),
    extension(type="CustomScript", publisher="Microsoft.Azure.Extensions"),
    {"healthy": True, "name": "a probe of another product"},
    assessment(EDR_INSTALLED, of="/subscriptions/s/resourceGroups/r/providers/Microsoft.Web/sites/a"),
]


@settings(max_examples=some_of(200), deadline=None)
@given(
    st.lists(st.sampled_from(range(len(DOCUMENTS))), max_size=6, unique=True),
    st.sampled_from(UNRELATED),
    st.booleans(),
)
def test_an_unrelated_document_changes_nothing(chosen: list[int], other: object, is_first: bool) -> None:
    """Wherever it stands."""
    documents = [machine(), *(DOCUMENTS[one] for one in chosen)]
    before = verdicts(judged(*documents))
    after = verdicts(judged(other, *documents) if is_first else judged(*documents, other))
    assert {key: said.state for key, said in after.items()} == {key: said.state for key, said in before.items()}


HEALTH: Json = {"healthy": True, "licensed": True, "orgId": "a", "healthIssues": ["b"]}

JUNK: st.SearchStrategy[object] = st.sampled_from(
    [None, True, 0, -1, 1e308, "", " ", "True", "é\x00", [], {}, [None], [[]], {"": {}}, "9999-99-99"]
)


@settings(max_examples=some_of(600), deadline=None)
@given(
    st.sampled_from([one for one in SAID if not isinstance(one, CoverageDocument)] + [HEALTH]),
    st.randoms(use_true_random=False),
    st.lists(JUNK, min_size=1, max_size=4),
)
def test_no_document_raises(said: Json, random: Any, junk: list[object]) -> None:
    """Whatever stands where something else is expected."""
    mutated = json.loads(json.dumps(said))
    for one in junk:
        mutated = _replaced(mutated, random, one)
    judged(document(mutated, given="web-1"), machine(), POSTURE)


def _replaced(value: Any, random: Any, junk: object) -> Any:
    """The value with one thing in it replaced, somewhere down."""
    if isinstance(value, dict) and value and random.random() < 0.9:
        key = random.choice(sorted(value))
        return {**value, key: _replaced(value[key], random, junk)}
    if isinstance(value, list) and value and random.random() < 0.9:
        at = random.randrange(len(value))
        return [*value[:at], _replaced(value[at], random, junk), *value[at + 1 :]]
    return junk


@settings(max_examples=some_of(100), deadline=None)
@given(st.text(st.characters(exclude_characters="/", exclude_categories=["Cs"]), min_size=1, max_size=12))
def test_a_name_cannot_leave_its_quotes(name: str) -> None:
    """A shell reads the name of a machine in a remedy as one word."""
    id = MACHINE.replace("web-1", f"x{name}x")
    found = verdict(judged(extension("Failed", of=id)), f"x{name}x", Rung.SENSOR_INSTALLED)
    assert f"x{name}x" in shlex.split(found.remedy or "")
