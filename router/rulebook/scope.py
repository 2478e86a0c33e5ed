"""The scope of a suppression rule: its elements, each a field and an operator. An element that is unclear refuses the rule."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network
from itertools import chain

from router.domain.entities import normalised_type
from router.domain.patterns import MAPPED, NO_RANGES, AddressRanges, Network, find_address, unmapped
from router.domain.rule_fields import ENTITY_FIELDS
from router.domain.signals import Stream
from router.domain.suppression import CVE, Element, Field, Operator
from router.rulebook.documents import TWICE
from router.rulebook.problems import Faults, KeyPath
from router.rulebook.scope_breadth import find_breadth
from router.rulebook.validation_messages import hint

PORTABLE = frozenset(f"entities.{type}.{name}" for type, names in ENTITY_FIELDS.items() for name in names)
_OF_FINDINGS = frozenset({"package", "cve", "owner"})
_OWN = _OF_FINDINGS | {"resourceid", "subscriptionid", "compromisedentity"}
_EXTENDED = "extendedproperties."


@lru_cache(maxsize=4096)
def find_field(written: str) -> Field | None:
    """The field of that name, whatever its case; None where it names nothing. Equal fields are one object."""
    lowered = written.lower()
    if lowered in _OWN or (lowered.startswith(_EXTENDED) and len(lowered) > len(_EXTENDED)):
        return Field(None, lowered)
    parts = lowered.split(".")
    if len(parts) != 3 or f"{parts[0]}.{normalised_type(parts[1])}.{parts[2]}" not in PORTABLE:
        return None
    return Field(normalised_type(parts[1]), parts[2])


SHORTEST = {4: 8, 6: 16}
"""How many bits the addresses of a range must have in common at least."""

MOST = 16
"""How many ranges of the shortest prefix may be held together, apart: a sixteenth of all IPv4 addresses."""

_PRIVATE = (IPv6Network("fc00::/7"), IPv6Network("fe80::/10"))
"""What is wider and yet no more than one's own addresses."""

_RANGE = re.compile(r"[0-9a-f:.]+/[0-9]{1,3}", re.IGNORECASE)


def looks_like_range(text: str) -> bool:
    """Whether a text is meant as a range of addresses."""
    return "/" in text and _RANGE.fullmatch(text) is not None


@lru_cache(maxsize=4096)
def read_range(text: str) -> Network | str:
    """The range that a text stands for, or what is wrong with it."""
    try:
        network = ip_network(text)
    except ValueError:
        return _complaint_about(text)
    if isinstance(network, IPv6Network) and network.supernet_of(MAPPED):
        words = "holds every IPv4 address, as these are mapped into IPv6: a rule may not cover a whole alert type"
        return f"{text!r} {words}"
    network = unmapped(network)
    return network if _is_narrow(network) else f"{text!r} {_too_wide(network)}"


def find_breadth_of(networks: Sequence[Network]) -> str | None:
    """What is wrong with networks that together are one that is too wide; None where they are not."""
    whole: tuple[Network, ...] = (
        *collapse_addresses(network for network in networks if isinstance(network, IPv4Network)),
        *collapse_addresses(network for network in networks if isinstance(network, IPv6Network)),
    )
    for network in whole:
        if not _is_narrow(network):
            return f"holds {network} with its ranges together, which {_too_wide(network)}"
    for version, shortest in SHORTEST.items():
        sizes = [network.num_addresses for network in whole if network.version == version and not network.is_private]
        if sum(sizes) > MOST * 2 ** ((32 if version == 4 else 128) - shortest):
            return (
                f"holds more IPv{version} addresses with its ranges together than {MOST} ranges of {shortest} bits: "
                "a rule may not cover a whole alert type"
            )
    return None


def _is_narrow(network: Network) -> bool:
    if network.prefixlen >= SHORTEST[network.version]:
        return True
    return isinstance(network, IPv6Network) and any(map(network.subnet_of, _PRIVATE))


def _too_wide(network: Network) -> str:
    return (
        "is too wide: a rule may not cover a whole alert type; "
        f"an IPv{network.version} range has a prefix of at least {SHORTEST[network.version]} bits"
    )


def _complaint_about(text: str) -> str:
    address, _, _ = text.partition("/")
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        return f"{text!r} is no range of addresses; write it like 10.20.0.0/16 or 2001:db8::/32"
    return (
        f"{text!r} has bits set beyond its prefix, so it is unclear; write {network} for the range, "
        f"or {address} for the one address"
    )


