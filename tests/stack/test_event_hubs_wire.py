"""The loopback Event Hubs without a client: what azure-eventhub never shows, since it behaves."""

from __future__ import annotations

import asyncio
import threading
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from hmac import digest
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.stack.event_hubs import KEY, KEY_NAME, EventHubs
from tests.stack.event_hubs.amqp import encoding
from tests.stack.event_hubs.amqp.decoding import Described, decode, decoding, end_of, items
from tests.stack.event_hubs.amqp.descriptors import Performative
from tests.stack.event_hubs.amqp.encoding import NULL, boolean, composite, string, uint
from tests.stack.event_hubs.amqp.frames import AMQP_HEADER, FrameReader, frame
from tests.stack.event_hubs.amqp.incoming import read
from tests.stack.event_hubs.amqp.refused import Malformed, Refused
from tests.stack.event_hubs.claims import Claims
from tests.stack.event_hubs.clock import millis
from tests.stack.event_hubs.connections import Connection
from tests.stack.event_hubs.events import BATCH, Message, published
from tests.stack.event_hubs.hub import Hub
from tests.stack.event_hubs.management import Request, describe
from tests.stack.event_hubs.namespace import Namespace
from tests.stack.event_hubs.refusals import no_entity
from tests.stack.event_hubs.threads import Home, at_home, in_thread
from tests.waiting import PATIENCE

A_DAY = 86_400  # seconds; tokens are made when the tests are collected, and used when their turn has come


class Sink(asyncio.Transport):
    """A transport that keeps what was sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = bytearray()
        self._is_closing = False

    def write(self, data: Any) -> None:
        assert not self._is_closing
        self.sent += data

    def close(self) -> None:
        self._is_closing = True

    def is_closing(self) -> bool:
        return self._is_closing


class Dialogue:
    """A client that minds its words, on one channel of a connection to a hub of two partitions, in a session with a window."""

    def __init__(self, *, window: int = 1000, token: bool = True) -> None:
        self.namespace = Namespace({"cwpp": 2}, ["$Default"], {})
        self.hub: Hub = self.namespace.hub("cwpp")
        self._sink = Sink()
        self.connection = Connection(self.namespace, set())
        self.connection.connection_made(self._sink)
        if token:
            self.connection.claims.put_unchecked("sb://host/", 60)
        self.say(Performative.BEGIN, NULL, uint(0), uint(window))

    @property
    def is_over(self) -> bool:
        """Whether the service has hung up."""
        return self._sink.is_closing()

    def say(self, code: int, *fields: bytes, payload: bytes = b"") -> list[Described]:
        """Says something, and gives what is answered."""
        self.connection.data_received(frame(composite(code, *fields) + payload))
        return self.heard()

    def attach(self, handle: int = 0, *, receives: bool) -> list[Described]:
        """Asks for a link to the first partition, from its beginning, or for one to the hub."""
        node = "amqps://host/cwpp/ConsumerGroups/$Default/Partitions/0" if receives else "amqps://host/cwpp"
        ends = composite(0x28, string(node)), composite(0x29, string(node))
        return self.say(Performative.ATTACH, string("link"), uint(handle), boolean(receives), NULL, NULL, *ends)

    def flow(self, received: int, window: int, credit: int) -> list[Described]:
        """Says how many messages were received, how many frames there is room for, and how many more messages are wanted."""
        session = uint(received), uint(window), uint(0), uint(1000)
        return self.say(Performative.FLOW, *session, uint(0), uint(received), uint(credit))

    def publish(self, count: int) -> list[Described]:
        """Publishes events of one frame each in the first partition, behind the client's back."""
        messages = [Message.holding(b"body")] * count
        self.hub.publish(self.hub.partition(0), messages, self.namespace.clock.now())
        return self.heard()

    def heard(self) -> list[Described]:
        """What was said since this was last asked."""
        sent = bytes(self._sink.sent)
        self._sink.sent.clear()
        return [decode(received.body)[0] for received in FrameReader().feed(sent)]


def codes(heard: list[Described]) -> list[int]:
    """What kind of thing was said, each time."""
    return [said.descriptor for said in heard]


