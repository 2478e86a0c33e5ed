"""The scope of a silence, as a person writes it in fields. One that may be about a whole subscription is refused."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import time
from itertools import chain
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from router.domain.errors import BadField
from router.domain.patterns import is_glob
from router.domain.posture import CATEGORIES
from router.domain.signals import Stream
from router.domain.silences import DAYS, Recurrence
from router.domain.suppression import MACHINE, RESOURCE_NAME, Element, Field, Operator
from router.domain.values import Value
from router.rulebook.problems import Faults
from router.rulebook.scope import PORTABLE, find_field, read_scope
from router.rulebook.scope_breadth import FEWEST, begins_many, find_breadth, fits_made_up, names_many
from router.rulebook.validation_messages import hint

_CATEGORIES = {category.casefold() for category in CATEGORIES}
_OF_RESOURCES = frozenset({"resourceid", RESOURCE_NAME.name, MACHINE.name, "compromisedentity"})
_OF_MANY = frozenset({Field("account", "upnsuffix"), Field("host", "dnsdomain"), Field("malware", "category")})
"""What is the same of all that an organisation has, or of many things that have nothing to do with each other."""

_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_HEXADECIMAL = re.compile(r"[0-9a-f-]*", re.IGNORECASE)
_WILD = re.compile(r"[*?]+")
_SURROGATE = re.compile("[\ud800-\udfff]")
_NARROW = "`resource` web-1 for a resource, `host` web-1 for a machine, `entity` ip.address=10.0.0.1 for anything else"
"""What says enough of what is meant."""


class WrittenScope(Value, kw_only=True):
    """What a silence is to be about, as a person wrote it.

    Attributes:
        entities: each FIELD=VALUE; the same field again stands for any of its values.
    """

    stream: Stream
    alert_type: str | None = None
    resource: str | None = None
    hosts: Sequence[str] = ()
    entities: Sequence[str] = ()


class ScopeDoubt(NamedTuple):
    """What may be wrong in a field, and may be right."""

    field: str
    words: str


class SilenceScope(Value):
    """The scope of a silence, read.

    Attributes:
        is_narrow: whether it names an alert type or whole resources, so that no breadth of it has to be measured.
    """

    groups: tuple[tuple[Element, ...], ...]
    doubts: tuple[ScopeDoubt, ...] = ()
    is_narrow: bool = False


def read_silence_scope(written: WrittenScope) -> SilenceScope:
    """Return the scope that is meant; raises BadField where there can be no such silence."""
    doubts: list[ScopeDoubt] = []
    _refuse_bytes(written)
    found = (_resource_in(written, doubts), _hosts_in(written), *_entities_in(written, doubts))
    elements = [element for element in found if element]
    _refuse_whole(written, elements)
    grouped: dict[object, list[Element]] = {}
    for number, element in enumerate(elements):
        grouped.setdefault(element.field.entity or number, []).append(element)
    names_resource = any(one.operator is Operator.IN and one.field.name in _OF_RESOURCES for one in elements)
    is_narrow = written.alert_type is not None or names_resource
    return SilenceScope(tuple(map(tuple, grouped.values())), tuple(doubts), is_narrow)


def _refuse_bytes(written: WrittenScope) -> None:
    """Refuses what a shell passed on that is no text: it could be neither compared nor stored."""
    single = (("type", written.alert_type or ""), ("resource", written.resource or ""))
    several = (("host", text) for text in written.hosts), (("entity", text) for text in written.entities)
    for field, text in chain(single, *several):
        if _SURROGATE.search(text):
            raise BadField(field, f"{text!r} is not UTF-8; write it as text")


def _refuse_whole(written: WrittenScope, elements: Sequence[Element]) -> None:
    """Refuses what says too little: everything, a whole type, a whole category, or all that an organisation owns."""
    if not elements:
        what = f"{written.alert_type} everywhere" if written.alert_type else "everything"
        raise BadField("", f"would silence {what}; say of what it is: {_NARROW}")
    is_narrow = any(
        one.field.name in _OF_RESOURCES or (one.field.entity and one.field not in _OF_MANY) for one in elements
    )
    if written.alert_type is None and not is_narrow:
        raise BadField(
            "entity", f"{elements[0].field} alone is about too much; add `type` for one alert type, or {_NARROW}"
        )
    is_category = written.stream is Stream.CSPM and (written.alert_type or "").casefold() in _CATEGORIES
    if is_category and all(one.field.entity is not None or one.field.name == "compromisedentity" for one in elements):
        raise BadField("type", f"{written.alert_type} is a whole category; say of which resource: `resource` NAME")


def _resource_in(written: WrittenScope, doubts: list[ScopeDoubt]) -> Element | None:
    if written.resource is None:
        return None
    text = written.resource.strip()
    if not text:
        raise BadField("resource", "is empty; write the name of a resource, such as web-1")
    # A name has no slash in it, and an ARN has colons. Ids are whole, but for globs of them.
    is_name = "/" not in text and ":" not in text
    field = RESOURCE_NAME if is_name else Field(None, "resourceid")
    if is_glob(text):
        _refuse_broad_glob("resource", text, field)
        return Element(field, Operator.LIKE, frozenset({text.casefold()}))
    if is_name:
        _refuse_guid("resource", text)
        return Element(field, Operator.IN, frozenset({text.casefold()}))
    if names_many(text, field):
        raise BadField(
            "resource", f"{text!r} is a whole subscription, account, project or connector, and no resource; {_NARROW}"
        )
    return _read_exactly("resource", "resourceid", [text.rstrip("/")], written.stream, doubts)


def _hosts_in(written: WrittenScope) -> Element | None:
    names = [name.strip() for name in written.hosts]
    for name in names:
        if not name:
            raise BadField("host", "is empty; write the name of a machine, such as web-1")
        if "/" in name:
            raise BadField("host", f"{name!r} is an id, and no name; write `resource` {name}")
        if is_glob(name):
            _refuse_broad_glob("host", name, MACHINE)
        _refuse_guid("host", name)
    if not names:
        return None
    operator = Operator.LIKE if any(map(is_glob, names)) else Operator.IN
    return Element(MACHINE, operator, frozenset(map(str.casefold, names)))


def _entities_in(written: WrittenScope, doubts: list[ScopeDoubt]) -> Iterable[Element]:
    by_field: dict[Field, list[str]] = {}
    for text in written.entities:
        name, sign, value = text.partition("=")
        if not sign:
            raise BadField("entity", f"{text!r} has no =; write FIELD=VALUE, such as ip.address=10.0.0.1")
        if not value.strip():
            raise BadField("entity", f"{text!r} has an empty value; write what it should be")
        by_field.setdefault(_field_called(name.strip()), []).append(value.strip())
    for field, values in by_field.items():
        yield _entity_in(field, values, written.stream, doubts)


def _field_called(written: str) -> Field:
    """The field that is meant; `entities.` may be left out."""
    lowered = written.lower()
    for name in (lowered, f"entities.{lowered}"):
        if (field := find_field(name)) is not None:
            if field.name == "subscriptionid":
                raise BadField("entity", f"{written!r} would silence a whole subscription; {_NARROW}")
            return field
    short = {name.removeprefix("entities.") for name in PORTABLE}
    meant = hint(lowered.removeprefix("entities."), short) or "; a field is called like ip.address or host.hostname"
    raise BadField("entity", f"{written!r} names nothing{meant}")


def _entity_in(field: Field, values: list[str], stream: Stream, doubts: list[ScopeDoubt]) -> Element:
    name = str(field)
    globs = [value for value in values if is_glob(value)]
    if not globs:
        for value in values:
            if names_many(value, field):
                raise BadField("entity", f"{name}={value} is a whole subscription, account or project; {_NARROW}")
        return _read_exactly("entity", name, values, stream, doubts)
    if field.name == "address":
        raise BadField("entity", f"{name}={globs[0]} is no address; write a range, such as ip.address=10.20.0.0/16")
    for glob in globs:
        _refuse_broad_glob("entity", glob, field)
    _read_exactly("entity", name, [_WILD.sub("", value) or value for value in values], stream, [])
    return Element(field, Operator.LIKE, frozenset(value.casefold() for value in values))


def _read_exactly(field: str, name: str, values: list[str], stream: Stream, doubts: list[ScopeDoubt]) -> Element:
    """An element on whole values, read as one of a rule is."""
    faults = Faults()
    scope = {"allof": [{"field": name, "in": values}]}
    groups = read_scope(scope, stream, faults, {})
    for fault in faults.all:
        if fault.level == "problem":
            raise BadField(field, f"{name}: {fault.message.replace('a rule may not', 'a silence may not')}")
        if fault.code != "not-portable":
            doubts.append(ScopeDoubt(field, f"{name}: {fault.message}"))
    ((element,),) = groups
    return element


def _refuse_guid(field: str, name: str) -> None:
    """Refuses a name that a subscription has: what an alert about a whole subscription is about is called by it."""
    if _GUID.fullmatch(name):
        raise BadField(
            field,
            f"{name!r} may be a whole subscription; where a resource is called so, write its whole id: "
            "`resource` /subscriptions/...",
        )


def _refuse_broad_glob(written_in: str, glob: str, field: Field) -> None:
    """Refuses a glob of which no piece tells one resource of a subscription, an account or a project from the next."""
    pieces = [piece for piece in _WILD.split(glob) if sum(map(str.isalnum, piece)) >= FEWEST]
    is_of_names = field in (RESOURCE_NAME, MACHINE)
    is_name = is_of_names and ":" not in glob
    looked_at = Field(None, "resourceid") if is_of_names else field
    if not pieces:
        why = f"has no piece of {FEWEST} letters or digits that tells one from another"
    elif is_name and all(map(_HEXADECIMAL.fullmatch, pieces)):
        why = "may fit the id of a whole subscription"
    elif not (is_name and fits_made_up(glob)) and any(_tells(piece, glob, looked_at, is_name) for piece in pieces):
        return
    else:
        why = "fits every resource of a subscription, an account or a project"
    example = "web-*" if is_of_names or field.entity else "*/resourceGroups/rg-build/*"
    raise BadField(written_in, f"{glob!r} {why}; write more of it, such as {example}")


def _tells(piece: str, glob: str, field: Field, is_name: bool) -> bool:
    # How a name begins tells it apart, also where it is a word of ids, such as web in Microsoft.Web.
    if is_name and (glob.startswith(piece) or begins_many(piece)):
        return not begins_many(piece)
    return find_breadth(piece, field) is None


_FORM = re.compile(r"(?P<days>\S+)\s+(?P<begins>\d\d?:\d\d)\s*-\s*(?P<ends>\d\d?:\d\d)(?:\s+(?P<zone>\S+))?", re.ASCII)
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_WHOLE = {"daily": frozenset(range(7)), "weekdays": frozenset(range(5)), "weekends": frozenset({5, 6})}
_OF_MACHINES = frozenset({"localtime", "posixrules", "Factory"})
"""What is another zone on each machine, or none: every worker reads the windows, wherever it runs."""

_EXAMPLE = '"Sat 02:00-04:00 Europe/Berlin" or "Mon-Fri 22:00-02:00 UTC"'


def read_recurrence(text: str) -> Recurrence:
    """The windows that a text names; raises ValueError, which says what is wrong with it."""
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no window; write one such as {_EXAMPLE}")
    if found["zone"] is None:
        raise ValueError(f"{text!r} names no time zone; write one behind it, such as Europe/Berlin or UTC")
    begins, ends = _time_in(found["begins"]), _time_in(found["ends"])
    return Recurrence(_days_in(found["days"]), begins, ends, _zone_in(found["zone"]))


def _days_in(text: str) -> frozenset[int]:
    if (whole := _WHOLE.get(text.lower())) is not None:
        return whole
    days: set[int] = set()
    for part in text.split(","):
        first, sign, last = part.partition("-")
        begin, end = _day_in(first), _day_in(last if sign else first)
        # From Friday to Monday goes over the end of the week.
        days.update(number % 7 for number in range(begin, end + (7 if end < begin else 0) + 1))
    return frozenset(days)


def _day_in(text: str) -> int:
    number = next((number for number, day in enumerate(_DAYS) if len(text) > 1 and day.startswith(text.lower())), None)
    if number is None:
        raise ValueError(f"{text!r} is no day; write one of {', '.join(DAYS)}, as in {_EXAMPLE}")
    return number


def _time_in(text: str) -> time:
    hour, minute = map(int, text.split(":"))
    try:
        # The end of a day is the beginning of the next one.
        return time(0 if (hour, minute) == (24, 0) else hour, minute)
    except ValueError:
        raise ValueError(f"{text!r} is no time of the day; write one such as 02:00") from None


def _zone_in(text: str) -> str:
    known = available_timezones() - _OF_MACHINES
    named = {zone.lower(): zone for zone in known}
    if (zone := named.get(text.lower())) is None:
        raise ValueError(f"{text!r} is no time zone{hint(text, sorted(known)) or '; write one such as Europe/Berlin'}")
    try:
        ZoneInfo(zone)
    except (OSError, ValueError):
        raise ValueError(f"{text!r} cannot be read as a time zone on this machine; write UTC") from None
    return zone
