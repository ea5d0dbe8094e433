"""Credentials: roles that moto's STS gives, several accounts at once, and rotation."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from processes import FAST, HASTY, Daemon, closed_port, daemon, eventually, iso, run, wire_job
from sts import Asked, Sts, sts_before

from exporter.aws import BraketClient, CredentialsSession
from exporter.core import (
    AssumeRoleDeniedError,
    BraketError,
    CredentialsRef,
    DeniedError,
    Target,
    UnauthenticatedError,
    UnavailableError,
)
from exporter.simulator import ScriptedJob, SimulatorServer, World

ACCOUNT = "123456789012"  # the one that moto tells of keys it does not know
OTHER_ACCOUNT = "444455556666"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/watch/one"
OTHER_ROLE = f"arn:aws:iam::{OTHER_ACCOUNT}:role/two"
ARN = f"arn:aws:braket:us-west-2:{ACCOUNT}:job/5d3c7bb0-6f0f-4d3c-9c55-5a2b1f1c0f01"
OTHER = f"arn:aws:braket:eu-north-1:{OTHER_ACCOUNT}:job/5d3c7bb0-6f0f-4d3c-9c55-5a2b1f1c0f02"
QUICK = (*FAST, "--discovery-interval", "0.2s")


@pytest.fixture
def sts(moto: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sts]:
    with sts_before(moto) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)
        yield server


# Roles.


@pytest.fixture
def braket_of(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Sts], SimulatorServer]]:
    """Give Braket endpoints that know the credentials which an STS gave out."""
    created = time.time() - 3600
    lives = {arn: [(created, wire_job(arn, "RUNNING", createdAt=iso(created)))] for arn in (ARN, OTHER)}
    with ExitStack() as servers:

        def start(sts: Sts) -> SimulatorServer:
            world = World((ScriptedJob(arn, created, life) for arn, life in lives.items()), accounts=sts.accounts)
            server = servers.enter_context(SimulatorServer(world, clock=time.time))
            monkeypatch.setenv("AWS_ENDPOINT_URL_BRAKET", server.url)
            return server

        yield start


@pytest.fixture
def braket(sts: Sts, braket_of: Callable[[Sts], SimulatorServer]) -> SimulatorServer:
    return braket_of(sts)


class Caller:
    """A client of a login, and what it counted."""

    def __init__(self, login: CredentialsRef, region: str = "us-west-2") -> None:
        self.counts: list[tuple[str, str]] = []
        self.client = BraketClient(CredentialsSession(login, region), Target(ACCOUNT, "us-west-2"), self._count)

    def _count(self, target: Target, operation: str, code: str, seconds: float) -> None:  # noqa: ARG002
        self.counts.append((operation, code))

    def error(self) -> BraketError:
        with pytest.raises(BraketError) as caught:
            self.client.get_job(ARN)
        return caught.value


def test_a_role_is_assumed_once_when_it_is_needed(sts: Sts, braket: SimulatorServer) -> None:
    caller = Caller(CredentialsRef(role_arn=ROLE, external_id="seventeen"))
    assert sts.asked == []
    for _ in range(3):
        assert caller.client.get_job(ARN).status == "RUNNING"
    asked = {"RoleArn": ROLE, "RoleSessionName": "braket-exporter", "ExternalId": "seventeen", "Version": "2011-06-15"}
    assert sts.asked == [Asked("AssumeRole", "AKIDEXAMPLE", "us-west-2", asked)]
    assert [request.access_key_id for request in braket.requests] == [*sts.accounts] * 3
    assert caller.counts == [("GetJob", "ok")] * 3


def test_without_an_external_id_none_is_sent(sts: Sts, braket: SimulatorServer) -> None:
    Caller(CredentialsRef(role_arn=ROLE)).client.get_job(ARN)
    assert "ExternalId" not in sts.asked[0].fields
    assert len(braket.requests) == 1


@pytest.mark.usefixtures("braket")
def test_a_roles_account_is_who_it_is(sts: Sts) -> None:
    caller = Caller(CredentialsRef(role_arn=OTHER_ROLE))
    caller.client.identify()
    assert caller.client.target == Target(OTHER_ACCOUNT, "us-west-2")
    assert [asked.key for asked in sts.asked] == ["AKIDEXAMPLE", *sts.accounts]


def profiles(tmp_path: Path) -> dict[str, str]:
    """Write two profiles; return the environment in which they are found."""
    config, keys = tmp_path / "config", tmp_path / "credentials"
    config.write_text("[profile hub]\nregion = eu-west-2\n[profile quiet]\n")
    keys.write_text("[hub]\naws_access_key_id = AKIDHUB\naws_secret_access_key = s\n")
    return {"AWS_CONFIG_FILE": str(config), "AWS_SHARED_CREDENTIALS_FILE": str(keys)}


def test_a_role_is_assumed_with_the_keys_of_a_profile(
    sts: Sts, braket: SimulatorServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in profiles(tmp_path).items():
        monkeypatch.setenv(name, value)
    Caller(CredentialsRef(profile="hub", role_arn=ROLE), "eu-west-2").client.get_job(ARN)
    assert (sts.asked[0].key, sts.asked[0].region) == ("AKIDHUB", "eu-west-2")
    assert [request.access_key_id for request in braket.requests] == [*sts.accounts]


def test_a_profile_is_used_without_a_role_too(
    sts: Sts, braket: SimulatorServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in profiles(tmp_path).items():
        monkeypatch.setenv(name, value)
    sts.accounts["AKIDHUB"] = ACCOUNT
    assert Caller(CredentialsRef(profile="hub")).client.get_job(ARN).status == "RUNNING"
    assert [request.access_key_id for request in braket.requests] == ["AKIDHUB"]
    assert sts.asked == []


def test_credentials_are_renewed_before_they_end(sts: Sts, braket: SimulatorServer) -> None:
    caller = Caller(CredentialsRef(role_arn=ROLE))
    sts.lifetime = 500.0
    caller.client.get_job(ARN)
    sts.lifetime = 3600.0
    for _ in range(3):
        caller.client.get_job(ARN)
    assert len(sts.assumed()) == 2
    first, second = sts.accounts
    assert [request.access_key_id for request in braket.requests] == [first, second, second, second]


def test_credentials_that_can_be_renewed_later_are_used_to_their_end(
    sts: Sts, braket: SimulatorServer, caplog: pytest.LogCaptureFixture
) -> None:
    caller = Caller(CredentialsRef(role_arn=ROLE))
    sts.lifetime = 800.0
    caller.client.get_job(ARN)
    sts.deny(ROLE)
    for _ in range(2):
        assert caller.client.get_job(ARN).status == "RUNNING"
    assert len(sts.assumed()) > 1
    assert [request.access_key_id for request in braket.requests] == [*sts.accounts] * 3
    assert caplog.records == []


# STS that says no.


def test_a_role_that_may_not_be_assumed_is_named(sts: Sts, caplog: pytest.LogCaptureFixture) -> None:
    sts.deny(ROLE)
    caller = Caller(CredentialsRef(role_arn=ROLE))
    error = caller.error()
    assert type(error) is AssumeRoleDeniedError
    assert error.code == "credentials"
    assert str(error) == f"cannot assume {ROLE}: STS returned AccessDenied to AssumeRole: {sts.denial(ROLE)}"
    assert caller.counts == []
    assert caplog.records == []


def expired(sts: Sts) -> str:
    sts.refuse("ExpiredToken", "The security token included in the request is expired")
    return "STS returned ExpiredToken to AssumeRole"


def broken(sts: Sts) -> str:
    sts.refuse("InternalFailure", "Something broke", status=500)
    return "STS returned InternalFailure to AssumeRole"


def odd(sts: Sts) -> str:
    sts.refuse("hunter2hunter2", "Something broke", status=500)
    return "STS returned an error to AssumeRole"


def page(sts: Sts) -> str:
    sts.answer = 200, b"<html><p>Please log in to the network</html>"
    return "STS returned no credentials to AssumeRole"


def empty(sts: Sts) -> str:
    sts.answer = 200, b""
    return "STS returned no credentials to AssumeRole"


def cut(sts: Sts) -> str:
    sts.answer = 200, b"<a>\n<AssumeRoleResult><Credentials><SecretAccessKey>hunter2</Secr"
    return "STS returned no credentials to AssumeRole"


def without_credentials(sts: Sts) -> str:
    sts.answer = 200, b"<a><AssumeRoleResult></AssumeRoleResult></a>"
    return "STS returned no credentials to AssumeRole"


def other_xml(sts: Sts) -> str:
    sts.answer = (
        200,
        b"<a><AssumeRoleResult><Credentials><AccessKeyId>A</AccessKeyId></Credentials></AssumeRoleResult></a>",
    )
    return "STS returned no credentials to AssumeRole"


def given_until(sts: Sts, end: str, token: str = "t") -> None:
    members = f"<AccessKeyId>A</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>{token}</SessionToken>"
    result = f"<Credentials>{members}<Expiration>{end}</Expiration></Credentials>"
    sts.answer = 200, f"<a><AssumeRoleResult>{result}</AssumeRoleResult></a>".encode()


def odd_time(sts: Sts) -> str:
    given_until(sts, "soon")
    return "STS returned no credentials to AssumeRole"


def in_the_past(sts: Sts) -> str:
    given_until(sts, "2020-01-01T00:00:00Z")
    return "the credentials that were returned are expired"


def with_a_line_end(sts: Sts) -> str:
    given_until(sts, "2099-01-01T00:00:00Z", "hunter2&#10;hunter2")
    return "the session token contains a character that is not valid in an HTTP header, such as a line end"


@pytest.mark.parametrize(
    "trouble",
    [
        expired,
        broken,
        odd,
        page,
        empty,
        cut,
        without_credentials,
        other_xml,
        odd_time,
        in_the_past,
        with_a_line_end,
    ],
)
def test_a_role_that_is_not_given_for_any_other_reason_is_named_too(
    trouble: Callable[[Sts], str], sts: Sts, caplog: pytest.LogCaptureFixture
) -> None:
    words = trouble(sts)
    caller = Caller(CredentialsRef(role_arn=ROLE))
    error = caller.error()
    assert type(error) is UnauthenticatedError
    assert error.code == "credentials"
    assert str(error) == f"cannot assume {ROLE}: {words}"
    assert caller.counts == []
    assert caplog.records == []


def nowhere() -> str:
    return f"http://127.0.0.1:{closed_port()}"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (nowhere, "STS did not respond to AssumeRole"),
        (lambda: "no-url", "AWS_ENDPOINT_URL_STS is not a valid URL; expected http(s)://HOST[:PORT]"),
        (lambda: "http://127.0.0.1:99999", "AWS_ENDPOINT_URL_STS is not a valid URL; expected http(s)://HOST[:PORT]"),
    ],
)
def test_an_sts_that_cannot_be_called_is_told_with_the_role(
    url: Callable[[], str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", url())
    error = Caller(CredentialsRef(role_arn=ROLE)).error()
    assert type(error) is UnauthenticatedError
    assert error.code == "credentials"
    assert str(error) == f"cannot assume {ROLE}: {words}"


@pytest.mark.usefixtures("sts")
def test_a_role_cannot_be_assumed_by_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    error = Caller(CredentialsRef(role_arn=ROLE)).error()
    assert type(error) is UnauthenticatedError
    assert str(error).startswith(f"cannot assume {ROLE}: the AWS SDK finds none in variables, files, or ")


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("ExpiredToken", 403, UnauthenticatedError),
        ("InvalidClientTokenId", 403, UnauthenticatedError),
        ("AccessDenied", 403, DeniedError),
        ("InternalFailure", 500, UnavailableError),
    ],
)
def test_who_we_are_may_be_refused(code: str, status: int, kind: type[BraketError], sts: Sts) -> None:
    sts.refuse(code, "no", status)
    caller = Caller(CredentialsRef())
    with pytest.raises(BraketError) as caught:
        caller.client.identify()
    assert type(caught.value) is kind
    assert caught.value.code == code
    assert caller.counts == [("GetCallerIdentity", code)]


def test_a_response_of_sts_that_cannot_be_read_is_not_quoted(sts: Sts) -> None:
    cut(sts)
    with pytest.raises(UnavailableError) as caught:
        Caller(CredentialsRef()).client.identify()
    assert caught.value.code == "malformed"
    assert "hunter2" not in str(caught.value)


@pytest.mark.usefixtures("braket")
def test_the_identity_of_the_credentials_is_known(sts: Sts) -> None:
    client = Caller(CredentialsRef(role_arn=ROLE)).client
    assert client.caller_arn == ""
    client.identify()
    assert client.caller_arn == "arn:aws:sts::123456789012:assumed-role/one/braket-exporter"
    assert len(sts.asked) == 2


# Several accounts at once.

BOTH = f"""
targets:
- name: one
  role_arn: {ROLE}
  external_id: seventeen
  regions: [us-west-2]
  all_jobs: true
