"""Steps of a decision in words, as they stand on record."""

from __future__ import annotations

from router.cli.signal_document import step_words, stored_step
from router.domain.decisions import DecisionStep, StepCode


def test_each_step_has_words_of_its_own() -> None:
    """Those that a rule or a route answered name it."""
    assert step_words().keys() == set(StepCode)
    said = {code: stored_step(str(DecisionStep(code, "night=ly"))) for code in StepCode}
    assert len({one.words for one in said.values()}) == len(StepCode)
    assert {code for code, one in said.items() if "night=ly" in one.words} == {
        StepCode.SUPPRESSION_HELD,
        StepCode.SILENCE_REFUSED,
        StepCode.SILENCE_SPENT,
        StepCode.ROUTE_MATCHED,
    }
    assert all(one.code == code and one.rule == "night=ly" for code, one in said.items())


def test_what_held_a_signal_is_called_what_it_is() -> None:
    """A rule, or a silence by its id."""
    assert stored_step("suppression.held=nightly").words == "rule nightly holds it"
    assert stored_step("suppression.held=silence:ab12cd").words == "silence ab12cd holds it"


def test_a_step_that_only_a_later_program_knows_stays_as_it_is() -> None:
    """An older one may read its state while it is carried forward."""
    assert stored_step("weather.rain=x") == ("weather.rain", "x", "weather.rain=x")
