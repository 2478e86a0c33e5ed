"""A silence holds what it covers, and nothing that the policy refuses or that was held for long enough."""

from collections.abc import Sequence
from copy import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from router.decide import decide
from router.decide.explanation import explain
from router.decide.preview import silence_matcher
from router.decide.suppression import covers
from router.domain.decisions import Code, Decision, Outcome, Reason, StepCode, written_steps
from router.domain.owners import NO_OWNERS
from router.domain.rulebook import Rulebook
from router.domain.severity import Severity
from router.domain.signals import Alert, Signal, Stream
from router.domain.silences import Silence, SilenceBounds, Silences
from router.domain.suppression import Element, Field, Operator
from tests.builders import NOW, SUBSCRIPTION, a_finding, a_rule, a_rulebook, an_alert, an_element, an_ip
from tests.silences import HOUR, a_silence, called, machine, named, weekly

INSTANT = timedelta(microseconds=1)
DAY = timedelta(days=1)
SCANNER = an_ip("10.20.0.5")
BOOK = a_rulebook(a_rule(expires=NOW + 3 * HOUR))
"""A rule holds for three hours what the scanner causes."""


def a_host(name: str) -> dict[str, object]:
    """A host entity."""
    return {"$id": name, "Type": "host", "HostName": name}


def decided(signal: Signal, *silences: Silence, after: timedelta = timedelta(), book: Rulebook = BOOK) -> Decision:
    """The decision on a signal where there are some silences."""
    return decide(signal, book, NOW + after, Silences.from_list(silences))


def test_a_silence_holds_what_it_covers_and_the_decision_names_it() -> None:
    """From its beginning to before its end."""
    decision = decided(an_alert(), a_silence())
    assert decision.outcome is Outcome.SUPPRESSED
    assert decision.reason == Reason(Code.SILENCE, "ab12cd until 2026-11-24T14:00:00Z")
    assert (decision.suppressed_by, decision.suppressed_until) == ("silence:ab12cd", NOW + 2 * HOUR)
    assert written_steps(decision.steps)[-1] == "suppression.held=silence:ab12cd"
    afterwards = [decided(an_alert(), a_silence(), after=after).outcome for after in (2 * HOUR - INSTANT, 2 * HOUR)]
    assert afterwards == [Outcome.SUPPRESSED, Outcome.ROUTED]


BY_SCOPE = [
    (a_silence(groups=(named("vm-*"),)), True),
    (a_silence(groups=(named("vm-2"),)), False),
    (a_silence(groups=((Element(Field(None, "resourceid"), Operator.LIKE, frozenset({"*/rg-web/*"})),),)), True),
    (a_silence(groups=((an_element("resourceid", f"/subscriptions/{SUBSCRIPTION}"),),)), False),
    (a_silence(groups=(machine("web-1"),)), True),
    (a_silence(groups=(machine("web-2"),)), False),
    (a_silence(groups=(called("web-1"),)), True),
    (a_silence(groups=(called("db-1", "host-of-contoso"),)), True),
    (a_silence(groups=(machine("web-1"), named("vm-1"))), True),
    (a_silence(groups=(machine("web-1"), named("vm-2"))), False),
    (a_silence(alert_type="vm_test"), True),
    (a_silence(alert_type="VM_Other"), False),
    (a_silence(alert_type="VM_Test", groups=(machine("web-2"),)), False),
]  # fmt: skip


def test_a_silence_holds_by_type_resource_and_entity() -> None:
    """All that it names must be met; and the index by which it is found says the same as the silence itself."""
    alert = an_alert(Entities=[a_host("WEB-1")], CompromisedEntity="Host-of-Contoso")
    others = [a_silence(f"x{number}", begins=NOW + HOUR) for number in range(3)]
    for silence, is_held in BY_SCOPE:
        later = [replace(silence, id=one.id, begins=one.begins) for one in others]
        assert (decided(alert, silence).suppressed_by == silence.name) is is_held, silence
        assert (decided(alert, *later, silence).suppressed_by == silence.name) is is_held, silence
        assert silence_matcher(silence, a_rulebook()).covers(alert) is is_held, silence


def test_a_finding_is_held_by_its_category_too() -> None:
    """Where the silence names a resource."""
    finding = replace(a_finding(), category="Vulnerabilities", resource="/subscriptions/s/x/y/z/vm-1")
    book = a_rulebook(stream=Stream.CSPM)
    silence = a_silence(stream="cspm", alert_type="vulnerabilities")
    assert decided(finding, silence, book=book).suppressed_by == "silence:ab12cd"
    assert decided(finding, replace(silence, groups=(machine("vm-1"),)), book=book).suppressed_by is None


