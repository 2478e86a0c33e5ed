"""The tags that `coverage check --live` read: kept in the state that was named, and in a file that owners.yaml may name."""

from __future__ import annotations

import asyncio
import errno
import os
from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path

from router.app.tags import keep_tags
from router.cli.complaints import complain
from router.cli.given import clock_for
from router.cli.opened_state import store_in
from router.coverage.documents import CoverageDocument
from router.coverage.live.probes import refused
from router.coverage.tags import tag_file_of
from router.domain.errors import BadFile


def wants_tags(options: Namespace) -> bool:
    """Whether anybody is there who would find owners by them."""
    return options.keep_tags is not None or options.state is not None


def refuse_unwritable(file: Path, what: str) -> None:
    """Raises BadFile where a file is to be written into a directory that is not there: before anybody waits for Azure."""
    if not file.parent.is_dir():
        raise BadFile(f"{file}: {what} cannot be written there: {os.strerror(errno.ENOENT)}")


def keep_tags_read(options: Namespace, tags: Iterable[CoverageDocument]) -> tuple[CoverageDocument, ...]:
    """Keeps tags where the options say, and returns what is lacking of a file that was asked for.

    A state keeps what it had of whatever was not answered; a file is written whole, or stays as it is. Raises BadFile and
    StoreError.
    """
    documents = tuple(tags)
    lacking = tuple(refused(one.name, one.refusals[0].reason) for one in documents if one.refusals)
    if options.state is not None:
        asyncio.run(_keep_in_state(options, documents))
        if lacking:
            complain("tags: not every one was answered; the state keeps what it had of the others")
    if options.keep_tags is None:
        return ()
    if lacking:
        complain(f"{options.keep_tags}: is not written, as not every tag was answered")
    else:
        _write(options.keep_tags, tag_file_of(documents))
    return lacking


async def _keep_in_state(options: Namespace, documents: Iterable[CoverageDocument]) -> None:
    async with store_in(options) as store:
        await keep_tags(store, documents, clock_for(options.now, store.now)())


def _write(file: Path, data: bytes) -> None:
    """Writes a file whole or not at all: whoever reads it meanwhile reads the one before."""
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        beside.write_bytes(data)
        beside.replace(file)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise BadFile(f"{file}: the tags cannot be written there: {error.strerror}") from error
