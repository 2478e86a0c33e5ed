"""Notices, deliveries and attempts in which a test shows only what matters to it."""

import base64
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any

from router.destinations import discover
from router.destinations.wording.notice_text import Briefing, briefing_of
from router.domain.conversation import DestinationKind
from router.domain.decisions import Change
from router.domain.deliveries import NO_BACKGROUND, Attempt, Background, Delivery, Receipt
from router.domain.evidence import Evidence
from router.domain.keys import signal_key
from router.domain.notices import Group, NamedMember, Notice, RecordEntry, Tactic
from router.domain.owners import Owner
from router.domain.posture import Package, Risk
from router.domain.rulebook import Lane
from router.domain.severity import Severity

_ADDRESSES = {
    "SLACK_WEBHOOK_URL": "https://hooks.slack.com/services/",
    "TEAMS_WEBHOOK_URL": "https://default0.1.environment.powerplatform.example:443/workflows/0/invoke?api-version=1&sig=",
}
"""How the secrets begin that are addresses."""

NOW = datetime(2026, 11, 24, 12, 0, 30, tzinfo=UTC)
ID = "2517402599999999999_0b2c8f0e-6a4e-4c5c-9c1d-1f0f5a1c0d11"
RESOURCE = (
    "/subscriptions/6f0a3c52-8d1e-4b7a-9c45-2e71d0b8a110/resourceGroups/rg-payments"
    "/providers/Microsoft.Compute/virtualMachines/vm-pay-01"
)


def a_notice(**changes: Any) -> Notice:
    """A High alert on a virtual machine, at its first turn."""
    values: dict[str, Any] = {
        "key": signal_key("cwpp", "alert", ID), "turn": 1, "stream": "cwpp", "kind": "alert", "id": ID,
        "type": "VM_SuspiciousLogin", "title": "Suspicious sign-in to a virtual machine",
        "description": "Somebody signed in from an address that was never seen before.",
        "severity": "High", "severity_written": "High", "status": "New", "plan": "VirtualMachines", "sample": False,
        "resource": RESOURCE, "resource_type": "Microsoft.Compute/virtualMachines", "resource_group": "rg-payments",
        "subscription": "6f0a3c52-8d1e-4b7a-9c45-2e71d0b8a110", "compromised_entity": "vm-pay-01",
        "tactics": (Tactic("TA0006", "Credential Access"),), "techniques": ("T1110",), "attack_version": "19.0",
        "routes": ("page-high",), "reason": "routes: page-high", "rulebook": "5f2d7c1e",
        "link": "https://portal.azure.com/#view/alerts/1",
        "remediation": ("Change the password.", "Look for other sign-ins."),
        "evidence": Evidence(hosts=("vm-pay-01",), accounts=("root",), ips=("203.0.113.7",), processes=("php -r 1",)),
        "owner": Owner(group="payments-platform", service="Payments"), "product": "Microsoft Defender for Cloud",
        "started": "2026-11-24T11:58:00Z", "ended": "2026-11-24T11:59:00Z", "changed": "2026-11-24T12:00:00Z",
        "extended": {"attempts": "42"}, "is_whole": True,
    }  # fmt: skip
    return Notice(**values | changes)


def a_group(**changes: Any) -> Group:
    """Three sign-ins to one machine, of which two still stand."""
    values: dict[str, Any] = {
        "by": (("alert_type", "VM_SuspiciousLogin"), ("resource", RESOURCE)),
        "total": 3,
        "standing": 2,
        "named": (
            NamedMember(
                key="b" * 32, title="Suspicious sign-in to a virtual machine", severity="High", place="vm-pay-01"
            ),
            NamedMember(key="a" * 32, title="Sign-in from a *new* <place>", severity=None, place=None),
        ),
    }
    return Group(**values | changes)


def a_finding(**changes: Any) -> Notice:
    """A Medium recommendation about a storage account."""
    values: dict[str, Any] = {
        "key": signal_key("cspm", "recommendation", "/subscriptions/1/assessments/a"), "stream": "cspm",
        "kind": "recommendation", "id": "/subscriptions/1/assessments/a", "type": "a",
        "title": "Storage account should refuse public access", "severity": "Medium", "severity_written": "Medium",
        "status": "Unhealthy", "plan": None, "categories": ("Data",), "cause": "OffByPolicy", "cloud": "Azure",
        "evidence": Evidence(),
    }  # fmt: skip
    return a_notice(**values | changes)


