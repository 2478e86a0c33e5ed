"""Extensions of machines, among them those that bring Defender's sensors.

They stand by themselves (REST, Resource Graph, `az vm extension list`, `az connectedmachine extension list`), inside their
machine (`resources`, the instance view), or beside it, in a row of Microsoft's query that joins both.
https://learn.microsoft.com/azure/defender-for-cloud/enable-defender-for-endpoint,
https://learn.microsoft.com/azure/defender-for-cloud/defender-for-sql-usage
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from router.coverage.documents import Item
from router.coverage.facts import CoverageFact, Source, source_of
from router.coverage.fields import find, find_list, find_text, objects_at
from router.coverage.readers.machines import is_joined_row
from router.coverage.workloads import MACHINES, VIRTUAL_MACHINE, named_resource
from router.domain.coverage import WorkloadKind
from router.domain.resources import parse_resource_id

_ENDPOINT_PUBLISHER = "microsoft.azure.azuredefenderforservers"
_ENDPOINT_TYPES = ("mde.linux", "mde.windows")
_SQL_PUBLISHER = "microsoft.azure.azuredefenderforsql"
_SQL_TYPES = ("advancedthreatprotection.windows",)
_SQL_NAMES = (*_SQL_TYPES, "microsoftdefenderforsql")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionFact:
    """An extension of a machine.

    Attributes:
        subject: the machine in lower case.
        name: the extension's name.
        type: its type in lower case, such as `mde.linux`; None where that is not said.
        publisher: its publisher in lower case; None where that is not said.
        state: `succeeded`, `failed` or another state of its deployment, in lower case; None where that is not said.
        field: where the state stands.
        code: the exit code of its installation; None where that is not said.
        message: what its installation said; empty where it said nothing.
        bound_to: the machine that its settings name, in lower case; None where they name none.
        source: where it stands.
    """

    subject: str
    name: str
    type: str | None
    publisher: str | None
    state: str | None
    field: str
    code: int | None
    message: str
    bound_to: str | None
    source: Source

    @property
    def is_endpoint(self) -> bool:
        """Whether it brings Defender for Endpoint."""
        return self._is(_ENDPOINT_PUBLISHER, _ENDPOINT_TYPES, _ENDPOINT_TYPES)

    @property
    def is_sql(self) -> bool:
        """Whether it brings Defender for SQL."""
        return self._is(_SQL_PUBLISHER, _SQL_TYPES, _SQL_NAMES)

    def _is(self, publisher: str, types: tuple[str, ...], names: tuple[str, ...]) -> bool:
        fits = self.type in types if self.type is not None else self.name.lower() in names
        return fits and self.publisher in (None, publisher)


@dataclass(frozen=True, slots=True, kw_only=True)
class AbsentExtensionsFact:
    """That a machine lacks an extension, as a list says that has all of its extensions, or all of one sort.

    Attributes:
        subject: the machine in lower case.
        lacks_endpoint: whether it lacks the one of Defender for Endpoint.
        lacks_sql: whether it lacks the one of Defender for SQL.
        source: where it stands.
    """

    subject: str
    lacks_endpoint: bool
    lacks_sql: bool
    source: Source


def reads(item: Item) -> bool:
    """Whether it is an extension, or a machine that may bring its extensions along."""
    return item.type in MACHINES or _machine_of(item) is not None


def facts_in(item: Item) -> Iterator[CoverageFact]:
    """The extensions, each with its machine."""
    if (machine := _machine_of(item)) is not None:
        yield named_resource(item, (item.id or "")[: len(machine)], WorkloadKind.MACHINE)
        yield _extension(item, machine)
        return
    machine = (item.id or "").lower().rstrip("/")
    if not machine.startswith("/"):
        return
    if is_joined_row(item):
        yield _joined(item, machine)
    yield from _nested(item, machine)
    yield from _viewed(item, machine)


def _machine_of(item: Item) -> str | None:
    """The machine of an extension that stands by itself."""
    id = (item.id or "").lower()
    machine, _, rest = id.partition("/extensions/")
    return machine if rest and (parse_resource_id(machine).type or "") in MACHINES else None


def _extension(item: Item, machine: str) -> ExtensionFact:
    said = find_text(item.body, "properties", "type") or find_text(item.body, "typePropertiesType")
    said = said or find_text(item.body, "properties_type")
    view = item.find("instanceView")
    statuses = [*objects_at(view, "statuses"), *filter(None, [_object(find(view, "status"))])]
    provisioned = find_text(item.find("provisioningState")) or find_text(item.body, "properties_provisioningState")
    code, message = _outcome(statuses)
    failed = any("/failed" in (find_text(one, "code") or "").lower() for one in statuses)
    bound_to = find_text(item.find("settings"), "azureResourceId")
    return ExtensionFact(
        subject=machine,
        name=find_text(item.body, "name") or (item.id or "").rstrip("/").rpartition("/")[2],
        type=said.lower() if said else None,
        publisher=(find_text(item.find("publisher")) or "").lower() or None,
        state="failed" if failed else _state(provisioned),
        field="properties.instanceView.statuses" if failed else "properties.provisioningState",
        code=code,
        message=message,
        bound_to=bound_to.lower().rstrip("/") if bound_to else None,
        source=source_of(item),
    )


def _object(value: object) -> Mapping[str, object] | None:
    return value if isinstance(value, Mapping) else None


def _joined(item: Item, machine: str) -> CoverageFact:
    """What a joined row says: its columns are those of the extension, or empty where the machine has none."""
    name = find_text(item.body, "name1")
    columns = ("properties1_provisioningState", "properties1.provisioningState")
    state = next((text for column in columns if (text := find_text(item.body, column))), None)
    state = state or find_text(item.body, "properties1", "provisioningState")
    if name is None and state is None:
        # That query asks for Defender for Endpoint alone.
        return AbsentExtensionsFact(subject=machine, lacks_endpoint=True, lacks_sql=False, source=source_of(item))
    type = find_text(item.body, "properties1_type") or find_text(item.body, "properties1", "type")
    return ExtensionFact(
        subject=machine,
        name=name or "",
        type=type.lower() if type else None,
        publisher=None,
        state=_state(state),
        field="properties1_provisioningState",
        code=None,
        message="",
        bound_to=None,
        source=source_of(item),
    )


def _nested(item: Item, machine: str) -> Iterator[CoverageFact]:
    """The extensions under `resources`, which are all that the machine has; `az` says null there for none, and ARM nothing."""
    nested = [
        replace(item, body=one, document=f"{item.document} resources[{number}]")
        for number, one in enumerate(find_list(item.body, "resources") or ())
        if isinstance(one, Mapping)
    ]
    extensions = [_extension(one, machine) for one in nested if _machine_of(one) == machine]
    yield from extensions
    # Azure Arc leaves the list empty unless it is asked for it.
    if item.type == VIRTUAL_MACHINE and any(
        isinstance(name, str) and name.lower() == "resources" for name in item.body
    ):
        yield AbsentExtensionsFact(
            subject=machine,
            lacks_endpoint=not any(one.is_endpoint for one in extensions),
            lacks_sql=not any(one.is_sql for one in extensions),
            source=source_of(item),
        )


def _viewed(item: Item, machine: str) -> Iterator[CoverageFact]:
    """The extensions in the instance view, whose types have the publisher before them."""
    for one in objects_at(item.find("instanceView"), "extensions"):
        publisher, type = _publisher_and_type((find_text(one, "type") or "").lower())
        statuses = objects_at(one, "statuses")
        code, message = _outcome(statuses)
        words = [(find_text(status, "code") or "").lower().split("/") for status in statuses]
        states = [parts[1] for parts in words if len(parts) > 1 and parts[0] == "provisioningstate"]
        yield ExtensionFact(
            subject=machine,
            name=find_text(one, "name") or "",
            type=type,
            publisher=publisher,
            state="failed" if "failed" in states else next(iter(states), None),
            field="instanceView.extensions.statuses.code",
            code=code,
            message=message,
            bound_to=None,
            source=source_of(item),
        )


def _publisher_and_type(written: str) -> tuple[str | None, str | None]:
    for publisher in (_ENDPOINT_PUBLISHER, _SQL_PUBLISHER):
        if written.startswith(f"{publisher}."):
            return publisher, written.removeprefix(f"{publisher}.")
    return None, written or None


def _state(written: str | None) -> str | None:
    return written.lower().removeprefix("provisioning ") if written else None


_EXIT = re.compile(
    r"(?:exit(?:ed with)?[ _-]?(?:status|code)|error[ _-]?code|exiting)\W{0,3}(\d{1,3})\b", re.IGNORECASE
)
_CODE = re.compile(r"/failed/(\d{1,3})$", re.IGNORECASE)


def _outcome(statuses: list[Mapping[str, object]]) -> tuple[int | None, str]:
    """The exit code and the words of what failed, else those of the first status."""
    failed = [one for one in statuses if "/failed" in (find_text(one, "code") or "").lower()]
    for one in failed or statuses[:1]:
        message = find_text(one, "message") or ""
        found = _EXIT.search(message) or _CODE.search(find_text(one, "code") or "")
        return int(found[1]) if found else None, message
    return None, ""
