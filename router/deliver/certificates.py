"""What is said of a server whose certificate is not trusted."""

from __future__ import annotations


def find_untrusted(fault: BaseException | None) -> str | None:
    """What TLS has against a server's certificate, if a fault comes of that."""
    while fault is not None:
        # aiohttp's own error is one of TLS too, and has nothing of what that says.
        said: str | None = getattr(fault, "verify_message", None)
        if said is not None:
            return said
        fault = getattr(fault, "certificate_error", None) or fault.__cause__ or fault.__context__
    return None


def not_trusted(host: str, said: str) -> str:
    """What is said of a host whose certificate TLS refuses, given what it has against it."""
    return f"{host}: its certificate is not trusted ({said}); name its authority by ALERT_ROUTER_CA_FILE"
