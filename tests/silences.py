"""Builds silences, of which a test shows only what matters to it."""

from copy import replace
from datetime import datetime, time, timedelta
from typing import Any

from router.domain.patterns import is_glob
from router.domain.silences import Recurrence, Silence
from router.domain.suppression import MACHINE, RESOURCE_NAME, Element, Operator
from tests.builders import NOW, an_element

HOUR = timedelta(hours=1)


def named(*names: str) -> tuple[Element, ...]:
    """An element on the names of resources, which are globs where one of them is."""
    operator = Operator.LIKE if any(map(is_glob, names)) else Operator.IN
    return (Element(RESOURCE_NAME, operator, frozenset(names)),)


def machine(*names: str) -> tuple[Element, ...]:
    """An element on the names of machines."""
    return (an_element("entities.host.hostname", *names),)


def called(*names: str) -> tuple[Element, ...]:
    """An element on what machines are called, however signals name them."""
    return (replace(named(*names)[0], field=MACHINE),)


def a_silence(id: str = "ab12cd", *, begins: datetime = NOW, lasts: timedelta = 2 * HOUR, **fields: Any) -> Silence:
    """A silence of the resource vm-1 by ana, for two hours from now."""
    silence = Silence(
        id=id,
        stream="cwpp",
        alert_type=None,
        groups=(named("vm-1"),),
        begins=begins,
        until=begins + lasts,
        reason="patching",
        author="ana@contoso.example",
        made=min(begins, NOW),
        first=begins,
    )
    return replace(silence, **fields)


def weekly(*days: int, begins: str = "02:00", ends: str = "04:00", zone: str = "UTC") -> Recurrence:
    """A window on some days of each week, 0 for Monday."""
    return Recurrence(frozenset(days), time.fromisoformat(begins), time.fromisoformat(ends), zone)
