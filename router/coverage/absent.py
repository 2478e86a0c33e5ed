"""What the manifest names and no document does: the workload that is missing from an answer is the one to ask about. Pure.

A subscription that cannot be read is simply absent from what Azure answers, and so is a cluster that somebody deleted.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from router.coverage.expected.manifest import (
    CoverageManifest,
    Expectation,
    NamedWorkloads,
    SelectorsAbove,
    workload_called,
)
from router.coverage.verdicts import Workload
from router.domain.coverage import WorkloadKind

_CONNECTED = frozenset({WorkloadKind.AWS_ACCOUNT, WorkloadKind.GCP_PROJECT})


class AbsentWorkload(NamedTuple):
    """What a manifest names, and no document does for certain.

    Attributes:
        expectation: the entry that counts for it.
        reason: why it is not known.
    """

    expectation: Expectation
    reason: str


def absent_workloads(manifest: CoverageManifest, there: NamedWorkloads) -> Mapping[Workload, AbsentWorkload]:
    """The workloads that entries name one by one and no document names, or no document by that name alone."""
    above = SelectorsAbove()
    found: dict[Workload, AbsentWorkload] = {}
    for entry in manifest.expectations:
        if (kind := _only_kind(entry)) is not None:
            selects = entry.selects
            for name in selects.named:
                doubt = there.doubt(selects, name, kind)
                if doubt != "" and not above.find_covering([kind], [name], selects.subscriptions):
                    absent = AbsentWorkload(entry, doubt or "no document names it")
                    found.setdefault(workload_called(kind, name, selects.subscription), absent)
        above.add(entry.number, entry.selects)
    return found


def unmatched_names(manifest: CoverageManifest, there: NamedWorkloads) -> Iterator[tuple[int, str]]:
    """The globs of a manifest that fit nothing, and the names of which it does not say what they are; with their entries."""
    for entry in manifest.expectations:
        if entry.number:
            names = entry.selects.names if _only_kind(entry) is None else entry.selects.globs
            yield from ((entry.number, name) for name in names if not there.has(entry.selects, name))


def _only_kind(entry: Expectation) -> WorkloadKind | None:
    kinds = entry.selects.kinds
    return next(iter(kinds)) if len(kinds) == 1 else None


def finding_command(workload: Workload) -> str:
    """The command that says whether there is a workload, and what it is."""
    if workload.kind is WorkloadKind.SUBSCRIPTION and workload.id:
        url = f"{workload.id}/providers/Microsoft.Security/pricings?api-version=2024-01-01"
        return f"az rest --method get --url {shlex.quote(url)}"
    if workload.kind in _CONNECTED:
        return _query("resources | where type =~ 'microsoft.security/securityconnectors'")
    field, text = ("id", workload.id) if workload.id else ("name", workload.name)
    return _query(f"resources | where {field} =~ {_literal(text)}")


def _query(query: str) -> str:
    return f"az graph query -q {shlex.quote(query)} --first 1000 -o json"


def _literal(text: str) -> str:
    """A text as the query language of Resource Graph writes it.

    https://learn.microsoft.com/kusto/query/scalar-data-types/string
    """
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\r", "\\r").replace("\n", "\\n")
    return f'"{escaped}"'
