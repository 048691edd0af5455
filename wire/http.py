"""HTTP clients that read the machine's certificates only where a server is reached by HTTPS.

Reading them costs a tenth of a second, and the components of a hub on one machine speak plain HTTP.
"""

from __future__ import annotations

import ssl
from typing import Any

import httpx


def client(url: str, **options: Any) -> httpx.Client:
    """A client for this base URL; ``options`` are httpx's."""
    trust = True if url.lower().startswith("https:") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return httpx.Client(base_url=url.rstrip("/") + "/", verify=trust, **options)


def check(url: str, path: str, timeout_s: float = 2.0) -> None:
    """GET answers well. Raises httpx errors."""
    with client(url, timeout=timeout_s) as asked:
        asked.get(path).raise_for_status()
