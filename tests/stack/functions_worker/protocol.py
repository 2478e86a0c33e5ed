"""The messages between host and worker, and how they cross a socket."""

from __future__ import annotations

import asyncio
import struct
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import grpc_tools  # type: ignore[import-untyped]
from google.protobuf import (  # type: ignore[import-untyped]
    descriptor_pb2,
    descriptor_pool,
    duration_pb2,
    message_factory,
    timestamp_pb2,
)
from grpc_tools import protoc

_PROTO = Path(__file__).with_name("rpc.proto")
_LENGTH = struct.Struct(">I")

WELL_KNOWN = (duration_pb2, timestamp_pb2)
"""Modules that `rpc.proto` leans on: importing them makes their messages known."""


@cache
def protocol() -> Any:
    """Gives every message of `rpc.proto` by its name, as the worker library wants them."""
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(_compiled())
    messages = message_factory.GetMessageClassesForFiles([_PROTO.name], pool)
    return SimpleNamespace(**{name.rpartition(".")[2]: message for name, message in messages.items()})


def _compiled() -> bytes:
    imports = Path(grpc_tools.__file__).parent / "_proto"
    with TemporaryDirectory() as scratch:
        compiled = Path(scratch) / "compiled"
        status = protoc.main(
            ["protoc", f"-I{_PROTO.parent}", f"-I{imports}", f"--descriptor_set_out={compiled}", _PROTO.name]
        )
        if status != 0:
            raise RuntimeError(f"{_PROTO}: does not compile; protoc said so on stderr")
        (file,) = descriptor_pb2.FileDescriptorSet.FromString(compiled.read_bytes()).file
    serialized: bytes = file.SerializeToString()
    return serialized


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
