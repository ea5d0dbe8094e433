"""The address that the error of a listen address suggests."""

import errno

import pytest

from exporter.app.listen import _other_address


@pytest.mark.parametrize(
    ("address", "code", "other"),
    [
        (":9834", errno.EADDRINUSE, ":9835"),
        ("127.0.0.1:9834", errno.EADDRINUSE, "127.0.0.1:9835"),
        ("127.0.0.1:9835", errno.EADDRINUSE, "127.0.0.1:9836"),
        ("[::1]:9834", errno.EADDRINUSE, "[::1]:9835"),
        ("localhost:80", errno.EACCES, "localhost:9835"),
        ("203.0.113.77:9834", errno.EADDRNOTAVAIL, "127.0.0.1:9834"),
        ("nowhere.example:9834", -2, "127.0.0.1:9834"),
    ],
)
def test_the_host_is_kept_unless_it_is_the_problem(address: str, code: int, other: str) -> None:
    assert _other_address(address, code) == other
