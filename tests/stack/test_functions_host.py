"""The mini-host does to an app what Azure's host does to it: each way of calling it, and each way of losing."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.leash import is_gone
from tests.stack.azurite import Azurite, Queue
from tests.stack.event_hubs import EventHubs, event_hubs_in_thread
from tests.stack.event_hubs.checkpoints import Checkpoints
from tests.stack.functions_host import (
    Conditions,
    Death,
    FunctionsHost,
    NotIdle,
    NotServed,
    Outcome,
    RetryPolicy,
)
from tests.stack.functions_host.host_json import HostJson
from tests.waiting import until, wait_until

ROOT = Path(__file__).parents[2]
APP = Path(__file__).parent / "functions_host" / "sample_app"
OK, FAILED, DIED = Outcome.OK, Outcome.FAILED, Outcome.DIED


@dataclass(frozen=True, slots=True)
class AppRig:
    """The sample app, and the hub, queue and file that it works with."""

    hubs: EventHubs
    storage: str
    seen: Path
    checkpoints: Checkpoints = field(default_factory=Checkpoints)

    def host(self, *, speed: float = 100, settings: dict[str, str] | None = None, **conditions: Any) -> FunctionsHost:
        """An instance of the app."""
        return FunctionsHost(
            APP,
            env={"HUB": "alerts", "COPIES": "copies", "SEEN": str(self.seen)} | (settings or {}),
            event_hubs_connection=self.hubs.connection_string,
            storage_connection=self.storage,
            checkpoints=self.checkpoints,
            conditions=Conditions(speed=speed, **conditions),
        )

    def publish(self, *bodies: str, partition: int = 0) -> None:
        """Puts events into the hub."""
        for body in bodies:
            self.hubs.append("alerts", partition, body.encode())

    async def queue(self, *contents: str) -> None:
        """Puts messages into the queue."""
        async with Queue(self.storage, "outgoing") as queue:
            for content in contents:
                await queue.put(content)

    async def left_in(self, queue: str) -> list[str]:
        """What can be seen in a queue."""
        async with Queue(self.storage, queue) as client:
            return await client.seen()

    def calls(self, function: str) -> list[dict[str, Any]]:
        """What a function was called with."""
        lines = self.seen.read_text().splitlines() if self.seen.exists() else []
        return [call for call in map(json.loads, lines) if call["function"] == function]

    def taken(self) -> list[str]:
        """Every event that reached the app, as often as it did."""
        return [body for call in self.calls("take") for body in call["bodies"]]

    async def hangs(self, name: str) -> None:
        """Returns once a call hangs."""
        await until(self.seen.with_name(f"{self.seen.name}-{name}").exists)


@pytest.fixture
def rig(azurite: Azurite, tmp_path: Path) -> Iterator[AppRig]:
    """An app that nothing was sent yet."""
    with ExitStack() as held:
        hubs = held.enter_context(event_hubs_in_thread({"alerts": 2}, groups=["take"]))
        yield AppRig(hubs, azurite.new_account(), tmp_path / "seen")


def encoded(*bodies: str) -> list[str]:
    """Bodies as the trigger expects them in a queue."""
    return [base64.b64encode(body.encode()).decode() for body in bodies]


def ends(host: FunctionsHost, function: str) -> list[tuple[int, Outcome]]:
    """Number of the retry and outcome of each run of a function."""
    return [(run.retry, run.outcome) for run in host.invocations if run.function == function]


def test_events_come_in_batches_of_one_partition_with_the_metadata_of_the_platform(rig: AppRig) -> None:
    """As many as host.json allows, in order, checkpointed when they were taken; the retry policy is the decorator's."""

    async def act() -> None:
        rig.publish(*"abcdefg")
        rig.publish("z", partition=1)
        async with rig.host().running() as host:
            await host.idle()
            assert await host.checkpoints("take") == {"0": 6, "1": 0}
            assert host.functions["take"].trigger["eventHubName"] == "alerts"
            assert host.functions["take"].retry == RetryPolicy(limit=3, shortest=5, longest=15)
            assert host.functions["send"].retry is None
        first, second = (
            call for call in rig.calls("take") if call["metadata"]["PartitionContext"]["PartitionId"] == "0"
        )
        assert (first["bodies"], second["bodies"]) == (list("abcde"), list("fg"))
        assert (first["sequences"], second["sequences"]) == ([0, 1, 2, 3, 4], [5, 6])
        metadata = second["metadata"]
        assert metadata["PartitionContext"] == {
            "FullyQualifiedNamespace": f"127.0.0.1:{rig.hubs.port}",
            "EventHubName": "alerts",
            "ConsumerGroup": "take",
            "PartitionId": "0",
        }
        assert metadata["SequenceNumberArray"] == [5, 6]
        assert metadata["OffsetArray"] == [str(offset) for offset in second["offsets"]] == metadata["OffsetStringArray"]
        assert metadata["PropertiesArray"] == [{}, {}]
        assert metadata["EnqueuedTimeUtcArray"] == [one["EnqueuedTimeUtc"] for one in metadata["SystemPropertiesArray"]]
        assert [one["SequenceNumber"] for one in metadata["SystemPropertiesArray"]] == [5, 6]
        assert first["trace"].startswith("00-")
        assert first["trace"] != second["trace"]

    asyncio.run(act())