_IDS = frozenset({"resourceid", "azureid"})
_GUIDS = frozenset({"subscriptionid", "aaduserid"})
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_IPV4 = re.compile(r"(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}")
_ROOTS = ("/subscriptions/", "/providers/", "/tenants/", "//")
"""How ids begin that begin with a slash: those of Azure, and those of Google."""


def doubts_about_values(texts: Iterable[str], field: Field, operator: Operator) -> Iterator[tuple[str, str]]:
    """What is doubtful about the values of an element, each with the code of that."""
    is_whole = operator is Operator.IN
    is_free = field.name == "commandline" or field.name.startswith(_EXTENDED)
    for text in texts:
        if ("*" in text or "?" in text) and _is_wildcard(text, is_whole=is_whole, is_free=is_free):
            shared = "a range such as 10.20.0.0/16" if field.name == "address" else "`contains` with what they share"
            remedy = f"give each value whole, or {shared}" if is_whole else "remove it"
            sign = "*" if "*" in text else "?"
            yield f"{text!r} has a {sign}, which stands for itself here; {remedy}", "wildcard-in-value"
        elif not is_free and text != text.strip():
            yield f"{text!r} begins or ends with a blank, which no value does; remove it", "impossible-value"
        elif "/" in text and looks_like_range(text):
            if not is_whole or field.name != "address":
                words = "is compared as text here; only `in` of entities.ip.address knows ranges of addresses"
                yield f"{text!r} {words}", "range-as-text"
        elif is_whole and (impossible := _find_impossible(text, field)) is not None:
            yield f"{text!r} {impossible}", "impossible-value"


def _is_wildcard(text: str, *, is_whole: bool, is_free: bool) -> bool:
    """Whether a text is meant as a pattern. Command lines and extended properties may well hold stars and question marks."""
    if not is_free:
        return True
    return "*" in text if is_whole else text[0] == text[-1] == "*"


def _find_impossible(text: str, field: Field) -> str | None:
    """Why a field cannot have a value; None where it may."""
    if field.name == "address":
        return None if _IPV4.fullmatch(text) or find_address(text) else "is no IP address; write one like 10.20.0.5"
    if field.name in _GUIDS:
        return None if _GUID.fullmatch(text) else "is no GUID, so no signal has it; write the id, not the name"
    if field.name in _IDS:
        remedy = "and `in` compares whole ids; write it from /subscriptions/ on, or use `contains`"
        if text[0] == "/" and not text.lower().startswith(_ROOTS):
            return f"is a part of an id, {remedy}"
        if text[-1] == "/":
            return f"ends with a slash, as ids do not, {remedy}"
        if "/" not in text and ":" not in text:
            return f"is no resource's id, {remedy}"
    return None


_PATH: KeyPath = ("properties", "suppressionAlertsScope")
_OPERATORS = (Operator.IN, Operator.CONTAINS)


def read_scope(
    scope: object, stream: Stream, faults: Faults, shared: dict[Element, Element]
) -> tuple[tuple[Element, ...], ...]:
    """The elements of a scope: those on one entity type together, each of the signal's own properties alone."""
    grouped: dict[object, list[Element]] = {}
    for number, value in enumerate(_elements_in(scope, faults)):
        element = _read_element((*_PATH, "allOf", number), value, stream, faults)
        if element is not None:
            element = shared.setdefault(element, element)
            grouped.setdefault(element.field.entity or number, []).append(element)
    return tuple(map(tuple, grouped.values()))


def _elements_in(scope: object, faults: Faults) -> list[object]:
    if scope is None:
        faults.blame(_PATH, "is missing: a rule may not cover a whole alert type", code="whole-alert-type")
        return []
    if not isinstance(scope, dict):
        faults.blame(_PATH, "must be a mapping with allOf")
        return []
    for key in scope.keys() - {"allof"}:
        written = (*_PATH, str(scope[key]) if key == TWICE else key)
        is_meant = "allof" not in scope and bool(hint(key, ["allof"]))
        near = "; did you mean 'allOf'?" if is_meant else ""
        faults.blame(written, f"is not known in a scope; only allOf is{near}", code="unknown-key")
    elements = scope.get("allof")
    if isinstance(elements, list) and elements:
        return elements
    if elements is None or elements == []:
        state = "is empty" if "allof" in scope else "is missing"
        faults.blame((*_PATH, "allOf"), f"{state}: a rule may not cover a whole alert type", code="whole-alert-type")
    else:
        faults.blame((*_PATH, "allOf"), "must be a list of elements")
    return []


