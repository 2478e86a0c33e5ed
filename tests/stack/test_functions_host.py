"""The mini-host does to an app what Azure's host does to it: each way of calling it, and each way of losing."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from tests.leash import is_gone
from tests.stack.azurite import Azurite, Queue
from tests.stack.event_hubs import EventHubs
from tests.stack.event_hubs.checkpoints import Checkpoints
from tests.stack.functions_host import (
    AppRefused,
    Conditions,
    Death,
    FunctionsHost,
    Invocation,
    NotIdle,
    NotServed,
    Outcome,
    RetryPolicy,
)
from tests.stack.functions_host.host_json import HostJson
from tests.stack.functions_host.outputs import messages_in
from tests.stack.functions_worker.protocol import protocol
from tests.waiting import until, wait_until

ROOT = Path(__file__).parents[2]
APP = Path(__file__).parent / "functions_host" / "sample_app"
QUICK = Conditions(speed=100)


@dataclass(frozen=True, slots=True)
class AppRig:
    """An app, and the hub, queue and file that it works with."""

    hubs: EventHubs
    storage: str
    seen: Path
    checkpoints: Checkpoints = field(default_factory=Checkpoints)

    def host(self, conditions: Conditions = QUICK, **settings: str) -> FunctionsHost:
        """An instance of the sample app."""
        return FunctionsHost(
            APP,
            env={"HUB": "alerts", "COPIES": "copies", "SEEN": str(self.seen)} | settings,
            event_hubs_connection=self.hubs.connection_string,
            storage_connection=self.storage,
            checkpoints=self.checkpoints,
            conditions=conditions,
        )

    def publish(self, *bodies: str, partition: int = 0, hub: str = "alerts") -> None:
        """Puts events into a hub."""
        for body in bodies:
            self.hubs.append(hub, partition, body.encode())

    async def queue(self, *bodies: bytes) -> None:
        """Puts messages into the queue, encoded as the trigger expects it."""
        async with Queue(self.storage, "outgoing") as queue:
            for body in bodies:
                await queue.put(base64.b64encode(body).decode())

    async def left_in(self, queue: str) -> list[str]:
        """What can be seen in a queue."""
        async with Queue(self.storage, queue) as client:
            return await client.seen()

    async def count_in(self, queue: str) -> int:
        """How many messages are in a queue, those that are hidden as well."""
        async with Queue(self.storage, queue) as client:
            return await client.count()

    def calls(self, function: str) -> list[dict[str, Any]]:
        """What a function was called with."""
        lines = self.seen.read_text().splitlines() if self.seen.exists() else []
        return [call for call in map(json.loads, lines) if call["function"] == function]

    def set_flag(self, name: str) -> None:
        """Lets go of who waits for a mark."""
        self._flag(name).touch()

    def has_flag(self, name: str) -> bool:
        """Whether somebody has set a mark: a call that hangs sets its own first."""
        return self._flag(name).exists()

    def _flag(self, name: str) -> Path:
        return self.seen.with_name(f"{self.seen.name}-{name}")

    def taken(self) -> list[str]:
        """Every event that reached the app, as often as it did."""
        return [body for call in self.calls("take") for body in call["bodies"]]


@pytest.fixture
def on_rig(azurite: Azurite, tmp_path: Path) -> Callable[[Callable[[AppRig], Any]], None]:
    """Plays an act on an empty stage."""
    storage = azurite.new_account()

    async def play(act: Callable[[AppRig], Any]) -> None:
        async with EventHubs({"alerts": 2, "lone": 1}, groups=["take"]).running() as hubs:
            await act(AppRig(hubs, storage, tmp_path / "seen"))

    return lambda act: asyncio.run(play(act))


type OnRig = Callable[[Callable[[AppRig], Any]], None]


def ends(runs: list[Invocation], function: str) -> list[tuple[int, Outcome]]:
    """Number of the retry and outcome of each run of a function."""
    return [(run.retry, run.outcome) for run in runs if run.function == function]


def test_the_functions_of_an_app_are_what_the_worker_reads_from_its_code(on_rig: OnRig) -> None:
    """Triggers carry the app's settings where they name them, and the retry policy is the one of the decorator."""

    async def act(rig: AppRig) -> None:
        async with rig.host().running() as host:
            kinds = {name: function.kind for name, function in host.functions.items()}
            assert kinds == {
                "take": "eventHubTrigger",
                "send": "queueTrigger",
                "sweep": "timerTrigger",
                "health": "httpTrigger",
            }
            assert host.functions["take"].trigger["eventHubName"] == "alerts"
            assert host.functions["take"].retry == RetryPolicy(limit=3, shortest=5, longest=15)
            assert host.functions["send"].retry is None

    on_rig(act)


