"""The scope of a suppression rule: its elements, each a field and an operator. An element that is unclear refuses the rule."""

from __future__ import annotations

from router.domain.patterns import AddressRange, AddressRanges
from router.domain.signals import Stream
from router.domain.suppression import CVE, Element, Field, Operator
from router.rulebook.documents import TWICE
from router.rulebook.problems import KeyPath
from router.rulebook.scope_breadth import find_breadth
from router.rulebook.scope_fields import PORTABLE, find_field, is_of_findings_only, is_portable
from router.rulebook.scope_ranges import find_breadth_of, looks_like_range, read_range
from router.rulebook.scope_values import doubts_about_values
from router.rulebook.suppression_faults import Faults
from router.rulebook.validation_messages import hint

_PATH: KeyPath = ("properties", "suppressionAlertsScope")
_OPERATORS = {operator.value: operator for operator in (Operator.IN, Operator.CONTAINS)}


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
    texts = _read_texts((*path, operator.value), value[operator.value], operator, faults)
    if field is None or not texts:
        return None
    if operator is Operator.CONTAINS and (broad := _find_broad(texts, field)):
        faults.blame((*path, operator.value), broad, code="broad-value")
        return None
    path = (*path, operator.value)
    for doubt in doubts_about_values(texts, field, operator):
        faults.warn(path, doubt.message, doubt.code)
    ranges: list[AddressRange] = []
    if operator is Operator.IN and field.name == "address" and "/" in "".join(texts):
        texts, ranges = _without_ranges(path, texts, faults)
    values = frozenset(form for text in texts for form in field.forms_of(text))
    return Element(field, operator, values, AddressRanges.of(ranges)) if ranges else Element(field, operator, values)


def _without_ranges(path: KeyPath, texts: list[str], faults: Faults) -> tuple[list[str], list[AddressRange]]:
    """The texts that are no ranges of addresses, and the ranges."""
    written = [text for text in texts if looks_like_range(text)]
    read = list(map(read_range, written))
    for complaint in read:
        if isinstance(complaint, str):
            faults.blame(path, complaint, code="address-range")
    ranges = [range for range in read if isinstance(range, AddressRange)]
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
    elif stream is Stream.CWPP and is_of_findings_only(field):
        faults.blame((*path, "field"), f"{written!r} is known of findings only; no alert has it", code="wrong-stream")
        return None
    elif not is_portable(written):
        faults.warn((*path, "field"), f"{written!r} works here, but not in Defender", code="not-portable")
    return field


def _read_operator(path: KeyPath, value: dict[str, object], faults: Faults) -> Operator | None:
    keys = [key for key in value if key != "field"]
    known = [key for key in keys if key in _OPERATORS]
    if len(keys) == 1 and known:
        return _OPERATORS[known[0]]
    strange = [key for key in keys if key not in _OPERATORS]
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
    elif not texts or any(isinstance(text, str) and not text.strip() for text in texts):
        faults.blame(path, "has an empty value; an element needs something to look for", code="empty-value")
    elif not all(isinstance(text, str) for text in texts):
        faults.blame(path, "must hold texts; put values in quotes")
    else:
        return texts
    return []


def _find_broad(texts: list[str], field: Field) -> str | None:
    """What is wrong with the first text that is in all values of a field."""
    return next((f"{text!r} {breadth}" for text in texts if (breadth := find_breadth(text, field))), None)
