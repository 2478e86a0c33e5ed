"""`alert-router console`: shows a state in the browser, until it is told to stop."""

from __future__ import annotations

import asyncio
import sys
from argparse import Namespace
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from router.app.destination_readiness import readiness_of
from router.app.rules import Rules
from router.app.settings import Settings
from router.app.signal_life import facts_of
from router.cli.open_state import is_shared, store_in
from router.cli.option_values import author_given, rules_given
from router.cli.printing import print_lines
from router.store.store import Store


def console(options: Namespace) -> int:
    """Serve the console on a state until SIGINT or SIGTERM."""
    asyncio.run(_serve(options))
    return 0


async def _serve(options: Namespace) -> None:
    async with store_in(options) as store:
        rules = rules_given(options.rules, None, store.now())
        served = console_on(
            store, rules, Settings(), options.listen, is_shared=is_shared(options.state), author=options.author
        )
        async with served as url:
            print_lines([f"the console is at {url}", "Ctrl-C ends it"])
            sys.stdout.flush()
            await asyncio.Event().wait()


@asynccontextmanager
async def console_on(
    store: Store, rules: Rules, settings: Settings, address: str, *, is_shared: bool, author: str | None = None
) -> AsyncIterator[str]:
    """Serve the console on a store as long as the context lasts; yields the URL that opens it. Raises BadUsage.

    Where nobody signs in, who acts is the `author`, else the person whom git or this machine knows.
    """
    from router.console.application import Console  # for which no other command waits
    from router.console.serving import console_served

    # What a destination lacks the settings say of who delivers: for a directory those are here.
    readiness = readiness_of(rules, settings)
    unready = None if is_shared else readiness.unready
    shown = Console(store, rules, facts_of(rules, unready, readiness.console_url), unready)
    name = author_given(author).name if settings.console_sign_in is None else ""
    async with console_served(shown, address, name, settings) as url:
        yield url
