"""What Azure Arc says of the protection of a SQL Server. Pure.

Microsoft's own policy counts the word Protected for a day:
https://github.com/Azure/azure-policy/blob/master/built-in-policies/policyDefinitions/Security%20Center/ASC_ProtectDefenderForSQLOnArc_Audit.json
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from router.coverage.case import CoverageCase
from router.coverage.readers.sql_machines import SqlHostFact
from router.coverage.verdicts import CoverageEvidence

AGE = timedelta(days=1)
"""How long the word Protected counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlReport:
    """What was said of the protection of one SQL Server.

    Attributes:
        runs: where it stands, lately enough, that it is protected.
        fails: where it stands that it is not.
        stale: where it stands that it was protected once.
    """

    runs: tuple[CoverageEvidence, ...]
    fails: tuple[CoverageEvidence, ...]
    stale: tuple[CoverageEvidence, ...]

    @property
    def is_proof(self) -> bool:
        """Whether it is proved that the SQL Server is protected."""
        return bool(self.runs) and not self.fails


def sql_report_for(case: CoverageCase) -> SqlReport:
    """What Azure Arc says of the SQL Server of a case."""
    hosts = case.about(SqlHostFact)
    claims = [one for one in hosts if one.protection == "protected"]
    return SqlReport(
        runs=tuple(_evidence(one) for one in claims if one.source.is_recent(case.now, AGE)),
        fails=tuple(_evidence(one) for one in hosts if one.protection == "unprotected"),
        stale=tuple(_evidence(one) for one in claims if not one.source.is_recent(case.now, AGE)),
    )


def machine_of(case: CoverageCase) -> str | None:
    """The machine that the SQL Server of a case runs on."""
    return next((one.machine for one in case.about(SqlHostFact) if one.machine), None)


def _evidence(host: SqlHostFact) -> CoverageEvidence:
    return host.source.shows("properties.azureDefenderStatus", host.protection)
