"""A console on loopback alone, reached by a port that is published."""

import asyncio
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from alert_router_demo.published import main
from tests.network import free_ports
from tests.waiting import PATIENCE, until
from tests.warm import started

MUCH = b"a" * 1_000_000


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says what it was told, backwards, once it was told all."""
    writer.write((await reader.read())[::-1])
    await writer.drain()
    writer.close()
    await writer.wait_closed()


def test_what_both_sides_say_is_passed_on_until_it_is_told_to_stop(tmp_path: Path) -> None:
    """Also an answer that comes after its question has ended. Where nobody listens, a caller is cut off."""

    async def answer_to(port: int, words: bytes) -> bytes:
        with suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(words)
                writer.write_eof()
                return await reader.read()
            finally:
                writer.close()
                await writer.wait_closed()
        return b""

    async def proven() -> None:
        (at,) = free_ports(1)
        async with await asyncio.start_server(_answer, "127.0.0.1", 0) as behind:
            to = behind.sockets[0].getsockname()[1]
            words = ("alert_router_demo.published", f"127.0.0.1:{at}", f"127.0.0.1:{to}")
            process = started(*words, env={}, cwd=tmp_path)
            try:
                await until(lambda: is_answered(at))
                assert await answer_to(at, b"b" + MUCH) == MUCH + b"b"
                behind.close()
                await behind.wait_closed()
                assert await answer_to(at, b"ab") == b""
                process.send_signal(signal.SIGTERM)
                assert process.wait(PATIENCE) == 0
            finally:
                process.kill()

    async def is_answered(port: int) -> bool:
        return await answer_to(port, b"ab") == b"ba"

    asyncio.run(proven())


@pytest.mark.parametrize(
    "words", [["0.0.0.0:8026"], ["0.0.0.0:8026", "console:8025"], ["192.0.2.1:8026", "127.0.0.1:8025"]]
)
def test_a_wrong_address_is_one_line(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """One is missing, one is no address, one is not this machine's."""
    assert main(words) == 2
    said = capsys.readouterr().err
    assert said.startswith("published: ") and said.count("\n") == 1
