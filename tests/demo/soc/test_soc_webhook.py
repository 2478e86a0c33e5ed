"""The webhook receiver accepts what Standard Webhooks 1.0 says, and nothing else."""

import base64
import time
from datetime import UTC, datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook as Oracle

from alert_router_demo.soc import Soc
from alert_router_demo.soc.accounts import new_account
from alert_router_demo.soc.webhook import TOLERANCE, find_signer

BODY = '{"notice": "opened"}'


def headers_for(secret: str, body: str = BODY, identity: str = "msg-1", at: float | None = None) -> dict[str, str]:
    timestamp = int(time.time() if at is None else at)
    signature = Oracle(secret).sign(identity, datetime.fromtimestamp(timestamp, UTC), body)
    return {"webhook-id": identity, "webhook-timestamp": str(timestamp), "webhook-signature": signature}


def send(soc: Soc, headers: dict[str, str], body: str = BODY) -> int:
    return httpx.post(soc.addresses.webhook, content=body, headers=headers).status_code


def test_a_signed_message_is_accepted_once_and_its_repeat_counted(soc: Soc) -> None:
    """A message signed by the reference library gets 204; the same id again gets 204 and counts as a duplicate."""
    headers = headers_for(soc.accounts["cspm"].webhook_secret)
    assert [send(soc, headers), send(soc, headers)] == [204, 204]
    assert [(hook.account, hook.id, hook.body) for hook in soc.webhook.hooks] == [("cspm", "msg-1", BODY)] * 2
    assert soc.counts()["received"]["hooks"] == 2
    assert soc.counts()["duplicates"]["hooks"] == 1


def test_one_good_signature_among_several_is_enough(soc: Soc) -> None:
    """While a secret is rotated, messages carry two signatures."""
    headers = headers_for(soc.accounts["cwpp"].webhook_secret)
    headers["webhook-signature"] = f"v1a,zzz v1,AAAA {headers['webhook-signature']}"
    assert send(soc, headers) == 204


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": ""},
        {"webhook-id": "msg-2"},
        {"webhook-id": ""},
        {"webhook-timestamp": "soon"},
        {"webhook-timestamp": str(int(time.time()) - TOLERANCE - 60)},
    ],
)
def test_what_is_not_signed_as_sent_is_refused(soc: Soc, change: dict[str, str]) -> None:
    """A changed id, time or signature gets 401 and is not counted as received."""
    assert send(soc, headers_for(soc.accounts["cwpp"].webhook_secret) | change) == 401
    assert soc.counts()["received"]["hooks"] == 0


def test_a_changed_body_or_another_secret_is_refused(soc: Soc) -> None:
    """The signature covers the body and belongs to an account."""
    assert send(soc, headers_for(soc.accounts["cwpp"].webhook_secret), BODY + " ") == 401
    assert send(soc, headers_for(new_account("stranger").webhook_secret)) == 401


@pytest.mark.parametrize(("late", "is_accepted"), [(0, True), (300, True), (-300, True), (301, False), (-301, False)])
def test_the_timestamp_may_be_five_minutes_off(late: int, is_accepted: bool) -> None:
    """Exactly five minutes early or late are accepted, one second more is not."""
    account = new_account("cwpp")
    key = {"cwpp": base64.b64decode(account.webhook_secret.removeprefix("whsec_"))}
    now = 1_800_000_000
    headers = headers_for(account.webhook_secret, at=now - late)
    assert (find_signer(key, headers, BODY.encode(), now) == "cwpp") is is_accepted


@given(body=st.text(), identity=st.text("abc123-", min_size=1))
def test_whatever_the_reference_library_signs_is_verified(body: str, identity: str) -> None:
    """Our own verification agrees with the reference library on every body."""
    account = new_account("cwpp")
    key = {"cwpp": base64.b64decode(account.webhook_secret.removeprefix("whsec_"))}
    headers = headers_for(account.webhook_secret, body, identity, at=1_800_000_000)
    assert find_signer(key, headers, body.encode(), 1_800_000_000) == "cwpp"
    assert find_signer(key, headers, body.encode() + b"x", 1_800_000_000) is None
