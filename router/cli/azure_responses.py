"""Answers of Azure among messages: each stands for the messages in it, and one that is only a part of an answer is reported."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from router.cli.streams import complain
from router.ingest.messages import Message
from router.parse import Continuation, answer_in

_ADVICE = {
    Continuation.TOKEN: "is a part of the answer; for the next give `az graph query` its skip_token with --skip-token",
    Continuation.LINK: "is a part of the answer; for the next give `az rest --url` its nextLink",
    # The last page looks like that, too.
    Continuation.CUT: (
        "holds fewer records than its query found, and no skip_token: either pages came before it, "
        "or ask with id among the columns and --first 1000"
    ),
}


def messages_within(message: Message) -> Iterator[Message]:
    """The messages in an answer of Azure, named as the reader names them; of any other message the message itself."""
    answer = answer_in(message.body) if message.cut is None else None
    if answer is None:
        yield message
        return
    tell_rest(answer.continuation, message.source)
    for part, body in enumerate(answer.bodies, 1):
        place = replace(message.arrival, part=part)
        yield replace(message, body=body, source=f"{message.source}[{part}]", arrival=place)


def tell_rest(rest: Continuation | None, source: str) -> None:
    """Says on stderr that an answer is only a part, and how to get the rest.

    Its token and its link are not repeated: whoever wrote the file would have words in a line that is to be obeyed.
    """
    if rest is not None:
        complain(f"{source}: {_ADVICE[rest]}")
