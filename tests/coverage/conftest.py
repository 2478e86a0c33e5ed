"""What the judges' tests ask for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from router.coverage.verdicts import Verdict
from tests.coverage.builders import Hold, Row


@pytest.fixture
def hold(subtests: pytest.Subtests) -> Hold:
    """Asserts that each case has the state with which its row begins, as a judge of documents sees it."""

    def holds(judge: Callable[..., Verdict], *rows: Row) -> None:
        for state, *cases in rows:
            for case in cases:
                with subtests.test(state=state.value, documents=case):
                    found = judge(*case)
                    assert found.state is state, found.reason

    return holds
