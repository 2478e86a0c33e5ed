"""What a finding says of its exemption: somebody accepted or mitigated it, which is not a repair.

An exempted finding is NotApplicable with the cause Exempt:
https://learn.microsoft.com/azure/defender-for-cloud/exempt-resource
"""

from __future__ import annotations

from router.parse.fields import Fields, fields_in, text_in

LONGEST = 500
"""Characters of what is kept of a description."""

_CATEGORY = "exemptioncategory"


def find_exemption(properties: Fields, status: Fields) -> str | None:
    """The category and the description of the exemption, as far as the message says them; None where it is not exempt."""
    if (text_in(status, "cause") or "").strip().lower() != "exempt":
        return None
    about = (status, properties, *(fields_in(properties.get(name)) for name in ("exemptiondata", "additionaldata")))
    category = next((found for fields in about if (found := text_in(fields, _CATEGORY))), None)
    said = [one.strip() for one in (category, text_in(status, "description")) if one is not None]
    return ", ".join(said)[:LONGEST]