type Pair = tuple[Any, bytes]


def a_list(pairs: list[Pair]) -> Pair:
    """A described list of values, and its encoding."""
    return (7, [value for value, _ in pairs]), encoding.composite(7, *(encoded for _, encoded in pairs))


def a_map(pairs: dict[str, Pair]) -> Pair:
    """A map of values, and its encoding."""
    encoded = [part for key, (_, element) in pairs.items() for part in (encoding.string(key), element)]
    return {key: value for key, (value, _) in pairs.items()}, encoding.mapping(*encoded)


LONG = st.integers(250, 260).map("x".__mul__)  # around the size that needs the long form
VALUES = st.recursive(
    st.none().map(lambda value: (value, encoding.NULL))
    | st.booleans().map(lambda value: (value, encoding.boolean(value)))
    | st.integers(0, 2**8 - 1).map(lambda value: (value, encoding.ubyte(value)))
    | st.integers(0, 2**16 - 1).map(lambda value: (value, encoding.ushort(value)))
    | st.integers(0, 2**32 - 1).map(lambda value: (value, encoding.uint(value)))
    | st.integers(0, 2**64 - 1).map(lambda value: (value, encoding.ulong(value)))
    | st.integers(-(2**31), 2**31 - 1).map(lambda value: (value, encoding.integer(value)))
    | st.integers(-(2**63), 2**63 - 1).map(lambda value: (value, encoding.long(value)))
    | st.integers(-(2**63), 2**63 - 1).map(lambda value: (value, encoding.timestamp(value)))
    | (st.binary() | LONG.map(str.encode)).map(lambda value: (value, encoding.binary(value)))
    | (st.text() | LONG).map(lambda value: (value, encoding.string(value)))
    | (st.text() | LONG).map(lambda value: (value, encoding.symbol(value)))
    | st.lists(st.text(max_size=9)).map(lambda value: (value, encoding.strings(value)))
    | st.lists(st.text(max_size=9)).map(lambda value: (value, encoding.symbols(value))),
    lambda inner: st.lists(inner, max_size=4).map(a_list) | st.dictionaries(st.text(), inner, max_size=4).map(a_map),
    max_leaves=9,
)
"""Values and their encodings."""


# Nobody is given more than they can take.


def test_a_reader_is_sent_as_many_events_as_it_gave_credit_for() -> None:
    """The rest waits, and so does what comes later."""
    dialogue = Dialogue()
    dialogue.attach(receives=True)
    assert codes(dialogue.publish(5)) == []
    assert codes(dialogue.flow(received=0, window=1000, credit=2)) == [Performative.TRANSFER] * 2
    assert codes(dialogue.publish(1)) == []
    assert codes(dialogue.flow(received=2, window=1000, credit=9)) == [Performative.TRANSFER] * 4
    assert codes(dialogue.publish(9)) == [Performative.TRANSFER] * 5


def test_a_session_is_sent_as_many_frames_as_it_has_room_for() -> None:
    """Whatever credit its links have; it goes on when there is room again."""
    dialogue = Dialogue(window=2)
    dialogue.attach(receives=True)
    dialogue.publish(9)
    assert codes(dialogue.flow(received=0, window=2, credit=100)) == [Performative.TRANSFER] * 2
    assert codes(dialogue.publish(1)) == []
    assert codes(dialogue.say(Performative.FLOW, uint(2), uint(3), uint(0), uint(1000))) == [Performative.TRANSFER] * 3


def test_a_connection_that_is_full_is_sent_nothing_until_it_has_drained() -> None:
    """So that the memory of the service is not the client's."""
    dialogue = Dialogue()
    dialogue.attach(receives=True)
    dialogue.flow(received=0, window=1000, credit=100)
    dialogue.connection.pause_writing()
    assert codes(dialogue.publish(3)) == []
    dialogue.connection.resume_writing()
    assert codes(dialogue.heard()) == [Performative.TRANSFER] * 3


