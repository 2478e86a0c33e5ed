"""The certificate authority of one run, so that callers verify TLS as they do in production."""

import ssl
from pathlib import Path

import trustme


def new_authority(directory: Path) -> tuple[Path, ssl.SSLContext]:
    """Makes an authority for 127.0.0.1; gives the file of its certificate (PEM) and the server's side of TLS."""
    authority = trustme.CA()
    certificate = directory / "ca.pem"
    authority.cert_pem.write_to_path(str(certificate))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(tls)
    return certificate, tls
