"""What the state knows of a signal beside the notice that is sent: read within moments of that, so it is not out of date."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from router.domain.notices import Notice
from router.domain.rulebook import Lane


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterpart:
    """The same signal at another destination, which was told of it earlier.

    Attributes:
        destination: the name of the other destination.
        lane: its lane: a page, or a ticket.
        reference: the vendor's reference there, such as a ticket's number.
        link: the URL at which people see it there.
    """

    destination: str
    lane: Lane
    reference: str | None = None
    link: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """Other signals of the same type on the same resource, before this one.

    Attributes:
        count: how many, at least where `is_whole` is False.
        last: when the latest of them was decided.
        is_whole: whether the count is of all that are on record.
    """

    count: int
    last: datetime
    is_whole: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """What the state knows of a signal, or of its group, when a destination is notified.

    Attributes:
        last: the notice of it that the destination last took; None where it took none, or none is kept.
        handles: the vendor's ids that it answered then, by name, as in `Receipt`.
        opened: when the destination was first owed it, since it last opened there.
        elsewhere: where else people were told of it already, as far as they still are.
        earlier: how often the same happened before, where it did.
    """

    last: Notice | None = None
    handles: Mapping[str, str] = field(default_factory=dict)
    opened: datetime | None = None
    elsewhere: tuple[Counterpart, ...] = ()
    earlier: Earlier | None = None


NO_BACKGROUND = Background()
"""Nothing is known beside the notice."""
