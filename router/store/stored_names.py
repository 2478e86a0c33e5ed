"""The names under which values are stored. They never change, whatever classes and fields are called in the code.

Each value is one JSON object. Its tag, which stands beside it in its row, says what it is; its keys say what is in it. Both
are said here, for the classes in `TYPES` and for every class inside them, however deep.

To rename a class: leave its tag as it is, and let the tag name the new class in `TYPES`. A class that is only stored inside
others has no tag; nothing is to do but for its fields.

To rename a field: write the class and the field's new name into `KEYS`, with the key that it has always had:

    KEYS = {MemberState: {"group_turn": "told"}}

To rename an enum: leave its word in `WORDS`. Its values are stored, and the names of its members are not.

Keep the order of the fields, which is that of the keys. A field that is added needs a default, since what is stored lacks it;
and a field must not take a name that is still another field's key, unless that one is in `KEYS`. `tests/store/test_codec.py`
and `tests/frozen` fail where a stored name is lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from router.domain.coverage_sources import CoverageSourceKind
from router.domain.decisions import Change, Outcome
from router.domain.deliveries import DeliveryState, Receipt
from router.domain.groups import GroupState
from router.domain.notices import Notice, RecordEntry
from router.domain.reasons import Code
from router.domain.rule_fields import RuleFields
from router.domain.rulebook import Lane
from router.domain.signals import Stream

type Storable = Notice | RecordEntry | Receipt | GroupState | RuleFields

NOTICE = "Notice"
RECORD_ENTRY = "RecordEntry"
RECEIPT = "Receipt"
GROUP_STATE = "GroupState"
RULE_FIELDS = "RuleFields"

TYPES: Mapping[str, type[Any]] = {
    NOTICE: Notice,
    RECORD_ENTRY: RecordEntry,
    RECEIPT: Receipt,
    GROUP_STATE: GroupState,
    RULE_FIELDS: RuleFields,
}
"""The class of each tag."""

KEYS: Mapping[type[Any], Mapping[str, str]] = {}
"""By class, the key of each field that is not stored under its own name; also of classes that are only stored inside others."""

WORDS: Mapping[type[StrEnum], str] = {
    Change: "change",
    Code: "code",
    CoverageSourceKind: "kind",
    DeliveryState: "deliverystate",
    Lane: "lane",
    Outcome: "outcome",
    Stream: "stream",
}
"""What an enum is called in the reason for which a row was set aside."""
