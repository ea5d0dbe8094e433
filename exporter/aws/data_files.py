"""The SDK's data files, in less memory and time.

Its own loader takes seven times as long and 7 MB more for the endpoints, and looks twice into the folder of each of 400
services.
"""

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, Any, Final

from botocore.exceptions import DataNotFoundError
from botocore.loaders import JSONFileLoader, Loader

SERVICES: Final = ("braket", "signin", "sqs", "sso", "sso-oidc", "sts")
"""The services of all clients, those of credential providers included. The image has the data files of these alone."""

_ENDPOINTS: Final = frozenset({"braket", "oidc", "portal.sso", "signin", "sts"})
"""The services that keep their endpoints: Braket, and those that credential providers call.

botocore derives the endpoint of another service from the Region.
"""

_START: Final = b'\n    "services" : {'
_ENTRY_END: Final = b"\n      }"
_END: Final = b"\n    }"
"""The lines around the services of a partition, and after each of them."""


class _DataFiles(JSONFileLoader):
    """Reads files into plain dictionaries, and drops the endpoints of services that the exporter does not call.

    With a release of botocore without this method, the files are read as usual.
    """

    def _load_file(self, full_path: str, open_method: Callable[[str, str], IO[bytes]]) -> Any:  # noqa: ANN401 -- JSON
        if not Path(full_path).is_file():
            return None
        with open_method(full_path, "rb") as file:
            text = file.read()
        return read_endpoints(text) if Path(full_path).name == "endpoints.json" else json.loads(text)


def read_endpoints(text: bytes) -> Any:  # noqa: ANN401 -- JSON
    """Read the endpoints of the services that the exporter calls. In the layout of the file, the others are not parsed.

    Raises:
        ValueError: it is not JSON.
    """
    try:
        data = json.loads(_without_other_services(text))
    except ValueError:  # another layout
        data = json.loads(text)
    for partition in data["partitions"]:
        services = partition["services"]
        partition["services"] = {name: services[name] for name in _ENDPOINTS & services.keys()}
    return data


def _without_other_services(text: bytes) -> bytes:
    """Remove the other services from the text.

    Raises:
        ValueError: its layout is not as expected.
    """
    kept, place = list[bytes](), 0
    while (found := text.find(_START, place)) >= 0:
        start = found + len(_START)
        end = text.index(_END, start)
        kept += [text[place:start], b",".join(_entries(text, start, end))]
        place = end
    return b"".join((*kept, text[place:]))


def _entries(text: bytes, start: int, end: int) -> Iterator[bytes]:
    for name in _ENDPOINTS:
        first = text.find(b'\n      "%s" : {' % name.encode(), start, end)
        if first >= 0:
            yield text[first : text.index(_ENTRY_END, first, end) + len(_ENTRY_END)]
        elif text.find(b'"%s"' % name.encode(), start, end) >= 0:
            raise ValueError(f"{name} is not where it is expected")


class _Services:
    """The services that have a file of a type."""

    def __init__(self, loader: Loader, every: Callable[[], list[str]], type_name: str) -> None:
        self._loader, self._every, self._type = loader, every, type_name

    def __contains__(self, service: str) -> bool:
        try:
            return bool(self._loader.list_api_versions(service, self._type))
        except DataNotFoundError:
            return False

    def __iter__(self) -> Iterator[str]:
        return iter(self._every())


class DataLoader(Loader):
    """Reads the SDK's data files."""

    def __init__(self) -> None:
        super().__init__(file_loader=_DataFiles())

    def list_available_services(self, type_name: str) -> _Services:
        """Return the services that have a file of a type; a look-up reads the folder of one service."""
        return _Services(self, partial(super().list_available_services, type_name), type_name)
