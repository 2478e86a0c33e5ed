"""The states of groups that `grouping/` works on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from typing import Protocol

from router.domain.groups import AdmissionState, AggregationState, GroupState


class Groups(Protocol):
    """The aggregation of each destination that is notified of groups: its admission state, and states that change with it.

    Whoever changes a state writes the destination's admission state anew, so that two workers never change one at once.
    """

    async def read_admission(self, stream: str, destination: str) -> AdmissionState:
        """The admission state of a destination; an empty one where nothing is stored yet."""
        ...

    async def read_aggregation(
        self,
        stream: str,
        destination: str,
        *,
        members: Collection[str] = (),
        groups: Collection[str] = (),
        windows: Collection[str] = (),
    ) -> AggregationState:
        """The states of some members, groups and windows of a destination, as far as there are any."""
        ...

    def standing_groups(self, stream: str, destination: str) -> AsyncIterator[tuple[str, GroupState]]:
        """The groups of a destination in which somebody stands, by their keys. They may be written while they are read.

        Walks the states of all its groups.
        """
        ...

    async def find_grouped_destinations(self, stream: str) -> Collection[str]:
        """The destinations of a stream that have, or had, groups, whatever its policy names."""
        ...

    async def write_aggregation(
        self, stream: str, destination: str, admission: AdmissionState, states: AggregationState
    ) -> bool:
        """Writes an admission state and some states, all or none; False if somebody wrote the admission state meanwhile."""
        ...