def a_software_update(**changes: Any) -> Notice:
    """A High recommendation to update a package on the machine, which is at Critical risk."""
    values: dict[str, Any] = {
        "title": "Update lodash", "severity": "High", "severity_written": "High", "category": "SoftwareUpdate",
        "package": Package(
            name="lodash", type="npm", language="JavaScript", installed=("4.17.15",), fixed="4.17.21",
            fix_status="FixAvailable",
        ),
        "cves": ("CVE-2026-1001", "CVE-2026-1002"), "scanner": "mdvm",
        "risk": Risk(
            level=Severity.CRITICAL, written="Critical", factors=("Exposure to the Internet",), attack_paths=("p",),
            is_contextual=True,
        ),
    }  # fmt: skip
    return a_finding(**values | changes)


def a_huge_notice(**changes: Any) -> Notice:
    """An alert that no vendor takes as it is: 1.5 MB, of which a description of 300 KB and thousands of entities."""
    names = tuple(f"host-{number}-" + "h" * 200 for number in range(420))
    values: dict[str, Any] = {
        "title": "Ö" * 5_000,
        "description": "d" * 300_000,
        "remediation": tuple("r" * 1_000 for _ in range(500)),
        "evidence": Evidence(hosts=names, processes=names, ips=names, urls=names, hashes=names),
        "extended": {f"key-{number}": "\x01" * 1_000 for number in range(300)},
    }
    return a_notice(**values | changes)


def an_entry(**changes: Any) -> RecordEntry:
    """A decision on record: routed."""
    values: dict[str, Any] = {
        "key": "epoch-1:0:17", "at": "2026-11-24T12:00:01Z", "id": ID, "stream": "cwpp", "kind": "alert",
        "type": "VM_SuspiciousLogin", "title": "Suspicious sign-in", "severity": "High", "status": "New",
        "plan": "VirtualMachines", "resource": RESOURCE, "sample": False, "outcome": "routed",
        "reason": "routes: page-high", "notice": "opened", "suppressed_by": None, "suppressed_until": None,
        "tactics": ("TA0006",), "techniques": ("T1110",), "routes": ("page-high",), "destinations": ("oncall",),
        "rulebook": "5f2d7c1e", "source": "alerts.ndjson:1", "signal": "d" * 32, "turn": 1,
        "steps": ("attack.known", "resolved.no", "noted.no", "floor.passed", "suppression.none", "route.matched=page-high"),
    }  # fmt: skip
    return RecordEntry(**values | changes)


def a_delivery(content: Notice | RecordEntry | None = None, change: Change = Change.OPENED, **changes: Any) -> Delivery:
    """A delivery of a notice (by default an alert that opened) to the destination `there`."""
    content = content if content is not None else a_notice()
    values: dict[str, Any] = {
        "stream": content.stream or "cwpp",
        "destination": "there",
        "lane": Lane.TICKET,
        "key": content.key,
        "turn": content.turn if isinstance(content, Notice) else 0,
        "change": change,
        "opened": 1,
        "content": content,
    }
    return Delivery(**values | changes)


def an_attempt(
    content: Notice | RecordEntry | None = None,
    change: Change = Change.OPENED,
    *,
    secrets: Iterable[str] = ("SECRET",),
    opening: Receipt | None = None,
    background: Background = NO_BACKGROUND,
    **changes: Any,
) -> Attempt:
    """A first attempt at noon; `secrets` are the names of those that have a value."""
    return Attempt(
        delivery=a_delivery(content, change, **changes),
        number=1,
        now=NOW,
        secrets={name: a_secret(name) for name in secrets},
        opening=opening,
        background=background,
    )


def a_briefing(
    notice: Notice | None = None, change: Change = Change.OPENED, background: Background = NO_BACKGROUND
) -> Briefing:
    """A notice in words, at noon."""
    return briefing_of(notice if notice is not None else a_notice(), change, background, NOW)


def a_secret(name: str) -> str:
    """A dummy value that every vendor would take for one of its own, and that a test finds wherever it leaks."""
    return _ADDRESSES.get(name, "whsec_") + base64.b64encode(f"canary of {name}".ljust(32).encode()).decode()


def secret_names_in(value: object) -> Iterator[str]:
    """The names of the secrets that a config refers to."""
    match value:
        case {"secret": str(name)}:
            yield name
        case dict():
            for item in value.values():
                yield from secret_names_in(item)
        case list() | tuple():
            for item in value:
                yield from secret_names_in(item)


@cache
def examples_of(kind: str) -> list[dict[str, Any]]:
    """The example configs of a kind."""
    return list(discover()[kind].Config.model_json_schema()["examples"])


def a_destination(kind: str, /, example: int = 0, **config: Any) -> DestinationKind:
    """A destination of a kind; its config is the kind's own example of that number, but for what is given."""
    found = discover()[kind]
    return found(found.Config.model_validate(examples_of(kind)[example] | config))
