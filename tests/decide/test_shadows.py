"""Shadow rules say what they would hold, and change nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from router.decide import decide, explain
from router.decide.suppression import covers
from router.domain.decisions import Outcome
from router.domain.owners import NO_OWNERS
from router.domain.rulebook import Rulebook
from router.domain.signals import Alert
from router.domain.suppression import Operator, SuppressionRule, Suppressions
from tests.builders import NOW, a_route, a_rule, a_rulebook, an_alert, an_element, an_ip

ADDRESSES = ["10.20.0.5", "192.0.2.1"]
# What is drawn is likely to be covered: else the properties would speak of nothing.
TYPES = ["VM_Test", "VM_Test", "VM_Other"]


def with_shadows(book: Rulebook, *shadows: SuppressionRule) -> Rulebook:
    """The same rules with some shadow rules."""
    return replace(book, shadows=Suppressions.from_rules(shadows))


@st.composite
def some_rules(draw: st.DrawFn, prefix: str) -> list[SuppressionRule]:
    """Rules of both operators, some over, some not enabled, whose names begin alike."""
    rules = []
    for number in range(draw(st.integers(0, 6))):
        values = draw(st.lists(st.sampled_from([*ADDRESSES, "10.20.0.0/16"]), min_size=1, max_size=3))
        operator = draw(st.sampled_from([Operator.IN, Operator.CONTAINS]))
        rules.append(
            a_rule(
                f"{prefix}-{number}",
                alert_type=draw(st.sampled_from(TYPES)).casefold(),
                expires=NOW + timedelta(days=draw(st.sampled_from([2, 1, 1, 0]))),
                enabled=draw(st.sampled_from([True, True, False])),
                groups=[[an_element("entities.ip.address", *values, operator=operator)]],
            )
        )
    return rules


@st.composite
def some_alerts(draw: st.DrawFn) -> Alert:
    """An alert that rules may hold, or that is over, or below the floor."""
    return an_alert(
        AlertType=draw(st.sampled_from(TYPES)),
        Severity=draw(st.sampled_from(["High", "High", "Odd", "Low"])),
        Status=draw(st.sampled_from(["New", "New", "Resolved"])),
        Entities=[an_ip(one) for one in draw(st.lists(st.sampled_from(ADDRESSES), min_size=1, max_size=2))],
    )


@given(some_rules("live"), some_rules("shadow"), some_alerts())
def test_no_shadow_rule_changes_anything_but_what_is_said_of_shadow_rules(
    live: Sequence[SuppressionRule], shadows: Sequence[SuppressionRule], alert: Alert
) -> None:
    """Outcome, reason, steps, destinations; all that would hold it are named, and an explanation says of each whether."""
    book = a_rulebook(*live, routes=[a_route("tickets", "tickets")])
    alone, beside = decide(alert, book, NOW), decide(alert, with_shadows(book, *shadows), NOW)
    assert replace(beside, shadowed_by=()) == alone
    would_hold = sorted(rule.name for rule in shadows if rule.is_active(NOW) and covers(rule, alert, NO_OWNERS))
    is_asked = alone.outcome in (Outcome.SUPPRESSED, Outcome.ROUTED)
    # The index finds those that asking each by itself finds, where rules are asked at all.
    about = {rule.name for rule in shadows if rule.alert_type == alert.type.casefold()}
    assert list(beside.shadowed_by) == ([name for name in would_hold if name in about] if is_asked else [])
    begin = "would be held by shadow rule "
    asked = [
        step for step in explain(alert, with_shadows(book, *shadows), NOW).steps if step.question.startswith(begin)
    ]
    answers = {step.question.removeprefix(begin).removesuffix("?"): step.answer for step in asked}
    assert answers.keys() == about
    if is_asked:
        assert {name for name, answer in answers.items() if answer.startswith("yes, until ")} == set(beside.shadowed_by)


def test_what_a_rule_holds_says_which_shadow_rules_would_hold_it_too() -> None:
    """All of them, in the order of their names; at its end one would hold nothing any more."""
    alert = an_alert(Entities=[an_ip("10.20.0.5")])
    ends = a_rule("ends", expires=NOW), a_rule("last", expires=NOW + timedelta(microseconds=1))
    book = with_shadows(a_rulebook(a_rule()), a_rule("two"), a_rule("one"), a_rule("off", enabled=False), *ends)
    decision = decide(alert, book, NOW)
    assert (decision.suppressed_by, decision.shadowed_by) == ("scanner", ("last", "one", "two"))
    assert decide(alert, with_shadows(a_rulebook(), a_rule("try")), NOW).outcome is Outcome.ROUTED


def test_of_many_shadow_rules_only_those_are_asked_that_the_index_finds() -> None:
    """A thousand that name other addresses cost a signal no question; so the cost does not grow with them."""
    asked: list[str] = []

    class Watched(SuppressionRule):
        """A rule that notes that it was asked."""

        def is_active(self, now: object) -> bool:
            asked.append(self.name)
            return True

    def watched(name: str, address: str) -> SuppressionRule:
        rule = a_rule(name, ip=[address])
        return Watched(**{key: getattr(rule, key) for key in SuppressionRule.__dataclass_fields__})

    others = [watched(f"other-{n}", f"10.{n // 250}.{n % 250}.9") for n in range(1_000)]
    book = with_shadows(a_rulebook(), *others, watched("try", "10.20.0.5"))
    decision = decide(an_alert(Entities=[an_ip("10.20.0.5")]), book, NOW)
    assert (decision.shadowed_by, asked) == (("try",), ["try"])
