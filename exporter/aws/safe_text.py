"""Parts of a service's text that are safe to show: each matches a strict pattern, so none of them is a credential."""

import errno
import os
import re
from typing import Final

LONGEST_MESSAGE: Final = 400

_CODE: Final = re.compile(r"[A-Z][A-Za-z]{2,54}(?:Exception|Error|Fault)")
_ARN_TEXT: Final = r"arn:aws[a-z-]{0,10}:[a-z0-9-]{1,40}:[a-z0-9-]{0,30}:\d{0,12}:[\w+=,.@/:*-]{1,256}"
_ARN: Final = re.compile(_ARN_TEXT, re.ASCII)
_ACCOUNT: Final = re.compile(r"\d{12}", re.ASCII)
_DENIAL: Final = re.compile(
    rf"User: (?P<user>{_ARN_TEXT}) is not authorized to perform: (?P<action>[a-z0-9-]{{2,40}}:[A-Za-z]{{2,64}})"
    rf"(?: on resource: (?P<resource>{_ARN_TEXT}|\*))?"
    r"(?: (?P<reason>because no [a-z -]{4,40} policy allows the [a-z0-9-]{2,40}:[A-Za-z]{2,64} action"
    r"|with an explicit deny in an? [A-Za-z -]{4,40} policy))?",
    re.ASCII,
)
"""AWS's description of a missing permission."""


def is_error_code(text: str) -> bool:
    """Return whether a text has the form of an AWS error code."""
    return _CODE.fullmatch(text) is not None


def arn_in(value: object) -> str:
    """Return an ARN of a response; empty if the value is not an ARN."""
    return value if isinstance(value, str) and _ARN.fullmatch(value) else ""


def account_in(value: object) -> str:
    """Return an account of a response; empty if the value is not an account."""
    return value if isinstance(value, str) and _ACCOUNT.fullmatch(value) else ""


def denial_in(message: str) -> str:
    """Rebuild AWS's description of a missing permission, from parts that are ARNs and names of actions."""
    match = _DENIAL.search(message[:4096])
    if match is None:
        return ""
    resource = f" on resource: {match['resource']}" if match["resource"] else ""
    reason = f" {match['reason']}" if match["reason"] else ""
    return f": User: {match['user']} is not authorized to perform: {match['action']}{resource}{reason}"


def errno_text(error: OSError) -> str:
    """Return the operating system's text for an error number; the name of the exception for any other number."""
    number = error.errno
    return type(error).__name__ if number is None or number not in errno.errorcode else os.strerror(number)
