"""Commands that list what is in a subscription, so that the answer says of itself what it is a list of: even an empty one."""

from __future__ import annotations

from shlex import quote


def list_command(command: str, subscription: str, type: str) -> str:
    """The line that lists what there is of an ARM type in a subscription, by one of the list commands of `az`.

    What `az` prints of nothing is `[]`, which would say neither of what there is none, nor where.
    """
    path = f"/subscriptions/{subscription}/providers/{type}"
    query = f'{{id: `"{path}"`, value: @}}'
    return f"az {command} --subscription {quote(subscription)} --query {quote(query)} --output json"
