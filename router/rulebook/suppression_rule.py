"""One suppression rule: Defender's ARM body, its keys in lower case, as a value. In doubt a rule is left out, and said to be.

https://learn.microsoft.com/rest/api/defenderforcloud/alerts-suppression-rules (2019-01-01-preview)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import replace
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from functools import lru_cache
from sys import intern
from typing import NamedTuple

from router.domain.keys import bounded
from router.domain.posture import CATEGORIES
from router.domain.readable import storable, timestamp
from router.domain.signals import Stream
from router.domain.silences import RESERVED
from router.domain.suppression import Element, Operator, SuppressionRule
from router.rulebook.documents import TWICE
from router.rulebook.problems import INVALID, Fault, Faults, KeyPath
from router.rulebook.scope import read_scope
from router.rulebook.scope_breadth import names_many
from router.rulebook.validation_messages import hint, must_be_text

_KEYS = {
    spelling.lower(): spelling
    for spelling in (
        "alertType", "state", "reason", "expirationDateUtc", "comment", "suppressionAlertsScope", "lastModifiedUtc",
    )
}  # fmt: skip
"""The keys of a rule as Defender spells them, by the keys in lower case."""
_REASONS = (
    "AlertSeverityTooHigh", "FalsePositive", "Noise", "NotRelevant", "Other", "SpecificEntityFalsePositive", "Unclear",
)  # fmt: skip
"""The reasons that Defender's own policy offers. Azure/azure-policy, ASC_SuppressionRulesForAlerts_Deploy.json"""
_KNOWN_REASONS = frozenset(map(str.lower, _REASONS))
LONGEST_COMMENT = 140
"""How many characters of a comment Defender takes; with more its answer is 500, which says nothing of the cause."""
_STATES = frozenset({"enabled", "disabled", "expired"})
_CATEGORIES = frozenset(map(str.casefold, CATEGORIES))
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]++(?:['&][\w.+-]++)*+@[\w-]+(?:\.[\w-]+)+")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,7})?(?:Z|[+-]\d\d:\d\d)?", re.IGNORECASE | re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{1,49}")


class Life(NamedTuple):
    """What the end of a rule is checked against."""

    longest: timedelta
    warn: timedelta
    now: datetime


def read_rule(
    name: str, body: object, source: str, stream: Stream, life: Life, shared: dict[Element, Element]
) -> tuple[SuppressionRule | None, list[Fault]]:
    """A rule as far as it can be read, and what is said about it. `shared` keeps equal elements one."""
    faults = Faults()
    properties = body.get("properties") if isinstance(body, dict) and TWICE not in body else None
    if not isinstance(properties, dict):
        form = "{properties: {alertType, state, reason, ...}}"
        faults.blame((), f"has not one `properties`; write Defender's form: {form}", code="missing-key")
        return None, faults.all
    _check_keys(properties, faults)
    rule_properties = _RuleProperties(properties, life, faults)
    rule = SuppressionRule(
        name=bounded(storable(name)),
        alert_type=intern(rule_properties.alert_type().casefold()),
        expires=rule_properties.expires(),
        enabled=rule_properties.enabled(),
        groups=read_scope(properties.get("suppressionalertsscope"), stream, faults, shared),
        reason=rule_properties.reason(),
        comment=rule_properties.comment(),
        owner=rule_properties.owner(),
        source=storable(source),
    )
    if stream is Stream.CSPM and rule.alert_type in _CATEGORIES and all(one.level == "warning" for one in faults.all):
        _check_category(rule, faults)
    if name.startswith(RESERVED):
        reserved = f"{name!r} is no name for a rule: silences and shadow rules are called so"
        faults.blame((), reserved, code="reserved-name")
    elif not _NAME.fullmatch(name):
        wanted = "which wants 2 to 50 letters, digits, - and _"
        faults.warn((), f"{name!r} is no name for Defender, {wanted}", code="not-portable")
    return rule, faults.all


def _check_category(rule: SuppressionRule, faults: Faults) -> None:
    path: KeyPath = ("properties", "suppressionAlertsScope")
    if not rule.is_narrow:
        broad = "names no resource, package, cve or owner: a rule may not cover a whole category"
        faults.blame(path, broad, code="whole-category")
        return
    many = {element: text for group in rule.groups for element in group if (text := _find_many(element)) is not None}
    rest = tuple(tuple(element for element in group if element not in many) for group in rule.groups)
    if many and not replace(rule, groups=rest).is_narrow:
        words = "is no one resource: a rule may not cover a whole category; name a resource in it, or a package, cve or owner"
        faults.blame(path, f"{next(iter(many.values()))!r} {words}", code="whole-category")


def _find_many(element: Element) -> str | None:
    """The first value of an `in` that stands for all resources of a subscription, an account or a connector."""
    if element.operator is not Operator.IN:
        return None
    return next((text for text in sorted(element.values) if names_many(text, element.field)), None)


def _check_keys(properties: Mapping[str, object], faults: Faults) -> None:
    for key in properties.keys() - _KEYS.keys():
        if key == TWICE:
            faults.blame(("properties", str(properties[TWICE])), "is given twice", code="duplicate-key")
        else:
            absent = [known for known in _KEYS if properties.get(known) is None]
            near = next((f"; did you mean {_KEYS[near]!r}?" for near in get_close_matches(key, absent, n=1)), "")
            meaningless = f"is no key of a suppression rule, and means nothing here{near}"
            faults.warn(("properties", key), meaningless, code="unknown-key")


class _RuleProperties:
    """The properties of one rule. A property that is not as it should be is reported, and counts as empty."""

    __slots__ = ("_faults", "_life", "_properties")

    def __init__(self, properties: Mapping[str, object], life: Life, faults: Faults) -> None:
        self._properties = properties
        self._life = life
        self._faults = faults

    def _blame(self, key: str, message: str, code: str = INVALID) -> None:
        self._faults.blame(("properties", key), message, code)

    def _warn(self, key: str, message: str, code: str) -> None:
        self._faults.warn(("properties", key), message, code)

    def text(self, key: str) -> str:
        """A required text."""
        value = self._properties.get(key.lower())
        if isinstance(value, str) and value.strip():
            return value
        if value is None or value == "":
            self._blame(key, "is missing; Defender requires it", "missing-key")
        else:
            self._blame(key, must_be_text(value))
        return ""

    def alert_type(self) -> str:
        type = self.text("alertType")
        if "*" in type:
            whole = "must be one whole alert type: a rule may not cover every type, and patterns are not known"
            self._blame("alertType", whole, "whole-alert-type")
        return type

    def enabled(self) -> bool:
        state = self.text("state").lower()
        if state and state not in _STATES:
            self._blame("state", "must be Enabled, Disabled or Expired")
        elif state == "expired":
            self._warn("state", "is Expired; the rule holds nothing. Renew it, or remove it", "ended")
        return state == "enabled"

    def reason(self) -> str:
        reason = self.text("reason")
        if reason and reason.lower() not in _KNOWN_REASONS:
            known = hint(reason, _REASONS) or f"; use one of {', '.join(_REASONS)}"
            self._warn("reason", f"{reason!r} is no reason that Defender offers{known}", "not-portable")
        return intern(storable(reason))

    def comment(self) -> str:
        comment = self._properties.get("comment")
        if comment is None:
            return ""
        if not isinstance(comment, str):
            self._blame("comment", must_be_text(comment))
            return ""
        if len(comment) > LONGEST_COMMENT:
            answer = f"Defender takes {LONGEST_COMMENT} and answers longer ones with error 500"
            self._warn("comment", f"has {len(comment)} characters; {answer}", "not-portable")
        return storable(comment)

    def owner(self) -> str | None:
        comment = self._properties.get("comment")
        if isinstance(comment, str) and "@" in comment and (found := _EMAIL.search(comment)):
            return intern(found[0])
        self._warn("comment", "names no owner; add an e-mail address", "no-owner")
        return None

    def expires(self) -> datetime:
        key, value = "expirationDateUtc", self._properties.get("expirationdateutc")
        expires = _find_instant(value) if isinstance(value, str) else None
        if expires is None:
            if value is None or value == "":
                self._blame(key, "is missing: a rule must end", "no-end")
            else:
                self._blame(key, "must be a time such as 2026-12-31T00:00:00Z")
            return self._life.now
        if isinstance(value, str) and not _is_portable_time(value):
            read = f"{value!r} is read as {timestamp(expires)}, but Defender wants it written so"
            self._warn(key, read, "not-portable")
        left = expires - self._life.now
        if left > self._life.longest:
            latest = timestamp(self._life.now + self._life.longest)
            lives = f"a rule lives at most {_days(self._life.longest)} from now"
            self._blame(key, f"is too far away: {lives}; give at most {latest}", "end-too-far")
        elif left <= timedelta(0):
            self._warn(key, "has passed; the rule holds nothing. Renew it, or remove it", "ended")
        elif left <= self._life.warn:
            soon = f"comes within {_days(self._life.warn)}; renew the rule, or let it end"
            self._warn(key, soon, "ends-soon")
        return expires


@lru_cache(maxsize=4096)
def _find_instant(text: str) -> datetime | None:
    """A time in UTC; one without a zone is meant so, as the key's name says."""
    try:
        instant = datetime.fromisoformat(text)
        return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


@lru_cache(maxsize=4096)
def _is_portable_time(text: str) -> bool:
    """Whether a time is written as ARM takes it, with up to seven digits of a second."""
    return _TIME.fullmatch(text) is not None


def _days(length: timedelta) -> str:
    hours = round(length.total_seconds() / 3600)
    return f"{hours // 24}d" if hours % 24 == 0 else f"{hours}h"
