"""What the forms of credentials are made of: where a word begins, what stands between a name and its value, and values."""

from __future__ import annotations

# Where a word begins: not within another, but also behind what stands for a sign in URLs (%20), JSON (\n, \u0026) and HTML.
BEGINS = r"(?:(?<![A-Za-z0-9_-])|(?<=%[0-9A-Fa-f]{2})|(?<=\\[nrt])|(?<=\\u00[0-9a-fA-F]{2}))"
EQUALS = r"(?:=(?!=)|%3[Dd]|\\u003[dD])"
COLON = r"(?:[:=]|%3[AaDd])"
BLANK = r"(?:\s|%20|\+|\\[nrt])"
QUOTE = r"(?:\\*[\"']|%2[27]|&quot;|&#3[49];)"
BETWEEN = r"(?:[\s\"'\\:=]|%20|%3[AaDd]|%22){1,8}"


def _escaped(quote: str, name: str) -> str:
    """What stands in quotes that backslashes escape: to the same quote behind as many of them, or to the line's end."""
    within = rf"(?:[^{quote}\\\r\n]++|\\++(?![{quote}\\])|(?P=lead_{name})\\++{quote})"
    return rf"(?P<lead_{name}>\\++){quote}(?P<{name}>{within}++)"


# How a text goes on behind a quote that closes what began before a name, as in grep 'password=' /etc && ...
_CLOSES = r"(?:\s|[;|&)]+\s)"
# None of the loops gives back what it took, so that no text is gone through twice.
QUOTED = "|".join(
    (
        _escaped('"', "escaped_double"),
        _escaped("'", "escaped_single"),
        rf"\"(?!{_CLOSES}|\$\(|`)(?P<double>(?:[^\"\\\r\n]++|\\[^\r\n])++)",
        rf"'(?!{_CLOSES})(?P<single>(?:[^'\r\n]++|'')++)",
        r"(?:%2[27]|&quot;|&#3[49];)(?P<named>[^\s%&\"']++)",
    )
)
# A word of a command line; a backslash is part of it, unless it escapes the quote that the whole command stands in.
BARE = r"(?:[^\s\"'&|<>;`\\%]|%(?!2[0267]|3[Bb]|0[AaDd])|\^[&|<>^]|\\++(?![\"'\\]))"
# Quotes may stand within a word of a shell's, and one alone within a value of a connection string.
_PIECE = r"(?:\"[^\"\s,:\\]++\"|'[^'\s,:\\]++'|'[^\s\"'&|<>;\\]++(?=;))"
_WHOLE = rf"{BARE}++(?:{_PIECE}{BARE}*+)*+"
WORD = rf"{QUOTED}|\{{(?P<braced>[^{{}}\r\n]++)\}}|(?P<bare>{_WHOLE})"
NO_OPTION = rf"{QUOTED}|(?![-(/])(?P<bare>{_WHOLE})"
IN_QUOTES = QUOTED
IN_A_QUERY = r"(?P<bare>(?:[A-Za-z0-9+/=_.~*!-]|%(?!2[0267]|3[BbCcEe]|0[AaDd])[0-9A-Fa-f]{2})++)"
TO_A_SIGN = r"(?P<bare>[^\s\"'\\&|<>;,\[]++)"

# The name and the value of a cookie.
COOKIE = r"[^\s=;,:\"'\\\[\]<>&|]{1,128}+"
CRUMB = r"(?:\"[^\"\r\n]*+\"|[^\s;\"'\\]*+)"


def token(form: str) -> str:
    """A value of a form that is known to its last character."""
    return f"(?P<bare>{form})"


def words_in_any_case(*names: str) -> str:
    """Names in any case, their parts joined by nothing, a hyphen or an underscore."""
    return "(?i:" + "|".join(name.replace(" ", "[-_]?") for name in names) + ")"