def test_events_come_in_batches_of_one_partition_with_the_metadata_of_the_platform(on_rig: OnRig) -> None:
    """A batch has at most the events that host.json allows, in order, and is checkpointed when it was taken."""

    async def act(rig: AppRig) -> None:
        rig.publish(*"abcdefg")
        rig.publish("z", partition=1)
        async with rig.host().running() as host:
            await host.idle()
            assert await host.checkpoints("take") == {"0": 6, "1": 0}
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
        assert len({first["trace"], second["trace"]}) == 2
        assert first["trace"].startswith("00-")

    on_rig(act)


def test_a_batch_that_fails_is_retried_and_lost_nothing(on_rig: OnRig) -> None:
    """The retry policy brings the same events again, and says which retry it is; the partition waits meanwhile."""

    async def act(rig: AppRig) -> None:
        rig.publish("fail-once:a", "b")
        async with rig.host().running() as host:
            await host.idle()
            assert ends(host.invocations, "take") == [(0, Outcome.FAILED), (1, Outcome.OK)]
            assert "fail-once:a" in host.invocations[0].error
            assert await host.checkpoints("take") == {"0": 1}
        assert [call["sequences"] for call in rig.calls("take")] == [[0, 1], [0, 1]]
        assert [call["retry"] for call in rig.calls("take")] == [[0, 3], [1, 3]]

    on_rig(act)


@pytest.mark.soak  # The platform's double, which the tests of the router go through anyway.
def test_a_batch_whose_retries_are_used_up_is_checkpointed_all_the_same(on_rig: OnRig) -> None:
    """The platform looks at no result: what failed for good is lost, and what follows is taken."""

    async def act(rig: AppRig) -> None:
        rig.publish("fail")
        async with rig.host().running() as host:
            await host.idle()
            assert ends(host.invocations, "take") == [(retry, Outcome.FAILED) for retry in range(4)]
            rig.publish("next")
            await host.idle()
            assert await host.checkpoints("take") == {"0": 1}
        assert rig.taken() == ["fail"] * 4 + ["next"]

    on_rig(act)


@pytest.mark.soak  # The platform's double, which the tests of the router go through anyway.
def test_a_batch_whose_worker_died_is_checkpointed_and_another_worker_goes_on(on_rig: OnRig) -> None:
    """A worker that runs out of memory takes its batch with it: the app never sees those events again."""

    async def act(rig: AppRig) -> None:
        rig.publish("hang-once:a")
        async with rig.host().running() as host:
            await until(lambda: rig.has_flag("a"))
            before = host.worker_pid
            await host.kill_worker()
            assert not Path("/proc", str(before)).exists()
            rig.publish("next")
            await host.idle()
            assert ends(host.invocations, "take") == [(0, Outcome.DIED), (0, Outcome.OK)]
            assert host.worker_pid != before
            assert await host.checkpoints("take") == {"0": 1}
        assert rig.taken() == ["hang-once:a", "next"]

    on_rig(act)