def test_of_a_rule_and_silences_the_one_holds_that_ends_later() -> None:
    """The rule, where it ends with a silence; of two silences that end together, the first by its id. Of a recurring
    one the end of its window counts, however long the series goes on. Resolved and too low come before both: people
    hear when it is over."""
    for hours, by in ((2, "scanner"), (3, "scanner"), (4, "silence:ab12cd")):
        decision = decided(an_alert(Entities=[SCANNER]), a_silence(lasts=hours * HOUR))
        assert (decision.suppressed_by, decision.suppressed_until) == (by, NOW + max(3, hours) * HOUR)
    short, long, same = a_silence("b", lasts=HOUR), a_silence("c"), a_silence("a")
    assert decided(an_alert(), short, long).suppressed_by == "silence:c"
    assert decided(an_alert(), long, same).suppressed_by == "silence:a"
    silence = a_silence(lasts=60 * DAY, every=weekly(1, begins="11:00", ends="12:30"))
    assert decided(an_alert(), silence).suppressed_until == NOW + HOUR / 2
    assert decided(an_alert(), silence, after=HOUR / 2).outcome is Outcome.ROUTED
    assert decided(an_alert(Status="Resolved"), a_silence()).outcome is Outcome.RESOLVED
    assert decided(an_alert(Severity="Low"), a_silence()).outcome is Outcome.BELOW_FLOOR


def test_what_the_policy_refuses_is_told_and_the_steps_say_so() -> None:
    """At the severity that is refused, above it, and of unknown ones. A rule holds it all the same."""
    book = replace(BOOK, silences=SilenceBounds(refuse=Severity.HIGH))
    assert decided(an_alert(Severity=None), a_silence()).outcome is Outcome.SUPPRESSED
    for severity, is_held in (("Medium", True), ("High", False), ("Critical", False), (None, False)):
        decision = decided(an_alert(Severity=severity), a_silence(), book=book)
        assert (decision.outcome is Outcome.SUPPRESSED) is is_held
        assert ("silence.refused=silence:ab12cd" in written_steps(decision.steps)) is not is_held
        by_rule = decided(an_alert(Severity=severity, Entities=[SCANNER]), a_silence(lasts=9 * HOUR), book=book)
        assert by_rule.suppressed_by == ("silence:ab12cd" if is_held else "scanner")


def test_what_silences_held_for_the_longest_time_is_told_and_the_steps_say_so() -> None:
    """Though the last of them still runs: two that overlap by halves hold what both cover no longer than one might."""
    book = a_rulebook()
    first = a_silence("a", begins=NOW - 20 * HOUR, lasts=20 * HOUR, made=NOW - 20 * HOUR, groups=(named("vm-1"),))
    second = a_silence("b", lasts=20 * HOUR, groups=(machine("web-1"),))
    both, one = an_alert(Entities=[a_host("web-1")]), an_alert(AzureResourceId="/a/b", Entities=[a_host("web-1")])
    assert decided(both, first, second, book=book).suppressed_until == NOW + 4 * HOUR
    assert decided(one, first, second, book=book).suppressed_until == NOW + 20 * HOUR
    assert decided(both, first, second, book=book, after=4 * HOUR - INSTANT).outcome is Outcome.SUPPRESSED
    over = decided(both, first, second, book=book, after=4 * HOUR)
    assert over.outcome is Outcome.ROUTED
    assert StepCode.SILENCE_SPENT in [step.code for step in over.steps]
    assert "silence.spent=silence:b" in written_steps(over.steps)


GLOBS = st.sampled_from(
    ["vm-1", "vm-*", "v?-1", "*-1", "VM-1*", "vm-10*", "db*", "?b-10", "web*", "web-1", "webb*", "strasse*"]
)


@given(
    st.lists(st.tuples(st.lists(GLOBS, min_size=1, max_size=3, unique=True), st.booleans()), max_size=4),
    st.sampled_from(["vm-1", "VM-10", "db-10", "", "v", "Straße-1"]),
    st.sets(st.sampled_from(["web-1", "WEB-2"])),
)
def test_the_index_finds_each_silence(globs: Sequence[tuple[list[str], bool]], resource: str, hosts: set[str]) -> None:
    """By what its globs begin with, and whatever begins with a wildcard."""
    scopes = [(called if of_machines else named)(*map(str.casefold, texts)) for texts, of_machines in globs]
    silences = [a_silence(f"{n}", groups=(scope,)) for n, scope in enumerate(scopes)]
    alert: Alert = an_alert(AzureResourceId=f"/subscriptions/s/{resource}", Entities=[a_host(host) for host in hosts])
    is_covered = any(covers(one.as_rule(), alert, NO_OWNERS) for one in silences)
    assert (decided(alert, *silences).outcome is Outcome.SUPPRESSED) is is_covered


