"""Machines: virtual machines, scale sets, and servers of Azure Arc.

ARM, `az vm list` with and without `-d`, the instance view, `az connectedmachine list`, Resource Graph, and Microsoft's query
that joins machines with their extensions. https://learn.microsoft.com/rest/api/compute/virtual-machines,
https://learn.microsoft.com/rest/api/hybridcompute/machines
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from router.coverage.documents import Item
from router.coverage.facts import CoverageFact, Source, source_of
from router.coverage.fields import find, find_count, find_text, objects_at
from router.coverage.workloads import ARC_MACHINE, MACHINES, SCALE_SET, resource_fact
from router.domain.coverage import WorkloadKind


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineFact:
    """What a machine's own document says besides what every resource's says.

    Attributes:
        subject: the machine in lower case.
        connection: how Azure Arc last saw it: `connected`, `disconnected`, `expired` or `error`; None where that is not said.
        scale_set: the scale set that it belongs to, in lower case; None where none is named.
        source: where it stands.
    """

    subject: str
    connection: str | None
    scale_set: str | None
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleSetFact:
    """What the document of a scale set says.

    Attributes:
        subject: the scale set in lower case.
        is_flexible: whether its instances are virtual machines of their own; None where that is not said.
        capacity: how many instances it is to have; None where that is not said.
        source: where it stands.
    """

    subject: str
    is_flexible: bool | None
    capacity: int | None
    source: Source


def reads(item: Item) -> bool:
    """Whether it is a machine, and not a row of something else that names one."""
    return item.type in MACHINES and (find_text(item.body, "id") is not None or is_joined_row(item))


def is_joined_row(item: Item) -> bool:
    """Whether it is a row of Microsoft's query that joins machines with their extensions."""
    return any(name.startswith(("name1", "properties1")) for name in item.body if isinstance(name, str))


def facts_in(item: Item) -> Iterator[CoverageFact]:
    """The machine."""
    fact = resource_fact(item, WorkloadKind.MACHINE, is_stopped=_is_stopped(item), system=_system(item))
    if fact is None:
        return
    yield replace(fact, time=find_text(item.find("timeCreated")))
    if item.type == SCALE_SET:
        mode = (find_text(item.find("orchestrationMode")) or "").lower()
        yield ScaleSetFact(
            subject=fact.subject,
            is_flexible={"flexible": True, "uniform": False}.get(mode),
            capacity=find_count(item.body, "sku", "capacity"),
            source=source_of(item),
        )
        return
    status = find_text(item.find("status")) or find_text(item.body, "properties_status")
    scale_set = find_text(item.find("virtualMachineScaleSet", "id"))
    yield MachineFact(
        subject=fact.subject,
        connection=status.lower() if status and item.type == ARC_MACHINE else None,
        scale_set=scale_set.lower() if scale_set else None,
        source=source_of(item, find_text(item.find("lastStatusChange"))),
    )


_POWER = {
    "deallocated": True,
    "deallocating": True,
    "stopped": True,
    "stopping": True,
    "hibernated": True,
    "running": False,
    "starting": False,
}


def _is_stopped(item: Item) -> bool | None:
    """Whether its power is off, by the instance view, Resource Graph or `az vm list -d`, in this order."""
    codes = [find_text(one, "code") for one in objects_at(item.find("instanceView"), "statuses")]
    texts = (
        *(code for code in codes if code and code.lower().startswith("powerstate/")),
        find_text(item.find("extended", "instanceView", "powerState", "code")),
        find_text(item.body, "properties_extended_instanceView_powerState_code"),
        find_text(find(item.body, "powerState")),
    )
    words = (re.split(r"[/ ]", text.lower())[-1] for text in texts if text)
    return next((_POWER[word] for word in words if word in _POWER), None)


def _system(item: Item) -> str | None:
    """Its system, by its disk, its profile or what Azure Arc says."""
    machine = item.find("virtualMachineProfile") or item.body
    for body in (item.find("storageProfile"), find(machine, "storageProfile")):
        said = (find_text(body, "osDisk", "osType") or "").lower()
        if said in ("linux", "windows"):
            return said
    profile = item.find("osProfile")
    for system in ("linux", "windows"):
        if find(profile, f"{system}Configuration") is not None:
            return system
    said = (find_text(item.find("osType")) or find_text(item.find("osName")) or "").lower()
    return "windows" if said.startswith("windows") else "linux" if said else None
