"""What the values of options mean; a wrong one is an ArgumentTypeError that says what to write."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from router.app.fields import read_duration, read_instant
from router.domain.readable import one_line

if TYPE_CHECKING:
    from router.store.conninfo import PostgresqlAddress
    from router.store.standing import StandingPlace

RULES_DIR = Path("rules")
"""Where rules are unless an option says it."""

DEFAULT_STATE = Path(".state")
"""Where the state is unless an option or a setting says it."""


def duration_in(text: str) -> timedelta:
    """Return the duration that a text names: days, hours and minutes, at least one minute."""
    return _read(read_duration, text)


def _read[T](read: Callable[[str], T], text: str) -> T:
    try:
        return read(text)
    except ValueError as fault:
        raise ArgumentTypeError(str(fault)) from None


LONGEST_DRILL = timedelta(hours=4)
"""How long a drill may wait; a test alert of a machine or a cluster may take an hour."""


def within_in(text: str) -> timedelta:
    """Return how long a drill may last, also in seconds alone."""
    seconds = re.fullmatch(r"(\d{1,4})s", text.strip(), re.ASCII | re.IGNORECASE)
    within = timedelta(seconds=int(seconds[1])) if seconds else duration_in(text)
    if not timedelta() < within <= LONGEST_DRILL:
        raise ArgumentTypeError(f"{text!r} is no time for a drill; it lasts from a second to 4 hours")
    return within


_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_LONGEST = 24 * 3600
_LONGEST_PAGE = 1_000

_WHERE = r"[\w.-]+(?::\d+)?/[^\s?#]*(?:#(?:(?:egg|subdirectory|md5|sha\d+)=[^\s&]*&?)*)?"
_ORIGIN = re.compile(
    rf"(?:alert-router(?:\[[a-z, ]*\])? ?@ ?)?(?:\./.+|(?:git\+)?https://{_WHERE}|git\+ssh://(?:[\w-]*@)?{_WHERE})"
)
"""What a workflow can install: a file of the repository, or a URL without a password, a token, or a query, which may be one."""


def instant_in(text: str) -> datetime:
    """Return the instant that an ISO 8601 text names; UTC where it names no zone."""
    return _read(read_instant, text)


def file_in(text: str) -> Path:
    """Return the file of that name, which is not `-`: standard output tells people what came of it."""
    if text == "-":
        raise ArgumentTypeError("'-' is no file; name one")
    return Path(text)


def directory_in(text: str) -> Path:
    """Return the directory of that name; an empty name, as a variable of a shell leaves it, names none."""
    if not text.strip():
        raise ArgumentTypeError(f"{text!r} is no directory; name one, such as . for this one")
    return Path(text)


def origin_in(text: str) -> str:
    """Return what `init --from` names. What is refused is not repeated: it may hold a password, and a workflow is public."""
    if one_line(text) != text or not _ORIGIN.fullmatch(text):
        raise ArgumentTypeError(
            "is no URL without credentials that a workflow can get; write one such as "
            "git+https://HOST/OWNER/alert-router@COMMIT, or that of a wheel"
        )
    return text


def state_in(text: str) -> Path | PostgresqlAddress:
    """Return where a state is; a password is refused, since other programs can read arguments."""
    from router.store.conninfo import parse_state  # for which no help waits

    try:
        state = parse_state(text)
    except ValueError as fault:
        raise ArgumentTypeError(str(fault)) from None
    if not isinstance(state, Path) and state.password is not None:
        raise ArgumentTypeError(
            "holds a password, which others on this machine can read there; put the address into ALERT_ROUTER_STATE"
        )
    return state


def subscription_in(text: str) -> str:
    """Return the id of a subscription, in lower case, also where `/subscriptions/` stands before it."""
    from router.domain.resources import find_subscription_id  # for which no help waits

    id = find_subscription_id(text)
    if id is None:
        raise ArgumentTypeError(f"{text!r} is no id of a subscription; `az account list -o table` shows them")
    return id


def workspace_in(text: str) -> str:
    """Return the id of a workspace of Log Analytics, which is no ARM id."""
    written = text.strip().lower()
    if not _GUID.fullmatch(written):
        asks = "`az monitor log-analytics workspace list --query [].customerId`"
        raise ArgumentTypeError(f"{text!r} is no id of a workspace; {asks} shows them")
    return written


SEVERITIES = ("Critical", "High", "Medium", "Low", "Informational", "unknown")


def severities_in(text: str) -> tuple[str, ...]:
    """Return severities that stand between commas, in any case."""
    known = {one.lower(): one for one in SEVERITIES}
    names = [one.strip().lower() for one in text.split(",") if one.strip()]
    if not names or not known.keys() >= set(names):
        raise ArgumentTypeError(f"{text!r} is no list of severities; write some of {','.join(SEVERITIES)}")
    return tuple(known[one] for one in names)


def since_in(text: str) -> timedelta | datetime:
    """Return an instant, or how long ago it was."""
    try:
        return duration_in(text)
    except ArgumentTypeError:
        return instant_in(text)


def page_in(text: str) -> int:
    """Return how many of a list to print."""
    if not re.fullmatch(r"\d{1,4}", text, re.ASCII) or not 1 <= int(text) <= _LONGEST_PAGE:
        raise ArgumentTypeError(f"{text!r} is no number from 1 to {_LONGEST_PAGE}")
    return int(text)


def after_in(text: str) -> StandingPlace:
    """Return a place in the list of what stands."""
    from router.store.standing import StandingPlace  # for which no help waits

    place = StandingPlace.parse(text)
    if place is None:
        raise ArgumentTypeError(f"{text!r} is no place in the list; the list prints where to go on")
    return place


def seconds_in(text: str) -> float:
    """Return some seconds, a day at the most."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= _LONGEST:
        raise ArgumentTypeError(f"{text!r} is no number of seconds above 0 and up to a day")
    return seconds


TYPES: Mapping[str, Callable[[str], object]] = {
    "after": after_in,
    "capitalized": str.capitalize,
    "directory": directory_in,
    "duration": duration_in,
    "file": file_in,
    "instant": instant_in,
    "origin": origin_in,
    "page": page_in,
    "path": Path,
    "seconds": seconds_in,
    "severities": severities_in,
    "since": since_in,
    "state": state_in,
    "subscription": subscription_in,
    "within": within_in,
    "workspace": workspace_in,
}
"""What commands.toml calls the types of values."""
