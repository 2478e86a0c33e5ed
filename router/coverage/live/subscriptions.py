"""Which subscriptions are asked, and which of them do not appear in what Azure answers. Pure.

One that may not be read is missing from every answer of Resource Graph without a word: so it starts from those that are
expected, and what does not appear is refused, and never silently missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from router.coverage.documents import CoverageDocument, document_of
from router.coverage.expected.manifest import EVERY_NAME, CoverageManifest
from router.coverage.facts import ResourceFact
from router.coverage.live.probes import partly
from router.coverage.readers import facts_of
from router.domain.coverage import WorkloadKind
from router.domain.resources import find_subscription_id


@dataclass(frozen=True, slots=True)
class AskedSubscriptions:
    """Which subscriptions somebody named.

    Attributes:
        ids: their ids in lower case.
        are_all: whether no other is meant; else whatever can be read is asked, too.
    """

    ids: tuple[str, ...]
    are_all: bool


def asked_subscriptions(given: Iterable[str], manifest: CoverageManifest) -> AskedSubscriptions:
    """Those that are given; else those of the manifest, which are all unless it names some by a name or a pattern."""
    if ids := tuple(dict.fromkeys(given)):
        return AskedSubscriptions(ids, are_all=True)
    texts = dict.fromkeys(_named_in(manifest))
    found = {text: find_subscription_id(text) for text in texts}
    ids = tuple(dict.fromkeys(id for id in found.values() if id is not None))
    return AskedSubscriptions(ids, are_all=bool(ids) and None not in found.values())


def _named_in(manifest: CoverageManifest) -> Iterator[str]:
    for entry in manifest.expectations:
        if entry.selects.kinds == {WorkloadKind.SUBSCRIPTION}:
            yield from (name for name in entry.selects.names if name != EVERY_NAME)
        yield from (name for name in entry.selects.subscriptions if name != EVERY_NAME)


@dataclass(frozen=True, slots=True)
class SeenSubscriptions:
    """What Resource Graph says of subscriptions.

    Attributes:
        ids: those that appear in its answers, in lower case.
        disabled: those of them that are disabled: nothing runs there, and Defender does not answer for them.
    """

    ids: tuple[str, ...]
    disabled: frozenset[str]


def seen_subscriptions(documents: Iterable[CoverageDocument]) -> SeenSubscriptions:
    """Those in some documents; what is called so and has no id of a subscription is left out."""
    facts = [
        fact
        for document in documents
        for fact in facts_of(document)
        if isinstance(fact, ResourceFact) and fact.workload.kind is WorkloadKind.SUBSCRIPTION
    ]
    ids = {id: fact for fact in facts if (id := find_subscription_id(fact.subject)) is not None}
    return SeenSubscriptions(tuple(ids), frozenset(id for id, fact in ids.items() if fact.is_stopped))


def vanished(ids: Iterable[str]) -> tuple[CoverageDocument, ...]:
    """A document for each subscription that is expected and does not appear, so that it is unknown."""
    return tuple(_vanished(id) for id in ids)


def _vanished(id: str) -> CoverageDocument:
    named = {"id": f"/subscriptions/{id}", "type": "Microsoft.Resources/subscriptions", "subscriptionId": id}
    reason = "it does not appear in what Resource Graph answers: it is gone, or the role Reader is missing there"
    return partly(document_of(named, f"subscription {id}"), reason)