- name: two
  role_arn: {OTHER_ROLE}
  regions: [eu-north-1]
  all_jobs: true
"""


@pytest.fixture
def both(tmp_path: Path) -> str:
    config = tmp_path / "exporter.yaml"
    config.write_text(BOTH)
    return str(config)


def urls(braket: SimulatorServer, sts: Sts) -> dict[str, str | None]:
    return {"AWS_ENDPOINT_URL_BRAKET": braket.url, "AWS_ENDPOINT_URL_STS": sts.url}


def up(account: str, region: str, value: float = 1.0) -> str:
    name = {"us-west-2": "one", "eu-north-1": "two"}[region]
    return f'braket_exporter_target_up{{aws_account_id="{account}",aws_region="{region}",target="{name}"}} {value}'


def running(arn: str) -> str:
    return f'braket_job_status{{job_arn="{arn}",job_name="vqe-h2",status="RUNNING"}} 1.0'


def assert_no_traceback(exporter: Daemon) -> None:
    """Every line is one log event, and none has what an exception leaves behind."""
    assert exporter.lines
    for line in exporter.lines:
        assert "exception" not in json.loads(line)
        assert "Traceback" not in line


def test_two_accounts_and_regions_are_polled_each_with_its_own_credentials(
    braket: SimulatorServer, sts: Sts, both: str
) -> None:
    with daemon(*QUICK, "--config", both, env=urls(braket, sts)) as exporter:
        eventually(lambda: exporter.has(running(ARN), running(OTHER)))
        assert exporter.has(up(ACCOUNT, "us-west-2"), up(OTHER_ACCOUNT, "eu-north-1"))
        eventually(lambda: len(braket.requests) > 20)
        assert exporter.stop() == 0
    assert len(sts.assumed(ROLE)) == len(sts.assumed(OTHER_ROLE)) == 1
    assert [asked.fields.get("ExternalId") for asked in sts.assumed(ROLE)] == ["seventeen"]
    assert {asked.region for asked in sts.assumed(OTHER_ROLE)} == {"eu-north-1"}
    signed = {
        (request.region, sts.accounts[request.access_key_id or ""], request.operation) for request in braket.requests
    }
    assert signed == {
        (region, account, operation)
        for region, account in (("us-west-2", ACCOUNT), ("eu-north-1", OTHER_ACCOUNT))
        for operation in ("SearchJobs", "GetJob")
    }
    assert {request.status for request in braket.requests} == {200}
    assert exporter.logs("poll_failed") == []


def denied(sts: Sts) -> None:
    sts.deny(OTHER_ROLE)


def unreachable(sts: Sts) -> None:
    assert sts.asked == []


@pytest.mark.parametrize("trouble", [denied, expired, unreachable])
def test_a_role_that_cannot_be_assumed_is_told_and_retried_while_the_others_go_on(
    trouble: Callable[[Sts], object], moto: str, tmp_path: Path, braket_of: Callable[[Sts], SimulatorServer]
) -> None:
    config = tmp_path / "exporter.yaml"
    role = f"  role_arn: {ROLE}\n  external_id: seventeen\n"
    config.write_text(BOTH.replace(role, "  profile: hub\n"))  # keys of its own, so that it needs no STS
    with sts_before(moto, closed=trouble is unreachable) as sts:
        sts.accounts["AKIDHUB"] = ACCOUNT
        trouble(sts)
        braket = braket_of(sts)
        env = {**urls(braket, sts), **profiles(tmp_path)}
        with daemon(*QUICK, "--config", str(config), env=env, prelude=HASTY) as exporter:
            eventually(lambda: exporter.has(up(OTHER_ACCOUNT, "eu-north-1", 0.0)))
            eventually(lambda: exporter.has(running(ARN), up(ACCOUNT, "us-west-2")))
            failed = eventually(lambda: exporter.logs("poll_failed", operation="SearchJobs", code="credentials"))
            assert {line["aws_account_id"] for line in failed} == {OTHER_ACCOUNT}
            assert all(f"cannot assume {OTHER_ROLE}: " in line["message"] for line in failed)
            assert all(0 <= line["retry_in_seconds"] <= 0.2 for line in failed)
            eventually(lambda: len(exporter.logs("poll_failed")) > len(failed))
            calls = len(braket.requests)
            eventually(lambda: len(braket.requests) > calls + 3)
            assert not exporter.has(running(OTHER))
            if trouble is unreachable:
                sts.open()
            sts.recover()
            eventually(lambda: exporter.has(running(OTHER), up(OTHER_ACCOUNT, "eu-north-1"), up(ACCOUNT, "us-west-2")))
            assert exporter.stop() == 0
    assert_no_traceback(exporter)


def test_credentials_that_are_no_longer_renewed_stop_a_target_without_a_traceback(
    braket: SimulatorServer, sts: Sts, both: str
) -> None:
    sts.lifetime = 300.0  # each call renews them
    with daemon(*QUICK, "--config", both, env=urls(braket, sts), prelude=HASTY) as exporter:
        eventually(lambda: exporter.has(running(ARN), running(OTHER)))
        sts.deny(ROLE)
        eventually(lambda: exporter.has(up(ACCOUNT, "us-west-2", 0.0), up(OTHER_ACCOUNT, "eu-north-1")))
        assert exporter.has(running(ARN))
        sts.recover()
        eventually(lambda: exporter.has(up(ACCOUNT, "us-west-2"), up(OTHER_ACCOUNT, "eu-north-1")))
        assert exporter.stop() == 0
    assert exporter.logs("poll_failed", code="credentials", aws_account_id=ACCOUNT)
    assert_no_traceback(exporter)


def test_once_ends_with_1_when_a_role_cannot_be_assumed(braket: SimulatorServer, sts: Sts, both: str) -> None:
    sts.deny(ROLE)
    ended = run("once", *FAST, "--config", both, "--log-format", "json", env=urls(braket, sts), prelude=HASTY)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert ROLE in ended.stderr
    samples = ended.stdout.splitlines()
    assert {up(ACCOUNT, "us-west-2", 0.0), up(OTHER_ACCOUNT, "eu-north-1"), running(OTHER)} <= {*samples}
