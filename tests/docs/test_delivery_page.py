"""docs/delivery.md says what the code makes of a delivery."""

from __future__ import annotations

from datetime import timedelta

from router.app.delivery import CONCURRENCY, SHARE
from router.app.wiring import AT_A_TIME
from router.deliver.retries import seconds_after
from router.domain.clocks import AHEAD, SKEW
from router.domain.conversation import Result
from router.domain.deliveries import LEASE, LONGEST_LIFE, LONGEST_WAIT, DeliveryState, Pause, Receipt
from router.domain.errors import Rejected, Unauthorized, Unavailable
from router.store.destinations import PROBE, pause_after
from tests.builders import NOW
from tests.docs.pages import column, page

PAGE = page("docs/delivery.md")


def test_the_lanes_are_as_told() -> None:
    """Sends at a time, the share of one destination, and the longest life of a delivery."""
    for row in PAGE.table("Delivering", "lane"):
        lane = next(lane for lane in CONCURRENCY if f"`{lane}`" == row["lane"])
        assert row["sends at a time"] == str(CONCURRENCY[lane])
        assert row["of one destination"] == str(CONCURRENCY[lane] // SHARE)
        assert row["longest wait"] == _written(LONGEST_WAIT[lane])
        assert row["longest life"] == f"{LONGEST_LIFE[lane] // timedelta(hours=1)} hours"
        minutes = LEASE[lane] // timedelta(minutes=1)
        assert row["a claim's lease"] == f"{minutes} minute{'s' if minutes > 1 else ''}"
    assert len(PAGE.table("Delivering", "lane")) == len(CONCURRENCY)
    assert f"makes {AT_A_TIME} calls at a time to one destination" in PAGE.prose


def _written(span: timedelta) -> str:
    hours, minutes = divmod(span // timedelta(minutes=1), 60)
    return f"{hours} hours" if hours else f"{minutes} minutes"


def test_what_resumes_a_paused_destination_is_as_told() -> None:
    """Each kind of result, in the order of the table."""
    table = PAGE.table("Delivering", "what a probe brings")
    said = [row["our credentials were"] for row in table]
    results: list[Result] = [
        Receipt(),
        Rejected("", authenticated=True),
        Unauthorized(""),
        Rejected(""),
        Unavailable(""),
    ]
    paused = Pause(stream="cwpp", destination="tickets", since=NOW, probe=NOW, error="before")
    after = [pause_after(paused, [result], stream="cwpp", destination="tickets", now=NOW) for result in results]
    assert said == ["taken" if one is None else "not known" if one.error == "before" else "refused" for one in after]
    ends = [one is None for one in after]
    assert [row["the destination"] for row in table] == [
        "is resumed" if is_over else "stays paused" for is_over in ends
    ]


def test_how_far_clocks_may_differ_is_as_told() -> None:
    """And how far a message's own time may run ahead."""
    assert timedelta(minutes=5) == SKEW
    assert "and 5 minutes more, by which the clocks of two workers may differ" in PAGE.prose
    assert timedelta(days=1) == AHEAD


def test_the_waits_are_as_told() -> None:
    """2, 4, 8 seconds and up to 2 more, 10 minutes at most; a probe every 5 minutes."""
    assert "after 2, 4, 8 ... seconds and up to 2 more, 10 minutes at most" in PAGE.prose
    for attempt, least in ((1, 2), (2, 4), (3, 8)):
        assert (seconds_after(attempt, 0), seconds_after(attempt, 1)) == (least, least + 2)
    assert seconds_after(40, 0) == 600
    assert timedelta(minutes=5) == PROBE
    assert "probes it every 5 minutes" in PAGE.prose


def test_every_state_of_a_delivery_is_listed() -> None:
    """The states are those of the outbox."""
    assert column(PAGE.table("Delivering", "state"), "state") == [state.value for state in DeliveryState]
