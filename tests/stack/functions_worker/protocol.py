"""The messages between host and worker, and how they cross a socket."""

import asyncio
import struct
import sys
from functools import cache
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]  # It has no types.

_LENGTH = struct.Struct(">I")


@cache
def protocol() -> Any:
    """Gives every message of `rpc.proto` by its name, as the worker library wants them."""
    sys.path.append(str(Path(__file__).parent))  # Where the compiler looks.
    try:
        return grpc.protos("rpc.proto")
    finally:
        sys.path.pop()


async def find_message(reader: asyncio.StreamReader) -> Any | None:
    """Reads the next StreamingMessage; None once the other side is gone."""
    try:
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        return protocol().StreamingMessage.FromString(await reader.readexactly(length))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


def write_message(writer: asyncio.StreamWriter, message: Any) -> None:
    """Writes a StreamingMessage, its length in four bytes before it; it is on its way when the writer is drained."""
    body = message.SerializeToString()
    writer.write(_LENGTH.pack(len(body)) + body)
