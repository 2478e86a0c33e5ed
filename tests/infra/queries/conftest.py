"""What the tests of queries may ask for."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from alert_router_demo.connection import connected
from alert_router_demo.soc import Soc
from router.app.rules import load_rules
from router.cli.incoming import open_files
from router.cli.run_job import Job, do
from router.domain.rulebook import Route
from router.domain.signals import Stream
from router.domain.suppression import SuppressionRule
from tests.builders import NOW, RULES
from tests.infra.predicted import ROOT
from tests.infra.queries.at_work import AtWork
from tests.infra.queries.workspace import Rows


@pytest.fixture(scope="session")
def routed(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """The rows by table that came of the demo's 89 samples, routed by the starter's rules to Log Analytics at NOW."""
    samples, state = ROOT / "alert_router_demo" / "samples", tmp_path_factory.mktemp("routed")

    async def route() -> Rows:
        async with Soc.running() as soc:
            rules, settings = connected(load_rules(RULES, list(Stream), NOW), soc)
            job = Job(rules=rules, only=None, state=state, decisions=None, settings=settings, clock=lambda: NOW)
            with open_files([str(samples / name) for name in ("cwpp.ndjson", "cspm.ndjson")]) as files:
                await do(job, files)
            return {stream.removeprefix("Custom-"): list(rows) for stream, rows in soc.logs.rows.items()}

    return asyncio.run(route())


@pytest.fixture
def at_work(tmp_path: Path) -> Iterator[Callable[..., AtWork]]:
    """Puts a router to work, with suppression rules and routes as a test gives them."""
    with ExitStack() as stack:

        def put(*rules: SuppressionRule, routes: Sequence[Route] | None = None) -> AtWork:
            work = AtWork(tmp_path, *rules, routes=routes)
            stack.callback(work.close)
            return work

        yield put


@pytest.fixture
def work(at_work: Callable[..., AtWork]) -> AtWork:
    """A router at work without suppression rules."""
    return at_work()
