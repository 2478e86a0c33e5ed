"""Rows of `CloudProcessEvents`: when the sensor of a cluster last sent one, as Log Analytics answers it.

`az monitor log-analytics query -w WORKSPACE --analytics-query "CloudProcessEvents | summarize last = max(TimeGenerated) by
AzureResourceId, AwsResourceName, GcpFullResourceName" -o json` prints the same.
https://learn.microsoft.com/azure/azure-monitor/reference/tables/cloudprocessevents
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from router.coverage.documents import Item
from router.coverage.facts import CoverageFact, Source, source_of
from router.coverage.fields import find_text

_CLUSTERS = ("AzureResourceId", "AwsResourceName", "GcpFullResourceName")
_TIME = "last"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessEventsFact:
    """That the sensor of a cluster sent rows.

    Attributes:
        subject: the cluster in lower case.
        source: where it stands, and when the last row came.
    """

    subject: str
    source: Source


def reads(item: Item) -> bool:
    """Whether it is such a row."""
    return item.id is None and find_text(item.body, _TIME) is not None and bool(_clusters_in(item))


def facts_in(item: Item) -> Iterator[CoverageFact]:
    """The last row of each cluster that it names, which is one."""
    for cluster in _clusters_in(item):
        # Google's full names have slashes before them, and the names by which its clusters are known have none.
        subject = cluster.removeprefix("//").rstrip("/").lower()
        yield ProcessEventsFact(subject=subject, source=source_of(item, find_text(item.body, _TIME)))


def _clusters_in(item: Item) -> list[str]:
    return [text for name in _CLUSTERS if (text := find_text(item.body, name))]
