"""In which order the processes of a signal are told: what it is about before what merely started that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from router.domain.entities import Entity
from router.domain.properties import property_key, says_something
from router.parse.entity_facts import path_of

_LONGEST_CHAIN = 20
"""Parents that are followed up from a process; a chain may refer to itself."""

_NAMING = frozenset(
    map(
        property_key,
        (
            "Command Line", "Process Id", "Process Name", "Process Path", "Suspicious Command", "Suspicious Command Line",
            "Suspicious Process", "Suspicious Process Id", "Suspicious Process Name", "Suspicious Process Path",
        ),
    )
)  # fmt: skip
"""The properties in which alerts name the process that they are about."""


def in_order(processes: Sequence[Entity], extended: Mapping[str, object]) -> list[Entity]:
    """Processes in the order in which people need them; those that are known by their number alone come last.

    First is what the properties name most often, then what started nothing else before its parents, and among these what has
    a command line before what has none.
    """
    if len(processes) < 2:
        return list(processes)
    named = frozenset(_values_of(extended))
    heights = _heights_of(processes)

    def rank(process: Entity) -> tuple[bool, int, int, bool, bool]:
        image, command = process.find("ImageFile"), process.text("CommandLine")
        path = path_of(image) if image else None
        names = (command, process.text("ProcessId"), path, image.text("Name") if image else None)
        told = {name.strip().casefold() for name in names if name}
        is_whole = process.find("Account") is not None or process.find("ParentProcess") is not None
        return not (command or path), -len(told & named), heights.get(process, 0), not command, not is_whole

    return sorted(processes, key=rank)


def _values_of(extended: Mapping[str, object]) -> Iterator[str]:
    for name, value in extended.items():
        if property_key(name) in _NAMING and says_something(text := str(value)):
            yield text.strip().casefold()


def _heights_of(processes: Iterable[Entity]) -> Mapping[Entity, int]:
    """For each process that is a parent, over how many generations it is one."""
    heights: dict[Entity, int] = {}
    for process in processes:
        parent = process.find("ParentProcess")
        for height in range(1, _LONGEST_CHAIN + 1):
            if parent is None or parent == process:
                break
            heights[parent] = max(height, heights.get(parent, 0))
            parent = parent.find("ParentProcess")
    return heights