def test_a_batch_that_fails_is_retried_and_checkpointed_also_when_its_retries_are_used_up(rig: AppRig) -> None:
    """The same events come again, with the number of the retry; what failed for good is lost, and what follows is taken."""

    async def act() -> None:
        rig.publish("fail-once:a", "b")
        async with rig.host().running() as host:
            await host.idle()
            assert ends(host, "take") == [(0, FAILED), (1, OK)]
            assert "fail-once:a" in host.invocations[0].error
            assert [call["retry"] for call in rig.calls("take")] == [[0, 3], [1, 3]]
            rig.publish("fail")
            await host.idle()
            rig.publish("next")
            await host.idle()
            assert ends(host, "take")[2:] == [*((retry, FAILED) for retry in range(4)), (0, OK)]
            assert await host.checkpoints("take") == {"0": 3}
        assert rig.taken() == ["fail-once:a", "b"] * 2 + ["fail"] * 4 + ["next"]

    asyncio.run(act())


@pytest.mark.soak  # The tests of the router go through it anyway.
@pytest.mark.parametrize("death", Death)
def test_a_batch_whose_worker_died_is_checkpointed_or_retried_and_another_worker_goes_on(
    rig: AppRig, death: Death
) -> None:
    """A worker that runs out of memory takes its batch with it, unless the platform sees a failure like any other."""

    async def act() -> None:
        rig.publish("hang-once:a")
        async with rig.host(death=death).running() as host:
            await rig.hangs("a")
            before = host.worker_pid
            await host.kill_worker()
            await host.idle()
            assert host.worker_pid != before
            assert ends(host, "take") == ([(0, DIED)] if death is Death.CHECKPOINTED else [(0, DIED), (1, OK)])
            assert await host.checkpoints("take") == {"0": 0}

    asyncio.run(act())


def test_a_message_is_deleted_when_it_is_taken_comes_back_otherwise_and_ends_in_the_poison_queue(rig: AppRig) -> None:
    """Several are worked on at once: one ends only because another does. What dies comes back, and what always fails is
    tried as often as host.json says; what is not encoded as it says is not tried at all."""

    async def act() -> None:
        await rig.queue(*encoded("wait-for:x", "touch:x", "fail", "hang-once:a"), "not base64!")
        async with rig.host().running() as host:
            await until(lambda: len(ends(host, "send")) >= 5)
            await rig.hangs("a")
            with pytest.raises(NotIdle, match="1 calls under way"):
                await host.idle(within=0.2)
            await host.kill_worker()
            await host.idle()
        tries = [(call["body"], call["dequeued"]) for call in rig.calls("send")]
        once = [(body, 1) for body in ("wait-for:x", "touch:x")]
        assert sorted(tries) == sorted(
            [*once, *(("fail", n) for n in (1, 2, 3)), ("hang-once:a", 1), ("hang-once:a", 2)]
        )
        assert await rig.left_in("outgoing") == []
        assert sorted(await rig.left_in("outgoing-poison")) == sorted([*encoded("fail"), "not base64!"])

    asyncio.run(act())


