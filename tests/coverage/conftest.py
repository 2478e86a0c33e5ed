"""What the judges' tests ask for."""

from collections.abc import Callable

import pytest

from router.coverage.verdicts import Verdict
from tests.coverage.builders import Hold, Row


@pytest.fixture
def hold(subtests: pytest.Subtests) -> Hold:
    """Asserts that each case has the state with which its row begins, as a judge of documents sees it.

    Words after the state are among its reason and its remarks, and words after those begin its remedy.
    """

    def holds(judge: Callable[..., Verdict], *rows: Row) -> None:
        for state, *row in rows:
            words = [one for one in row if isinstance(one, str)]
            for case in row[len(words) :]:
                with subtests.test(*words[:1], state=state.value, documents=case):
                    found = judge(*case)
                    assert found.state is state, found.reason
                    assert all(any(one in text for text in (found.reason, *found.remarks)) for one in words[:1]), found
                    assert all((found.remedy or "").startswith(one) for one in words[1:]), found.remedy

    return holds