def test_a_publisher_is_given_credit_before_it_runs_out() -> None:
    """And each of its messages is answered."""
    dialogue = Dialogue()
    attach, flow = dialogue.attach(receives=False)
    assert (attach.descriptor, flow.descriptor) == (Performative.ATTACH, Performative.FLOW)
    credit, granted = flow.value[6], 0
    for number in range(3 * credit):
        body = Message.holding(b"body").rest
        answers = dialogue.say(
            Performative.TRANSFER, uint(0), uint(number), NULL, uint(0), boolean(False), payload=body
        )
        assert (answers[0].descriptor, answers[0].value[1], answers[0].value[4].descriptor) == (0x15, number, 0x24)
        granted += sum(answer.descriptor == Performative.FLOW for answer in answers)
        credit = credit - 1 if len(answers) == 1 else answers[1].value[6]
        assert credit > 0
    assert granted > 2


def test_a_message_beyond_what_was_announced_is_rejected_and_the_next_one_is_taken() -> None:
    """It comes in parts, of which none is too long; at the limit it is taken."""
    dialogue = Dialogue()
    limit = dialogue.attach(receives=False)[0].value[10]
    begin = len(Message.holding(b"x" * 256).rest) - 256  # what surrounds a body
    for number, (size, outcome) in enumerate([(limit, 0x24), (limit + 1, 0x25), (limit, 0x24)]):
        message = Message.holding(b"x" * (size - begin)).rest
        answers = []
        for at in range(0, size, 60_000):
            about = uint(0), uint(number), NULL, uint(0), boolean(False), boolean(at + 60_000 < size)
            answers += dialogue.say(Performative.TRANSFER, *about, payload=message[at : at + 60_000])
        assert [answer.value[4].descriptor for answer in answers] == [outcome]
    assert len(dialogue.hub.partition(0).events) == len(dialogue.hub.partition(1).events) == 1


def test_a_link_that_is_over_is_over_for_both() -> None:
    """The client's farewell is answered, and what it still says there is passed over."""
    dialogue = Dialogue()
    dialogue.attach(receives=True)
    dialogue.flow(received=0, window=1000, credit=100)
    (farewell,) = dialogue.say(Performative.DETACH, uint(0), boolean(True))
    assert (farewell.descriptor, farewell.value) == (Performative.DETACH, [0, True, None])
    assert dialogue.publish(1) == dialogue.flow(received=0, window=1000, credit=100) == []
    assert dialogue.say(Performative.DETACH, uint(0), boolean(True)) == []
    assert codes(dialogue.say(Performative.END)) == [Performative.END]
    assert dialogue.say(Performative.DETACH, uint(0), boolean(True)) == []


def test_a_hub_that_is_gone_says_so_on_every_link_and_hangs_up() -> None:
    """Its clients need not wait to find out."""
    dialogue = Dialogue()
    dialogue.attach(0, receives=True)
    dialogue.attach(1, receives=False)
    dialogue.hub.end(no_entity("cwpp"))
    farewells = dialogue.heard()
    assert [(said.descriptor, said.value[0], said.value[2].value[0]) for said in farewells] == [
        (Performative.DETACH, 0, "amqp:not-found"),
        (Performative.DETACH, 1, "amqp:not-found"),
    ]
    assert dialogue.is_over
    assert dialogue.hub.links == []


def test_a_hub_is_older_than_the_one_that_takes_its_place() -> None:
    """However quickly that goes, and even if the clock was set back: its birthday is how others tell."""
    namespace = Namespace({"cwpp": 1}, (), {})
    namespace.clock.ahead = -timedelta(days=1)
    birthdays = [namespace.hub("cwpp").created]
    for _ in range(3):
        namespace.create("cwpp", 1)
        birthdays.append(namespace.hub("cwpp").created)
    assert len({millis(birthday) for birthday in birthdays}) == 4
    assert birthdays == sorted(birthdays)


# Nobody comes in without a token.


