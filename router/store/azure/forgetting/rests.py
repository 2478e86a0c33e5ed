"""Where nothing is old enough for a while, so that nobody has to ask."""

from __future__ import annotations

from datetime import datetime, timedelta

LONGEST_REST = timedelta(hours=1)
"""After that it is asked again, whatever was known: another worker may have written what is older."""


class Rests:
    """Kinds of rows in partitions, each until when it rests. Known to this process alone."""

    def __init__(self) -> None:
        self._spans: dict[tuple[str, str], tuple[datetime, datetime]] = {}

    def is_resting(self, partition: str, kind: str, now: datetime) -> bool:
        """Whether nothing of a kind is old enough yet; a clock that was set back ends a rest."""
        since, until = self._spans.get((partition, kind), (now, now))
        return since <= now < until

    def rest(self, partition: str, kind: str, now: datetime, due: datetime | None) -> None:
        """Lets a kind of rows rest until the first of them is due; None where there is none."""
        longest = now + LONGEST_REST
        self._spans[partition, kind] = now, min(due, longest) if due is not None else longest

    def wake(self, partition: str | None = None) -> None:
        """Ends the rests of a partition, in which something was written, or of all."""
        self._spans = {key: span for key, span in self._spans.items() if partition not in (None, key[0])}
