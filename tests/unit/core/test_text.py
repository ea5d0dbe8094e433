"""Values in error messages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.core import format_name, format_value
from exporter.core.text import LONGEST_SHOWN

PASSWORDS = st.text(st.characters(codec="ascii", min_codepoint=33, exclude_characters='"\\:'), min_size=8)


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("http://user:s3cr3t@host:0", "http://***@host:0"),
        ("ftp://s3cr3t@host", "ftp://***@host"),
        ("http://user:s3c/r3t@127.0.0.1:1", "http://***@127.0.0.1:1"),
        ("http://user:s3c@r3t@host", "http://***@host"),
        ("http://user:s3cr3t@[::1", "http://***@[::1"),
        ("-ohttp://user:s3cr3t@host", "-ohttp://***@host"),
        ("user:s3cr3t@host:9834", "***@host:9834"),
    ],
)
def test_an_error_shows_no_login(typed: str, shown: str) -> None:
    assert format_name(typed) == shown
    assert format_value(typed) == f'"{shown}"'
    assert format_value({typed: [typed]}) == f'{{"{shown}": ["{shown}"]}}'


@pytest.mark.parametrize(
    "typed",
    [
        "http://localhost:9834",
        "team=a:b@c",
        "(?:a|b)@x",
        "arn:aws:braket:us-west-2:123456789012:job/a@b",
        "mail@x",
        "@",
    ],
)
def test_a_value_without_a_login_is_shown_as_it_was_typed(typed: str) -> None:
    assert format_name(typed) == typed
    assert format_value(typed) == f'"{typed}"'


@given(PASSWORDS, st.integers(0, 2 * LONGEST_SHOWN))
def test_no_password_is_shown_wherever_a_long_value_is_cut(password: str, length: int) -> None:
    text = f"{'x' * length}http://user:{password}@host"
    assert password not in format_value(text)
    assert password not in format_name(text)


def test_a_value_of_many_slashes_takes_no_long_time() -> None:
    assert format_value("//" * 1_000_000).startswith('"////')
