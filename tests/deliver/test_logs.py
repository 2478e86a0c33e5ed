"""Rows to the logs endpoint, through Microsoft's client, over TLS."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from router.cli.demo.soc import Drop, Soc, Status, soc_in_thread
from router.deliver.identity import LoopbackCredential
from router.deliver.logs import Logs
from router.domain.asks import LogRows
from router.domain.errors import DeliveryError, Rejected, Unauthorized, Unavailable


@pytest.fixture
def soc() -> Iterator[Soc]:
    """A SOC on loopback."""
    with soc_in_thread() as soc:
        yield soc


def upload(soc: Soc, rows: int = 2) -> None:
    """Uploads some rows."""

    async def go() -> None:
        logs = Logs(lambda _: LoopbackCredential(), str(soc.addresses.ca))
        try:
            await logs.upload(
                LogRows(
                    endpoint=soc.addresses.logs,
                    rule=f"dcr-{'0' * 32}",
                    stream="Custom-Test_CL",
                    rows=[{"EventUid": str(number)} for number in range(rows)],
                )
            )
        finally:
            await logs.close()

    asyncio.run(go())


def test_rows_arrive(soc: Soc) -> None:
    """In one call, over TLS, to an authority that was named."""
    upload(soc, rows=3)
    assert [row["EventUid"] for row in soc.logs.rows["Custom-Test_CL"]] == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, Rejected),
        (401, Unauthorized),
        (403, Unauthorized),
        (404, Rejected),
        (413, Rejected),
        (429, Unavailable),
        (500, Unavailable),
        (503, Unavailable),
    ],
)
def test_each_answer_means_what_it_means_elsewhere(soc: Soc, status: int, error: type[DeliveryError]) -> None:
    """The client's own retries are off: the first answer counts, and the outbox has it on record."""
    soc.logs.faults.add(Status(status))
    with pytest.raises(error) as caught:
        upload(soc)
    assert str(status) in str(caught.value)
    assert soc.addresses.logs not in str(caught.value)
    if isinstance(caught.value, Rejected):
        assert caught.value.status == status


@pytest.mark.parametrize(("written", "seconds"), [("7", 7.0), ("soon", None), ("9" * 400, None)])
def test_the_endpoints_wish_is_heard_if_it_is_one(soc: Soc, written: str, seconds: float | None) -> None:
    """Retry-After in seconds; nonsense is no wish."""
    soc.logs.faults.add(Status(429, retry_after=written))
    with pytest.raises(Unavailable) as caught:
        upload(soc)
    assert caught.value.retry_after == seconds


def test_a_connection_that_is_cut_is_unavailable(soc: Soc) -> None:
    """No answer is no acknowledgement."""
    soc.logs.faults.add(Drop())
    with pytest.raises(Unavailable):
        upload(soc)
