"""SQL Server on machines: the plan alone is nothing."""

from __future__ import annotations

import pytest

from router.coverage.verdicts import Verdict
from router.domain.coverage import Rung
from router.domain.recommendations import SQL_PROTECTED
from tests.coverage.builders import COVERED, GAP, MACHINE, NOT_COVERABLE, UNKNOWN, hold, judged, pricing, verdict
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

KEY = "f00d"


def installed(*documents: object) -> Verdict:
    """Whether the SQL Server of a machine has its sensor."""
    return verdict(judged(sql_machine(), *documents), "ledger", Rung.SENSOR_INSTALLED)


def running(*documents: object) -> Verdict:
    """Whether that sensor runs."""
    return verdict(judged(sql_machine(), *documents), "ledger", Rung.SENSOR_RUNNING)


def of_arc(*documents: object) -> Verdict:
    """Whether the sensor of a SQL Server runs that Azure Arc found."""
    return verdict(judged(*documents), "till-1_TILL", Rung.SENSOR_RUNNING)


def test_the_extension_of_its_machine_says_whether_the_sensor_is_there(subtests: pytest.Subtests) -> None:
    """Neither the plan nor Defender for Endpoint does."""
    endpoint = extension(type="MDE.Windows")
    hold(
        subtests,
        installed,
        (COVERED, [sql_extension()], [machine(resources=[sql_extension()])]),
        (GAP, [sql_extension("Failed")], [sql_extension("Failed"), sql_extension()], [machine(resources=[endpoint])]),
        (UNKNOWN, [pricing("SqlServerVirtualMachines")], [sql_extension("Creating")], [endpoint]),
        (UNKNOWN, [machine(resources=None, timeCreated=ago(hours=1))]),
        (UNKNOWN, [sql_extension(of=MACHINE.replace("web-1", "web-2"))]),
        (NOT_COVERABLE, [machine(power="deallocated")]),
    )


def test_the_recommendation_says_whether_it_is_protected(subtests: pytest.Subtests) -> None:
    """Its key is documented nowhere, so that its title counts; on the SQL Server or on its machine."""
    unhealthy = assessment(KEY, "Unhealthy", title=SQL_PROTECTED)
    exempt = assessment(KEY, "NotApplicable", title=SQL_PROTECTED, cause="Exempt")
    other = assessment("08d649c8-5458-46dd-a13c-e1c5c7b1687c", of=SQL)
    hold(
        subtests,
        running,
        (COVERED, [assessment(KEY, title=SQL_PROTECTED, of=SQL), POSTURE]),
        (COVERED, [assessment(KEY, title=f"{SQL_PROTECTED} (Preview)"), POSTURE]),
        (GAP, [unhealthy]),
        (UNKNOWN, [], [sql_extension()], [assessment(KEY, title=SQL_PROTECTED)], [exempt, POSTURE], [other, POSTURE]),
        (NOT_COVERABLE, [machine(power="stopped"), unhealthy]),
    )


def test_azure_arc_says_whether_it_is_protected(subtests: pytest.Subtests) -> None:
    """Its word counts for a day, as in Microsoft's own policy, and before the recommendation, which follows it later.

    A recommendation counts only while Azure Arc reaches the machine. A clock may be a day ahead.
    """
    said = assessment(KEY, title=SQL_PROTECTED, of=ARC_SQL), POSTURE

    def seen(**span: float) -> list[object]:
        return [arc_sql("Protected", at=ago(**span))]

    hold(
        subtests,
        of_arc,
        (COVERED, seen(days=1), seen(hours=-23), [arc_sql(), arc_machine(), *said]),
        (GAP, [arc_sql("Unprotected", at=ago(hours=1))], [arc_sql("Unprotected"), arc_machine(), *said]),
        (UNKNOWN, seen(days=1, seconds=1), seen(hours=-25), [arc_sql("Protected")], [arc_sql()]),
        (UNKNOWN, [arc_sql("Unknown", at=ago(hours=1))]),
        (UNKNOWN, *([arc_sql(), arc_machine(status), *said] for status in ("Disconnected", "Expired"))),
    )


def test_what_azure_arc_sees_protected_has_its_sensor() -> None:
    """Nobody need list the extensions then. Extensions of Azure Arc have a command of their own."""
    protected = judged(arc_sql("Protected", at=ago(hours=1)))
    assert verdict(protected, "till-1_TILL", Rung.SENSOR_INSTALLED).state is COVERED
    failed = judged(arc_sql(), sql_extension("Failed", of=ARC))
    remedy = verdict(failed, "till-1_TILL", Rung.SENSOR_INSTALLED).remedy or ""
    assert remedy.startswith("az connectedmachine extension delete")
