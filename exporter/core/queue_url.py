"""Parser of the URLs of SQS queues. Pure."""

import re
from typing import Final, NamedTuple
from urllib.parse import SplitResult, urlsplit

_EXPECTED: Final = "expected https://sqs.<region>.amazonaws.com/<account>/<queue name>"
_PRINTABLE: Final = re.compile(r"[!-~]+")
_PATH: Final = re.compile(r"/(\d{12})/([A-Za-z0-9_-]{1,80}|[A-Za-z0-9_-]{1,75}\.fifo)", re.ASCII)
_DOMAINS: Final = r"amazonaws\.com(?:\.cn)?|api\.aws|api\.amazonwebservices\.com\.cn|amazonaws\.eu"
_AWS_HOST: Final = re.compile(rf"(?:.+\.)?(?:{_DOMAINS})")
_REGION_IN_HOST: Final = re.compile(
    rf"(?:.+\.)?sqs(?:-fips)?\.(?P<region>[a-z0-9-]+)\.(?:vpce\.)?(?:{_DOMAINS})"
    r"|(?P<legacy>[a-z0-9-]+)\.queue\.amazonaws\.com(?:\.cn)?"
)
_LEGACY_HOST: Final = "queue.amazonaws.com"
_LEGACY_REGION: Final = "us-east-1"


class QueueAddress(NamedTuple):
    """The parts of a queue's URL.

    Attributes:
        account: the account that owns the queue.
        name: the name of the queue.
        region: the Region in the host; empty if the host has none.
    """

    account: str
    name: str
    region: str

    @property
    def label(self) -> str:
        """The name of the queue in messages."""
        return f"{self.account}/{self.name}"


def parse_queue_url(url: str) -> QueueAddress:
    """Split the URL of a queue, ``https://sqs.<region>.amazonaws.com/<account>/<queue name>``.

    A host outside AWS, such as that of an SQS-compatible server, may use ``http``.

    Raises:
        ValueError: the text is not such a URL. The message does not contain any part of the text.
    """
    parts = _split(url)
    path = _PATH.fullmatch(parts.path)
    if path is None:
        raise ValueError(f"not the URL of an SQS queue; {_EXPECTED}")
    host = parts.hostname or ""
    if parts.scheme == "http" and _AWS_HOST.fullmatch(host):
        raise ValueError("http is valid only for a server outside AWS; use https")
    return QueueAddress(path[1], path[2], _region(host))


def _split(url: str) -> SplitResult:
    if "@" in url:
        raise ValueError(f"the URL of a queue cannot contain a user, a password or @; {_EXPECTED}")
    problem = f"not the URL of an SQS queue; {_EXPECTED}"
    if not _PRINTABLE.fullmatch(url):
        raise ValueError(problem)
    try:
        parts = urlsplit(url)
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise ValueError(problem) from None
    if not valid or "?" in url or "#" in url:
        raise ValueError(problem)
    return parts


def _region(host: str) -> str:
    if host == _LEGACY_HOST:
        return _LEGACY_REGION
    match = _REGION_IN_HOST.fullmatch(host)
    return "" if match is None else match["region"] or match["legacy"]
