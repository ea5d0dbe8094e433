"""Recognition of requests that a browser sends on behalf of a web page. Pure."""

from collections.abc import Mapping


def sent_by_page(headers: Mapping[str, str]) -> bool:
    """Return whether a web page sent the POST request, by its headers in lower case.

    A browser adds ``Origin`` to each POST request. Some proxies remove it, but keep ``Sec-Fetch-Site``.
    """
    return "origin" in headers or headers.get("sec-fetch-site", "").strip().lower() in {"cross-site", "same-site"}
