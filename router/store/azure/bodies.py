"""Bodies: compressed inside their row, in a blob where a row cannot hold them.

A column holds 64 KiB: https://learn.microsoft.com/rest/api/storageservices/understanding-the-table-service-data-model
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

from router.domain.errors import Undecodable
from router.store.azure.account import storing
from router.store.azure.tables import Entity

if TYPE_CHECKING:
    from azure.storage.blob.aio import ContainerClient

_NAME = re.compile(r"[a-z]+/.+/[0-9a-f]{32}")
"""A name as `fresh_name` makes it."""

INSIDE = 60 * 1024
"""Bytes, compressed, up to which a body lies inside its row."""


class Measured(NamedTuple):
    """Blobs that were measured.

    Attributes:
        number: how many there are.
        bytes: what they take.
        is_whole: whether those are all.
    """

    number: int
    bytes: int
    is_whole: bool


class Bodies:
    """The container for what rows cannot hold; raises StoreError. A column that lies in a blob holds the blob's name."""

    def __init__(self, container: ContainerClient) -> None:
        self._container = container

    async def prepare(self) -> None:
        """Makes the container unless it is there."""
        from azure.core.exceptions import ResourceExistsError

        async with storing("bodies"):
            try:
                await self._container.create_container()
            except ResourceExistsError:
                return

    async def column(self, body: bytes, name: str) -> bytes | str:
        """What a row holds for a body; a big one is now in the blob of that name."""
        packed = zlib.compress(body)
        if len(packed) <= INSIDE:
            return packed
        async with storing("bodies"):
            await self._container.upload_blob(name, packed, overwrite=True)
        return name

    async def read(self, column: object) -> bytes:
        """The body that a column stands for; raises Undecodable where it stands for none, also where its blob is gone."""
        from azure.core.exceptions import ResourceNotFoundError

        if isinstance(column, bytes):
            return unpacked(column)
        if not isinstance(column, str) or not _NAME.fullmatch(column):
            raise Undecodable("body: is neither bytes nor the name of a blob")
        async with storing("bodies"):
            try:
                blob = await self._container.download_blob(column)
                packed = await blob.readall()
            except ResourceNotFoundError as fault:
                if getattr(fault, "error_code", None) != "BlobNotFound":  # the container itself is missing
                    raise
                raise Undecodable("body: its blob is gone") from fault
        return unpacked(packed)

    async def delete(self, column: bytes | str | None) -> None:
        """Deletes the blob that a column names, if it names one that is there."""
        from azure.core.exceptions import ResourceNotFoundError

        if isinstance(column, str):
            async with storing("bodies"):
                try:
                    await self._container.delete_blob(column)
                except ResourceNotFoundError:
                    return

    async def page(self, folder: str, after: str | None, most: int) -> tuple[list[tuple[str, datetime]], str | None]:
        """A page of the names of a folder's blobs, each with when it was written, and where the next page begins."""
        found = self._container.list_blobs(name_starts_with=f"{folder}/", results_per_page=most)
        pages: Any = found.by_page(continuation_token=after)
        async with storing("bodies"):
            try:
                page = await anext(pages)
            except StopAsyncIteration:
                return [], None
            names = [(str(blob.name), blob.last_modified) async for blob in page]
        return names, pages.continuation_token or None

    async def tidy(self, names: Sequence[str], owner: Callable[[str], Awaitable[Entity | None]]) -> None:
        """Deletes those of some blobs that the row of their key does not name.

        Their writers died or lost a race, or the row was written anew since.
        """
        for name in names:
            row = await owner(name.partition("/")[2].rpartition("/")[0])
            if row is None or name not in row.values():
                await self.delete(name)

    async def measure(self, most: int) -> Measured:
        """What the blobs of so many pages take; nothing where there is no container."""
        from azure.core.exceptions import ResourceNotFoundError

        pages: Any = self._container.list_blobs().by_page()
        number = size = 0
        async with storing("bodies"):
            try:
                for _ in range(most):
                    page = [blob async for blob in await anext(pages)]
                    number, size = number + len(page), size + sum(blob.size for blob in page)
                    if not pages.continuation_token:
                        return Measured(number, size, is_whole=True)
            except StopAsyncIteration:
                return Measured(number, size, is_whole=True)
            except ResourceNotFoundError:
                return Measured(0, 0, is_whole=True)
        return Measured(number, size, is_whole=False)


def fresh_name(folder: str, key: str) -> str:
    """A name that no blob has: what loses a race must not lie where the winner's body is."""
    return f"{folder}/{key}/{uuid4().hex}"


def unpacked(packed: Any) -> bytes:
    """A body as it was; raises Undecodable where it is damaged."""
    try:
        return zlib.decompress(packed)
    except (zlib.error, TypeError) as fault:
        raise Undecodable("body: cannot be unpacked") from fault