def _read_element(path: KeyPath, value: object, stream: Stream, faults: Faults) -> Element | None:
    if not isinstance(value, dict):
        faults.blame(path, "must be a mapping: a field, and in or contains")
        return None
    field = _read_field(path, value.get("field"), stream, faults)
    operator = _read_operator(path, value, faults)
    if operator is None:
        return None
    if operator is Operator.CONTAINS and field == CVE:
        whole = "is not known for cve, which takes only in; name each CVE whole"
        faults.blame((*path, operator.value), whole, code="unknown-operator")
        return None
    path = (*path, operator.value)
    texts = _read_texts(path, value[operator], operator, faults)
    if field is None or not texts:
        return None
    if operator is Operator.CONTAINS and (broad := _find_broad(texts, field)):
        faults.blame(path, broad, code="broad-value")
        return None
    for message, code in doubts_about_values(texts, field, operator):
        faults.warn(path, message, code)
    ranges: list[Network] = []
    if operator is Operator.IN and field.name == "address" and "/" in "".join(texts):
        texts, ranges = _without_ranges(path, texts, faults)
    values = frozenset(chain.from_iterable(map(field.forms_of, texts)))
    return Element(field, operator, values, AddressRanges.from_networks(ranges) if ranges else NO_RANGES)


def _without_ranges(path: KeyPath, texts: list[str], faults: Faults) -> tuple[list[str], list[Network]]:
    """The texts that are no ranges of addresses, and the ranges."""
    written = [text for text in texts if looks_like_range(text)]
    read = list(map(read_range, written))
    for complaint in read:
        if isinstance(complaint, str):
            faults.blame(path, complaint, code="address-range")
    ranges = [range for range in read if not isinstance(range, str)]
    if len(ranges) == len(written) and (breadth := find_breadth_of(ranges)):
        faults.blame(path, breadth, code="address-range")
    elif ranges and len(ranges) == len(written):
        many = f"and {len(ranges) - 1} more are ranges of addresses, which work"
        words = many if len(ranges) > 1 else "is a range of addresses, which works"
        faults.warn(path, f"{written[0]!r} {words} here, but not in Defender", code="not-portable")
    return [text for text in texts if not looks_like_range(text)], ranges


def _read_field(path: KeyPath, written: object, stream: Stream, faults: Faults) -> Field | None:
    field = find_field(written) if isinstance(written, str) else None
    if not isinstance(written, str):
        faults.blame((*path, "field"), "must be the name of a field, such as entities.ip.address")
    elif field is None:
        remedy = hint(written.lower(), PORTABLE) or "; a field is called like entities.ip.address"
        faults.blame((*path, "field"), f"{written!r} names nothing{remedy}", code="unknown-field")
    elif stream is Stream.CWPP and field.entity is None and field.name in _OF_FINDINGS:
        faults.blame((*path, "field"), f"{written!r} is known of findings only; no alert has it", code="wrong-stream")
        return None
    elif written.lower() not in PORTABLE:
        faults.warn((*path, "field"), f"{written!r} works here, but not in Defender", code="not-portable")
    return field


def _read_operator(path: KeyPath, value: dict[str, object], faults: Faults) -> Operator | None:
    known = [operator for operator in _OPERATORS if operator in value]
    strange = [key for key in value if key not in _OPERATORS and key != "field"]
    if len(known) == 1 and not strange:
        return known[0]
    if TWICE in value:
        faults.blame((*path, str(value[TWICE])), "is given twice", code="duplicate-key")
    elif strange:
        for key in strange:
            faults.blame((*path, key), "is an unknown operator; use in or contains", code="unknown-operator")
    else:
        many = "two operators" if known else "no operator"
        faults.blame(path, f"has {many}; use in or contains", code="unknown-operator")
    return None


def _read_texts(path: KeyPath, value: object, operator: Operator, faults: Faults) -> list[str]:
    """The values of an element; none where any of them is not as it should be."""
    if operator is Operator.CONTAINS and isinstance(value, list):
        faults.warn(path, "is a list, which works here, but not in Defender", code="not-portable")
    texts = [value] if operator is Operator.CONTAINS and isinstance(value, str) else value
    if not isinstance(texts, list):
        faults.blame(path, "must be a list of texts" if operator is Operator.IN else "must be text")
        return []
    if not texts or not all(map(str.strip, written := [text for text in texts if isinstance(text, str)])):
        faults.blame(path, "has an empty value; an element needs something to look for", code="empty-value")
        return []
    if len(written) < len(texts):
        faults.blame(path, "must hold texts; put values in quotes")
        return []
    return written


def _find_broad(texts: list[str], field: Field) -> str | None:
    """What is wrong with the first text that is in all values of a field."""
    for text in texts:
        if (breadth := find_breadth(text, field)) is not None:
            return f"{text!r} {breadth}"
    return None