@pytest.mark.soak  # The platform's double, which the tests of the router go through anyway.
def test_a_death_counts_as_a_failure_where_the_platform_is_told_to_see_it_so(on_rig: OnRig) -> None:
    """A retry policy then brings the batch to the next worker."""

    async def act(rig: AppRig) -> None:
        rig.publish("hang-once:a")
        async with rig.host(Conditions(speed=100, death=Death.RETRIED)).running() as host:
            await until(lambda: rig.has_flag("a"))
            await host.kill_worker()
            await host.idle()
            assert ends(host.invocations, "take") == [(0, Outcome.DIED), (1, Outcome.OK)]

    on_rig(act)


@pytest.mark.soak  # The platform's double, which the tests of the router go through anyway.
def test_what_is_unfinished_when_an_instance_stops_is_taken_again_by_the_next_one(on_rig: OnRig) -> None:
    """A batch that is under way may end, and is not checkpointed any more."""

    async def act(rig: AppRig) -> None:
        rig.publish("last:1")
        async with rig.host().running() as leaving:
            await until(lambda: rig.taken() == ["last:1"])
        assert ends(leaving.invocations, "take") == [(0, Outcome.OK)]
        async with rig.host().running() as host:
            await host.idle()
            assert await host.checkpoints("take") == {"0": 0}
        assert rig.taken() == ["last:1"] * 2

    on_rig(act)


@pytest.mark.soak  # The platform's double, which the tests of the router go through anyway.
def test_an_instance_that_loses_a_partition_checkpoints_nothing_in_it_any_more(on_rig: OnRig) -> None:
    """What was under way there is taken twice, and never lost."""

    async def act(rig: AppRig) -> None:
        elsewhere = replace(rig, seen=rig.seen.with_name("elsewhere"))
        rig.publish("wait-for:it", hub="lone")
        async with rig.host(HUB="lone").running() as first, elsewhere.host(HUB="lone").running() as second:
            await until(lambda: rig.taken() == ["wait-for:it"])
            await second.steal("take", "0")
            await until(lambda: elsewhere.taken() == ["wait-for:it"])
            await until(lambda: not first.reads("take", "0"))
            rig.set_flag("it")
            await until(lambda: ends(first.invocations, "take") == [(0, Outcome.OK)])
            with pytest.raises(NotIdle, match="lone/0: 1 events not checkpointed"):
                await first.idle(within=1)
            elsewhere.set_flag("it")
            await second.idle()
            assert await second.checkpoints("take") == {"0": 0}

    on_rig(act)


def test_a_partition_that_two_instances_saw_free_is_the_first_ones() -> None:
    """Of the second nothing is kept, and what it claims next it must have listed since."""
    group = {"fully_qualified_namespace": "here", "eventhub_name": "alerts", "consumer_group": "take"}
    store = Checkpoints()

    async def claim(owner: str, seen: dict[str, Any]) -> list[dict[str, Any]]:
        return list(await store.claim_ownership([seen | group | {"partition_id": "0", "owner_id": owner}]))

    async def run() -> None:
        (first,) = await claim("first", {})
        assert await claim("second", {}) == []
        assert await store.list_ownership(*group.values()) == [first]
        (second,) = await claim("second", first)
        assert await claim("first", first) == []
        assert await store.list_ownership(*group.values()) == [second]
        assert await store.list_ownership("here", "alerts", "sweep") == []

    asyncio.run(run())


@pytest.mark.soak  # The platform's double, which the tests of the router go through anyway.
def test_two_instances_share_the_partitions_of_a_hub(on_rig: OnRig) -> None:
    """The load balancing of the SDK does it, as it does in Azure: nobody has to be told."""

    async def act(rig: AppRig) -> None:
        elsewhere = replace(rig, seen=rig.seen.with_name("elsewhere"))
        rig.publish("a")
        rig.publish("b", partition=1)
        async with rig.host().running() as first:
            await first.idle()
            async with elsewhere.host().running() as second:

                def is_second_at_it() -> bool:
                    rig.publish("a")
                    rig.publish("b", partition=1)
                    return bool(elsewhere.taken())

                await until(is_second_at_it)
                rig.publish("one")
                rig.publish("other", partition=1)
                await asyncio.gather(first.idle(), second.idle())
                assert {rig.taken()[-1], elsewhere.taken()[-1]} == {"one", "other"}

    on_rig(act)


