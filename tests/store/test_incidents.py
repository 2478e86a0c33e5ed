"""An incident that goes on growing is told of, however many alerts it names."""

from __future__ import annotations

from router.domain.catalogue import Catalogue
from router.domain.fingerprints import MOST
from router.domain.signals import Stream
from router.ingest.intake import Intake
from router.store.store import Store
from tests.builders import NOW, a_message, a_rulebook, alert_body
from tests.store.acts import run

BOOK = a_rulebook(always=())


def ingest(store: Store, alerts: list[str]) -> str:
    """What a message comes to that names some alerts as those of one incident."""
    named = [{"$id": "1", "Type": "security-alert", "SystemAlertIds": alerts}]
    message = a_message(alert_body("incident-1", IsIncident=True, Entities=named))
    (entry,) = run(Intake(store, {Stream.CWPP: BOOK}, Catalogue()).ingest([message], NOW))
    return str(entry.notice or entry.outcome)


def test_an_incident_is_told_of_as_it_grows_beyond_what_a_row_knows(store: Store) -> None:
    """One alert more is an update on either side of the bound; the same ones again, in any order, and fewer are repeats."""
    alerts = [f"al-{number}" for number in range(MOST + 3)]
    assert ingest(store, alerts[:MOST]) == "opened"
    assert [ingest(store, alerts[: MOST + more]) for more in (1, 2, 3)] == ["updated"] * 3
    assert [ingest(store, some) for some in (alerts, alerts[::-1], alerts[:-1], alerts[1:], alerts[:9])] == [
        "repeat"
    ] * 5
