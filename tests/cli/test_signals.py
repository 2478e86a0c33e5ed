"""`signals list`: what stands, for who is on call and for a program."""

import json
from datetime import UTC, datetime

from tests.cli.house import House, Transcript, over_both, take
from tests.parse.messages import a_flat_alert, body_of

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LIST = "signals list --now 2026-11-20T13:00:00Z"


@over_both
def test_what_stands_is_listed_and_narrowed_down(house: House, transcript: Transcript) -> None:
    """The gravest first, with where to go on; JSON says the same, and what there is not is refused in one line."""
    house.in_state(
        lambda store: take(
            store,
            NOW,
            body_of(a_flat_alert(SystemAlertId="one")),
            body_of(a_flat_alert(SystemAlertId="two", Severity="Medium", AlertType="VM_Other")),
            body_of(a_flat_alert(SystemAlertId="three", Status="Resolved")),
        )
    )
    said = transcript(LIST, f"{LIST} --limit 1")
    place = said.out.split()[-1]
    transcript(f"{LIST} --limit 1 --after {place}", f"{LIST} --severity medium,unknown --since 24h --format json")
    for narrow in ("--owner web", "--since 30m", "--outcome suppressed", "--stream cspm", "--held-by scanner"):
        assert json.loads(house.says(*f"{LIST} {narrow} --format json".split()).out)["signals"] == []
    for narrow in ("--no-owner", "--paged-nobody", "--since 2026-11-20", "--type vm_other", "--destination people"):
        assert json.loads(house.says(*f"{LIST} {narrow} --format json".split()).out)["signals"]
    transcript(
        *(
            f"{LIST} {wrong}"
            for wrong in ("--severity grave", "--after here", "--limit 0", "--since soon", "--owner web")
        )
    )
