"""A drill passes through Event Hubs, Microsoft's own worker and a database."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from router.cli import main
from router.coverage.documents import read_document
from router.domain.documents import DocumentKind
from router.store.documents import list_documents
from tests.stack.accounting import QUICK
from tests.stack.defender import DefenderDouble, defender_in_thread
from tests.stack.functions_host import Conditions
from tests.stack.stack import Stack
from tests.store.within import within

SUBSCRIPTION = "d87e1b60-4a2c-4f93-b1d7-05c3e8a2f330"


@pytest.fixture
def defender(user_stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[DefenderDouble]:
    """Defender, which exports to the stack's hub, and which the command line finds as it finds the database."""
    with defender_in_thread(lambda body: user_stack.hubs.append("cwpp", "0", body)) as defender:
        monkeypatch.setenv("ALERT_ROUTER_RESOURCE_MANAGER", defender.url)
        yield defender


def test_a_drill_passes_through_the_worker(
    stack: Stack, defender: DefenderDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    """The coverage gate reads its result in the database."""

    def drill(within: str) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        about = ("--subscription", SUBSCRIPTION, "--bundle", "VirtualMachines", "--within", within, "--yes")
        code = main(["drill", *about, "--state", stack.state, "--rules", str(stack.rules), "--format", "json"])
        return code, json.loads(capsys.readouterr().out)

    async def run() -> None:
        async with stack.host(conditions=Conditions(speed=100, grace=0.5), **QUICK).running():
            code, result = await asyncio.to_thread(drill, "120s")
        assert (code, result["verdict"], result["dismissed"]) == (0, "passed", 2), result
        assert [one["name"] for one in result["destinations"]] == ["oncall", "sentinel", "tickets"]
        assert {one["destination"] for one in result["open"]} == {"oncall", "tickets"}
        store = stack.store()
        documents = await within(store, list_documents, DocumentKind.FACT)
        await store.close()
        (body,) = [one.body for one in documents if one.id.startswith("drill:")]
        assert [dict(item.body) for item in read_document(body, "drill", None).items] == [result]

    asyncio.run(run())
