"""How a state in PostgreSQL is reached: by what the address and the settings say, and by nothing else."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest
import trustme
from aiohttp import web

from alert_router_demo.soc.endpoint import served
from router.app.certificates import authorities_for
from router.app.connections import connector_for
from router.app.optional_packages import refuse_absent
from router.app.settings import Settings
from router.domain.errors import BadFile, BadUsage, StoreError
from router.store.conninfo import parse_address

AZURE = parse_address("postgresql://soc@soc.postgres.database.azure.com/alerts")


def test_what_libpq_reads_of_the_environment_counts_for_nothing(
    postgresql: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither another server, nor a service, nor what a session would set."""
    (tmp_path / "service").write_text("[elsewhere]\nhost=192.0.2.1\n")
    for name, value in {
        "PGSERVICE": "elsewhere",
        "PGSERVICEFILE": str(tmp_path / "service"),
        "PGHOSTADDR": "192.0.2.1",
        "PGSSLMODE": "verify-full",
        "PGOPTIONS": "-c lock_timeout=1",
        "PGTZ": "nowhere",
        "PGAPPNAME": "psql",
        "PGCONNECT_TIMEOUT": "soon",
        "PGTARGETSESSIONATTRS": "standby",
    }.items():
        monkeypatch.setenv(name, value)

    async def asked() -> object:
        connection = await connector_for(parse_address(postgresql), Settings({})).connect()
        async with connection:
            answer = await connection.execute(
                "SELECT current_setting('application_name'), current_setting('lock_timeout'), "
                "current_setting('TimeZone') <> 'nowhere', coalesce(current_setting('transaction_timeout', true), '2min')"
            )
            return await answer.fetchone()

    assert asyncio.run(asked()) == ("alert-router", "30s", True, "2min")


def test_a_server_elsewhere_is_verified_by_the_systems_authorities_and_those_of_a_setting(tmp_path: Path) -> None:
    """Both in one file, whether the setting is there for another server or for this one."""
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ours.pem"))
    system = ssl.create_default_context(cafile=authorities_for(Settings({}))).cert_store_stats()["x509_ca"]
    both = authorities_for(Settings({"ALERT_ROUTER_CA_FILE": str(tmp_path / "ours.pem")}))
    assert ssl.create_default_context(cafile=both).cert_store_stats()["x509_ca"] == system + 1
    with pytest.raises(BadFile, match=r"gone\.pem: ALERT_ROUTER_CA_FILE names no readable file"):
        connector_for(AZURE, Settings({"ALERT_ROUTER_CA_FILE": "gone.pem"}))


def test_the_password_at_azures_servers_is_a_token_of_the_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    """For that service, asked anew each time; where there is none, one line says so."""
    asked = []

    async def give(request: web.Request) -> web.Response:
        asked.append((request.query["resource"], request.query["client_id"]))
        if len(asked) > 2:
            return web.json_response({"error": "s3cret"}, status=400)
        return web.json_response(
            {"access_token": f"token-{len(asked)}", "expires_on": 1, "resource": "", "token_type": ""}
        )

    async def tokens() -> tuple[str, str, str]:
        application = web.Application()
        application.router.add_get("/token", give)
        async with served(application) as address:
            monkeypatch.setenv("IDENTITY_ENDPOINT", f"{address}/token")
            monkeypatch.setenv("IDENTITY_HEADER", "header")
            connector = connector_for(AZURE, Settings({"AzureWebJobsStorage__clientId": "the-router"}))
            assert connector.token is not None
            first, second = await connector.token(), await connector.token()
            with pytest.raises(StoreError) as refused:
                await connector.token()
            return first, second, str(refused.value)

    first, second, refused = asyncio.run(tokens())
    assert (first, second) == ("token-1", "token-2")
    assert set(asked) == {("https://ossrdbms-aad.database.windows.net", "the-router")}
    assert refused.startswith(f"{AZURE.name}: nobody is signed in to Azure, whose token would be the password (")
    assert "s3cret" not in refused


def test_what_is_not_installed_is_said_with_what_to_install() -> None:
    """By the extra that brings it."""
    with pytest.raises(
        BadUsage, match=r'^postgresql: is not installed; install "alert-router\[postgresql\] @ .*", which a state'
    ):
        refuse_absent(("router.no_such_module",), "a state in PostgreSQL", "postgresql")
