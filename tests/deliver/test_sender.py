"""What one send brings, whatever the destination asks for and whatever goes wrong."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from pathlib import Path

from router.deliver.http import Http
from router.domain.conversation import AppendLines, Conversation, HttpRequest, Result
from router.domain.deliveries import Attempt, Claim, Receipt
from router.domain.errors import Rejected, Unavailable
from tests.builders import NOW
from tests.deliver.engines import a_sender
from tests.deliver.scripted import Clock, Scripted, sent
from tests.store.builders import a_delivery


def results_of(kind: Scripted, *keys: str) -> list[Result]:
    """What sends of openings of some signals bring, each by itself."""
    claims = [Claim(delivery=a_delivery(key=key), id=key, number=1, born=NOW) for key in keys]

    async def attempted() -> list[Result]:
        async with Http(ssl.create_default_context()) as http:
            sender = a_sender(kind, Clock(), http)
            return [result for claim in claims for result in await sender.attempt_delivery([claim], {})]

    return asyncio.run(attempted())


def test_a_fault_of_ours_is_the_result_of_what_it_befell() -> None:
    """What the destination's code cannot handle is refused with reason `internal`; others are not."""

    def breaks(attempt: Attempt) -> Result:
        if attempt.delivery.key == "k1":
            raise ZeroDivisionError
        return Receipt()

    first, second, third = results_of(Scripted(breaks), "k0", "k1", "k2")
    assert (first, third) == (Receipt(), Receipt())
    assert isinstance(second, Rejected)
    assert str(second) == "internal: ZeroDivisionError"


def test_a_request_that_gets_no_answer_is_raised_into_the_destination() -> None:
    """Nobody listens on that port; the text names no URL."""

    class Posting(Scripted):
        def conversation_for(self, attempts: Sequence[Attempt]) -> Conversation:
            yield HttpRequest(method="POST", url="http://127.0.0.1:9/secret?sig=canary")
            raise AssertionError("an answer came from a port where nobody listens")

    (result,) = results_of(Posting(sent), "k0")
    assert isinstance(result, Unavailable)
    assert "canary" not in str(result)


def test_lines_are_appended_to_a_file_and_its_troubles_are_retried(tmp_path: Path) -> None:
    """A file that cannot be written now may be written later."""

    class Filing(Scripted):
        def conversation_for(self, attempts: Sequence[Attempt]) -> Conversation:
            for attempt in attempts:
                yield AppendLines(path=str(tmp_path / attempt.delivery.key / "out.ndjson"), lines=b"{}\n")
            return [Receipt() for _ in attempts]

    (tmp_path / "k1").write_text("a file where a directory should be")
    written, failed = results_of(Filing(sent), "k0", "k1")
    assert (tmp_path / "k0" / "out.ndjson").read_bytes() == b"{}\n"
    assert written == Receipt()
    assert isinstance(failed, Unavailable)
