"""Machines, their extensions and sensors, scale sets, and SQL Servers on machines.

ARM, `az vm list` with and without `-d`, `az connectedmachine list`, Resource Graph, `mdatp health --output json`, and the
machines API of Defender for Endpoint. https://learn.microsoft.com/rest/api/compute/virtual-machines,
https://learn.microsoft.com/rest/api/hybridcompute/machines, https://learn.microsoft.com/defender-endpoint/api/machine
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import replace

from router.coverage.documents import Item
from router.coverage.facts import CoverageFact, item_source
from router.coverage.fields import find, find_count, find_list, find_text, find_truth, objects_at
from router.coverage.workloads import ARC_MACHINE, MACHINES, SCALE_SET, VIRTUAL_MACHINE, named_resource, resource_fact
from router.domain.coverage import WorkloadKind
from router.domain.resources import parse_resource_id

_ENDPOINT = ("microsoft.azure.azuredefenderforservers", ("mde.linux", "mde.windows"))
_SQL = ("microsoft.azure.azuredefenderforsql", ("advancedthreatprotection.windows", "microsoftdefenderforsql"))
"""The publishers of Defender's extensions, and their types, which are their names, too; the last one of SQL is a name alone."""


class MachineFact(CoverageFact, kw_only=True):
    """How Azure Arc last saw a machine, as `connected`, and the scale set that it belongs to; None for what is not said."""

    connection: str | None
    scale_set: str | None


class ScaleSetFact(CoverageFact, kw_only=True):
    """Whether the instances of a scale set are machines of their own, and how many it is to have; None for what is not said."""

    subject: str
    is_flexible: bool | None
    capacity: int | None


class ExtensionFact(CoverageFact, kw_only=True):
    """An extension of a machine; None for what is not said, and all words but `message` in lower case.

    Attributes:
        state: `succeeded`, `failed` or another state of its deployment; `field` is where that stands.
        code: the exit code of its installation.
        bound_to: the machine that its settings name.
    """

    name: str
    type: str | None
    publisher: str | None = None
    state: str | None
    field: str
    code: int | None = None
    message: str = ""
    bound_to: str | None = None

    @property
    def is_endpoint(self) -> bool:
        """Whether it brings Defender for Endpoint."""
        publisher, names = _ENDPOINT
        return (self.type or self.name.lower()) in names and self.publisher in (None, publisher)

    @property
    def is_sql(self) -> bool:
        """Whether it brings Defender for SQL."""
        publisher, names = _SQL
        is_one = self.type == names[0] if self.type is not None else self.name.lower() in names
        return is_one and self.publisher in (None, publisher)


class AbsentExtensionsFact(CoverageFact, kw_only=True):
    """That a machine lacks an extension of Defender's; the names of all that it has, None where only one was asked for."""

    lacks_endpoint: bool
    lacks_sql: bool
    others: tuple[str, ...] | None = None


class SensorHealthFact(CoverageFact, kw_only=True):
    """What `mdatp health` prints on a machine, which `router.coverage.assignment` finds; None for what is not said.

    It is licensed where it is onboarded to a tenant, `organization`, and protecting where it looks at files in real time.
    """

    subject: str | None = None
    given: str | None
    is_healthy: bool | None
    is_licensed: bool | None
    is_protecting: bool | None
    organization: str | None
    issues: tuple[str, ...]


class EndpointFact(CoverageFact, kw_only=True):
    """What Defender for Endpoint says of a device, as `active` and `onboarded`, and in `source` when that last reported."""

    health: str | None
    onboarding: str | None


class SqlHostFact(CoverageFact, kw_only=True):
    """Where a SQL Server runs, and whether Azure Arc saw it `protected`, in `source` when; None for what is not said."""

    machine: str | None
    protection: str | None


def read_machine(item: Item) -> Iterator[CoverageFact]:
    """The machine, its scale set, and its extensions where they stand in it or beside it."""
    fact = resource_fact(item, WorkloadKind.MACHINE, is_stopped=_is_stopped(item), system=_system(item))
    if fact is None:
        return
    yield replace(fact, time=item.text("timeCreated"))
    yield from _nested_extensions(item, fact.subject)
    if item.type == SCALE_SET:
        yield ScaleSetFact(
            subject=fact.subject,
            is_flexible={"flexible": True, "uniform": False}.get(item.word("orchestrationMode") or ""),
            capacity=find_count(item.body, "sku", "capacity"),
            source=item_source(item),
        )
        return
    yield MachineFact(
        subject=fact.subject,
        connection=item.word("status") if item.type == ARC_MACHINE else None,
        scale_set=item.word("virtualMachineScaleSet", "id"),
        source=item_source(item, item.text("lastStatusChange")),
    )


