"""Carries the schema of a state forward by numbered steps in SQL: each once, in order, in a transaction of its own.

The first step makes the tables. A later one is a file `steps/NNNN.sql` that is never changed once it is released; it adds what
the program of the version before lets be, so that one version back can run beside.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from router.domain.errors import StoreError
from router.store.engine import Engine

STEPS = tuple(file.read_text("utf-8") for file in sorted(Path(__file__).with_name("steps").glob("*.sql")))

VERSION = len(STEPS)
"""The version of the schema that this program writes: as many steps as were carried out."""

_READ = "SELECT value FROM meta WHERE name='version'"
_WRITE = "INSERT INTO meta (name, value) VALUES ('version', ?) ON CONFLICT (name) DO UPDATE SET value=excluded.value"


async def find_version(engine: Engine) -> int:
    """Return the version of a state; 0 where there are no tables yet. Raises StoreError where the tables say none."""
    tables = await engine.table_names()
    if not tables:
        return 0
    if not {"meta", "signals"} <= tables:
        raise StoreError(
            f"{engine.name}: holds tables and says no version, as no release of this program leaves them; "
            "name another state with --state"
        )
    async with engine.session() as tx:
        value = str(await tx.value(_READ))
    if not (value.isascii() and value.isdecimal()):
        raise StoreError(f"{engine.name}: says no version in its table meta; name another state with --state")
    return int(value)


async def refuse_newer(engine: Engine, newest: int = VERSION) -> int:
    """Return the version of a state; raises StoreError where a newer program wrote it."""
    version = await find_version(engine)
    if version > newest:
        raise StoreError(
            f"{engine.name}: holds state of version {version}, and this program reads up to version {newest}; "
            "use the newer program, or name another state with --state"
        )
    return version


async def upgrade(engine: Engine, steps: Sequence[str] = STEPS) -> int:
    """Carry a state forward; return how many steps that took. Raises StoreError where a newer program wrote it.

    Of several processes that begin at once one carries a step out, and the others wait for it.
    """
    carried_out = 0
    while await refuse_newer(engine, len(steps)) < len(steps):
        async with engine.transaction() as tx:
            await tx.wait_for("upgrade")
            version = await find_version(engine)
            if version < len(steps):
                await engine.make(steps[version])
                await tx.write(_WRITE, str(version + 1))
                carried_out += 1
    return carried_out


async def prepare(engine: Engine, steps: Sequence[str] = STEPS) -> None:
    """Carry a state forward where it is behind; raises StoreError where there is none, or the role may not."""
    version = await refuse_newer(engine, len(steps))
    if version == 0:
        raise StoreError(f"{engine.name}: holds no state; begin one there with alert-router state upgrade")
    if version < len(steps):
        try:
            await upgrade(engine, steps)
        except StoreError as fault:
            raise StoreError(f"{fault}; carry it forward with alert-router state upgrade") from fault
