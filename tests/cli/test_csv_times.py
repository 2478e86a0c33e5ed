"""Times of a table that the portal exported: each is read, or the whole file is refused in one line."""

from __future__ import annotations

import pytest

from tests.cli.house import House
from tests.cli.test_files import as_csv
from tests.parse.messages import a_table_row

NAMES = ("TimeGenerated", "ProcessingEndTime", "StartTime", "EndTime")
ISO = "2026-11-20T00:00:00Z"


def exported(*times: str, zone: str = " [UTC]") -> str:
    """Alerts as the portal exports them, each at a time, with the zone in the names of the columns."""
    rows = [a_table_row(VendorOriginalId=f"row-{number}") for number in range(len(times))]
    return as_csv(
        [
            {f"{name}{zone}" if name in NAMES else name: time if name in NAMES else held for name, held in row.items()}
            for row, time in zip(rows, times, strict=True)
        ]
    )


@pytest.mark.parametrize(
    "text",
    [
        "11/25/2026 10:19 AM", "when?", "2026-25-11, 10:19:25", "11.25.2026, 10:19:25", "31/31/2026, 10:19:25", "1764065965",
        "2026-11-25T10:19:25 pm", "25/11/26, 10:19:25", "2026. 11. 25. AM 10:19:25", "25.11.2026, 13:19:25 pm",
        "25/11/2026, 10:19:25", "03/04/2025, 09:19:25 am", "x\n" * 10_000,
    ],
)  # fmt: skip
def test_a_time_that_cannot_be_read_refuses_its_file(house: House, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its time an old state could come after a new one, and page. `run`, `send` and `explain` say the same."""
    house.writes("alerts.csv", exported(ISO, text))
    said = house.says("run", "alerts.csv")
    assert said.code == 2
    shown = repr(text if len(text) < 80 else f"{text[:80]}...")
    assert said.complaint.startswith(f"alerts.csv:3: the column 'TimeGenerated [UTC]' has {shown}, which is no time")
    assert not (house.directory / ".state").exists()
    assert house.says("explain", "alerts.csv").complaint == said.complaint
    monkeypatch.setenv("EVENT_HUBS", "Endpoint=sb://localhost;SharedAccessKeyName=made;SharedAccessKey=up")
    assert house.says("send", "--to", "cwpp", "alerts.csv").complaint == said.complaint


@pytest.mark.parametrize("zone", [" [Local Time]", " [UTC+01:00]", " [Berlin]", "[Local Time]", " (local)"])
def test_times_in_a_zone_that_is_not_known_refuse_their_file(house: House, zone: str) -> None:
    """The portal writes the viewer's zone into the column's name, and not which one it is."""
    house.writes("alerts.csv", exported("11/25/2026, 10:19:25.391 AM", zone=zone))
    said = house.says("run", "alerts.csv")
    assert said.code == 2
    assert said.complaint.startswith(
        f"alerts.csv:2: the column 'TimeGenerated{zone}' has '11/25/2026, 10:19:25.391 AM'"
    )
    assert "in UTC" in said.complaint


@pytest.mark.parametrize(
    "text", ["", " ", "0001-01-01T00:00:00Z", " 2026-11-20T00:00:00Z ", "2026-11-16 07:27:56.188461+00:00"]
)
@pytest.mark.parametrize("column", ["Timezone", "Runtime", "Description", "LastSeenTime", "StartTime [UTC]"])
def test_what_is_no_time_of_the_alert_may_hold_anything(house: House, column: str, text: str) -> None:
    """Only the times that tell which state is the newer, and when it happened, must be read; they may be empty or never set."""
    held = text if "[UTC]" in column else "x"
    house.writes(
        "alerts.csv", as_csv([{"SystemAlertId": "1", "AlertType": "VM_X", "TimeGenerated": ISO, column: held}])
    )
    assert house.says("run", "--dry-run", "alerts.csv").code == 0


@pytest.mark.parametrize(
    ("resolved", "new"),
    [
        ("2/25/2025, 10:19:25.391 AM", "2/25/2025, 9:19:25.391 AM"),
        ("25.11.2026, 10:19:25,391", "25.11.2026, 09:19:25,391"),
        ("2026-11-25, 10:19:25.391 a.m.", "2026-11-25, 9:19:25.391 a.m."),
        ("2026/11/25, 10:19:25.391", "2026/11/25, 9:19:25.391"),
    ],
)
def test_states_of_a_portal_export_are_put_in_order(house: House, resolved: str, new: str) -> None:
    """The portal writes the newest first, and the alert is resolved all the same."""
    row = {f"{name} [UTC]" if "Time" in name else name: held for name, held in a_table_row().items()}
    newest = row | {"ProcessingEndTime [UTC]": resolved, "TimeGenerated [UTC]": resolved, "Status": "Resolved"}
    oldest = row | {"ProcessingEndTime [UTC]": new, "TimeGenerated [UTC]": new, "Status": "New"}
    times = {f"{name} [UTC]": "" for name in ("StartTime", "EndTime") if f"{name} [UTC]" in row}
    house.writes("alerts.csv", as_csv([newest | times, oldest | times]))
    house.routes("--now", "2026-11-26T12:00:00Z", "alerts.csv")
    assert [line["change"] for line in house.lines("everything.ndjson")] == ["opened", "resolved"]
