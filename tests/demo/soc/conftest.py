"""A loopback SOC for each test, and callers that know its secrets."""

from collections.abc import Iterator

import httpx
import pytest

from alert_router_demo.soc import Soc, soc_in_thread


@pytest.fixture
def soc() -> Iterator[Soc]:
    """A running SOC without lag."""
    with soc_in_thread() as running:
        yield running


@pytest.fixture
def tickets(soc: Soc) -> Iterator[httpx.Client]:
    """A caller of the ticket intake with the CWPP stream's credentials."""
    account = soc.accounts["cwpp"]
    auth = (account.servicenow_user, account.servicenow_password)
    with httpx.Client(base_url=f"{soc.addresses.servicenow}/api/now/table", auth=auth) as client:
        yield client
