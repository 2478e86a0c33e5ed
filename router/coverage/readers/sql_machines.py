"""SQL Server on machines: Azure's `Microsoft.SqlVirtualMachine/sqlVirtualMachines`, and what Azure Arc finds on its servers.

https://learn.microsoft.com/azure/templates/microsoft.sqlvirtualmachine/sqlvirtualmachines,
https://learn.microsoft.com/azure/templates/microsoft.azurearcdata/sqlserverinstances
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from router.coverage.documents import Item
from router.coverage.facts import CoverageFact, Source, source_of
from router.coverage.fields import find_text
from router.coverage.workloads import SQL_ON_MACHINES, resource_fact
from router.domain.coverage import WorkloadKind


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlHostFact:
    """Where a SQL Server runs, and what it says of Defender.

    Attributes:
        subject: the SQL Server in lower case.
        machine: the machine in lower case; None where that is not said.
        protection: `protected`, `unprotected` or `unknown`, in lower case; only Azure Arc says it, else None.
        source: where it stands, and when the protection was last seen.
    """

    subject: str
    machine: str | None
    protection: str | None
    source: Source


def reads(item: Item) -> bool:
    """Whether it is a SQL Server on a machine."""
    return item.type in SQL_ON_MACHINES


def facts_in(item: Item) -> Iterator[CoverageFact]:
    """The SQL Server, and its machine."""
    fact = resource_fact(item, WorkloadKind.SQL_ON_MACHINE)
    if fact is None:
        return
    yield fact
    machine = find_text(item.find("virtualMachineResourceId")) or find_text(item.find("containerResourceId"))
    yield SqlHostFact(
        subject=fact.subject,
        machine=machine.lower().rstrip("/") if machine else None,
        protection=(find_text(item.find("azureDefenderStatus")) or "").lower() or None,
        source=source_of(item, find_text(item.find("azureDefenderStatusLastUpdated"))),
    )