def _nested_extensions(item: Item, machine: str) -> Iterator[CoverageFact]:
    """The extensions under `resources`, which are all that a virtual machine has, or the one that a query joined to it."""
    names = {name.lower() for name in item.body}
    if "name1" in names:
        # Our own query joined it; where a machine has no extension of Defender for Endpoint, these columns are empty.
        columns = {"name": find(item.body, "name1"), "properties": find(item.body, "properties1")}
        own = _extension(replace(item, body=columns), machine)
        lacking = AbsentExtensionsFact(subject=machine, lacks_endpoint=True, lacks_sql=False, source=own.source)
        is_there = own.name or own.state is not None
        yield replace(own, field=own.field.replace("properties", "properties1")) if is_there else lacking
    if item.type != VIRTUAL_MACHINE or "resources" not in names:
        return  # Azure Arc leaves the list empty unless it is asked for it.
    nested = [
        replace(item, body=one, document=f"{item.document} resources[{number}]")
        for number, one in enumerate(find_list(item.body, "resources") or ())
        if isinstance(one, Mapping)
    ]
    extensions = [_extension(one, machine) for one in nested if _machine_id(one) == machine]
    yield from extensions
    yield _absent(item, machine, extensions)


def _absent(item: Item, machine: str, extensions: Sequence[ExtensionFact]) -> AbsentExtensionsFact:
    return AbsentExtensionsFact(
        subject=machine,
        lacks_endpoint=not any(one.is_endpoint for one in extensions),
        lacks_sql=not any(one.is_sql for one in extensions),
        # An empty list is also what `az vm list` prints of a machine whose extensions it was not asked for.
        others=tuple(one.name for one in extensions) or None,
        source=item_source(item),
    )


def absent_extensions(items: Iterable[Item]) -> Iterator[AbsentExtensionsFact]:
    """What machines lack whose extensions stand by themselves in a whole list.

    A list of Defender's extensions alone may be the answer to a query for these, so it says nothing of what is absent.
    """
    listed: dict[str, list[ExtensionFact]] = {}
    first: dict[str, Item] = {}
    for item in items:
        machine = _machine_id(item) if item.is_whole and item.type.endswith("/extensions") else None
        if machine is not None or (item.is_whole and item.type in MACHINES):
            subject = machine or (item.id or "").lower().rstrip("/")
            first.setdefault(subject, item)
            listed.setdefault(subject, []).extend([_extension(item, machine)] if machine is not None else ())
    others = (one for some in listed.values() for one in some if not one.is_endpoint and not one.is_sql)
    kinds = {parse_resource_id(one.subject).type for one in others}
    for subject, extensions in listed.items():
        if parse_resource_id(subject).type in kinds:
            yield replace(_absent(first[subject], subject, extensions), others=tuple(one.name for one in extensions))


def read_extension(item: Item) -> Iterator[CoverageFact]:
    """An extension that stands by itself, and its machine."""
    if (machine := _machine_id(item)) is not None:
        yield named_resource(item, (item.id or "")[: len(machine)], WorkloadKind.MACHINE)
        yield _extension(item, machine)


def _machine_id(item: Item) -> str | None:
    id = (item.id or "").lower()
    machine, _, rest = id.partition("/extensions/")
    return machine if rest and (parse_resource_id(machine).type or "") in MACHINES else None


def _extension(item: Item, machine: str) -> ExtensionFact:
    type = find_text(item.body, "properties", "type") or find_text(item.body, "typePropertiesType")
    view = item.find("instanceView")
    own = find(view, "status")
    statuses = [*objects_at(view, "statuses"), *([own] if isinstance(own, Mapping) else ())]
    failed = [one for one in statuses if "/failed" in (find_text(one, "code") or "").lower()]
    first = next(iter([*failed, *statuses]), None)
    message = find_text(first, "message") or ""
    code = _EXIT.search(message) or _CODE.search(find_text(first, "code") or "")
    bound_to = item.word("settings", "azureResourceId")
    return ExtensionFact(
        subject=machine,
        name=find_text(item.body, "name") or (item.id or "").rstrip("/").rpartition("/")[2],
        type=type.lower() if type else None,
        publisher=item.word("publisher"),
        state="failed" if failed else _state(item.text("provisioningState")),
        field="properties.instanceView.statuses" if failed else "properties.provisioningState",
        code=int(code[1]) if code else None,
        message=message,
        bound_to=bound_to.rstrip("/") if bound_to else None,
        source=item_source(item),
    )


