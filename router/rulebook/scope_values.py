"""Values that no signal can have, so that an element that looks for them holds nothing: each is said with a remedy.

They are warnings. What is compared is text, and a text may be meant as it stands; and a list holds by its other values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from ipaddress import ip_address
from typing import NamedTuple

from router.domain.suppression import Field, Operator
from router.rulebook.scope_ranges import looks_like_range


class ValueDoubt(NamedTuple):
    """What is doubtful about a value of an element.

    Attributes:
        message: what it is, and what to do.
        code: the sort of problem.
    """

    message: str
    code: str


_IDS = frozenset({"resourceid", "azureid"})
_GUIDS = frozenset({"subscriptionid", "aaduserid"})
_EXTENDED = "extendedproperties."
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_IPV4 = re.compile(r"(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}")
_OCTETS = re.compile(r"((?:\d{1,3}\.){1,3})(?:\*\.?)+")
_ROOTS = ("/subscriptions/", "/providers/", "/tenants/", "//")
"""How ids begin that begin with a slash: those of Azure, and those of Google."""


def doubts_about_values(texts: Iterable[str], field: Field, operator: Operator) -> Iterator[ValueDoubt]:
    """What is doubtful about the values of an element."""
    is_whole = operator is Operator.IN
    is_free = field.name == "commandline" or field.name.startswith(_EXTENDED)
    find = _find_impossible(field) if is_whole else None
    for text in texts:
        if ("*" in text or "?" in text) and _is_wildcard(text, is_whole=is_whole, is_free=is_free):
            yield ValueDoubt(_about_wildcard(text, field, operator), code="wildcard-in-value")
        elif not is_free and text != text.strip():
            yield ValueDoubt(
                f"{text!r} begins or ends with a blank, which no value does; remove it", code="impossible-value"
            )
        elif "/" in text and looks_like_range(text):
            if not is_whole or field.name != "address":
                yield ValueDoubt(_about_range(text, field), code="range-as-text")
        elif find is not None and (words := find(text)):
            yield ValueDoubt(f"{text!r} {words}", code="impossible-value")


def _is_wildcard(text: str, *, is_whole: bool, is_free: bool) -> bool:
    """Whether a text is meant as a pattern. Command lines and extended properties may well hold stars and question marks."""
    if not is_free:
        return True
    return "*" in text if is_whole else text[0] == text[-1] == "*"


def _about_wildcard(text: str, field: Field, operator: Operator) -> str:
    sign = "*" if "*" in text else "?"
    if operator is Operator.CONTAINS:
        return f"{text!r} has a {sign}, which stands for itself here: `contains` looks for the text as it is; remove the {sign}"
    said = f"{text!r} has a {sign}, which stands for itself here: `in` compares whole values"
    if field.name != "address":
        return f"{said}; give each value whole, or use `contains` with what they share"
    octets = _OCTETS.fullmatch(text)
    count = octets[1].count(".") if octets else 2
    shared = octets[1] if octets else "10.20."
    example = f"{shared}{'.'.join(['0'] * (4 - count))}/{8 * count}"
    return f"{said}; write a range, {'such as ' if octets is None else ''}{example}"


def _about_range(text: str, field: Field) -> str:
    if field.name == "address":
        return f"{text!r} is only a text to `contains`; a range of addresses stands under `in`"
    return f"{text!r} is compared as text here; only entities.ip.address knows ranges of addresses"


type _Find = Callable[[str], str | None]


def _find_impossible(field: Field) -> _Find | None:
    """What finds the values that a field cannot have, as complaints; None where a field may have any."""
    if field.name == "address":
        return _about_address
    if field.name in _IDS:
        return _about_id
    if field.name in _GUIDS:
        return _about_guid
    return None


def _about_address(text: str) -> str | None:
    if _IPV4.fullmatch(text):
        return None
    try:
        ip_address(text)
    except ValueError:
        return "is no IP address, so no signal has it; an address is written like 10.20.0.5, a range like 10.20.0.0/16"
    return None


def _about_id(text: str) -> str | None:
    if text[0] == "/" and not text.lower().startswith(_ROOTS):
        return "is a part of an id, and `in` compares whole ids; write it from /subscriptions/ on, or use `contains`"
    if text[-1] == "/":
        return "ends with a slash, as ids do not, and `in` compares whole ids; remove the slash, or use `contains`"
    if "/" not in text and ":" not in text:
        return "is no resource's id, and `in` compares whole ids; write it from /subscriptions/ on, or use `contains`"
    return None


def _about_guid(text: str) -> str | None:
    return None if _GUID.fullmatch(text) else "is no GUID, so no signal has it; write the id, not the name"