@pytest.mark.soak  # The platform's double, which the tests of the router go through anyway.
def test_a_host_goes_on_after_its_connections_were_cut(on_rig: OnRig) -> None:
    """The hub is read on from where it was."""

    async def act(rig: AppRig) -> None:
        async with rig.host().running() as host:
            rig.publish("a")
            await host.idle()
            rig.hubs.drop_connections()
            rig.publish("b")
            await host.idle()
        assert rig.taken() == ["a", "b"]

    on_rig(act)


def test_a_message_is_deleted_when_its_function_took_it(on_rig: OnRig) -> None:
    """Several are worked on at once: here the first ends only because the second does."""

    async def act(rig: AppRig) -> None:
        await rig.queue(b"wait-for:x", b"touch:x")
        async with rig.host().running() as host:
            await host.idle()
            assert ends(host.invocations, "send") == [(0, Outcome.OK)] * 2
        assert await rig.count_in("outgoing") == 0
        assert {call["dequeued"] for call in rig.calls("send")} == {1}

    on_rig(act)


def test_a_message_that_always_fails_ends_in_the_poison_queue(on_rig: OnRig) -> None:
    """It is tried as often as host.json says; one that is not encoded as host.json says is not tried at all."""

    async def act(rig: AppRig) -> None:
        await rig.queue(b"fail")
        async with Queue(rig.storage, "outgoing") as queue:
            await queue.put("not base64!")
        async with rig.host().running() as host:
            await host.idle()
            assert ends(host.invocations, "send") == [(0, Outcome.FAILED)] * 3
        assert [call["dequeued"] for call in rig.calls("send")] == [1, 2, 3]
        assert sorted(await rig.left_in("outgoing-poison")) == [base64.b64encode(b"fail").decode(), "not base64!"]

    on_rig(act)


def test_what_a_function_gives_goes_into_a_queue_once_it_has_succeeded(on_rig: OnRig) -> None:
    """A list is a message for each, nothing is none, and what fails gives nothing; encoded as host.json says."""

    async def act(rig: AppRig) -> None:
        await rig.queue(b"put:one,{", b"touch:x", b"put:two,fail")
        async with rig.host().running() as host:
            await host.idle()
            assert await decoded_in(rig, "copies") == ["one", "{"]
            assert ends(host.invocations, "send").count((0, Outcome.FAILED)) == 3
            await host.fire("sweep")
            assert await decoded_in(rig, "swept") == ["past due: False"]
        plain = {"AzureFunctionsJobHost__extensions__queues__messageEncoding": "none"}
        async with rig.host(QUICK, **plain).running() as host:
            await host.fire("sweep")
            assert (await rig.left_in("swept"))[1:] == ["past due: False"]

    on_rig(act)


def test_a_call_whose_output_has_no_place_has_failed(on_rig: OnRig) -> None:
    """It is tried again as any other failure."""

    async def act(rig: AppRig) -> None:
        await rig.queue(b"put:one")
        async with rig.host(COPIES="no--queue").running() as host:
            await host.idle()
            assert ends(host.invocations, "send") == [(0, Outcome.FAILED)] * 3
            assert host.invocations[0].error.startswith("output: ")

    on_rig(act)


async def decoded_in(rig: AppRig, queue: str) -> list[str]:
    """What was put into a queue in base64."""
    return [base64.b64decode(content).decode() for content in await rig.left_in(queue)]


@pytest.mark.parametrize(
    ("value", "messages"),
    [
        pytest.param({"string": "page"}, ["page"], id="a text"),
        pytest.param({"bytes": b"page"}, ["page"], id="bytes"),
        pytest.param({}, [], id="nothing"),
        pytest.param({"json": "[]"}, [], id="an empty list"),
        pytest.param({"json": '["a", "b"]'}, ["a", "b"], id="a list"),
        pytest.param({"string": '["a", {"b": 1}]'}, ["a", '{\n  "b": 1\n}'], id="a text that is a list"),
        pytest.param({"string": "[a"}, ["[a"], id="a text that only begins as one"),
    ],
)
def test_an_output_is_as_many_messages_as_the_host_makes_of_it(value: dict[str, Any], messages: list[str]) -> None:
    """Whatever looks like JSON is taken for it."""
    data = protocol().TypedData(**value)
    assert [body.decode() for body in messages_in(data)] == messages


