"""`alert-router report`: what came in and what became of it, as a file for who asks."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from router.cli.open_state import store_in
from router.cli.option_values import clock_for, rules_given
from router.cli.printing import json_of, print_lines
from router.domain.errors import BadFile
from router.domain.readable import timestamp


def report(options: Namespace) -> int:
    """Write the report on a state into a file."""
    from router.console.report import report_file  # for which no other command waits

    document = asyncio.run(_read(options))
    now = clock_for(options.now)()
    content = json_of(document) if options.format == "json" else report_file(document, now).encode()
    try:
        options.out.write_bytes(content)
    except OSError as fault:
        raise BadFile(f"{options.out}: the report cannot be written there: {fault.strerror}") from fault
    print_lines([f"{options.out}: the report from {document['begins']} to {timestamp(now)}"])
    return 0


async def _read(options: Namespace) -> Mapping[str, Any]:
    from router.console.report import read_report

    async with store_in(options) as store:
        now = clock_for(options.now, store.now)()
        return await read_report(store, rules_given(options.rules, None, now), options.since, now)
