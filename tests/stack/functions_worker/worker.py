"""The worker process: Microsoft's own worker library, told what to do over a socket that it inherits.

`python -m tests.stack.functions_worker.worker DESCRIPTOR` is started by the host, never by hand. The app's directory and
this repository are on its PYTHONPATH; its environment is the app's settings and nothing else. It is no part of the host's
package, which would bring the SDKs that the host listens with into every worker: half of what one takes to start.
"""

import asyncio
import logging
import os
import socket
import sys
from dataclasses import dataclass, field
from typing import Any, NoReturn

import azure_functions_runtime as runtime  # type: ignore[import-untyped]

from tests.stack.functions_worker.protocol import find_message, protocol, write_message

_ANSWERS = {
    "worker_init_request": "worker_init_response",
    "functions_metadata_request": "function_metadata_response",
    "function_load_request": "function_load_response",
    "invocation_request": "invocation_response",
}


@dataclass(frozen=True, slots=True)
class _Request:
    """A request in the form in which the library's handlers take it."""

    name: str
    request: Any
    properties: dict[str, Any] = field(default_factory=lambda: {"host": "127.0.0.1", "protos": protocol()})


async def _serve(descriptor: int) -> None:
    connection = socket.socket(fileno=descriptor)
    connection.set_inheritable(False)
    reader, writer = await asyncio.open_connection(sock=connection)
    runtime.start_threadpool_executor()
    async with asyncio.TaskGroup() as tasks:
        while (message := await find_message(reader)) is not None:
            tasks.create_task(_answer(message, writer))
        _leave()


async def _answer(message: Any, writer: asyncio.StreamWriter) -> None:
    name = message.WhichOneof("content")
    answer = await getattr(runtime, name)(_Request(name, message))
    write_message(writer, protocol().StreamingMessage(request_id=message.request_id, **{_ANSWERS[name]: answer}))
    await writer.drain()


def _leave() -> NoReturn:
    """Ends without waiting for threads or tasks: whoever wanted their results is gone."""
    logging.shutdown()
    sys.stdout.flush()
    os._exit(0)


def main() -> None:
    """Serves the host that started this process until it hangs up."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    for chatty in ("azure.core", "azure.eventhub", "azure.identity"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    asyncio.run(_serve(int(sys.argv[1])))


if __name__ == "__main__":
    main()
