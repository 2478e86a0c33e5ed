"""Notices as full as real ones: an alert of a Kubernetes workload, a group of one package on many machines, an announcement.

What is special about the first two stands in `examples.json` as the store keeps it. Every name in them is made up.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from router.decide.rule_notices import EventKind, EventSubject, HeldNow, RuleEvent, notice_of
from router.domain.counts import RuleHits
from router.domain.notices import NamedMember, Notice
from router.store.codec import decode, encode
from tests.destinations.builders import a_notice


def _stored(name: str) -> dict[str, Any]:
    told = json.loads(Path(__file__).with_name("examples.json").read_bytes())[name]
    notice = decode(Notice, json.dumps(json.loads(encode(a_notice())) | told).encode())
    return {field: getattr(notice, field) for field in told}


WORKLOAD: Mapping[str, Any] = _stored("workload")
PACKAGE: Mapping[str, Any] = _stored("package")
"""The latest finding of a group: five hundred machines have the package still, of which ten are named."""

_AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
_ENDED = RuleEvent(
    kind=EventKind.ENDED,
    subject=EventSubject.RULE,
    name="vuln-scanner-in-erp",
    at=_AT,
    person="ana@contoso.example",
    about="rules/cwpp/suppressions/vuln-scanner-in-erp.json",
    until=_AT,
    hits=RuleHits(1412, _AT - timedelta(days=90), _AT - timedelta(hours=2)),
    held=HeldNow(
        count=7,
        gravest=(
            NamedMember(
                key="", title="Suspicious process *executed* on a <b>machine</b>", severity="High", place="vm-erp-07"
            ),
            NamedMember(key="", title="Traffic from an address that scans", severity="Medium", place="vm-erp-07"),
            NamedMember(key="", title="Failed SSH brute force attack", severity="Medium", place="vm-erp-11"),
        ),
    ),
)
_SOON = replace(
    _ENDED,
    kind=EventKind.ENDS_SOON,
    name="nightly-backup",
    at=_AT + timedelta(days=14),
    until=_AT + timedelta(days=14),
    about="rules/cwpp/suppressions/nightly-backup.json",
    hits=None,
    held=HeldNow(count=0),
)
_NOTICE = notice_of((_ENDED, _SOON), "about:" + "c" * 32, "cwpp", _AT, None, "5f2d7c1e")
ANNOUNCED: Mapping[str, Any] = {
    one.name: getattr(_NOTICE, one.name) for one in fields(_NOTICE) if one.name not in ("turn", "group")
}
"""A rule ended, and another one ends soon."""

ANNOUNCED_GROUP = _NOTICE.group
