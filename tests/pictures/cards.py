"""Adaptive Cards as Microsoft's own renderer draws them, in a frame like that of Teams on a phone."""

import base64
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tests import npm

_HERE = Path(__file__).parent
_LETTERS = (
    ("Letters", 400, "open-sans/files/open-sans-latin-400-normal.woff2"),
    ("Letters", 600, "open-sans/files/open-sans-latin-600-normal.woff2"),
    ("Code", 400, "fira-mono/files/fira-mono-latin-400-normal.woff2"),
)
"""Letters that are a little wider than those of Teams, which are not free: what fits in these fits there."""

_PAGE = """<!doctype html>
<meta charset="utf-8">
<style>
%(letters)s
body { margin: 0; padding: 8px; background: #f5f5f5; font-family: Letters, sans-serif; }
#card { border-radius: 6px; background: #fff; box-shadow: 0 1px 3px #0003; overflow-wrap: anywhere; }
#card .ac-textBlock p { margin: 0; }
#card .ac-actionSet { flex-wrap: wrap; row-gap: 8px; }
#card .ac-pushButton { max-width: 100%%; overflow: hidden; text-overflow: ellipsis; white-space: nowrap;
  padding: 5px 12px; border: 1px solid #d1d1d1; border-radius: 4px; background: #fff;
  font: 600 13px Letters, sans-serif; }
</style>
<body><div id="card"></div></body>
<script>%(markdown)s</script>
<script>%(cards)s</script>
<script>
AdaptiveCards.AdaptiveCard.onProcessMarkdown = (text, result) => {
  result.outputHtml = markdownit().render(text);
  result.didProcess = true;
};
const card = new AdaptiveCards.AdaptiveCard();
card.hostConfig = new AdaptiveCards.HostConfig(%(config)s);
const context = new AdaptiveCards.SerializationContext();
card.parse(%(card)s, context);
if (context.eventCount) throw new Error(Array.from({ length: context.eventCount }, (_, at) => context.getEventAt(at).message));
document.getElementById("card").append(card.render());
</script>
"""

_COLOURS = {
    "default": "#242424", "accent": "#5b5fc7", "good": "#0e700e", "warning": "#835b00", "attention": "#c4314b",
    "light": "#f5f5f5", "dark": "#242424",
}  # fmt: skip
_CONFIG = {
    "fontFamily": "Letters, sans-serif",
    "fontTypes": {
        "default": {"fontFamily": "Letters, sans-serif"},
        "monospace": {"fontFamily": "Code, monospace", "fontSizes": {"default": 13}},
    },
    "fontSizes": {"small": 12, "default": 14, "medium": 14, "large": 18, "extraLarge": 24},
    "fontWeights": {"lighter": 400, "default": 400, "bolder": 600},
    "spacing": {"none": 0, "small": 8, "default": 12, "medium": 16, "large": 20, "extraLarge": 24, "padding": 12},
    "actions": {"actionsOrientation": "horizontal", "actionAlignment": "left", "maxActions": 6, "buttonSpacing": 8},
    "containerStyles": {
        "default": {
            "backgroundColor": "#ffffff",
            "foregroundColors": {name: {"default": code, "subtle": "#616161"} for name, code in _COLOURS.items()},
        }
    },
}


def page_of_card(card: Mapping[str, Any]) -> str:
    """A page that shows a card; installs what draws it first, where that is not done."""
    parts = {"card": _script(card), "config": _script(_CONFIG), **_installed()}
    return _PAGE % parts


@cache
def _installed() -> Mapping[str, str]:
    modules = npm.installed(_HERE, "pictures")
    letters = [
        f"@font-face {{ font-family: {family}; font-weight: {weight}; src: url(data:font/woff2;base64,"
        f"{base64.b64encode((modules / '@fontsource' / file).read_bytes()).decode()}); }}"
        for family, weight, file in _LETTERS
    ]
    scripts = {
        "markdown": modules / "markdown-it" / "dist" / "markdown-it.min.js",
        "cards": modules / "adaptivecards" / "dist" / "adaptivecards.min.js",
    }
    # Nothing in a script ends the element that it stands in.
    closed = {name: path.read_text().replace("</script", "<\\/script") for name, path in scripts.items()}
    return {"letters": "\n".join(letters), **closed}


def _script(value: object) -> str:
    return json.dumps(value).replace("<", "\\u003c")