def _state(written: str | None) -> str | None:
    return written.lower().removeprefix("provisioning ") if written else None


_EXIT = re.compile(
    r"(?:exit(?:ed with)?[ _-]?(?:status|code)|error[ _-]?code|exiting)\W{0,3}(\d{1,3})\b", re.IGNORECASE
)
_CODE = re.compile(r"/failed/(\d{1,3})$", re.IGNORECASE)

_POWER = {
    **dict.fromkeys(("deallocated", "deallocating", "stopped", "stopping", "hibernated"), True),
    **dict.fromkeys(("running", "starting"), False),
}


def _is_stopped(item: Item) -> bool | None:
    """Whether its power is off, by the instance view, Resource Graph or `az vm list -d`, in this order."""
    codes = [find_text(one, "code") for one in objects_at(item.find("instanceView"), "statuses")]
    texts = (
        *(code for code in codes if code and code.lower().startswith("powerstate/")),
        item.text("extended", "instanceView", "powerState", "code"),
        find_text(item.body, "powerState"),
    )
    words = (re.split(r"[/ ]", text.lower())[-1] for text in texts if text)
    return next((_POWER[word] for word in words if word in _POWER), None)


def _system(item: Item) -> str | None:
    """Its system, by its disk or what Azure Arc says."""
    machine = item.find("virtualMachineProfile") or item.body
    for body in (item.find("storageProfile"), find(machine, "storageProfile")):
        system = (find_text(body, "osDisk", "osType") or "").lower()
        if system in ("linux", "windows"):
            return system
    system = item.word("osType") or item.word("osName") or ""
    return "windows" if system.startswith("windows") else "linux" if system else None


def read_sql_machine(item: Item) -> Iterator[CoverageFact]:
    """The SQL Server, and its machine."""
    if (fact := resource_fact(item, WorkloadKind.SQL_ON_MACHINE)) is None:
        return
    yield fact
    machine = item.word("virtualMachineResourceId") or item.word("containerResourceId")
    yield SqlHostFact(
        subject=fact.subject,
        machine=machine.rstrip("/") if machine else None,
        protection=item.word("azureDefenderStatus"),
        source=item_source(item, item.text("azureDefenderStatusLastUpdated")),
    )


def read_device(item: Item) -> Iterator[CoverageFact]:
    """A device of Defender for Endpoint, by the ARM id of its machine where it names one; nothing of any other object."""
    names = ("healthStatus", "onboardingStatus")
    health, onboarding = ((find_text(item.body, name) or "").lower() or None for name in names)
    if (health and onboarding) or (find_text(item.body, "computerDnsName") and (health or onboarding)):
        resource = find_text(item.body, "vmMetadata", "resourceId")
        yield EndpointFact(
            subject=resource.lower().rstrip("/") if resource else None,
            health=health,
            onboarding=onboarding,
            source=item_source(item, find_text(item.body, "lastSeen")),
        )


_BESIDE = ("licensed", "realtimeprotectionenabled", "edrmachineid", "orgid")
"""Fields of which `mdatp health` has some beside `healthy`, which many other answers have, too."""


def read_sensor_health(item: Item) -> Iterator[CoverageFact]:
    """What the sensor says of itself; nothing of any other object."""
    # Versions write the fields with underscores and without; a setting is an object with a value.
    said = {
        name.replace("_", "").lower(): find(value, "value") if isinstance(value, Mapping) else value
        for name, value in item.body.items()
    }
    if "healthy" in said and any(name in said for name in _BESIDE):
        yield SensorHealthFact(
            given=item.given,
            is_healthy=find_truth(said, "healthy"),
            is_licensed=find_truth(said, "licensed"),
            is_protecting=find_truth(said, "realtimeprotectionenabled"),
            organization=find_text(said, "orgid"),
            issues=tuple(one for one in find_list(said, "healthissues") or () if isinstance(one, str)),
            source=item_source(item),
        )
