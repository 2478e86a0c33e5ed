"""The fields that an element of a suppression rule may look at."""

from __future__ import annotations

from functools import lru_cache

from router.domain.entities import normalised_type
from router.domain.rule_fields import ENTITY_FIELDS
from router.domain.suppression import Field

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


def is_of_findings_only(field: Field) -> bool:
    """Whether only rules about findings may look at the field."""
    return field.entity is None and field.name in _OF_FINDINGS


def is_portable(written: str) -> bool:
    """Whether Defender knows the field by that name."""
    return written.lower() in PORTABLE