@pytest.mark.parametrize("receives", [True, False])
def test_who_shows_no_token_gets_a_link_to_nowhere_and_loses_it_at_once(receives: bool) -> None:
    """As the service refuses a link, whatever the reason: with no node at its ends, and then with the reason."""
    dialogue = Dialogue(token=False)
    attach, detach = dialogue.attach(5, receives=receives)
    assert (attach.descriptor, attach.value[1], attach.value[5:7]) == (Performative.ATTACH, 5, [None, None])
    assert (detach.descriptor, detach.value[:2]) == (Performative.DETACH, [5, True])
    assert detach.value[2].value[0] == "amqp:unauthorized-access"
    assert [refused.condition for refused in dialogue.namespace.refused_links] == ["amqp:unauthorized-access"]


def test_who_shows_no_token_is_told_nothing() -> None:
    """Neither of a hub that is there nor of one that is not."""
    for name in ("cwpp", "nowhere"):
        request = Request(encoding.NULL, {"name": name, "type": "com.microsoft:eventhub"}, None)
        with pytest.raises(Refused, match="amqp:unauthorized-access"):
            describe(request, Namespace({"cwpp": 2}, (), {}), Claims({}))


def a_token(resource: str, seconds: float, key: str = KEY) -> str:
    """A shared access signature that holds for so long."""
    resource, end = quote_plus(resource), int(time.time() + seconds)
    signature = quote_plus(b64encode(digest(key.encode(), f"{resource}\n{end}".encode(), "sha256")))
    return f"SharedAccessSignature sr={resource}&sig={signature}&se={end}&skn={KEY_NAME}"


def test_a_token_opens_what_it_was_made_for_and_nothing_else() -> None:
    """The path, what lies below it, and never a neighbour."""
    claims = Claims({KEY_NAME: KEY})
    claims.put_signature("sb://host/cwpp", a_token("sb://host/cwpp", A_DAY))
    claims.require("cwpp")
    claims.require("CWPP/consumergroups/take/partitions/0")
    for path in ("cspm", "cwpp2", ""):
        with pytest.raises(Refused, match="amqp:unauthorized-access"):
            claims.require(path)


@pytest.mark.parametrize(
    ("token", "fault"),
    [
        (a_token("sb://host/cwpp", A_DAY, key="another"), "InvalidSignature"),
        (a_token("sb://host/cwpp", A_DAY).replace(KEY_NAME, "nobody"), "InvalidSignature"),
        (a_token("sb://host/cwpp", -1), "ExpiredToken"),
        (a_token("sb://host/cspm", A_DAY), "InvalidAudience"),
        ("", "InvalidSignature"),
        ("sr", "InvalidSignature"),
    ],
)
def test_a_token_that_does_not_hold_is_refused(token: str, fault: str) -> None:
    """Of another key, of an unknown name, too old, for something else, or no token."""
    with pytest.raises(Refused, match=fault):
        Claims({KEY_NAME: KEY}).put_signature("sb://host/cwpp", token)


# Nobody is upset by nonsense.


async def talk(hubs: EventHubs, *said: bytes) -> bytes:
    """Says something over a socket, and gives what is answered until the service has had enough."""
    reader, writer = await asyncio.open_connection("127.0.0.1", hubs.port)
    writer.write(b"".join(said))
    try:
        async with asyncio.timeout(PATIENCE):
            return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()


def test_nonsense_ends_the_connection_with_the_reason_and_harms_nobody_else() -> None:
    """What is no frame, what is no performative, and what makes no sense at that point."""
    begin = frame(composite(Performative.BEGIN, NULL, uint(0), uint(9)))

    async def test() -> None:
        async with EventHubs().running() as hubs:
            assert b"amqp:connection:framing-error" in await talk(hubs, b"GET / HTTP/1.1\r\n\r\n")
            assert b"amqp:decode-error" in await talk(hubs, AMQP_HEADER, frame(composite(0x99)))
            assert b"amqp:decode-error" in await talk(hubs, AMQP_HEADER, frame(composite(Performative.ATTACH)))
            assert b"amqp:illegal-state" in await talk(hubs, AMQP_HEADER, begin, begin)
            assert await talk(hubs, AMQP_HEADER, frame(composite(Performative.CLOSE))) == AMQP_HEADER + frame(
                composite(Performative.CLOSE, NULL)
            )

    asyncio.run(test())


