"""A notice in words: all that it says to a responder, in the order in which one asks, and in no vendor's form.

What happened; where; since when and how often; why you; what is known; what to do; where to look further. Each kind renders it
as its vendor shows texts best, and cuts it where the vendor does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import replace
from datetime import datetime

from router.destinations.wording.changes import changes_between, ending_of, is_same_signal
from router.destinations.wording.escaping import sound_link
from router.destinations.wording.facts import (
    CODE,
    Fact,
    coverage_words,
    evidence_once,
    owner_words,
    properties_once,
    steps_for,
    time_words,
    title_of,
    words_of_posture,
)
from router.destinations.wording.headlines import count_words, headline, member_lines, reporter_of, severity_of
from router.destinations.wording.turns import made_once
from router.destinations.wording.whereabouts import whereabouts_of
from router.domain.decisions import Change, Code
from router.domain.deliveries import Background, Counterpart
from router.domain.evidence import items_in
from router.domain.notices import ANNOUNCEMENT, Link, Notice
from router.domain.resources import is_connected
from router.domain.rulebook import Lane
from router.domain.signals import DEFENDER, Kind, Stream
from router.domain.values import Value

HEADLINE_LIMIT = 1_000  # characters of a headline; ours, more than any vendor shows

LINK_LIMIT = 2_000  # characters of a link; ours, so that a link and its words stay one text

_NOTIFIED = "the policy's `notify` names this destination"
_OWNED = "it is yours: you own the rule, or made the silence or hold"

_IN_CLUSTERS = ("nodes", "pods", "namespaces", "clusters", "workloads")

PORTAL = "Open in the Azure portal"
CONSOLE = "Open in the alert router"


class Briefing(Value, kw_only=True):
    """A notice in words. Texts are those of the notice, whole; what is not known is left out.

    Attributes:
        headline: one line: severity, how many signals it is about, title, location.
        is_first: whether it is the first that its destination hears of it, though it may be over.
        news: what this turn is about, in sentences: what changed, how it ended, what had held it, how often it happened before.
        when: facts on since when and how often, and by when people should have responded.
        members: what the list of a group's members is called, and a line for each; None for a single signal.
        located: the evidence that the location says already, for texts that cut the location.
        others: the properties that stand in no list of evidence and that no fact tells, the shortest first.
        links: the portal's, the console's, runbooks, tickets and pages elsewhere, those that the message names.
        in_full: where people have it in full already: `ticket INC0012345`, else the page; None where neither is known.
        reference: facts for who follows it up in other tools: ids, type, plan.
        knows_changes: whether it is known what the destination was last told, so that the news says all that changed.
    """

    notice: Notice
    headline: str
    change: Change
    is_first: bool
    news: tuple[str, ...] = ()
    description: str
    what: tuple[Fact, ...] = ()
    where: tuple[Fact, ...] = ()
    when: tuple[Fact, ...]
    why: tuple[Fact, ...]
    members: tuple[str, tuple[str, ...]] | None
    located: tuple[Fact, ...] = ()
    evidence: tuple[Fact, ...] = ()
    others: tuple[Fact, ...] = ()
    to_do: tuple[str, ...]
    links: tuple[Link, ...] = ()
    in_full: str | None = None
    reference: tuple[Fact, ...]
    knows_changes: bool = False

    @property
    def story(self) -> tuple[str, ...]:
        """What happened first; of what people know already, that is what changed."""
        described = self.description.strip()
        return (described, *self.news) if self.is_first else (*self.news, described)

    @property
    def tables(self) -> tuple[tuple[str, tuple[Fact, ...]], ...]:
        """The facts that stand before the evidence, below the title of each table."""
        return ("What", self.what), ("Where", self.where), ("When", self.when), ("Why you", self.why)

    @property
    def known(self) -> tuple[Fact, ...]:
        """The evidence, and the properties behind it."""
        return (*self.evidence, *self.others)


def briefing_of(
    notice: Notice,
    change: Change,
    background: Background,
    now: datetime,
    untold_since: datetime | None = None,
    page: str | None = None,
) -> Briefing:
    """A notice in words, with what the state knows beside it.

    `untold_since` is when it was over, where its destination was never told of it before; `page` is the console's page of it.
    """
    if notice.kind == ANNOUNCEMENT:
        return _announced(notice, change, page)
    last = background.last
    return replace(
        _words_of(notice, change),
        is_first=change is Change.OPENED or untold_since is not None,
        news=tuple(_news(notice, change, background, now, untold_since)),
        links=tuple(_links(notice, background, page)),
        in_full=_in_full(background),
        knows_changes=last is not None and last.is_whole and is_same_signal(last, notice),
    )


@made_once
def _words_of(notice: Notice, change: Change) -> Briefing:
    """What of a briefing is the same at all destinations."""
    (located, evidence), is_over = _evidence(notice), change is Change.RESOLVED
    return Briefing(
        notice=notice,
        headline=headline(notice, HEADLINE_LIMIT),
        change=change,
        is_first=change is Change.OPENED,
        description=notice.description,
        what=_facts(_what(notice, is_over=is_over)),
        where=_facts(_where(notice)),
        when=_facts(_when(notice)),
        why=_facts(_why(notice)),
        members=member_lines(notice.group) if notice.group is not None else None,
        located=located,
        evidence=(*_facts(_posture(notice)), *evidence),
        others=tuple(
            Fact(name, items)
            for name in properties_once(notice)
            # What holds empty items alone has none.
            if (items := items_in(notice.extended[name]))
        ),
        to_do=steps_for(notice, is_over=is_over),
        reference=_facts(_reference(notice)),
    )


def _announced(notice: Notice, change: Change, page: str | None) -> Briefing:
    """An announcement in words: it is about no signal, so nothing stands beside it."""
    return Briefing(
        notice=notice,
        headline=headline(notice, HEADLINE_LIMIT),
        change=change,
        is_first=True,
        description=notice.description,
        when=_facts({"Found": time_words(notice.changed, "seconds")}),
        why=_facts({"Sent because": _NOTIFIED if notice.recipient is None else _OWNED}),
        members=member_lines(notice.group) if notice.group is not None else None,
        to_do=notice.remediation,
        links=(Link(text=CONSOLE, url=page),) if page is not None else (),
        reference=_facts({"Stream": notice.stream, "Kind": notice.kind, "Key": notice.key}),
    )


def link_of(notice: Notice) -> str | None:
    """The link to the portal, whole or not at all."""
    link = sound_link(notice.link)
    return link if link is not None and len(link) <= LINK_LIMIT else None


def tactics_of(notice: Notice) -> list[str]:
    """The tactics with their ids: `Credential Access (TA0006)`."""
    return [f"{tactic.name} ({tactic.id})" for tactic in notice.tactics]


def _news(
    notice: Notice, change: Change, background: Background, now: datetime, untold_since: datetime | None
) -> Iterator[str]:
    if change is Change.RESOLVED:
        yield ending_of(notice, background.opened, now, untold_since)
        return
    if change is Change.UPDATED and background.last is not None:
        yield from changes_between(background.last, notice) or ("Nothing changed but when it was last seen.",)
    if (release := notice.release) is not None:
        author = f", by {release.author}," if release.author else ""
        count = f"{release.messages} messages" if release.messages != 1 else "1 message"
        held = f" held {count}" if release.messages is not None else " held it"
        since = f" since {time_words(release.since)}" if release.since else ""
        ended = f"; it ended {time_words(release.ended)}" if release.ended else "; it holds this no longer"
        yield f"The {release.kind} {release.name}{author}{held}{since}{ended}."
    if (earlier := background.earlier) is not None:
        least = "" if earlier.is_whole else "at least "
        times = "once" if earlier.count == 1 else f"{least}{earlier.count} times"
        yield f"The same happened here {times} before, last {time_words(earlier.last.isoformat())}."


def _what(notice: Notice, *, is_over: bool) -> Mapping[str, str | None]:
    count = f"{len(notice.alerts)} alerts that Defender sees" if notice.alerts else "alerts"
    return {
        "Severity": severity_of(notice),
        "Not watched": coverage_words(notice, is_over=is_over),
        "Incident": f"{count} as one attack" if notice.kind == Kind.INCIDENT else None,
        "Risk": words_of_posture(notice)["Risk"],
        "Sample": "one of Defender's samples, nothing happened" if notice.sample else None,
        "Reported by": None if reporter_of(notice) == DEFENDER else reporter_of(notice),
        "Tactics": ", ".join(tactics_of(notice)) or None,
        "Techniques": ", ".join(notice.techniques) or None,
        "Status": notice.status,
        "Cause": " - ".join(filter(None, (notice.cause, notice.status_description))) or None,
        "Measure": notice.measure,
        "Ended as": notice.closing,
    }


def _where(notice: Notice) -> Mapping[str, str | None]:
    where, named = whereabouts_of(notice), notice.compromised_entity
    words = where.words.casefold()
    # A connector's subscription and resource group are its own, and not those of what it brings from another cloud.
    is_here = not is_connected(notice.resource)
    return {
        "Location": where.words,
        "Environment": where.environment,
        "Subscription": _named(notice.subscription_name, notice.subscription) if is_here else None,
        "Resource group": notice.resource_group if is_here else None,
        "AWS account": _named(None if is_here else notice.subscription_name, notice.account),
        "GCP project": _named(None if is_here else notice.subscription_name, notice.project),
        "Cluster": notice.cluster if notice.cluster and notice.cluster.casefold() not in words else None,
        "Compromised entity": named if named and named.casefold() not in words else None,
        "Resource": notice.resource or notice.compromised_entity,
    }


def _named(name: str | None, id: str | None) -> str | None:
    """An id behind the name that it goes by, as far as there is either."""
    return f"{name} ({id})" if name and id and name != id else id and (name or id)


def _when(notice: Notice) -> Mapping[str, str | None]:
    started, ended = time_words(notice.started, "seconds"), time_words(notice.ended or notice.changed, "seconds")
    is_of_alert = notice.stream == Stream.CWPP
    return {
        "First seen": started,
        # A finding has no activity that could be seen to go on: its own time is that of its state.
        "Last seen" if is_of_alert else "In this state since": ended if ended != started else None,
        "How many": count_words(notice.group) if notice.group is not None else None,
        "Respond by": time_words(notice.respond_by),
    }


def _why(notice: Notice) -> Mapping[str, str | None]:
    routes = ", ".join(notice.routes)
    return {
        "Owner": owner_words(notice),
        "Sent by": f"route{'s' * (len(notice.routes) > 1)} {routes}" if routes else None,
    }


def _posture(notice: Notice) -> Mapping[str, str | None]:
    words = words_of_posture(notice)
    return {name: value for name, value in words.items() if name != "Risk"} | {
        "CVSS": notice.cvss,
        "Impact": notice.impact,
        "Entry points": ", ".join(notice.entry_points) or None,
        "Targets": ", ".join(notice.targets) or None,
        "Categories": ", ".join(notice.categories) or None,
        "Alerts": ", ".join(notice.alerts) or None,
    }


def _evidence(notice: Notice) -> tuple[tuple[Fact, ...], tuple[Fact, ...]]:
    """The evidence that the location of a cluster says already, and the other evidence."""
    lists = evidence_once(notice)
    said = _evidence_in_location(notice, lists) if notice.cluster or notice.evidence.clusters else {}
    if said:
        lists = {name: tuple(one for one in values if one not in said.get(name, ())) for name, values in lists.items()}
    return _listed(said), _listed(lists)


def _listed(lists: Mapping[str, tuple[str, ...]]) -> tuple[Fact, ...]:
    return tuple([Fact(title_of(name), values, name in CODE) for name, values in lists.items() if values])


def _evidence_in_location(notice: Notice, lists: Mapping[str, tuple[str, ...]]) -> Mapping[str, tuple[str, ...]]:
    """Of the lists of what is in a cluster the names in the path of the location, where that path names the cluster."""
    where = whereabouts_of(notice)
    path = {name.casefold() for name in (*where.parents, where.name)}
    if path.isdisjoint(name.casefold() for name in (notice.cluster or "", *notice.evidence.clusters)):
        return {}
    return {name: tuple(one for one in lists.get(name, ()) if one.casefold() in path) for name in _IN_CLUSTERS}


def _links(notice: Notice, background: Background, page: str | None) -> Iterator[Link]:
    if link := link_of(notice):
        yield Link(text=PORTAL, url=link)
    if page is not None:
        yield Link(text=CONSOLE, url=page)
    for number, runbook in enumerate(filter(sound_link, notice.runbooks), 1):
        yield Link(text="Runbook" if number == 1 else f"Runbook {number}", url=runbook)
    for one in background.elsewhere:
        # A chat, a mail or a receiver of one's own has nothing that people could look up.
        if one.lane is Lane.PAGE or one.link:
            yield Link(text=f"{_words_for(one)} ({one.destination})", url=sound_link(one.link) or "")
    for named in notice.links:
        if (link := sound_link(named.url)) is not None and len(link) <= LINK_LIMIT:
            yield Link(text=named.text or link, url=link)


def _in_full(background: Background) -> str | None:
    """The ticket, else the page; what has no reference is a message in a chat, which has no more than another."""
    known = (one for one in background.elsewhere if one.reference and (one.lane is Lane.PAGE or one.link))
    named = sorted(known, key=lambda one: one.lane is Lane.PAGE)
    words = _words_for(named[0]) if named else ""
    return words[:1].lower() + words[1:] or None


def _words_for(one: Counterpart) -> str:
    return f"{'Page' if one.lane is Lane.PAGE else 'Ticket'} {one.reference or ''}".strip()


def _reference(notice: Notice) -> Mapping[str, str | None]:
    return {
        "Type": notice.type,
        "Id": notice.id,
        "Plan": notice.plan,
        "Kind": notice.kind,
        "Product": notice.product if notice.product != DEFENDER else None,
        "Decided because": None if notice.reason.startswith(Code.ROUTES) else notice.reason,
        "Key": f"{notice.key}, turn {notice.turn}",
    }


def _facts(named: Mapping[str, str | None]) -> tuple[Fact, ...]:
    return tuple(Fact(name, (value,)) for name, value in named.items() if value)
