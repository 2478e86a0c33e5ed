"""What a rule or a silence holds, and what would come out of it: that is what does once it ends. Over both engines."""

from collections import Counter
from collections.abc import Sequence
from copy import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.app.holding import LAST, read_coming_out, read_holding
from router.domain.notices import RecordEntry
from router.domain.rulebook import Clause, Rulebook
from router.domain.severity import Severity
from router.domain.silences import shadow_name
from router.domain.suppression import Suppressions
from router.store.store import Store
from tests.builders import NOW, RESOURCE, a_route, a_rule, a_rulebook, an_ip
from tests.examples import some_of
from tests.silences import HOUR, a_silence
from tests.store.acts import an_empty_store, find_rows, run, silenced
from tests.store.life import Life
from tests.store.opened import Place, changed

pytestmark = pytest.mark.usefixtures("either")

SCANNER, BACKUP = "10.20.0.5", "10.0.0.7"
GRAVE = Clause("severity", "High", lambda signal, _: signal.severity is Severity.HIGH)
QUIET = Clause("type", "VM_Quiet", lambda signal, _: signal.type == "VM_Quiet")
LOUD = Clause("type", "VM_Test", lambda signal, _: signal.type == "VM_Test")
SILENCE = a_silence(lasts=HOUR)
RULES = (
    a_rule("scanner", ip=[SCANNER]),
    a_rule("backup", ip=[BACKUP], expires=NOW + 2 * HOUR),
    a_rule("quiet", alert_type="VM_Quiet", ip=[SCANNER, BACKUP]),
)
BOOK = a_rulebook(
    *RULES,
    routes=[
        a_route("grave", "oncall", when=[GRAVE, LOUD]),
        a_route("nobody", when=[QUIET]),
        a_route("all", "tickets", when=[LOUD]),
    ],
)
ALERTS = st.lists(
    st.tuples(
        st.sampled_from(["High", "Medium", None]),
        st.sampled_from(["VM_Test", "VM_Test", "VM_Quiet"]),
        st.lists(st.sampled_from([SCANNER, BACKUP]), unique=True, max_size=2),
        st.booleans(),
    ),
    max_size=8,
)


@settings(max_examples=some_of(15), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(ALERTS, st.sampled_from([*(one.name for one in RULES), SILENCE.name]))
def test_what_would_come_out_is_what_comes_out(
    place: Place, alerts: Sequence[tuple[str | None, str, Sequence[str], bool]], name: str
) -> None:
    """Whom that tells, whom it pages, what others hold then; nothing is stored to say so."""
    with an_empty_store(place) as store:
        life = Life(store, BOOK)
        silenced(store, SILENCE)
        life.goes_on(1 / 1440)
        keys = list[str]()
        for number, (severity, type, ips, is_silenced) in enumerate(alerts):
            where = RESOURCE if is_silenced else f"{RESOURCE}0"
            entities = list(map(an_ip, ips))
            entry = life.alert(
                f"a{number}", Severity=severity, AlertType=type, AzureResourceId=where, Entities=entities
            )
            keys.append(entry.signal or "")
        held = {key for key, row in find_rows(store, keys).items() if row.held is not None and row.held.rule == name}
        found = run(read_coming_out(store, name, life.book, life.now))
        if name == SILENCE.name:
            silenced(store, replace(SILENCE, ended=life.now))
        else:
            life.book = replace(
                BOOK, hash="other", suppressions=Suppressions.from_rules(one for one in RULES if one.name != name)
            )
        came = {entry.signal: people_of(entry, life.book) for entry in life.release() if entry.signal in held}
        rows = find_rows(store, keys)
        still = Counter(row.held.rule for key, row in rows.items() if key in held and row.held is not None)
        assert found.notified == sum(map(bool, came.values()))
        assert found.paging == sum("oncall" in people for people in came.values())
        assert (found.held_by, found.unheard) == (still, sum(not people for people in came.values()))
        assert (found.unjudged, found.is_whole) == (0, True)


def people_of(entry: RecordEntry, book: Rulebook) -> set[str]:
    """Those whom a decision tells."""
    return set(entry.destinations).difference(book.always)


def test_what_is_held_is_named_the_gravest_first_and_what_was_held_last_first(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many as a page has, and how many there are; a shadow rule names what it would have held."""
    life = Life(store, replace(BOOK, shadows=Suppressions.from_rules([a_rule("try", ip=[SCANNER])])))
    for number in range(LAST + 2):
        life.goes_on(1 / 1440)
        severity = "High" if number == 3 else "Medium"
        life.alert(
            f"a{number:02}", Severity=severity, Entities=[an_ip(SCANNER)], AlertDisplayName="key=AKIAIOSFODNN7EXAMPLE"
        )
    life.alert("other")
    monkeypatch.setattr("router.app.holding.NAMED", 5)
    found = run(read_holding(store, "cwpp", "scanner", life.now, life.now))
    assert (found["holding"]["count"], found["holding"]["count_is_whole"]) == (LAST + 2, True)
    assert [one["severity"] for one in found["holding"]["signals"]] == ["High", *["Medium"] * 4]
    last = [f"a{number:02}" for number in reversed(range(2, LAST + 2))]
    assert [one["id"] for one in found["last_held"]] == last
    assert "AKIA" not in str(found)
    shadow = run(read_holding(store, "cwpp", shadow_name("try"), life.now, life.now))
    assert ([one["id"] for one in shadow["last_held"]], shadow["holding"]["count"]) == (last, 0)
    never = run(read_holding(store, "cwpp", shadow_name("never"), None, life.now))
    assert (never["last_held"], never["holding"]["signals"]) == ([], [])


def test_what_cannot_be_asked_about_is_counted_and_no_more_than_some_are_asked(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of what is not kept nothing is guessed."""
    life = Life(store, BOOK)
    for number in range(3):
        life.alert(f"a{number}", Entities=[an_ip(SCANNER)])
    run(changed(store, "UPDATE signals SET rule_fields=NULL WHERE key=(SELECT min(key) FROM signals)"))
    found = run(read_coming_out(store, "scanner", BOOK, NOW))
    assert (found.notified, found.paging, found.unjudged, found.is_whole) == (2, 2, 1, True)
    monkeypatch.setattr("router.app.holding.MOST", 2)
    some = run(read_coming_out(store, "scanner", BOOK, NOW))
    assert (some.notified + some.unjudged, some.is_whole) == (2, False)
