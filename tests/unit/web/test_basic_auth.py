"""Logins: who is let in, what a check costs, and what is remembered of it."""

import base64

import bcrypt
import pytest

from exporter.web.http import basic_auth as auth_module
from exporter.web.http.basic_auth import BasicAuth


def hashed(password: str, cost: int = 4) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).decode()


def basic(user: str, password: str, scheme: str = "Basic") -> str:
    return f"{scheme} {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


ALICE, BOB = hashed("wonder:land"), hashed("bärbel", 5)
GOOD = basic("alice", "wonder:land")


@pytest.fixture
def auth() -> BasicAuth:
    return BasicAuth({"alice": ALICE, "bob": BOB}, b"secret")


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect the hashes that are checked against."""
    hashes: list[str] = []
    original = bcrypt.checkpw

    def noted(password: bytes, hashed_password: bytes) -> bool:
        hashes.append(hashed_password.decode())
        return original(password, hashed_password)

    monkeypatch.setattr(bcrypt, "checkpw", noted)
    return hashes


@pytest.mark.parametrize(
    "authorization",
    [GOOD, basic("bob", "bärbel"), basic("alice", "wonder:land", "bAsIc"), GOOD.replace(" ", "   ")],
    ids=["alice", "bob", "any-case", "blanks"],
)
def test_who_knows_the_password_is_let_in(auth: BasicAuth, authorization: str) -> None:
    assert auth.check(authorization)


@pytest.mark.parametrize(
    "authorization",
    [
        basic("alice", "wonder:land "),
        basic("alice", ""),
        basic("alice", "bärbel"),
        basic("Alice", "wonder:land"),
        basic("", "wonder:land"),
        basic("carol", "wonder:land"),
        basic("alice", "wonder:land\0"),
        basic("alice", "\0"),
    ],
)
def test_who_does_not_is_not(auth: BasicAuth, authorization: str) -> None:
    assert auth.verdict(authorization) is None
    assert not auth.check(authorization)
    assert auth.verdict(authorization) is False


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Basic",
        "Basic ",
        "Bearer abc",
        "Basic !!!",
        "Basic YWxpY2U",
        "Basic YWxpY2U=",
        "Basic é",
        GOOD[:-1],
        GOOD + "é",
    ],
)
def test_what_is_no_login_is_refused_without_a_check(auth: BasicAuth, authorization: str, checked: list[str]) -> None:
    assert auth.verdict(authorization) is False
    assert not auth.check(authorization)
    assert checked == []


@pytest.mark.parametrize("prefix", ["$2a$", "$2b$", "$2y$"])
def test_hashes_of_other_tools_are_understood(prefix: str) -> None:
    assert BasicAuth({"alice": prefix + ALICE[4:]}, b"").check(GOOD)


def test_a_password_counts_to_its_72nd_byte_as_with_every_bcrypt() -> None:
    auth = BasicAuth({"alice": hashed("x" * 72)}, b"")
    assert auth.check(basic("alice", "x" * 100))
    assert not auth.check(basic("alice", "x" * 71))


@pytest.mark.parametrize(("password", "verdict"), [("wonder:land", True), ("wrong", False)])
def test_a_verdict_is_kept(auth: BasicAuth, checked: list[str], password: str, verdict: bool) -> None:  # noqa: FBT001
    login = basic("alice", password)
    assert auth.verdict(login) is None
    assert [auth.check(login) for _ in range(3)] == [verdict] * 3
    assert auth.verdict(login) is verdict
    assert checked == [ALICE]


def test_an_unknown_user_costs_a_check_of_the_same_known_hash_each_time(auth: BasicAuth, checked: list[str]) -> None:
    for password in ("a", "b", "c"):
        auth.check(basic("carol", password))
    assert checked in ([ALICE] * 3, [BOB] * 3)
    for number in range(40):
        auth.check(basic(f"nobody{number}", ""))
    assert set(checked) == {ALICE, BOB}


def test_an_unknown_user_with_the_password_of_the_known_hash_is_not_let_in() -> None:
    auth = BasicAuth({"alice": ALICE}, b"")
    assert not auth.check(basic("carol", "wonder:land"))
    assert auth.check(GOOD)


def test_guesses_do_not_push_out_who_was_let_in(auth: BasicAuth, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth_module, "MAX_REJECTED", 3)
    auth.check(GOOD)
    for number in range(10):
        auth.check(basic("alice", str(number)))
    assert auth.verdict(GOOD)
    assert [auth.verdict(basic("alice", str(number))) for number in range(10)] == [None] * 7 + [False] * 3


def test_not_even_good_verdicts_are_kept_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth_module, "MAX_ADMITTED", 2)
    auth = BasicAuth({"alice": hashed("x" * 72)}, b"")
    logins = [basic("alice", "x" * length) for length in (72, 73, 74)]
    assert all(auth.check(login) for login in logins)
    assert [auth.verdict(login) for login in logins] == [None, True, True]


def test_no_password_is_kept(auth: BasicAuth) -> None:
    auth.check(GOOD)
    auth.check(basic("alice", "hunter2"))
    kept = repr(vars(auth))
    assert "wonder" not in kept
    assert "hunter2" not in kept
