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
AT = 1_800_000_000
ACCOUNT = new_account("cwpp")
KEY = {"cwpp": base64.b64decode(ACCOUNT.webhook_secret.removeprefix("whsec_"))}


def headers_for(secret: str, body: str = BODY, identity: str = "msg-1", at: float | None = None) -> dict[str, str]:
    timestamp = int(time.time() if at is None else at)
    signature = Oracle(secret).sign(identity, datetime.fromtimestamp(timestamp, UTC), body)
    return {"webhook-id": identity, "webhook-timestamp": str(timestamp), "webhook-signature": signature}


def send(soc: Soc, headers: dict[str, str], body: str = BODY) -> int:
    return httpx.post(soc.addresses.webhook, content=body, headers=headers).status_code


def test_a_signed_message_is_accepted_once_and_its_repeat_counted(soc: Soc) -> None:
    """A message signed by the reference library gets 204; the same id again gets 204 and counts as a duplicate. While a secret
    is rotated, one good signature among several is enough."""
    headers = headers_for(soc.accounts["cspm"].webhook_secret)
    assert [send(soc, headers), send(soc, headers)] == [204, 204]
    assert [(hook.account, hook.id, hook.body) for hook in soc.webhook.hooks] == [("cspm", "msg-1", BODY)] * 2
    assert (soc.counts()["received"]["hooks"], soc.counts()["duplicates"]["hooks"]) == (2, 1)
    headers["webhook-signature"] = f"v1a,zzz v1,AAAA {headers['webhook-signature']}"
    assert send(soc, headers) == 204


def test_what_is_not_signed_as_sent_is_refused(soc: Soc, subtests: pytest.Subtests) -> None:
    """A changed id, time, signature or body, or another account's secret, gets 401 and is not counted as received."""
    secret = soc.accounts["cwpp"].webhook_secret
    changes = [
        *({"webhook-signature": signature} for signature in ("v1,AAAA", "")),
        *({"webhook-id": identity} for identity in ("msg-2", "")),
        *({"webhook-timestamp": at} for at in ("soon", str(int(time.time()) - TOLERANCE - 60))),
    ]
    for change in changes:
        with subtests.test(str(change)):
            assert send(soc, headers_for(secret) | change) == 401
    assert send(soc, headers_for(secret), BODY + " ") == 401
    assert send(soc, headers_for(new_account("stranger").webhook_secret)) == 401
    assert soc.counts()["received"]["hooks"] == 0


def test_the_timestamp_may_be_five_minutes_off() -> None:
    """Exactly five minutes early or late are accepted, one second more is not."""
    for late, signer in ((0, "cwpp"), (300, "cwpp"), (-300, "cwpp"), (301, None), (-301, None)):
        headers = headers_for(ACCOUNT.webhook_secret, at=AT - late)
        assert find_signer(KEY, headers, BODY.encode(), AT) == signer


@given(body=st.text(), identity=st.text("abc123-", min_size=1))
def test_whatever_the_reference_library_signs_is_verified(body: str, identity: str) -> None:
    """Our own verification agrees with the reference library on every body."""
    headers = headers_for(ACCOUNT.webhook_secret, body, identity, at=AT)
    assert find_signer(KEY, headers, body.encode(), AT) == "cwpp"
    assert find_signer(KEY, headers, body.encode() + b"x", AT) is None
