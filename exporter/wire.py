"""The bodies of Braket's responses, past botocore's own reading of them.

botocore reads a body member by member along its service model. One entry of another shape, such as a number among the
jobs or a list as ``tags``, ends that with an exception, and a page of 100 jobs is lost. So the body leaves the SDK as
it came, and ``exporter.parse`` reads it. That also costs less time than botocore's reading.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from exporter.parse import ParseError

_BODY: Final = "_body"
_FIRST_ERROR_STATUS: Final = 301
"""From this status on botocore reads a response as an error."""


class NotJsonError(ParseError):
    """The body is not JSON, so it does not come from Braket but from something in between, such as a proxy."""


def hand_over_bodies(client: Any) -> None:  # noqa: ANN401 -- boto3 makes the class at run time
    """Have the successful responses of a botocore client carry their body as it came, for ``body_of``.

    Error responses stay as they are.
    """
    client.meta.events.register("before-parse", _hand_over)


def body_of(response: Mapping[str, Any]) -> object:
    """Read the JSON value in the body of a response.

    Bytes that are not UTF-8 become replacement characters, and a number with thousands of digits becomes a
    floating-point one: neither may cost the other members.

    Args:
        response: the result of a call of a client with ``hand_over_bodies``.

    Raises:
        NotJsonError: the body is not JSON, or is nested too deeply.
    """
    text = response.get(_BODY, b"").decode("utf-8", "replace")
    try:
        return _json(text)
    except RecursionError as error:
        raise NotJsonError("response: nested too deeply") from error
    except ValueError as error:
        raise NotJsonError(f"response: expected JSON, got {'another text' if text else 'nothing'}") from error


def _hand_over(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object) -> None:
    """Take the body out of a response before botocore reads it."""
    if response_dict["status_code"] < _FIRST_ERROR_STATUS:
        customized_response_dict[_BODY] = response_dict["body"]
        response_dict["body"] = b"{}"


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError:  # Python refuses to read whole numbers of more than 4,300 digits
        return json.loads(text, parse_int=float)
