"""Which link a client asks for, and whether it may have it."""

from __future__ import annotations

from functools import partial

from tests.stack.event_hubs.amqp.incoming import Attach
from tests.stack.event_hubs.claims import Claims
from tests.stack.event_hubs.links import Link, LinkSession, Replies, Requests
from tests.stack.event_hubs.management import CBS, MANAGEMENT, answered, describe, put_token
from tests.stack.event_hubs.namespace import Namespace
from tests.stack.event_hubs.readers import Reader
from tests.stack.event_hubs.refusals import no_entity
from tests.stack.event_hubs.writers import Writer


def link_for(session: LinkSession, attach: Attach, namespace: Namespace, claims: Claims) -> Link:
    """The link to a node, which has taken its place there; raises Refused."""
    if attach.node in (CBS, MANAGEMENT):
        return _asked_link(session, attach, namespace, claims)
    name, *path = attach.node.split("/")
    hub = namespace.hub(name)
    claims.require(attach.node)
    link: Reader | Writer
    match attach.receives, path:
        case True, ["consumergroups", group, "partitions", id]:
            hub.require_group(group)
            link = Reader(session, attach, hub, id, group, namespace.clock)
        case False, []:
            link = Writer(session, attach, hub, None, namespace)
        case False, ["partitions", id]:
            link = Writer(session, attach, hub, hub.partition(id), namespace)
        case _:
            raise no_entity(attach.node)
    link.join()
    return link


def _asked_link(session: LinkSession, attach: Attach, namespace: Namespace, claims: Claims) -> Link:
    """A link to a node that is asked by messages, which anybody may attach to."""
    if attach.receives:
        return Replies(session, attach)
    if attach.node == CBS:
        return Requests(session, attach, partial(answered, ask=partial(put_token, claims=claims)))
    return Requests(session, attach, partial(answered, ask=partial(describe, namespace=namespace, claims=claims)))
