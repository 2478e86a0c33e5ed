"""What goes to destinations, byte for byte."""

import pytest

from router.destinations import discover
from tests.destinations import goldens
from tests.destinations.builders import a_destination, examples_of, secret_names_in
from tests.destinations.conversations import converse
from tests.destinations.goldens import CASES, Case


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("kind", discover())
def test_what_is_sent_is_what_the_golden_file_says(kind: str, case: Case) -> None:
    """Each kind sends for each change exactly what is on file, and brings back the receipt on file."""
    attempt = goldens.attempt_for(kind, case, list(secret_names_in(examples_of(kind)[0])))
    asks, results = converse(a_destination(kind), [attempt], goldens.replay(kind, case.name))

    if goldens.IS_WRITING:
        goldens.write(kind, case.name, asks, results)
    on_file = goldens.exchange_of(kind, case.name)
    assert [goldens.written(ask) for ask in asks] == [step["ask"] for step in on_file]
    if case.name == "opened":
        assert results == [goldens.opening_of(kind)]
