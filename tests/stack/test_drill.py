"""A drill through Event Hubs, Microsoft's own worker and an account: it passes, and what stops it there is named."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from alert_router_demo.soc import Status
from router.cli import main
from router.coverage.documents import read_document
from router.domain.documents import DocumentKind
from router.store.documents import list_documents
from tests.stack.accounting import QUICK
from tests.stack.azurite import Azurite
from tests.stack.defender import DefenderDouble, defender_in_thread
from tests.stack.functions_host import Conditions
from tests.stack.stack import Stack, stack_running
from tests.store.within import within

SUBSCRIPTION = "d87e1b60-4a2c-4f93-b1d7-05c3e8a2f330"


@pytest.fixture
def stack(azurite: Azurite, postgresql: str) -> Iterator[Stack]:
    """A stack with an empty account."""
    with stack_running(azurite, postgresql) as stack:
        yield stack


@pytest.fixture
def defender(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[DefenderDouble]:
    """Defender, which exports to the stack's hub, and which the command line finds as it finds the account."""
    with defender_in_thread(lambda body: stack.hubs.append("cwpp", "0", body)) as defender:
        for name, value in stack.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("ALERT_ROUTER_RESOURCE_MANAGER", defender.url)
        yield defender


def test_a_drill_passes_through_the_worker_and_says_what_stops_it(
    stack: Stack, defender: DefenderDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same worker takes all of them in. In the account lies the last result, which the gate reads."""

    def drill(within: str, *more: str) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        about = ("--subscription", SUBSCRIPTION, "--bundle", "VirtualMachines", "--within", within, "--yes")
        code = main(["drill", *about, "--state", stack.state, "--rules", str(stack.rules), "--format", "json", *more])
        return code, json.loads(capsys.readouterr().out)

    async def drills() -> None:
        code, result = await asyncio.to_thread(drill, "120s")
        assert (code, result["verdict"], result["dismissed"]) == (0, "passed", 2), result
        assert [one["name"] for one in result["destinations"]] == ["oncall", "sentinel", "tickets"]
        assert {one["destination"] for one in result["open"]} == {"oncall", "tickets"}
        defender.exports = False
        code, result = await asyncio.to_thread(drill, "2s")
        assert (code, result["failed_hop"]) == (1, "hub")
        defender.exports = True
        stack.soc.pagerduty.faults.add(Status(400), times=None)
        for seconds in ("3s", "15s", "60s"):
            code, result = await asyncio.to_thread(drill, seconds, "--to", "oncall")
            if "given up on" in result["reason"]:
                break
        assert (code, result["verdict"], result["failed_hop"]) == (1, "failed", "destination"), result
        assert "oncall: given up on: " in result["reason"]
        assert documents_in(await bodies(stack)) == [result]

    async def run() -> None:
        async with stack.host(conditions=Conditions(speed=100, grace=0.5), **QUICK).running():
            await drills()

    asyncio.run(run())


async def bodies(stack: Stack) -> list[bytes]:
    """The bodies of drills' results in the account."""
    store = stack.store()
    try:
        documents = await within(store, list_documents, DocumentKind.FACT)
        return [one.body for one in documents if one.id.startswith("drill:")]
    finally:
        await store.close()


def documents_in(found: list[bytes]) -> list[object]:
    """What the gate reads in them."""
    return [dict(item.body) for body in found for item in read_document(body, "drill", None).items]
