"""Parser of JSON responses and messages. Pure."""

import json


def read_json(body: bytes) -> object:
    """Read the JSON value of a response.

    Bytes that are not UTF-8 become replacement characters, and a number with thousands of digits becomes a
    floating-point number, so that the other members can be read.

    Raises:
        ValueError: the body is not JSON, or is nested too deeply.
    """
    return read_json_text(body.decode("utf-8", "replace"))


def read_json_text(text: str) -> object:
    """Read a JSON value, as ``read_json`` does.

    Raises:
        ValueError: the text is not JSON, or is nested too deeply.
    """
    try:
        return _read(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _read(text: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError:  # Python does not parse whole numbers of more than 4,300 digits
        return json.loads(text, parse_int=float)
