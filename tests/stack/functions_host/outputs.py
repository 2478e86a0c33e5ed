"""Queue output bindings: what a function sets or returns goes into a queue, once the function has succeeded.

As in `FunctionBinding.cs` and `WorkerFunctionInvoker.cs` of azure-functions-host, and `QueueAsyncCollector.cs`: a JSON array
is a message for each of its elements, a queue that is missing is made, and an output that fails has the call fail.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from tests.stack.azurite import Queue
from tests.stack.functions_host.functions import Function, NotServed
from tests.stack.functions_host.host_json import QueueSettings

_RETURN = "$return"


class QueueOutputs:
    """Puts what functions give into the queues of one storage account."""

    def __init__(self, settings: QueueSettings, storage: str | None) -> None:
        self._is_plain = settings.message_encoding == "none"
        self._storage = storage
        self._clients: dict[str, Queue] = {}

    def open(self, function: Function) -> None:
        """Makes ready for what a function gives; raises NotServed where there is no storage for it."""
        for queue in function.outputs.values():
            if self._storage is None:
                raise NotServed(f"{function.name}: needs storage; give storage_connection")
            self._clients[queue] = Queue(self._storage, queue)

    async def put(self, function: Function, answer: Any) -> None:
        """Puts what a call gave into its queues, one binding after another; raises StorageError."""
        given = {output.name: output.data for output in answer.output_data}
        if answer.HasField("return_value"):
            given[_RETURN] = answer.return_value
        messages: dict[str, list[bytes]] = defaultdict(list)
        for parameter, queue in function.outputs.items():
            if parameter in given:
                messages[queue].extend(messages_in(given[parameter]))
        for queue, bodies in messages.items():
            for body in bodies:
                content = body.decode(errors="replace") if self._is_plain else base64.b64encode(body).decode()
                await self._clients[queue].put(content)

    async def close(self) -> None:
        """Lets go of its clients."""
        await asyncio.gather(*(client.close() for client in self._clients.values()))


def messages_in(data: Any) -> Iterator[bytes]:
    """The messages that a value of the worker's stands for: none, one, or one for each element of a JSON array."""
    kind = data.WhichOneof("data")
    if kind is None:
        return
    value = getattr(data, kind)
    if kind == "bytes":
        yield value
        return
    document = _find_document(value)
    if document is None:
        yield value.encode()
        return
    for one in document if isinstance(document, list) else [document]:
        yield (one if isinstance(one, str) else json.dumps(one, indent=2, ensure_ascii=False)).encode()


def _find_document(text: str) -> Any | None:
    """The object or array that a text is; None where it is another text, which the host leaves as it is."""
    if not text.strip().startswith(("{", "[")):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None