RESOURCES, HOSTS = ["vm-1", "vm-2", "db-10"], ["web-1", "web-2"]
SCOPE = st.sampled_from([named("vm-1"), named("vm-*"), named("db-10"), machine("web-1"), machine("web-1", "web-2")])
SCOPES = st.lists(SCOPE, min_size=1, max_size=2, unique=True)
type Life = tuple[int, int, list[tuple[Element, ...]], str | None]
LIFE = st.tuples(st.integers(0, 60), st.integers(1, 20), SCOPES, st.sampled_from([None, "VM_Test", "VM_Other"]))


@given(st.lists(LIFE, min_size=1, max_size=6), st.sampled_from(RESOURCES), st.sets(st.sampled_from(HOSTS)))
def test_no_chain_of_silences_holds_longer_than_one_may(lives: Sequence[Life], resource: str, hosts: set[str]) -> None:
    """Whatever their scopes are: within each other, wider, the same, or overlapping by halves. Only an hour is a break."""
    silences = Silences.from_list(
        a_silence(f"{n}", begins=NOW + h * HOUR / 2, lasts=lasts * HOUR / 2, groups=tuple(scope), alert_type=type)
        for n, (h, lasts, scope, type) in enumerate(lives)
    )
    book = replace(a_rulebook(), silences=SilenceBounds(longest=10 * HOUR))
    alert: Alert = an_alert(AzureResourceId=f"/subscriptions/s/{resource}", Entities=[a_host(host) for host in hosts])
    begun, last = NOW, NOW - DAY
    for now in (NOW + half * HOUR / 2 for half in range(90)):
        decision = decide(alert, book, now, silences)
        if decision.suppressed_until is None:
            continue
        # Between the last time and this one there was at most half an hour in which it was told.
        begun, last = (begun if now - last <= HOUR else now), now
        assert now < decision.suppressed_until <= begun + 10 * HOUR


def explained(*silences: Silence, book: Rulebook = BOOK) -> dict[str, str]:
    """What an explanation says of silences, by the question."""
    steps = explain(an_alert(), book, NOW, Silences.from_list(silences)).steps
    return {step.question: step.answer for step in steps if "silence" in step.question}


def test_an_explanation_asks_each_silence_that_may_be_about_a_signal() -> None:
    """Whether it holds, and if not why; whose it is and what for."""
    refusing = replace(BOOK, silences=SilenceBounds(refuse=Severity.HIGH))
    made = "ana@contoso.example made it: patching"
    for silence, book, answer in (
        (a_silence(), BOOK, f"yes, until 2026-11-24T14:00:00Z; {made}"),
        (a_silence(groups=(named("vm-2"),)), BOOK, "no, resourcename in ['vm-2'] is not met: the signal has vm-1"),
        (a_silence(ended=NOW), BOOK, "no, the silence ended at 2026-11-24T12:00:00Z"),
        (a_silence(lasts=60 * DAY, every=weekly(5)), BOOK, "no, the silence begins at 2026-11-28T02:00:00Z"),
        (a_silence(), refusing, f"no, the policy lets no silence hold a signal that grave; {made}"),
    ):
        assert explained(silence, book=book) == {"held by silence ab12cd?": answer}
    assert explained(a_silence(alert_type="VM_Other")) == {}
    # Silences held it for long enough, though one still runs.
    first = a_silence("a", begins=NOW - 24 * HOUR, lasts=23.5 * HOUR, made=NOW - 24 * HOUR)
    words = explained(first, a_silence("b"))["silenced for long enough?"]
    assert words == "yes, for the 24 hours that the policy allows without an hour's break, so they hold it no more"


@given(st.lists(LIFE, min_size=1, max_size=4), st.sampled_from(RESOURCES))
def test_an_explanation_says_yes_of_whatever_silence_holds(lives: Sequence[Life], resource: str) -> None:
    """Asked without the index, and of no other that ends later."""
    silences = Silences.from_list(
        a_silence(f"{n}", begins=NOW - h * HOUR / 4, lasts=lasts * HOUR, groups=tuple(scope), alert_type=type)
        for n, (h, lasts, scope, type) in enumerate(lives)
    )
    alert = an_alert(AzureResourceId=f"/subscriptions/s/{resource}", Entities=[a_host("web-1")])
    explanation = explain(alert, a_rulebook(), NOW, silences)
    held = {step.rule for step in explanation.steps if step.rule and step.answer.startswith("yes")}
    if explanation.decision.suppressed_by is not None:
        assert explanation.decision.suppressed_by in held
    else:
        assert not held or "silenced for long enough?" in {step.question for step in explanation.steps}
