"""The error tree. A message starts with the thing at fault and says what to do."""

from __future__ import annotations

from collections.abc import Sequence


class RouterError(Exception):
    """Anything this program raises on purpose."""


class UserError(RouterError):
    """Something a person can mend; its text is one line that starts with the thing at fault."""


class BadUsage(UserError):
    """The command line cannot be followed."""


class BadField(BadUsage):
    """What a person wrote in one field of a form, or for the option of that name, cannot be followed.

    Attributes:
        field: its name; empty where several fields, or what they are about, are at fault.
        words: what is wrong, and what to write. Names of other fields stand in backticks.
    """

    def __init__(self, field: str, words: str) -> None:
        super().__init__(f"{field}: {words}" if field else words)
        self.field = field
        self.words = words


class BadFile(UserError):
    """A file cannot be read or written, or does not hold what it should."""


class BadPolicy(UserError):
    """A policy cannot be used."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class BadSetting(UserError):
    """An app setting is missing, or does not hold what it should."""


class StateInUse(UserError):
    """Another process works on the same state."""


class StoreError(RouterError):
    """The state could not be read or written."""


class Unstorable(StoreError):
    """The state refuses a value: one of the messages of a batch is at fault, and not the state."""


class Undecodable(RouterError):
    """A row of the state, or a column of it, is not what was written; the text names it and quotes nothing of it."""


class HubError(RouterError):
    """An event hub could not be reached, read or written."""


class Ending(RouterError):
    """This process is told to end and begins nothing further: ask again, and another process answers."""


class DeliveryError(RouterError):
    """A destination did not take what it was sent. The text never holds a secret or a URL query."""


def without_words(error: str) -> str:
    """What a delivery's error says without the vendor's own words, which may quote what it was sent."""
    return error.split(" (", 1)[0]


class Unavailable(DeliveryError):
    """The destination may take it later.

    Attributes:
        retry_after: the seconds that it asks us to wait, where it says so.
        is_crowded: whether it is asked too much, as it says or as we see, so that any other request makes that worse.
    """

    def __init__(self, message: str, *, retry_after: float | None = None, is_crowded: bool = False) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.is_crowded = is_crowded


class Unauthorized(DeliveryError):
    """The destination refuses our credentials, so nothing else will get through either."""


class Rejected(DeliveryError):
    """The destination will never take this delivery.

    Attributes:
        authenticated: whether it accepted our credentials before it refused the request for its content.
    """

    def __init__(self, message: str, *, status: int | None = None, authenticated: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.authenticated = authenticated
