"""How one end of a connection refuses what the other wants."""

from __future__ import annotations


class Refused(Exception):
    """Ends what it is raised in: a delivery is rejected, a link detached, a connection closed, with this condition."""

    def __init__(self, condition: str, description: str) -> None:
        super().__init__(f"{condition}: {description}")
        self.condition, self.description = condition, description


class Malformed(Refused):
    """Bytes that are not AMQP."""

    def __init__(self, description: str) -> None:
        super().__init__("amqp:decode-error", description)
