"""GetDevice and SearchSpendingLimits: a request and the time become an answer."""

import json
import re
from urllib.parse import unquote

from exporter.simulator.devices import SimulatedDevice
from exporter.simulator.wire import JsonObject, ServiceError, account_of, invalid, region_of
from exporter.simulator.world import World

GET_DEVICE = "GetDevice"
SEARCH_SPENDING_LIMITS = "SearchSpendingLimits"

_DEVICE_PATH = re.compile(r"/device/([^/]+)")
_DEVICE_ARN = re.compile(r"arn:aws[a-z-]*:braket:[a-z0-9-]*:[0-9]*:device/[^/]+/[^/]+/.+")
_USUAL_PAGE = 20
_LARGEST_PAGE = 100
_MOST_FILTERS = 10


def operation_of(method: str, path: str) -> tuple[str, str | None] | None:
    """The operation that a request calls, and its device; None for another operation."""
    device = _DEVICE_PATH.fullmatch(path)
    if method == "GET" and device is not None:
        return GET_DEVICE, unquote(device[1])
    return (SEARCH_SPENDING_LIMITS, None) if method == "POST" and path == "/spending-limits" else None


def get_device(region: str, arn: str, world: World, now: float) -> JsonObject:
    """The GetDevice JSON; a device that the world does not describe is online."""
    if _DEVICE_ARN.fullmatch(arn) is None:
        raise invalid(f"{arn!r} is not the ARN of a device")
    if region_of(arn) not in {"", region}:
        raise ServiceError(404, "ResourceNotFoundException", f"Device {arn} does not exist in this Region")
    return (world.devices.get(arn) or SimulatedDevice(arn)).answer(now)


def search_spending_limits(region: str, account: str | None, body: bytes, world: World, now: float) -> JsonObject:
    """A page of the spending limits of a Region, and of one account unless `account` is None."""
    document = _document(body)
    size, first = _size(document), _first(document)
    devices = _devices(document)
    limits = [
        limit
        for limit in sorted(world.limits.values(), key=lambda each: each.arn)
        if region_of(limit.arn) == region
        and account in {None, account_of(limit.arn)}
        and all(limit.device in wanted for wanted in devices)
    ]
    page = limits[first : first + size]
    more = {"nextToken": str(first + size)} if first + size < len(limits) else {}
    return {"spendingLimits": [limit.entry(now) for limit in page], **more}


def _document(body: bytes) -> JsonObject:
    try:
        document = json.loads(body or b"{}")
    except ValueError:
        raise invalid("the body is not JSON") from None
    if not isinstance(document, dict):
        raise invalid("the body must be a JSON object")
    return document


def _size(document: JsonObject) -> int:
    size = document.get("maxResults", _USUAL_PAGE)
    if not isinstance(size, int) or isinstance(size, bool) or not 1 <= size <= _LARGEST_PAGE:
        raise invalid(f"maxResults must be 1 to {_LARGEST_PAGE}")
    return size


def _first(document: JsonObject) -> int:
    token = document.get("nextToken", "0")
    if not isinstance(token, str) or not token.isdecimal():
        raise invalid("nextToken is not valid")
    return int(token)


def _devices(document: JsonObject) -> list[list[object]]:
    """The values of each filter by device."""
    filters = document.get("filters", [])
    if not isinstance(filters, list) or len(filters) > _MOST_FILTERS:
        raise invalid(f"filters must be a list of at most {_MOST_FILTERS}")
    return [_values(each) for each in filters]


def _values(one: object) -> list[object]:
    if not isinstance(one, dict) or (one.get("name"), one.get("operator")) != ("deviceArn", "EQUAL"):
        raise invalid("a filter must have the name deviceArn and the operator EQUAL")
    values = one.get("values")
    if not isinstance(values, list) or not 1 <= len(values) <= 10:
        raise invalid("a filter must have 1 to 10 values")
    return values
