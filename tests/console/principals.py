"""Who signed in in Azure, as the platform says it, and the settings of a console there."""

from __future__ import annotations

import json
from base64 import b64encode

from router.app.settings import ROLES
from router.console.azure import SIGNS_IN, SITE, TENANT

HOST = "func-router.azurewebsites.net"
TENANT_ID, ID = "6f0a3c52-8d1e-4b7a-9c45-2e71d0b8a110", "0b8a1106-f0a3-4c52-8d1e-4b7a9c452e71"
SETTINGS = {
    SIGNS_IN: "True",
    SITE: HOST,
    TENANT: TENANT_ID.upper(),
    ROLES: "Reader=AlertRouter.Reader, Operator=AlertRouter.Operator, Admin=AlertRouter.Admin",
}

type Claims = list[tuple[str, str]]


def claims_of(role: str = "Reader", **changed: str) -> Claims:
    """What a token says of a person with an app role."""
    said = {"tid": TENANT_ID, "oid": ID, "preferred_username": "eva@contoso.example", **changed}
    return [*said.items(), ("roles", f"AlertRouter.{role}")]


def principal(claims: Claims, **more: object) -> dict[str, str]:
    """The header by which the platform says who signed in."""
    listed = [{"typ": typ, "val": val} for typ, val in claims]
    said = {"auth_typ": "aad", "claims": listed, "name_typ": "name", "role_typ": "roles", **more}
    return {"X-MS-CLIENT-PRINCIPAL": b64encode(json.dumps(said).encode()).decode()}
