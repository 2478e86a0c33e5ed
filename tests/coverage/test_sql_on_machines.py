"""SQL Server on machines: the plan alone is nothing."""

from __future__ import annotations

import pytest

from router.coverage.verdicts import CoverageState, Verdict
from router.domain.coverage import Rung
from router.domain.recommendations import SQL_PROTECTED
from tests.coverage.builders import MACHINE, judged, pricing, verdict
from tests.coverage.machine_builders import (
    ARC,
    ARC_SQL,
    POSTURE,
    SQL,
    ago,
    arc_machine,
    arc_sql,
    assessment,
    extension,
    machine,
    sql_extension,
    sql_machine,
)

COVERED, GAP, UNKNOWN = CoverageState.COVERED, CoverageState.GAP, CoverageState.UNKNOWN
STOPPED = CoverageState.NOT_COVERABLE
KEY = "f00d"


def known(rung: Rung, *documents: object, name: str = "ledger") -> Verdict:
    """What is known of a SQL Server on a rung."""
    return verdict(judged(*documents), name, rung)


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ([pricing("SqlServerVirtualMachines")], UNKNOWN),
        ([sql_extension()], COVERED),
        ([sql_extension("Failed")], GAP),
        ([sql_extension("Creating")], UNKNOWN),
        ([sql_extension("Failed"), sql_extension()], GAP),
        ([extension(type="MDE.Windows")], UNKNOWN),
        ([machine(resources=[extension(type="MDE.Windows")])], GAP),
        ([machine(resources=[sql_extension()])], COVERED),
        ([machine(resources=None, timeCreated=ago(hours=1))], UNKNOWN),
        ([machine(power="deallocated")], STOPPED),
        ([sql_extension(of=MACHINE.replace("web-1", "web-2"))], UNKNOWN),
    ],
)
def test_the_extension_of_its_machine_says_whether_the_sensor_is_there(
    said: list[object], state: CoverageState
) -> None:
    """Neither the plan nor Defender for Endpoint does."""
    assert known(Rung.SENSOR_INSTALLED, sql_machine(), *said).state is state


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ([], UNKNOWN),
        ([sql_extension()], UNKNOWN),
        ([assessment(KEY, title=SQL_PROTECTED, of=SQL), POSTURE], COVERED),
        ([assessment(KEY, title=f"{SQL_PROTECTED} (Preview)"), POSTURE], COVERED),
        ([assessment(KEY, title=SQL_PROTECTED)], UNKNOWN),
        ([assessment(KEY, "Unhealthy", title=SQL_PROTECTED)], GAP),
        ([assessment(KEY, "NotApplicable", title=SQL_PROTECTED, cause="Exempt"), POSTURE], UNKNOWN),
        ([assessment("08d649c8-5458-46dd-a13c-e1c5c7b1687c", of=SQL), POSTURE], UNKNOWN),
        ([machine(power="stopped"), assessment(KEY, "Unhealthy", title=SQL_PROTECTED)], STOPPED),
    ],
)
def test_the_recommendation_says_whether_it_is_protected(said: list[object], state: CoverageState) -> None:
    """Its key is documented nowhere, so that its title counts; on the SQL Server or on its machine."""
    assert known(Rung.SENSOR_RUNNING, sql_machine(), *said).state is state


@pytest.mark.parametrize(
    ("status", "at", "state"),
    [
        ("Protected", ago(days=1), COVERED),
        ("Protected", ago(days=1, seconds=1), UNKNOWN),
        ("Protected", None, UNKNOWN),
        ("Unprotected", ago(hours=1), GAP),
        ("Unknown", ago(hours=1), UNKNOWN),
        (None, None, UNKNOWN),
    ],
)
def test_azure_arc_says_whether_it_is_protected(status: str | None, at: str | None, state: CoverageState) -> None:
    """Its word counts for a day, as in Microsoft's own policy."""
    assert known(Rung.SENSOR_RUNNING, arc_sql(status, at=at), name="till-1_TILL").state is state


def test_the_word_of_azure_arc_counts_before_the_recommendation() -> None:
    """It is the newer one: the recommendation follows it every 12 hours."""
    rest = (arc_machine(), assessment(KEY, title=SQL_PROTECTED, of=ARC_SQL), POSTURE)
    assert known(Rung.SENSOR_RUNNING, arc_sql("Unprotected"), *rest, name="till-1_TILL").state is GAP


def test_what_azure_arc_sees_protected_has_its_sensor() -> None:
    """Nobody need list the extensions then."""
    said = arc_sql("Protected", at=ago(hours=1))
    assert known(Rung.SENSOR_INSTALLED, said, name="till-1_TILL").state is COVERED


@pytest.mark.parametrize(("status", "state"), [("Connected", COVERED), ("Disconnected", UNKNOWN), ("Expired", UNKNOWN)])
def test_a_recommendation_counts_only_while_azure_arc_reaches_the_machine(status: str, state: CoverageState) -> None:
    """Afterwards it says what was true once."""
    said = (arc_sql(), arc_machine(status), assessment(KEY, title=SQL_PROTECTED, of=ARC_SQL), POSTURE)
    assert known(Rung.SENSOR_RUNNING, *said, name="till-1_TILL").state is state


def test_the_remedy_names_the_machine_as_azure_arc_lists_it() -> None:
    """Extensions of Azure Arc have a command of their own."""
    found = known(Rung.SENSOR_INSTALLED, arc_sql(), sql_extension("Failed", of=ARC), name="till-1_TILL")
    assert found.remedy is not None and found.remedy.startswith("az connectedmachine extension delete")


@pytest.mark.parametrize(("ahead", "state"), [(23, CoverageState.COVERED), (25, CoverageState.UNKNOWN)])
def test_a_protection_that_was_seen_in_time_to_come_proves_nothing(ahead: int, state: CoverageState) -> None:
    """A clock may be a day ahead."""
    result = judged(arc_sql("Protected", at=ago(hours=-ahead)))
    assert {one.state for _, rung, one in result.assessed.verdicts() if rung is Rung.SENSOR_RUNNING} == {state}