def test_a_message_whose_worker_died_comes_back(on_rig: OnRig) -> None:
    """It has been dequeued once more by then."""

    async def act(rig: AppRig) -> None:
        await rig.queue(b"hang-once:a")
        async with rig.host().running() as host:
            await until(lambda: rig.has_flag("a"))
            await host.kill_worker()
            await host.idle()
            assert ends(host.invocations, "send") == [(0, Outcome.DIED), (0, Outcome.OK)]
        assert [call["dequeued"] for call in rig.calls("send")] == [1, 2]

    on_rig(act)


@pytest.mark.soak  # The platform's double, which the tests of the router go through anyway.
def test_a_message_stays_hidden_for_as_long_as_it_is_worked_on(on_rig: OnRig) -> None:
    """The time for which it is hidden is renewed before it is up."""

    async def act(rig: AppRig) -> None:
        await rig.queue(b"last:3")
        async with rig.host(Conditions(speed=100, visibility=2)).running() as host:
            await host.idle()
        assert [call["dequeued"] for call in rig.calls("send")] == [1]

    on_rig(act)


def test_a_request_is_answered_by_the_function_that_has_its_route(on_rig: OnRig) -> None:
    """With the parameters of its path and query, 404 where no function has the route, and 500 where it failed."""

    async def act(rig: AppRig) -> None:
        async with rig.host().running() as host:
            answer = await host.request("POST", "/api/health/live?a=1", body=b"x")
            assert (answer.status, answer.headers["x-sample"]) == (207, "1")
            assert json.loads(answer.body) == {"part": "live", "query": {"a": "1"}, "body": "x"}
            assert json.loads((await host.request("GET", "/api/health")).body)["part"] is None
            assert (await host.request("DELETE", "/api/health")).status == 404
            assert (await host.request("GET", "/health")).status == 404
            assert (await host.request("GET", "/api/health?order=fail")).status == 500

    on_rig(act)


def test_a_timer_fires_when_it_is_told_to_and_by_itself_where_that_is_asked_for(on_rig: OnRig) -> None:
    """The function is told that it is on time."""

    async def act(rig: AppRig) -> None:
        async with rig.host().running() as host:
            assert (await host.fire("sweep")).outcome is Outcome.OK
            assert [call["past_due"] for call in rig.calls("sweep")] == [False]
        async with rig.host(Conditions(timers=0.05)).running():
            await until(lambda: len(rig.calls("sweep")) > 2)

    on_rig(act)


def test_an_app_setting_overrides_host_json() -> None:
    """As `AzureFunctionsJobHost__...` does in Azure; what neither says is as Microsoft's documentation has it."""
    settings = {
        "AzureFunctionsJobHost__extensions__queues__batchSize": "2",
        "AzureFunctionsJobHost__extensions__queues__visibilityTimeout": "1.00:00:30.5",
    }
    queues = HostJson.of(APP, settings).queues
    assert (queues.batch_size, queues.new_batch_threshold, queues.max_dequeue_count) == (2, 2, 3)
    assert queues.visibility_timeout == 24 * 3600 + 30.5
    assert (queues.max_polling_interval, queues.message_encoding) == (60, "base64")


@pytest.mark.parametrize(
    ("key", "value"),
    [("minEventBatchSize", 2), ("batchCheckpointFrequency", 2), ("enableCheckpointing", False)],
)
def test_what_host_json_asks_for_and_the_mini_host_does_not_do_is_refused(tmp_path: Path, key: str, value: Any) -> None:
    """No test may pass on a setting that was passed over."""
    (tmp_path / "host.json").write_text(json.dumps({"extensions": {"eventHubs": {key: value}}}))
    with pytest.raises(NotServed, match=f"host.json: the mini-host knows only {key}"):
        HostJson.of(tmp_path, {})


