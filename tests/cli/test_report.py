"""`report`: what came in and what became of it, as a file."""

import json
from datetime import UTC, datetime

from tests.cli.house import House, Transcript, over_both, take
from tests.parse.messages import a_flat_alert, body_of

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
REPORT = "report --now 2026-11-20T13:00:00Z"


@over_both
def test_a_report_is_a_file(house: House, transcript: Transcript) -> None:
    """A page, or JSON; credentials in it are masked. What cannot be done is said in one line."""
    secret = "AKIAIOSFODNN7EXAMPLE"
    bodies = [body_of(a_flat_alert(SystemAlertId=id, AlertType=f"VM {secret}")) for id in "ab"]
    house.in_state(lambda store: take(store, NOW, *bodies))
    transcript(f"{REPORT} --out week.html", f"{REPORT} --since 24h --format json --out day.json")
    page, document = (
        (house.directory / "week.html").read_text(),
        json.loads((house.directory / "day.json").read_bytes()),
    )
    assert "<h1>The last 7 days</h1>" in page and secret not in page
    (alerts, _) = document["streams"]
    assert alerts["received"] == {"now": 2, "before": 0} and secret not in json.dumps(document)
    transcript(f"{REPORT} --out nowhere/week.html", f"{REPORT} --since 1y --out week.html", "report")
