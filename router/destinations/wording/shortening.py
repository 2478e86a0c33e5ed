"""A briefing cut to about a size, for kinds whose form takes more room than its texts do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from router.destinations.wording.briefing import Briefing, Fact
from router.destinations.wording.fitting import shorten
from router.domain.web_links import Link


def shortened(briefing: Briefing, room: int) -> Briefing:
    """The same with its longer texts cut to about `room` characters in all; what a responder can do without goes first."""
    value = max(room // 20, 20)
    members, links = briefing.members, _first_links(briefing.links, room // 4)
    return replace(
        briefing,
        headline=shorten(briefing.headline, room),
        news=tuple(_first_lines(briefing.news, room // 4, value)),
        description=shorten(briefing.description, room // 4),
        what=_cut(briefing.what, value),
        where=_cut(briefing.where, value),
        when=_cut(briefing.when, value),
        why=_cut(briefing.why, value),
        members=(members[0], tuple(_first_lines(members[1], room // 4, value))) if members is not None else None,
        evidence=tuple(_first_facts(briefing.evidence, room // 2, value)),
        others=tuple(_first_facts(briefing.others, room // 4, value)),
        to_do=tuple(_first_lines(briefing.to_do, room // 6, room // 6)),
        links=links,
        reference=_cut(briefing.reference, value),
    )


def _cut(facts: Sequence[Fact], room: int) -> tuple[Fact, ...]:
    return tuple(replace(one, values=tuple(shorten(value, room) for value in one.values)) for one in facts)


def _first_lines(lines: Sequence[str], room: int, most: int) -> Iterator[str]:
    """Lines in their order as long as there is room, each of at most so many characters; then how many more there are."""
    for number, line in enumerate(lines):
        room -= min(len(line), most)
        if room < 0 and number:
            yield f"… [{len(lines) - number} more]"
            return
        yield shorten(line, most)


def _first_facts(facts: Sequence[Fact], room: int, most: int) -> Iterator[Fact]:
    """Facts in their order as long as there is room, each value of at most so many characters; then how many more."""
    for number, fact in enumerate(facts):
        if room <= 0:
            yield Fact("…", (f"{len(facts) - number} more",))
            return
        values = tuple(_first_lines(fact.values, room, most))
        room -= len(fact.name) + sum(map(len, values))
        yield replace(fact, name=shorten(fact.name, most), values=values)


def _first_links(links: Sequence[Link], room: int) -> tuple[Link, ...]:
    """Links in their order as long as there is room, since half a link leads nowhere; then how many more there are."""
    kept: list[Link] = []
    for link in links:
        room -= len(link.text) + len(link.url)
        if room < 0:
            return (*kept, Link(text=f"… [{len(links) - len(kept)} more]", url=""))
        kept.append(link)
    return tuple(kept)
