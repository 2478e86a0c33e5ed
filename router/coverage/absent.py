"""What the manifest names and no document does: the workload that is missing from an answer is the one to ask about. Pure.

A subscription that cannot be read is simply absent from what Azure answers, and so is a cluster that somebody deleted.
"""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from router.domain.coverage import Workload, WorkloadKind
from router.domain.coverage_manifest import CoverageManifest, Expectation, is_called, workload_called
from router.domain.coverage_selectors import SelectorsAbove
from router.domain.globs import is_glob

_CONNECTED = frozenset({WorkloadKind.AWS_ACCOUNT, WorkloadKind.GCP_PROJECT})


class NamedWorkloads:
    """The workloads that documents name, found by their names and ids."""

    def __init__(self, workloads: Iterable[Workload]) -> None:
        self._all = tuple(workloads)
        self._by_name: dict[str, list[Workload]] = defaultdict(list)
        for workload in self._all:
            for name in set(workload.names):
                self._by_name[name.lower()].append(workload)

    def has(self, expectation: Expectation, name: str) -> bool:
        """Whether one of them is what an entry means by one of its names."""
        candidates = self._all if is_glob(name) else self._by_name.get(name.lower(), ())
        return any(
            is_called(workload, name) and expectation.selects.fits_but_for_its_name(workload) for workload in candidates
        )


def absent_workloads(manifest: CoverageManifest, there: NamedWorkloads) -> Mapping[Workload, Expectation]:
    """The workloads that entries name one by one and no document names, each with the entry that counts for it."""
    above = SelectorsAbove()
    found: dict[Workload, Expectation] = {}
    for entry in manifest.expectations:
        if (kind := _only_kind(entry)) is not None:
            selects = entry.selects
            for name in selects.named:
                if not there.has(entry, name) and not above.find_covering([kind], [name], selects.subscriptions):
                    found.setdefault(workload_called(kind, name, selects.subscription), entry)
        above.add(entry.number, entry.selects)
    return found


def unmatched_names(manifest: CoverageManifest, there: NamedWorkloads) -> Iterator[tuple[int, str]]:
    """The globs of a manifest that fit nothing, and the names of which it does not say what they are; with their entries."""
    for entry in manifest.expectations:
        if entry.number:
            names = entry.selects.names if _only_kind(entry) is None else entry.selects.globs
            yield from ((entry.number, name) for name in names if not there.has(entry, name))


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