def test_a_host_that_is_not_idle_in_time_says_what_it_waits_for(on_rig: OnRig) -> None:
    """A test that hangs tells why."""

    async def act(rig: AppRig) -> None:
        await rig.queue(b"hang-once:a")
        async with rig.host(Conditions(grace=0)).running() as host:
            await until(lambda: rig.has_flag("a"))
            with pytest.raises(NotIdle, match="1 calls under way"):
                await host.idle(within=0.2)

    on_rig(act)


HEADER = "import azure.functions as func\napp = func.FunctionApp()\n"


@asynccontextmanager
async def running_app(directory: Path, code: str) -> AsyncIterator[FunctionsHost]:
    """An instance of an app that needs neither hubs nor queues."""
    (directory / "function_app.py").write_text(HEADER + code)
    async with FunctionsHost(directory, env={}).running() as host:
        yield host


@pytest.mark.parametrize(
    ("code", "said"),
    [
        pytest.param("import nowhere", "ModuleNotFoundError: No module named 'nowhere'", id="a module is missing"),
        pytest.param(
            "@app.event_hub_message_trigger(arg_name='events', event_hub_name='h', connection='C', cardinality='many')\n"
            "def take(events: list[func.EventHubEvent]) -> None: ...",
            "binding events has invalid non-type annotation",
            id="an annotation that the worker does not take",
        ),
        pytest.param("", "no functions found", id="no function"),
        pytest.param("import os; os._exit(3)", "the worker ended with status 3 while indexing", id="the worker dies"),
    ],
)
def test_an_app_that_cannot_be_indexed_is_refused_in_the_words_of_the_worker(
    tmp_path: Path, code: str, said: str
) -> None:
    """What would fail in Azure fails here, and says the same."""

    async def start() -> None:
        async with running_app(tmp_path, code):
            pass

    with pytest.raises(AppRefused, match=said):
        asyncio.run(start())


@pytest.mark.parametrize(
    ("code", "said"),
    [
        pytest.param(
            "@app.queue_trigger(arg_name='m', queue_name='%QUEUE%', connection='C')\n"
            "def send(m: func.QueueMessage) -> None: ...",
            "send: it names the setting QUEUE",
            id="a setting is missing",
        ),
        pytest.param(
            "@app.blob_trigger(arg_name='b', path='p', connection='C')\ndef read(b: func.InputStream) -> None: ...",
            "read: has a binding of type blobTrigger",
            id="a trigger that the mini-host lacks",
        ),
    ],
)
def test_an_app_that_asks_for_what_is_not_there_is_refused(tmp_path: Path, code: str, said: str) -> None:
    """The mini-host never runs half of an app in silence."""

    async def start() -> None:
        async with running_app(tmp_path, code):
            pass

    with pytest.raises(NotServed, match=said):
        asyncio.run(start())


def test_a_test_that_fails_shows_what_the_worker_printed(tmp_path: Path) -> None:
    """The app's own words stand beside the failure."""

    async def fail() -> None:
        async with running_app(tmp_path, "print('hello from the app')\n@app.route()\ndef r(req): ..."):
            raise ValueError("a test failed")

    with pytest.raises(ValueError, match="a test failed") as failed:
        asyncio.run(fail())
    assert any("hello from the app" in note for note in failed.value.__notes__)


def test_a_worker_ends_with_its_host_also_while_the_app_blocks_it(tmp_path: Path) -> None:
    """Nothing is left running where a test run is killed."""
    (tmp_path / "function_app.py").write_text(
        HEADER + "import time\nfrom pathlib import Path\n@app.route()\nasync def block(req: func.HttpRequest) -> str:\n"
        "    Path(__file__).with_name('blocked').touch()\n    time.sleep(600)\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    wait_until(lambda: is_gone(int(said)))


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