def test_what_a_function_gives_goes_into_a_queue_once_it_has_succeeded(rig: AppRig) -> None:
    """A list is a message for each, and what fails gives nothing; where the output has no place the call has failed.
    Timers fire when they are told to, and by themselves where that is asked for."""

    async def act() -> None:
        await rig.queue(*encoded("put:one,{", "put:two,fail"))
        async with rig.host().running() as host:
            await host.idle()
            assert await rig.left_in("copies") == encoded("one", "{")
            assert ends(host, "send").count((0, FAILED)) == 3
            assert (await host.fire("sweep")).outcome is OK
            assert await rig.left_in("swept") == encoded("past due: False")
        plain = {"AzureFunctionsJobHost__extensions__queues__messageEncoding": "none"}
        async with rig.host(settings=plain, timers=0.05).running():
            await until(lambda: len(rig.calls("sweep")) > 2)
        assert "past due: False" in await rig.left_in("swept")
        await rig.queue(*encoded("put:one"))
        async with rig.host(settings={"COPIES": "no--queue"}).running() as host:
            await host.idle()
            assert ends(host, "send") == [(0, FAILED)] * 3
            assert host.invocations[0].error.startswith("output: ")

    asyncio.run(act())


def test_an_app_setting_overrides_host_json_and_what_the_mini_host_does_not_do_is_refused(tmp_path: Path) -> None:
    """As `AzureFunctionsJobHost__...` does in Azure; no test may pass on a setting that was passed over."""
    settings = {
        "AzureFunctionsJobHost__extensions__queues__batchSize": "2",
        "AzureFunctionsJobHost__extensions__queues__visibilityTimeout": "1.00:00:30.5",
    }
    queues = HostJson.of(APP, settings).queues
    assert (queues.batch_size, queues.new_batch_threshold, queues.max_dequeue_count) == (2, 2, 3)
    assert queues.visibility_timeout == 24 * 3600 + 30.5
    assert (queues.max_polling_interval, queues.message_encoding) == (60, "base64")
    (tmp_path / "host.json").write_text('{"extensions": {"eventHubs": {"enableCheckpointing": false}}}')
    with pytest.raises(NotServed, match="the mini-host knows only enableCheckpointing"):
        HostJson.of(tmp_path, {})


HEADER = "import azure.functions as func\napp = func.FunctionApp()\n"
BLOCKING = """
import time
from pathlib import Path
@app.route()
async def block(req: func.HttpRequest) -> str:
    Path(__file__).with_name('blocked').touch()
    time.sleep(600)
"""
KILLED = """
import asyncio, os, sys
from pathlib import Path
from tests.stack.functions_host import FunctionsHost
from tests.waiting import until

async def main():
    async with FunctionsHost(Path(sys.argv[1]), env={}).running() as host:
        blocked = asyncio.create_task(host.request("GET", "/api/block"))
        await until(Path(sys.argv[1], "blocked").exists)
        print(host.worker_pid, flush=True)
        os._exit(0)

asyncio.run(main())
"""


def test_a_worker_ends_with_its_host_also_while_the_app_blocks_it(tmp_path: Path) -> None:
    """Nothing is left running where a test run is killed."""
    (tmp_path / "function_app.py").write_text(HEADER + BLOCKING)
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    wait_until(lambda: is_gone(int(said)))