def test_a_client_of_another_protocol_version_is_told_which_one_there_is() -> None:
    """As the specification has it, before the connection ends."""

    async def test() -> None:
        async with EventHubs().running() as hubs:
            assert await talk(hubs, b"AMQP\x00\x00\x09\x01") == AMQP_HEADER

    asyncio.run(test())


def test_a_client_that_fears_silence_is_told_that_the_service_is_there() -> None:
    """Twice in the time that it would wait, here 100 milliseconds."""
    impatient = frame(composite(Performative.OPEN, string("me"), NULL, NULL, NULL, uint(100)))

    async def test() -> None:
        async with EventHubs().running() as hubs, asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection("127.0.0.1", hubs.port)
            writer.write(AMQP_HEADER + impatient)
            beats, frames = 0, FrameReader()
            while beats < 3:
                beats += sum(not received.body for received in frames.feed(await reader.read(4096)))
            writer.close()
            await writer.wait_closed()

    asyncio.run(test())


@given(st.lists(st.tuples(st.integers(0x10, 0x18), st.lists(VALUES, max_size=14)), max_size=6))
def test_whatever_a_client_says_the_service_keeps_its_composure(said: list[tuple[int, list[Pair]]]) -> None:
    """Any fields in any performatives in any order end in an answer, or in the end of that connection."""

    async def test() -> None:
        dialogue = Dialogue()
        for code, fields in said:
            dialogue.say(code, *(field for _, field in fields))
        dialogue.connection.connection_lost(None)
        assert dialogue.hub.links == []

    asyncio.run(test())


# Types.


@given(VALUES)
def test_what_is_encoded_is_decoded_again(pair: Pair) -> None:
    """Each type, in lists and maps, with something behind it; and its end is found without looking into it."""
    value, encoded = pair
    assert decode(encoded + b"rest") == (value, len(encoded))
    assert end_of(encoded + b"rest", 0) == len(encoded)


@given(st.lists(VALUES, max_size=9))
def test_a_list_is_taken_apart_without_decoding(pairs: list[Pair]) -> None:
    """So that a part may be passed on as it came."""
    encoded = [element for _, element in pairs]
    assert items(encoding.composite(7, *encoded), 3) == encoded


@given(st.binary(max_size=60))
def test_whatever_comes_is_read_or_refused(data: bytes) -> None:
    """No bytes upset a reader in a way that nobody expects."""
    readers: list[Callable[[bytes], object]] = [
        read,
        Request.read,
        lambda message: published(message, 0),
        lambda message: published(message, BATCH),
        lambda frames: list(FrameReader().feed(frames)),
    ]
    for a_reader in readers:
        with suppress(Refused):
            a_reader(data)
    with suppress(Malformed), decoding("a value"):
        assert decode(data)[1] == end_of(data, 0) <= len(data)


def test_an_array_that_says_it_has_billions_of_nothings_is_refused() -> None:
    """Its elements take no room, so that only its count could keep a reader busy for ever."""
    with pytest.raises(Malformed, match="more elements than bytes"), decoding("an array"):
        decode(b"\xf0\0\0\0\5\xff\xff\xff\xff\x40")


# Threads.


class Lodger:
    """Somebody with a home."""

    home: Home | None = None

    @at_home
    def thread(self) -> int:
        return threading.get_ident()

    @at_home
    def fault(self) -> None:
        raise LookupError("of its own")


@asynccontextmanager
async def lodging(lodger: Lodger) -> AsyncIterator[Lodger]:
    """A stay."""
    lodger.home = Home.here()
    yield lodger
    lodger.home = None


def test_what_is_called_from_another_thread_runs_where_the_connections_are() -> None:
    """Since they are nobody else's to touch; faults come back to the caller, and without a loop the caller does it."""
    here = threading.get_ident()
    with in_thread(lodging(Lodger()), "lodging") as lodger:
        there = lodger.thread()
        assert there != here
        assert lodger.thread() == there
        with pytest.raises(LookupError, match="of its own"):
            lodger.fault()
    assert lodger.thread() == here
