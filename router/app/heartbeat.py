"""Calls whoever waits for drills to pass, and raises the alarm where none did: a dead man's switch, by a path that is not ours.

It is called by POST with a few words of JSON, as https://healthchecks.io/docs/http_api/ and
https://deadmanssnitch.com/docs take it.
"""

from __future__ import annotations

import json
from datetime import datetime
from urllib.parse import urlsplit

from router.app.patience import PatientSender, TimeLimit
from router.app.settings import HEARTBEAT, Settings
from router.app.trust import trust_for
from router.deliver.http import Http
from router.domain import own_objects
from router.domain.conversation import HttpRequest
from router.domain.errors import BadSetting, Unavailable

_LONGEST = 60.0
"""Seconds for all attempts together."""

_UNKNOWN = b"not found"
"""What healthchecks.io says, with 200, to an address that it does not know."""


def heartbeat_in(settings: Settings) -> str:
    """The address to call; raises BadSetting where there is none."""
    url = settings.heartbeat
    if url is None:
        raise BadSetting(
            f"{HEARTBEAT}: is not set; --heartbeat calls the address that it holds once the drill has passed"
        )
    return url


async def call_heartbeat(settings: Settings, url: str, ended: datetime) -> str | None:
    """Says that a drill has passed; why it could not be said, where it could not. It names the host and nothing else of it."""
    body = json.dumps({own_objects.KEY: own_objects.DRILL, "verdict": "passed", "ended": ended.isoformat()}).encode()
    request = HttpRequest(method="POST", url=url, headers={"content-type": "application/json"}, body=body)
    host = urlsplit(url).hostname
    async with Http(trust_for(settings)) as http:
        # It may be called twice: that says the same again.
        try:
            answer = await PatientSender(http.send, TimeLimit(_LONGEST), attempts=3).send(request)
        except Unavailable as fault:
            return f"{host}: {fault}"
    if not 200 <= answer.status < 300:
        return f"{host}: answered {answer.status}"
    if _UNKNOWN in answer.body.lower():
        return f"{host}: does not know the address"
    return None
