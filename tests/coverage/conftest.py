"""What the judges' tests ask for."""

from collections.abc import Callable

import pytest

from router.coverage.verdicts import CoverageState, Verdict
from tests.coverage.builders import Hold, Row


@pytest.fixture
def hold(subtests: pytest.Subtests) -> Hold:
    """Asserts that each case has the state with which its row begins, as a judge of documents sees it.

    Words after the state are in its reason, begin a remark, or are in one of what is no gap. Words after those are its remedy,
    or begin it if they end with a space or a slash.
    """

    def holds(judge: Callable[..., Verdict], *rows: Row) -> None:
        for state, *row in rows:
            words = [one for one in row if isinstance(one, str)]
            assert row[len(words) :], f"{state}: a row without a case says nothing"
            for case in row[len(words) :]:
                with subtests.test(*words[:1], state=state.value, documents=case):
                    found = judge(*case)
                    assert found.state is state, found.reason
                    assert found.evidence or state not in (CoverageState.COVERED, CoverageState.GAP), found
                    for one in words[:1]:
                        in_remark = str.startswith if state is CoverageState.GAP else str.__contains__
                        assert one in found.reason or any(in_remark(text, one) for text in found.remarks), found
                    for one in words[1:]:
                        remedy = found.remedy or ""
                        assert one == (remedy[: len(one)] if one[-1] in " /" else remedy)

    return holds
