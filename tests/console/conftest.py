"""Consoles over states, each made once a worker; and a browser that looks at them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from functools import cache
from pathlib import Path

import pytest

from router.app.rules import Rules
from tests.console.browsing import Windows, chromium_running
from tests.console.sites import Site, served
from tests.console.states import SCRIPT, Fill, State, fill_busy, fill_hostile, fill_nothing, new_state, write_rules
from tests.pictures.browser import find_browser
from tests.store.acts import run

FILLS: dict[str, Fill] = {"busy": fill_busy, "empty": fill_nothing, "hostile": fill_hostile}


@pytest.fixture(scope="session")
def rules_for(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Rules]:
    """The rules of a state; the owners of the hostile one are hostile, too."""

    @cache
    def read(name: str) -> Rules:
        directory = tmp_path_factory.mktemp(f"rules-{name}") / "rules"
        return write_rules(directory, SCRIPT) if name == "hostile" else write_rules(directory)

    return read


@pytest.fixture(scope="session")
def state_of(
    tmp_path_factory: pytest.TempPathFactory, rules_for: Callable[[str], Rules], _running: None
) -> Callable[[str], State]:
    """A state that tests only look at."""

    @cache
    def make(name: str) -> State:
        return run(new_state(tmp_path_factory.mktemp(name), rules_for(name), FILLS[name]))

    return make


@pytest.fixture(scope="session")
def site_of(state_of: Callable[[str], State]) -> Iterator[Callable[[str], Site]]:
    """The console over a state that tests only look at."""
    with ExitStack() as stack:

        @cache
        def serve(name: str) -> Site:
            return stack.enter_context(served(state_of(name)))

        yield serve


@pytest.fixture
def site(site_of: Callable[[str], Site], request: pytest.FixtureRequest) -> Site:
    """The console over a state that has something for every view, or over the one that a test names; tests only look at it."""
    return site_of(getattr(request, "param", "busy"))


@pytest.fixture
def own_site(state_of: Callable[[str], State], tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Site]:
    """The same, for a test that changes something."""
    state = state_of(getattr(request, "param", "busy"))
    assert isinstance(state.place, Path)
    copied = shutil.copytree(state.place, tmp_path / "state")
    with served(state._replace(place=copied)) as site:
        yield site


@pytest.fixture(scope="session")
def _all_windows(tmp_path_factory: pytest.TempPathFactory, _running: None) -> Iterator[Windows]:
    if find_browser() is None:
        pytest.skip("needs Chromium, which shows pages: under Debian `chromium`")
    stack = AsyncExitStack()
    yield Windows(run(stack.enter_async_context(chromium_running(tmp_path_factory.mktemp("home")))))
    run(stack.aclose())


@pytest.fixture
def windows(_all_windows: Windows) -> Iterator[Windows]:
    """Windows on consoles, in which nothing may go wrong."""
    yield _all_windows
    assert run(_all_windows.end_test()) == []
