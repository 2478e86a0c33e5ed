"""Alerts of Azure Monitor in its common alert schema, as an action group sends them to an event hub.

Defender raises no alert when a watched file or registry key changes: it writes a row into a table, and a log search rule on
that table raises this one. Whatever Azure Monitor watches comes in the same shape. None of it is Defender's: it has no plan,
its severity is the choice of the rule's author, and nothing in it can make it a sample.

https://learn.microsoft.com/azure/azure-monitor/alerts/alerts-common-schema
https://learn.microsoft.com/azure/azure-monitor/alerts/alerts-payload-samples
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from router.domain.catalogue import Catalogue
from router.domain.decisions import Code
from router.domain.entities import Entities
from router.domain.resources import parse_resource_id
from router.domain.severity import Severity
from router.domain.signals import AZURE_MONITOR, Alert, Kind
from router.parse.documents import MessageRefused
from router.parse.fields import Fields, fields_in, items_in, name_in, plain_values, text_in, texts_in, time_in

LONGEST_QUERY = 2_000
"""Characters that are kept of the query of a log search rule; the link leads to all of it."""

_SCHEMA = "azuremonitorcommonalertschema"
_SEVERITIES = {
    f"sev{number}": Severity[name] for number, name in enumerate(("HIGH", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL"))
}
_SEARCHED = "microsoft.operationalinsights/workspaces"
_CHANGED = ("filepath", "registrykey")
"""Columns of Defender's file integrity table that say what changed, the one that tells most first."""
_LINKS = ("linktofilteredsearchresultsui", "linktosearchresultsui", "linktosearchresults")
# What people ask next about a rule that fired, under the names that the schema has for it.
_OF_CONDITION = ("metricName", "metricValue", "operator", "threshold", "timeAggregation", "webTestName")

type _Dimensions = dict[str, dict[str, None]]
"""The values of each dimension by its name as written, each once."""


def is_common_alert(fields: Fields) -> bool:
    """Whether a message says that it is in the common alert schema."""
    return "schemaid" in fields and (name_in(fields, "schemaid") or "").lower() == _SCHEMA


def read_common_alert(fields: Fields, _: Catalogue) -> Alert:
    """The alert, Fired or Resolved under one alertId; raises MessageRefused."""
    data = fields_in(fields.get("data"))
    essentials, context = fields_in(data.get("essentials")), fields_in(data.get("alertcontext"))
    if not essentials:
        raise MessageRefused(Code.UNKNOWN_SHAPE, "an Azure Monitor alert without essentials", "data.essentials")
    id = name_in(essentials, "alertid")
    if id is None:
        raise MessageRefused(Code.INVALID, "an Azure Monitor alert without alertId", "data.essentials.alertId")
    # The criteria that were met: of log search and metric rules alike, and of whatever else has them in this place.
    criteria = list(map(fields_in, items_in(fields_in(context.get("condition")).get("allof"))))
    dimensions = _dimensions_in([context, *criteria])
    type = name_in(essentials, "alertrule") or parse_resource_id(text_in(essentials, "alertruleid")).name or ""
    severity = text_in(essentials, "severity")
    status = text_in(essentials, "monitorcondition")
    is_over = status is not None and status.strip().lower() == "resolved"
    fired, resolved = time_in(essentials, "fireddatetime"), time_in(essentials, "resolveddatetime")
    resource = _find_resource(essentials, dimensions)
    return Alert(
        kind=Kind.ALERT,
        id=id,
        type=type,
        title=_title_for(type, dimensions),
        severity=_SEVERITIES.get(severity.strip().lower()) if severity else None,
        severity_written=severity,
        status=status,
        resolved=is_over,
        # A log search alert may be resolved without saying when. Then the order in which its messages came in counts.
        changed=(resolved or fired) if is_over else fired,
        resource=resource,
        description=text_in(essentials, "description") or "",
        link=_find_link(essentials, [*criteria, context]),
        entities=Entities(list(_entities_in(dimensions))),
        compromised_entity=_find_compromised_entity(essentials, dimensions),
        product=AZURE_MONITOR,
        started=fired,
        ended=resolved if is_over else None,
        extended=_extended(data, essentials, context, criteria, dimensions),
    )


def _dimensions_in(holders: Iterable[Fields]) -> _Dimensions:
    """What the alert is split by; of a simple log search rule, which is not, the columns of the row."""
    found: _Dimensions = {}
    for holder in holders:
        rows = [item for row in items_in(holder.get("event")) for item in items_in(row)]
        for item in items_in(holder.get("dimensions")) + rows:
            dimension = fields_in(item)
            name, value = text_in(dimension, "name"), _text(dimension.get("value"))
            if name and value:
                found.setdefault(name, {})[value] = None
    return found


