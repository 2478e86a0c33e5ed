"""Standard input is read as it comes: a line is a message, known by what it says and how often it was said before."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import BinaryIO

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.cli.incoming import BATCH, WAIT, Incoming, Stdin, open_files
from router.cli.stopping import Stop
from router.ingest.messages import Message
from router.parse import LARGEST_BODY, MOST_ELEMENTS
from tests.cli.house import House, column, ndjson, routing
from tests.cli.test_files import MARKED, cut_anywhere, encoded
from tests.cli.virtual_time import clock, run_at_once
from tests.parse.messages import a_flat_alert
from tests.peaks import peak_of
from tests.waiting import wait_until


def messages_in(*chunks: bytes) -> list[Message]:
    """What comes in, read to its end."""
    with ExitStack() as stack:
        incoming = Incoming(stack)
        return [one for chunk in chunks for one in incoming.feed(chunk)] + list(incoming.end())


def piped(house: House, text: bytes, *options: str) -> list[dict[str, object]]:
    """The decisions of a run that is piped a text; it must end well."""
    with routing(*_command(*options)) as run:
        _, err = run.communicate(text.decode(errors="surrogateescape"))
    assert (run.returncode, err) == (0, "")
    return house.lines("decisions.ndjson")


def test_the_same_input_again_is_all_repeats(house: House) -> None:
    """Also what was taken in before as the first lines of a longer one, and equal lines among them."""
    opened, ended = a_flat_alert(Status="New"), a_flat_alert(Status="Resolved")
    lines = [opened, ended, opened, b"?"]
    assert column(piped(house, ndjson(*lines)), "outcome") == ["routed", "resolved", "repeat", "quarantined"]
    told = house.lines("people.ndjson")
    again = piped(house, ndjson(*lines, a_flat_alert(SystemAlertId="new")))
    assert column(again, "outcome") == ["repeat", "repeat", "repeat", "quarantined", "routed"]
    assert len(house.lines("people.ndjson")) == len(told) + 1


LINES = st.lists(st.sampled_from([b'{"a":1}', b'{"a":2}', b"?", b"", b"  ", b'{"a":1}\r']), max_size=8)


@settings(deadline=None)
@given(lines=LINES, data=st.data())
def test_a_line_is_known_by_what_it_says_and_how_often_it_was_said(lines: list[bytes], data: st.DataObject) -> None:
    """Wherever the input is cut as it comes in; blank lines and carriage returns say nothing."""
    text = b"\n".join(lines)
    messages = messages_in(*cut_anywhere(data, text))
    said = [line.rstrip(b"\r") for line in lines if line.strip()]
    assert [message.body for message in messages] == said
    places = [message.arrival.place for message in messages]
    assert places == [said[:number].count(line) for number, line in enumerate(said)]
    assert len({message.arrival.key for message in messages}) == len(messages)
    assert len({message.arrival.origin for message in messages}) == len(set(said))


def test_half_a_line_is_a_line() -> None:
    """Who wrote it closed the pipe in the middle; nothing of it is lost. A line is the same one in every encoding."""
    assert [message.body for message in messages_in(b'{"a":1}\n{"a"', b":")] == [b'{"a":1}', b'{"a":']
    text = '{"a":"\u4e2d"}\n{"a":1}\n'
    for codec in MARKED:
        assert messages_in(encoded(text, codec)) == messages_in(text.encode())


def test_a_document_over_several_lines_is_known_as_its_file_is(house: House) -> None:
    """Pretty-printed JSON, one message or many, and an export in one line, however long: the same as from a file."""
    few = orjson.dumps([a_flat_alert(), a_flat_alert(SystemAlertId="b")], option=orjson.OPT_INDENT_2)
    many = orjson.dumps([a_flat_alert(SystemAlertId=f"al-{n}", Description="x" * 199_999) for n in range(25)])
    for text in (few, few.replace(b"  ", b"\t"), many):
        house.writes("alerts.json", text)
        with open_files(["alerts.json"]) as (file,):
            known = [(message.arrival, message.body) for message in file.messages()]
        assert [(message.arrival, message.body) for message in messages_in(text[:7], text[7:])] == known


def test_a_broken_first_line_keeps_nothing_back_for_ever() -> None:
    """Whatever it begins like: what comes after it are messages at the latest when the input ends."""
    for line in (b'{"a": 1, "b', b'{"a": "x", ', b"[1, 2", b"{", b'{"a":1}}'):
        messages = messages_in(line + b"\n", ndjson({"a": 1}, {"b": 2}))
        assert [message.body for message in messages][-2:] == [b'{"a":1}', b'{"b":2}']


def test_a_line_may_hold_more_messages_than_a_body_may() -> None:
    """Who pipes one long array gets them all, each as the reader would call it; a shorter one is left to the reader."""
    many = orjson.dumps({"records": list(range(MOST_ELEMENTS + 1))})
    messages = messages_in(many + b"\n", b"[1,2]\n")
    assert [message.arrival.part for message in messages] == [*range(1, MOST_ELEMENTS + 2), 0]
    assert messages[-2].source == f"-:1[{MOST_ELEMENTS + 1}]"


def test_a_line_that_is_too_long_is_cut_and_what_comes_after_it_is_read() -> None:
    """It is known by the digest of all of it."""
    line = b"x" * LARGEST_BODY
    longer, other = messages_in(line + b"y\n" + line + b"z\n")
    assert longer.cut is not None
    assert longer.arrival.origin == f"stdin-{longer.cut.digest}"
    assert longer.arrival != other.arrival


def test_memory_does_not_grow_with_the_input() -> None:
    """Neither with a line that does not end, nor with the number of different lines."""

    def take_in(chunk_of: Callable[[int], bytes], count: int) -> None:
        with ExitStack() as stack:
            incoming = Incoming(stack)
            for chunk in map(chunk_of, range(count)):
                for _ in incoming.feed(chunk):
                    pass
            list(incoming.end())

    for chunk_of, few in ((lambda _: b"x" * 65536, 100), (lambda number: b"%d\n" % number, 1_000)):
        assert peak_of(partial(take_in, chunk_of, 4 * few)) < 1.2 * peak_of(partial(take_in, chunk_of, few))


class Pipe:
    """A pipe that is read as standard input is."""

    def __init__(self, stack: ExitStack) -> None:
        read, write = os.pipe()
        stack.callback(os.close, read)
        self._write: BinaryIO = stack.enter_context(os.fdopen(write, "wb", buffering=0))
        self.stdin = Stdin(read, Incoming(stack))
        self.write, self.close = self._write.write, self._write.close


def sizes(batches: Sequence[Sequence[Message]]) -> list[int]:
    return [len(batch) for batch in batches]


def test_a_batch_is_decided_a_second_after_its_first_line_or_as_soon_as_it_is_full() -> None:
    """The pipe stays open, and whoever writes to it does not wait; what is left goes when the input ends."""

    async def follow(pipe: Pipe) -> None:
        batches = pipe.stdin.batches(Stop())
        for count in (1, 3):
            began = clock()
            pipe.write(b'{"a":1}\n' * count + b'{"half":')
            assert len(await anext(batches)) == count
            assert clock() - began == pytest.approx(WAIT)
            pipe.write(b"1}\n")
            assert sizes([await anext(batches)]) == [1]
        began = clock()
        pipe.write(b"{}\n" * (2 * BATCH + 1))
        assert sizes([await anext(batches), await anext(batches)]) == [BATCH, BATCH]
        pipe.close()
        assert sizes([batch async for batch in batches]) == [1]
        assert clock() == began

    with ExitStack() as stack:
        run_at_once(follow(Pipe(stack)))


def test_a_stop_decides_the_lines_that_were_read() -> None:
    """Whoever wrote them has them no more. The half line that was under way is none yet, and nothing more is waited for."""

    async def follow(pipe: Pipe) -> None:
        with Stop.heeded() as stop:
            batches = pipe.stdin.batches(stop)
            pipe.write(b"{}\n{}\n{")
            batch = asyncio.ensure_future(anext(batches))
            await asyncio.sleep(WAIT / 2)
            os.kill(os.getpid(), signal.SIGTERM)
            assert len(await batch) == 2
            assert [batch async for batch in batches] == []
            assert clock() < WAIT

    with ExitStack() as stack:
        run_at_once(follow(Pipe(stack)))


def test_explain_and_dry_run_read_it_too(house: House) -> None:
    """As `run` does; what is redirected from a disk is always ready."""
    assert column(piped(house, ndjson(a_flat_alert(), b"?"), "--dry-run"), "source") == ["-:1", "-:2"]
    text = encoded(ndjson(a_flat_alert()).decode(), "utf-16-le")
    out, _ = routing("explain", "--format", "json", "-").communicate(text.decode(errors="surrogateescape"))
    assert column([one["decision"] for one in orjson.loads(out)], "source") == ["-:1"]
    with ExitStack() as stack, Path(house.writes("a.ndjson", ndjson(a_flat_alert()))).open("rb") as file:
        stdin = Stdin(file.fileno(), Incoming(stack))

        async def read() -> list[list[Message]]:
            return [batch async for batch in stdin.batches(Stop())]

        assert sizes(asyncio.run(read())) == [1]


def test_what_comes_in_is_decided_and_sent_while_more_is_waited_for(house: House) -> None:
    """The pipe is open until its first line was decided, and reached the destination."""
    with routing(*_command()) as process:
        assert process.stdin is not None
        for number in (1, 2):
            process.stdin.write(ndjson(a_flat_alert(SystemAlertId=f"al-{number}")).decode())
            process.stdin.flush()
            awaited = ("decisions.ndjson", "people.ndjson", "everything.ndjson")
            wait_until(
                lambda: all(len(house.lines(name)) >= number for name in awaited),  # noqa: B023  It is asked at once.
                goes_on=lambda: process.poll() is None,
            )
        process.stdin.close()
        assert process.wait() == 0
    assert column(house.lines("decisions.ndjson"), "source") == ["-:1", "-:2"]


def _command(*options: str) -> list[str]:
    return ["run", "--decisions", "decisions.ndjson", *options, "-"]
