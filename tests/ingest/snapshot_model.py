"""When findings end, told a second time: slowly, from every message that ever came, and with nothing of the router's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Said:
    """One message: which finding of which kind it names, when the hub got it, and what it says."""

    finding: str
    kind: str
    at: datetime
    is_snapshot: bool = True
    is_delete: bool = False


@dataclass
class Judged:
    """A snapshot that is over: when its rows came, which findings it named, and whether it counts."""

    first: datetime
    last: datetime
    rows: set[str]
    kinds: set[str]
    counts: bool


@dataclass
class Model:
    """What people should have been told.

    Attributes:
        unheard: the changes of each finding that were not asked for yet, in order.
        latest: when the latest state of each finding came.
        unseen: when each finding ended that was not seen any more, and of which nothing was heard since.
    """

    heard: list[Said] = field(default_factory=list)
    judged: list[Judged] = field(default_factory=list)
    unheard: dict[str, list[str]] = field(default_factory=dict)
    stands: set[str] = field(default_factory=set)
    latest: dict[str, datetime] = field(default_factory=dict)
    unseen: dict[str, datetime] = field(default_factory=dict)

    def hears(self, messages: Iterable[Said]) -> None:
        """Messages are taken in."""
        for one in messages:
            self.heard.append(one)
            if one.finding in self.latest and one.at < self.latest[one.finding]:
                continue
            self.latest[one.finding] = one.at
            self.unseen.pop(one.finding, None)
            self._becomes(one.finding, stands=not one.is_delete)

    def hears_again(self, messages: Iterable[Said], at: datetime) -> None:
        """A file is taken in again: what it names is there, and after half a week it is the next snapshot, and news."""
        for one in messages:
            known = [row.at for row in self.heard if row.finding == one.finding and row.is_snapshot >= one.is_snapshot]
            is_news = at - max(known) >= 3.5 * DAY
            self.heard.append(replace(one, at=at, is_snapshot=one.is_snapshot and is_news))
            if is_news and not one.is_delete and one.finding in self.unseen:
                del self.unseen[one.finding]
                self.latest[one.finding] = at
                self._becomes(one.finding, stands=True)

    def looks(self, until: datetime) -> None:
        """Snapshots are judged that are over, and what the last two that count came without has ended."""
        for rows in self._snapshots():
            if rows[-1].at + DAY <= until and not any(rows[0].at <= one.last for one in self.judged):
                self._judge(rows)
        counting = [one for one in self.judged if one.counts][-2:]
        if len(counting) < 2:
            return
        earlier, later = counting
        for finding in sorted(self.stands):
            named = [one for one in self.heard if one.finding == finding]
            if named[0].kind not in earlier.kinds & later.kinds or finding in earlier.rows | later.rows:
                continue
            if all(one.at < earlier.first for one in named):
                self.latest[finding] = self.unseen[finding] = until
                self._becomes(finding, stands=False)

    def tells(self) -> dict[str, list[str]]:
        """What was told of each finding since it was last asked: what opened and ended in between need not be said."""
        told: dict[str, list[str]] = {}
        for finding, changes in self.unheard.items():
            for change in changes:
                said = told.setdefault(finding, [])
                if change == "resolved" and said[-1:] == ["opened"]:
                    said.pop()
                else:
                    said.append(change)
        self.unheard.clear()
        return {finding: said for finding, said in told.items() if said}

    def _becomes(self, finding: str, *, stands: bool) -> None:
        if stands != (finding in self.stands):
            self.unheard.setdefault(finding, []).append("opened" if stands else "resolved")
        self.stands = self.stands | {finding} if stands else self.stands - {finding}

    def _snapshots(self) -> list[list[Said]]:
        found: list[list[Said]] = []
        for row in sorted((one for one in self.heard if one.is_snapshot), key=lambda one: one.at):
            if found and row.at - found[-1][-1].at < DAY:
                found[-1].append(row)
            else:
                found.append([row])
        return found

    def _judge(self, found: Sequence[Said]) -> None:
        rows = {one.finding for one in found}

        def again(before: Judged) -> bool:
            return len(rows & before.rows) >= 0.75 * len(before.rows)

        last = next((one for one in reversed(self.judged) if one.counts), None)
        counts = last is None or again(last) or (len(self.judged) > 1 and all(map(again, self.judged[-2:])))
        self.judged.append(Judged(found[0].at, found[-1].at, rows, {one.kind for one in found}, counts))
