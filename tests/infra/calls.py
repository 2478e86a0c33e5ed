"""The operators and functions of Bicep that infra/ is written with, and what stands for that which only Azure knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

type Value = Any


@dataclass(frozen=True, slots=True)
class Unknown:
    """What only Azure knows."""

    what: str

    def __str__(self) -> str:
        return f"<{self.what}>"


SIGNS: Mapping[str, Callable[[Value, Value], Value]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
    "+": lambda a, b: a + b,
    "*": lambda a, b: a * b,
    "??": lambda a, b: b if a is None else a,
}

CALLS: Mapping[str, Callable[..., Value]] = {
    "concat": lambda *lists: [item for one in lists for item in one],
    "contains": lambda whole, part: part in whole,
    "empty": lambda value: not value,
    "environment": lambda: {"portal": "https://portal.azure.com", "suffixes": {"storage": "core.windows.net"}},
    "format": lambda written, *given: written.format(*given),
    "guid": lambda *parts: f"guid({','.join(map(str, parts))})",
    "join": lambda items, between: between.join(items),
    "last": lambda items: items[-1],
    "length": len,
    "managementGroup": lambda: {"id": "/managementGroups/GROUP", "name": "GROUP"},
    "replace": lambda written, old, new: written.replace(old, str(new)),
    "resourceGroup": lambda *given: {"id": "/subscriptions/{}/resourceGroups/{}".format(*(given or ("S", "GROUP")))},
    "split": lambda written, by: written.split(by),
    "string": str,
    "subscription": lambda: {"id": "/subscriptions/S", "subscriptionId": "S", "tenantId": "TENANT"},
    "subscriptionResourceId": lambda kind, name: name,
    "tenantResourceId": lambda kind, name: name,
    "toLower": str.lower,
    "union": lambda first, second: {**first, **second},
    "uniqueString": lambda *parts: "token",
}
