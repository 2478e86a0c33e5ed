"""What the service says when it refuses: conditions as AMQP and Event Hubs name them, words as users report them."""

from __future__ import annotations

from typing import NamedTuple

from tests.stack.event_hubs.amqp.refused import Refused


class RefusedLink(NamedTuple):
    """A link that somebody wanted and did not get; `node` is its path in lower case."""

    node: str
    condition: str
    description: str


def no_entity(path: str) -> Refused:
    """No hub, or no consumer group, has this path."""
    return Refused("amqp:not-found", f"The messaging entity '{path}' could not be found.")


def no_partition(count: int) -> Refused:
    """The hub has partitions 0 to count - 1, and not this one."""
    return Refused(
        "com.microsoft:argument-out-of-range",
        "The specified partition is invalid for an EventHub partition sender or receiver. "
        f"It should be between 0 and {count - 1}.",
    )


def no_position(kind: str, supplied: int, last: int) -> Refused:
    """A reader wants to begin beyond the end, as with a checkpoint of a hub that was recreated since.

    https://github.com/Azure/azure-sdk-for-python/issues/30931
    """
    return Refused(
        "com.microsoft:argument-error",
        f"The supplied {kind} '{supplied}' is invalid. The last {kind} in the system is '{last}'",
    )


def no_filter(selector: str) -> Refused:
    """A reader's filter is none that Event Hubs knows."""
    return Refused("amqp:invalid-field", f"The filter '{selector}' names no offset, sequence number or enqueued time.")


def no_claim(path: str) -> Refused:
    """No valid token covers the path."""
    return Refused(
        "amqp:unauthorized-access",
        f"Unauthorized access. 'Send' or 'Listen' claim(s) are required to perform this operation. Resource: '{path}'.",
    )


def too_long(limit: int) -> Refused:
    """A message is longer than the link announced, in bytes."""
    return Refused(
        "amqp:link:message-size-exceeded", f"The received message exceeds what is currently allowed ({limit} bytes)."
    )


def too_many_readers(limit: int) -> Refused:
    """A partition has its full number of readers without an epoch in a consumer group.

    https://github.com/MicrosoftDocs/azure-docs/issues/24985
    """
    return Refused(
        "amqp:resource-limit-exceeded",
        f"Exceeded the maximum number of allowed receivers per partition in a consumer group which is {limit}.",
    )


def outranked(epoch: int | None, highest: int) -> Refused:
    """A reader comes to a partition that one with a higher epoch reads.

    https://github.com/Azure/azure-sdk-for-java/issues/26583, https://github.com/Azure/azure-event-hubs-go/issues/181
    """
    if epoch is None:
        return Refused(
            "amqp:link:stolen",
            f"At least one receiver for the endpoint is created with epoch of '{highest}', and so non-epoch receiver "
            "is not allowed. Either reconnect with a higher epoch, or make sure all epoch receivers are closed or "
            "disconnected.",
        )
    return Refused(
        "amqp:link:stolen",
        f"Receiver 'nil' with a higher epoch '{highest}' already exists. Receiver 'nil' with epoch {epoch} cannot be "
        "created. Make sure you are creating receiver with increasing epoch value to ensure connectivity, or ensure "
        "all old epoch receivers are closed or disconnected.",
    )


def displaced(epoch: int | None, by: int) -> Refused:
    """A reader gives way to one with an epoch at least as high.

    https://github.com/Azure/azure-sdk-for-java/issues/12483
    """
    return Refused(
        "amqp:link:stolen",
        f"New receiver 'nil' with higher epoch of '{by}' is created hence current receiver 'nil' with epoch "
        f"'{'nil' if epoch is None else epoch}' is getting disconnected. If you are recreating the receiver, make "
        "sure a higher epoch is used.",
    )
