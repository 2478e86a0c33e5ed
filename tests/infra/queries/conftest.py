"""What the tests of queries may ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from router.domain.rulebook import Route
from router.domain.suppression import SuppressionRule
from tests.infra.queries.at_work import AtWork
from tests.infra.queries.routed import routed_rows
from tests.infra.queries.workspace import Rows


@pytest.fixture(scope="session")
def routed(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """The rows that came of the demo's 89 samples."""
    return routed_rows(tmp_path_factory.mktemp("routed"))


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
