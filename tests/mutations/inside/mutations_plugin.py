"""A plugin of pytest that records what each test reaches, or runs chosen tests in their order and writes which fail."""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

_NOT_THE_COPYS = 99
"""The exit code where `router` was imported from elsewhere than the copy."""

_MEMORY = 4 << 30
"""Bytes that a process may take: some breaks never stop taking more."""


def pytest_configure(config: pytest.Config) -> None:
    """Record or choose, as the environment says; where a conftest.py imports hypothesis, its examples are few and the same."""
    if given := sys.modules.get("hypothesis"):
        slow = [given.HealthCheck.too_slow]
        few = {
            "max_examples": 25,
            "derandomize": True,
            "database": None,
            "deadline": None,
            "suppress_health_check": slow,
        }
        given.settings.register_profile("mutations", **few)
        given.settings.load_profile("mutations")
    if asked := os.environ.get("MUTATIONS_TESTS"):
        resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
        config.pluginmanager.register(_Chosen(Path(asked)))
    elif hasattr(config, "workerinput") or config.getoption("dist", "no") == "no":
        config.pluginmanager.register(_Recorder())


class _Recorder:
    """Writes the lines that a passing test reaches, with those that the fixtures which it shares reached."""

    def __init__(self) -> None:
        self._watched: Any = sys.modules["sitecustomize"]
        self._shared: dict[Any, list[tuple[str, int]]] = {}
        self._has_failed = False

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: Any) -> Generator[None, Any, Any]:
        self._watched.reset()
        self._has_failed, before = False, sum(os.times()[:4])
        answer = yield
        if not self._has_failed:
            fixtures = [one for several in item._fixtureinfo.name2fixturedefs.values() for one in several]
            shared = [hit for one in fixtures for hit in self._shared.get(one, ())]
            spent = round(sum(os.times()[:4]) - before, 2)
            self._watched.write("test", item.nodeid, spent, [*self._watched.hits, *shared])
        return answer

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Generator[None, Any, Any]:
        if fixturedef.scope == "function":
            return (yield)
        before = self._watched.hits.copy()
        self._watched.reset()
        try:
            return (yield)
        finally:
            self._shared[fixturedef] = self._watched.hits.copy()
            self._watched.hits.extend(before)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._has_failed |= not report.passed


class _Chosen:
    """Runs the tests that a file lists, in its order, and writes those that fail into a file beside it."""

    def __init__(self, asked: Path) -> None:
        self._order = {test: place for place, test in enumerate(json.loads(asked.read_text()))}
        self._failed = asked.with_suffix(".failed")

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        items[:] = sorted((one for one in items if one.nodeid in self._order), key=lambda one: self._order[one.nodeid])
        files = [
            getattr(module, "__file__", "") for name, module in sys.modules.items() if name.split(".")[0] == "router"
        ]
        if not all(Path(file).is_relative_to(config.rootpath) for file in files if file):
            os._exit(_NOT_THE_COPYS)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            with self._failed.open("a") as failed:
                failed.write(f"{report.nodeid}\n")
