"""Whether the console in Azure lets in whom nobody signed in: `postdeploy` asks it with a sign-in that is made up.

Headers tell the console who is there. While Azure signs people in it takes away those that a caller sent; else they pass:
https://learn.microsoft.com/azure/app-service/configure-authentication-user-identities
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO, NamedTuple
from urllib.error import HTTPError, URLError
from urllib.parse import urljoin, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from infra.programs import LIMIT

CLIENT = "ROUTER_CONSOLE_CLIENT_ID"
"""The variable of the app registration: where it is empty nobody may see the console in Azure."""

_HEALTH = "/api/health"
_MEND = f'take it off the net: azd env set {CLIENT} "" && azd provision; then report it, as SECURITY.md says'
_MOVES = (301, 302, 303, 307, 308)
_NOBODY = "00000000-0000-0000-0000-00000000f045"


class Tried(NamedTuple):
    """What came of it: whether the console let somebody in, and a line about what is not as it should be, else empty."""

    is_open: bool
    said: str


class _Stay(HTTPRedirectHandler):
    """Follows no redirect: where it leads to is the answer."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        """Nowhere."""


def forged(tenant: str) -> Mapping[str, str]:
    """The headers by which Azure would say that an admin of a tenant is there."""
    roles = json.loads(Path(__file__).with_name("console-roles.json").read_text("utf-8"))
    said = {
        "preferred_username": "forged@alert-router.invalid",
        "http://schemas.microsoft.com/identity/claims/objectidentifier": _NOBODY,
        "http://schemas.microsoft.com/identity/claims/tenantid": tenant,
    }
    claims = [*said.items(), *(("roles", role["value"]) for role in roles)]
    principal = {
        "auth_typ": "aad",
        "claims": [{"typ": name, "val": value} for name, value in claims],
        "name_typ": "preferred_username",
        "role_typ": "roles",
    }
    return {
        "X-MS-CLIENT-PRINCIPAL": base64.b64encode(json.dumps(principal).encode()).decode(),
        "X-MS-CLIENT-PRINCIPAL-ID": _NOBODY,
        "X-MS-CLIENT-PRINCIPAL-IDP": "aad",
        "X-MS-CLIENT-PRINCIPAL-NAME": said["preferred_username"],
    }


def try_forged(values: Mapping[str, str]) -> Tried:
    """What comes of it; raises KeyError where azd knows no such value.

    Let in is who gets a page, or is sent on within the site; refused who gets 401 or 403 or is sent to sign in, and while the
    console is off 404 or 503, too. Anything else tells nothing.
    """
    url = f"{values['HEALTH_URL'].removesuffix(_HEALTH)}/api/console"
    asked = Request(url, headers=dict(forged(values["AZURE_TENANT_ID"])))  # noqa: S310  Azure's own address of the app.
    try:
        with build_opener(_Stay).open(asked, timeout=LIMIT.total_seconds()) as answer:
            code, leads_to = answer.status, url
    except HTTPError as answer:
        with answer:
            code, leads_to = answer.code, urljoin(url, answer.headers.get("Location", ""))
    except URLError as fault:
        return _untold(str(fault.reason))
    except (OSError, HTTPException) as fault:
        return _untold(str(fault) or type(fault).__name__)
    if code in (401, 403) or (code in (404, 503) and not values.get(CLIENT)):
        return Tried(False, "")
    within, signs_in = _way(url, leads_to)
    if code < 300 or (code in _MOVES and within and not signs_in):
        return Tried(True, f"{url}: it let in a forged sign-in ({code}), so that everybody is an admin there; {_MEND}")
    return Tried(False, "") if code in _MOVES and signs_in else _untold(f"it answered {code}")


def _way(url: str, leads_to: str) -> tuple[bool, bool]:
    """Whether a redirect stays within the site, and whether somebody signs in where it leads to."""
    here, there = urlsplit(url), urlsplit(leads_to)
    within = here.netloc == there.netloc
    return within, there.path.startswith("/.auth/") if within else "/oauth2/" in there.path


def _untold(why: str) -> Tried:
    return Tried(
        False, f"unknown: whether the console refuses a forged sign-in ({why}); ask again: azd hooks run postdeploy"
    )
