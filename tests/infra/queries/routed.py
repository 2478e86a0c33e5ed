"""Rows that the program sends: the demo's samples, routed by the starter's rules to Log Analytics on loopback."""

from __future__ import annotations

import asyncio
from pathlib import Path

from alert_router_demo.connection import connected
from alert_router_demo.soc import Soc
from router.app.rules import load_rules
from router.cli.incoming import open_files
from router.cli.run_job import Job, do
from router.domain.signals import Stream
from tests.builders import NOW, RULES
from tests.infra.queries.workspace import Rows

SAMPLES = Path(__file__).parents[3] / "alert_router_demo" / "samples"


def routed_rows(state: Path) -> Rows:
    """The rows by table that the SOC was sent for the samples, all of them at NOW."""
    return asyncio.run(_routed(state))


async def _routed(state: Path) -> Rows:
    async with Soc.running() as soc:
        rules, settings = connected(load_rules(RULES, list(Stream), NOW), soc)
        job = Job(rules=rules, only=None, state=state, decisions=None, settings=settings, clock=lambda: NOW)
        with open_files([str(SAMPLES / name) for name in ("cwpp.ndjson", "cspm.ndjson")]) as files:
            await do(job, files)
        return {stream.removeprefix("Custom-"): list(rows) for stream, rows in soc.logs.rows.items()}
