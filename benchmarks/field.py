"""A stream as the field has it, day by day: what comes in, and the rules that decide it.

Of a day's messages

    70 %  are the weekly snapshot of standing findings, a seventh of them each day: nothing new, but for a finding's first time.
          Six in ten are below the floor. One in five turns Healthy within eight weeks, one in five is never heard of again, and
          others take their place; the rest stand for ever.
    18 %  are alerts below the floor
     5 %  are alerts that a rule holds for 14 days; 3 % resolve those of five days ago, the rest is told when the rule ends
     2 %  are alerts for the pager, a ticket and a table; 1 % resolve those of three days ago, and the other half never ends
     1 %  are findings that are Healthy and were never heard of
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from copy import replace
from datetime import datetime, timedelta
from pathlib import Path

from benchmarks.workload import TYPES, Origin, alert_at
from router.app.rules import Rules, load_rules
from router.domain.signals import Stream
from router.domain.suppression import Suppressions
from tests.builders import a_rule, finding_body
from tests.stack.stack import POLICIES

HOLDS = 14
"""Days for which the rule of each day holds what it covers."""

WEEKS = 8
"""Weeks after which a finding that ends has ended."""

_WRITTEN = b"2026-11-24T08"
"""How the alerts of `workload` begin their times."""

_LOW, _HIGH, _HELD = 5, 0, 3
"""Places in TYPES."""


def days(daily: int, start: datetime) -> Iterator[Mapping[Stream, list[bytes]]]:
    """The messages of one day after the other, about so many a day."""
    day = 0
    while True:
        at = start + timedelta(days=day)
        yield {Stream.CWPP: list(_alerts(day, daily, at)), Stream.CSPM: list(_findings(day, daily, at))}
        day += 1


def rules_for(directory: Path, start: datetime, length: int) -> Rules:
    """The rules that decide them for so many days, written to a directory and read there."""
    for stream, policy in POLICIES.items():
        (directory / stream).mkdir(parents=True)
        there = dict.fromkeys(("pagerduty", "servicenow", "logs"), "https://soc.example") | {"user": "router"}
        (directory / stream / "policy.yaml").write_text(policy.format_map(there))
    rules = load_rules(directory, list(Stream), start)
    books = dict(rules.books)
    held = [
        a_rule(
            f"scanner-{day}",
            alert_type=TYPES[_HELD][0],
            expires=start + timedelta(days=day + HOLDS),
            ip=[_scanner_of(day)],
        )
        for day in range(length)
    ]
    books[Stream.CWPP] = replace(books[Stream.CWPP], suppressions=Suppressions.from_rules(held))
    return replace(rules, books=books)


def _alerts(day: int, daily: int, at: datetime) -> Iterator[bytes]:
    below, held, paged = (round(daily * share) for share in (0.18, 0.05, 0.02))
    for n in range(below):
        yield _alert(day, n, _LOW, f"10.9.{n >> 8 & 255}.{n & 255}", at)
    for n in range(held):
        yield _alert(day, below + n, _HELD, _scanner_of(day), at)
    for n in range(paged):
        yield _alert(day, below + held + n, _HIGH, f"10.8.{n >> 8 & 255}.{n & 255}", at)
    for n in range(round(held * 0.6) if day >= 5 else 0):
        yield _alert(day - 5, below + n, _HELD, _scanner_of(day - 5), at, status="Resolved")
    for n in range(paged // 2 if day >= 3 else 0):
        yield _alert(day - 3, below + held + n, _HIGH, f"10.8.{n >> 8 & 255}.{n & 255}", at, status="Resolved")


def _alert(day: int, n: int, type: int, address: str, at: datetime, *, status: str = "New") -> bytes:
    # No day has more alerts than that, so each has a number of its own.
    number = day * 100_000 + n
    body = alert_at(number, Origin(type, f"srv-{n % 500:06d}", address))
    body = body.replace(b'"Status": "New"', f'"Status": "{status}"'.encode())
    return body.replace(_WRITTEN, f"{at:%Y-%m-%dT%H}".encode())


def _scanner_of(day: int) -> str:
    return f"10.20.{day >> 8}.{day & 255}"


def _findings(day: int, daily: int, at: datetime) -> Iterator[bytes]:
    a_day, week = round(daily * 0.7), day // 7
    for slot in range(day % 7 * a_day, (day % 7 + 1) * a_day):
        # Each has its own week in which it ends, so that as many end in one week as in another.
        turn, into = divmod(week + slot // 5 % WEEKS, WEEKS)
        match slot % 5:
            case 0:
                yield _finding(slot, turn, "Healthy" if into == WEEKS - 1 else "Unhealthy", at, snapshot=True)
            case 1:
                yield _finding(slot, turn, "Unhealthy", at, snapshot=True)
            case _:
                yield _finding(slot, 0, "Unhealthy", at, snapshot=True)
    for n in range(round(daily * 0.01)):
        yield _finding(10_000_000 + n, day, "Healthy", at, snapshot=False)


def _finding(slot: int, turn: int, status: str, at: datetime, *, snapshot: bool) -> bytes:
    body = json.loads(finding_body(f"assessment-{slot % 40}", status, changed=None, isSnapshot=snapshot))
    resource = f"{body['properties']['resourceDetails']['id']}-{slot}-{turn}"
    body["id"] = f"{resource}/providers/Microsoft.Security/assessments/{body['name']}"
    body["properties"]["resourceDetails"]["id"] = resource
    body["properties"]["metadata"]["severity"] = "Low" if slot // 7 % 10 < 6 else "High"
    return json.dumps(body).encode()
