"""What is said where a host is not reached: which one, and why, without a URL."""

from __future__ import annotations


def why_unreached(host: str, fault: BaseException) -> str:
    """Which host is not reached, and what the system or TLS has against it."""
    if (untrusted := find_untrusted(fault)) is not None:
        return not_trusted(host, untrusted)
    # `socket` has that error, which nothing here may import.
    if type(fault).__name__ == "gaierror":
        return f"{host}: its name is not known"
    if isinstance(fault, ConnectionRefusedError):
        return f"{host}: the connection was refused"
    if isinstance(fault, ConnectionError):
        return f"{host}: the connection was cut off"
    if isinstance(fault, TimeoutError):
        return f"{host}: no answer in time"
    return f"{host}: no connection ({type(fault).__name__})"


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
