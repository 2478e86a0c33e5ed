"""A double of Slack's incoming webhooks, which deduplicate nothing and answer in plain text.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
https://docs.slack.dev/reference/block-kit/blocks/rich-text-block
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import orjson
from aiohttp import web

from alert_router_demo.soc.endpoint import Endpoint

BLOCKS, HEADER, TEXT, FIELDS, FIELD, ELEMENTS = 50, 150, 3_000, 10, 2_000, 10
_CONTROL = re.compile(r"<([^<>]+)>")


class SlackDouble(Endpoint):
    """Webhooks into one channel, each known by its path.

    Attributes:
        messages: what the channel shows, in order.
        called: whom their texts mentioned.
        linked: the links in their texts.
    """

    name = "slack"
    holds = "messages"

    def __init__(self, *paths: str) -> None:
        super().__init__()
        self._paths = paths
        self.messages: list[dict[str, Any]] = []
        self.called: list[str] = []
        self.linked: list[str] = []

    def headers_shown(self) -> list[str]:
        """What stands above each message."""
        return [message["blocks"][0]["text"]["text"] for message in self.messages]

    def count(self) -> int:
        """Gives how many messages the channel shows."""
        return len(self.messages)

    def routes(self) -> Iterable[web.RouteDef]:
        """Gives every path: one that is no webhook is answered by Slack itself."""
        return (web.post("/{path:.*}", self._post),)

    def error_body(self, status: int, message: str) -> Any:
        """Gives one word."""
        return {400: "invalid_payload", 404: "no_service", 429: "rate_limited"}.get(status, "rollup_error")

    async def _post(self, request: web.Request) -> web.Response:
        if request.path not in self._paths:
            return web.Response(status=404, text="no_service")
        try:
            message = orjson.loads(await request.read())
        except orjson.JSONDecodeError:
            return web.Response(status=400, text="invalid_payload")
        if not isinstance(message, dict) or not message.get("text"):
            return web.Response(status=400, text="no_text")
        if not _is_sound(message.get("blocks")):
            return web.Response(status=400, text="invalid_blocks")
        self.messages.append(message)
        # A notification shows the text; it takes mentions for what they are, whether or not it is formatted.
        for text in (message["text"], *(one["text"] for one in _mrkdwn_in(message["blocks"]))):
            for inside in _CONTROL.findall(text):
                (self.called if inside[0] in "!@#" else self.linked).append(inside)
        for one in _elements_in(message["blocks"]):
            match one:
                case {"type": "link", "url": str(url)}:
                    self.linked.append(f"{url}|{one.get('text', url)}")
                case {"type": "text"}:
                    pass
                case _:
                    self.called.append(str(one["type"]))
        return web.Response(text="ok")


def _is_sound(blocks: Any) -> bool:
    return isinstance(blocks, list) and 0 < len(blocks) <= BLOCKS and all(map(_is_sound_block, blocks))


def _is_sound_block(block: Any) -> bool:
    match block:
        case {"type": "header", "text": {"type": "plain_text", "text": str(text)}}:
            return 0 < len(text) <= HEADER
        case {"type": "section", "fields": [*fields]}:
            return 0 < len(fields) <= FIELDS and all(0 < len(one["text"]) <= FIELD for one in fields)
        case {"type": "section", "text": {"type": "mrkdwn" | "plain_text", "text": str(text)}}:
            return 0 < len(text) <= TEXT
        case {"type": "context", "elements": [*elements]}:
            return 0 < len(elements) <= ELEMENTS and all(0 < len(one["text"]) <= TEXT for one in elements)
        case {"type": "rich_text", "elements": [*sections]}:
            return bool(sections) and all(
                one["type"] == "rich_text_section" and one["elements"] and all(map(_is_sound_element, one["elements"]))
                for one in sections
            )
        case _:
            return False


def _is_sound_element(element: Any) -> bool:
    match element:
        case {"type": "text" | "link", "text": ""}:
            return False
        case {"type": "text", "text": str()} | {"type": "link", "url": str()}:
            return True
        case {"type": "user" | "usergroup" | "broadcast" | "channel"}:
            return True
        case _:
            return False


def _elements_in(blocks: Iterable[Any]) -> Iterator[Any]:
    """What the lines of rich text are made of, in which no text has a meaning of its own."""
    for block in blocks:
        if block["type"] == "rich_text":
            for section in block["elements"]:
                yield from section["elements"]


def _mrkdwn_in(value: Any) -> Iterator[Any]:
    match value:
        case {"type": "mrkdwn"}:
            yield value
        case dict():
            for item in value.values():
                yield from _mrkdwn_in(item)
        case list():
            for item in value:
                yield from _mrkdwn_in(item)