def _text(value: object) -> str | None:
    if isinstance(value, str):
        return value if value and not value.isspace() else None
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _find_resource(essentials: Fields, dimensions: _Dimensions) -> str | None:
    """The resource that it is about: a target, else what Azure names in a dimension; never the workspace that was searched.

    Any other dimension may hold what a machine, or a stranger who writes on it, chose: a log line, a host name, a user agent.
    Azure fills configurationItems from such a dimension where there is no better one.
    """
    columns = [(name.strip().lower(), values) for name, values in dimensions.items()]
    named = [value for asked in _RESOURCE_COLUMNS for name, values in columns if name == asked for value in values]
    logged = "\n".join(value for _, values in columns for value in values).lower()
    items = (item for item in texts_in(essentials.get("configurationitems")) if item.strip().lower() not in logged)
    ids = (*texts_in(essentials.get("alerttargetids")), *named, *items)
    return next((id for text in ids if _is_resource(id := text.strip())), None)


def _is_resource(id: str) -> bool:
    return (parse_resource_id(id).type or _SEARCHED).lower() != _SEARCHED


def _find_compromised_entity(essentials: Fields, dimensions: _Dimensions) -> str | None:
    """What people call the place: the computer, else what the alert itself names that is no id."""
    items = (item for item in texts_in(essentials.get("configurationitems")) if not item.startswith("/"))
    named = texts_in(essentials.get("alerttargetids")) + texts_in(essentials.get("configurationitems"))
    targets = (parse_resource_id(target.strip()) for target in named)
    searched = {(one.name or "").lower() for one in targets if (one.type or "").lower() == _SEARCHED}
    computers = _values_of("computer", dimensions)
    return next((name for name in (*computers, *items) if name in computers or name.lower() not in searched), None)


def _find_link(essentials: Fields, holders: Iterable[Fields]) -> str | None:
    links = [text_in(holder, *_LINKS) for holder in holders] + [text_in(essentials, "investigationlink")]
    return next((link for link in links if link and link.startswith("https://")), None)


def _extended(
    data: Fields, essentials: Fields, context: Fields, criteria: Iterable[Fields], dimensions: _Dimensions
) -> dict[str, object]:
    """The dimensions by their names, then what the author of the rule adds, then what the rule asked and found."""
    extended: dict[str, object] = {name: ", ".join(values) for name, values in dimensions.items()}
    for added in (data.get("customproperties"), context.get("properties")):
        extended |= {name: value for name, value in plain_values(added).items() if name not in extended}
    for holder in (*criteria, context):
        for name in _OF_CONDITION:
            if value := _text(holder.get(name.lower())):
                extended.setdefault(name, value)
        if query := text_in(holder, "searchquery"):
            extended.setdefault("searchQuery", query if len(query) <= LONGEST_QUERY else f"{query[:LONGEST_QUERY]}…")
    for name in ("monitoringService", "signalType"):
        if value := text_in(essentials, name.lower()):
            extended.setdefault(name, value)
    return extended


def _entities_in(dimensions: _Dimensions) -> Iterator[dict[str, object]]:
    """The dimensions that rules and responders know as entities, by the names of their columns in Azure's tables."""
    for name, values in dimensions.items():
        if found := _ENTITIES.get(_column(name)):
            type, property, more = found
            for value in values:
                yield {"Type": type, **more, **(_path(value) if property == "Path" else {property: value})}


def _title_for(type: str, dimensions: _Dimensions) -> str:
    """The rule's name, with the file or registry key that changed: alerts of one rule may differ in that alone."""
    changed = [value for column in _CHANGED for value in _values_of(column, dimensions)]
    return ": ".join((type or "An Azure Monitor alert", *changed[:1]))


def _values_of(column: str, dimensions: _Dimensions) -> list[str]:
    return [value for name, values in dimensions.items() if _column(name) == column for value in values]


def _column(name: str) -> str:
    return name.strip().strip("_").lower()


def _path(path: str) -> dict[str, str]:
    """The name and the directory of a file, on Linux or on Windows."""
    slash = "/" if "/" in path else "\\"
    directory, found, name = path.rpartition(slash)
    return {"Name": name, "Directory": directory or slash} if found and name else {"Name": path}


_ENTITIES: dict[str, tuple[str, str, dict[str, str]]] = {
    "computer": ("host", "HostName", {}),
    **dict.fromkeys(("filepath", "originalfilepath"), ("file", "Path", {})),
    **{f"file{sum.lower()}": ("filehash", "Value", {"Algorithm": sum}) for sum in ("MD5", "SHA1", "SHA256")},
    **dict.fromkeys(("requestaccountname", "initiatingprocessaccountname"), ("account", "Name", {})),
    "requestsourceip": ("ip", "Address", {}),
    "initiatingprocessimagefilepath": ("process", "CommandLine", {}),
    "registrykey": ("registry-key", "Key", {}),
    **dict.fromkeys(("resourceid", "azureresourceid"), ("azure-resource", "ResourceId", {})),
}
"""Type, property and fixed properties of the entity that a column is, of `MDCFileIntegrityMonitoringEvents` and the like."""

_RESOURCE_COLUMNS = ("_resourceid", "resourceid", "azureresourceid")
"""Columns that Azure fills with the id of the resource that a row is about, the surest first."""
