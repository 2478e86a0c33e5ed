"""A mail as bytes: headers that nothing can be put into, a text and a page.

The library's own message would read an encoded word in a subject as what it stands for, line ends and all, and draws the
boundary by chance. So headers are written here, with the library's older and plainer tool for words that are no ASCII.

https://www.rfc-editor.org/rfc/rfc5322 (headers), https://www.rfc-editor.org/rfc/rfc2046#section-5.1.4 (two forms of one)
"""

from __future__ import annotations

import re
from binascii import b2a_qp
from collections.abc import Mapping
from email.header import Header

_PLAIN = re.compile(r"[\x20-\x7e]*")
_LONGEST_LINE = 76  # characters; 78 are advised, and a name with its colon stands before the first


def mail_of(headers: Mapping[str, str], text: str, page: str, boundary: str) -> bytes:
    """A mail that says the same as a text and as a page of HTML, of which a reader is shown one.

    `headers` are ASCII on one line but for the subject. `boundary` is letters and digits; with the signs before it, it
    stands in no part: https://www.rfc-editor.org/rfc/rfc2045#section-6.7 (5).
    """
    edge = f"=_{boundary}"
    lines = [f"{name}: {_encoded(name, value)}" for name, value in headers.items()]
    lines += ["MIME-Version: 1.0", f'Content-Type: multipart/alternative; boundary="{edge}"', ""]
    for kind, content in (("plain", text), ("html", page)):
        lines += [f"--{edge}", f'Content-Type: text/{kind}; charset="utf-8"']
        lines += ["Content-Transfer-Encoding: quoted-printable", "", _quoted(content), ""]
    return "\r\n".join([*lines, f"--{edge}--", ""]).encode("ascii")


def _encoded(name: str, value: str) -> str:
    """A header's value: itself where it is short and plain, else in words of base64, which nobody reads as anything else."""
    if _PLAIN.fullmatch(value) and len(name) + len(value) < _LONGEST_LINE and "=?" not in value:
        return value
    if name != "Subject":
        if not _PLAIN.fullmatch(value):
            raise ValueError(f"{name}: is no ASCII on one line")
        return value.replace(", ", ",\r\n ")
    return Header(value, "utf-8", maxlinelen=_LONGEST_LINE, header_name=name).encode(linesep="\r\n")


def _quoted(content: str) -> str:
    return b2a_qp(content.encode("utf-8", "replace"), istext=True).decode("ascii").replace("\n", "\r\n")
