"""Credentials that are missing, broken, slow, secret or renewed: the SDK's own chain, with every kind of provider."""

import io
import json
import logging
import os
import socket
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import botocore.exceptions
import botocore.httpsession
import botocore.parsers
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from odd import Odd, deadline_of, odd_endpoint
from processes import closed_port, eventually, wire_job
from profiles import examples

import exporter.aws.credential_process
from exporter.app.access_results import Access, CallResult, Verdict
from exporter.app.permission_report import report
from exporter.aws import sdk_session
from exporter.aws.attempt import Attempt, Operation, Phase
from exporter.aws.client import BraketClient
from exporter.aws.credential_failures import configuration_problem
from exporter.aws.failures import failure
from exporter.aws.sessions import CredentialsSession
from exporter.core import BraketError, CredentialsRef, Target, UnauthenticatedError, UnavailableError
from exporter.telemetry import EventLog, make_logger

ACCOUNT = "123456789012"
REGION = "us-west-2"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/watch/one"
ARN = f"arn:aws:braket:{REGION}:{ACCOUNT}:job/5d3c7bb0-6f0f-4d3c-9c55-5a2b1f1c0f01"
JOB = json.dumps(wire_job(ARN, "RUNNING")).encode()


class Caller:
    """A client of a login, and what it counted."""

    def __init__(self, login: CredentialsRef | None = None) -> None:
        self.counts: list[tuple[str, str]] = []
        self.session = CredentialsSession(login or CredentialsRef(), REGION)
        self.client = BraketClient(self.session, Target(ACCOUNT, REGION), self._count)

    def _count(self, target: Target, operation: str, code: str, seconds: float) -> None:  # noqa: ARG002
        self.counts.append((operation, code))

    def works(self) -> bool:
        return self.client.get_job(ARN).status == "RUNNING"

    def error(self, within: float = 15.0) -> BraketError:
        with deadline_of(self.client, within), pytest.raises(BraketError) as caught:
            self.client.get_job(ARN)
        assert caught.value.__cause__ is caught.value.__context__ is None
        return caught.value

    def refusal(self) -> str:
        """Fail for want of credentials; return why."""
        error = self.error()
        assert (type(error), error.code) == (UnauthenticatedError, "credentials"), error
        assert self.counts == []
        return str(error)


@pytest.fixture
def odd(monkeypatch: pytest.MonkeyPatch) -> Iterator[Odd]:
    with odd_endpoint() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_BRAKET", server.url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)
        server.says(JOB, operation="GetJob")
        yield server


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the keys in the environment away."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")


class Files:
    """The SDK's files."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.config, self.credentials = folder / "config", folder / "credentials"
        monkeypatch.setenv("AWS_CONFIG_FILE", str(self.config))
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(self.credentials))

    def process(self, script: str) -> None:
        """Configure a ``credential_process`` that runs some Python."""
        program = self.folder / "give-credentials"
        program.write_text(f"#!{sys.executable}\n{script}")
        program.chmod(0o700)
        self.config.write_text(f"[profile x]\ncredential_process = {program}\n")

    def keys(self, key: str, section: str = "default") -> None:
        self.credentials.write_text(f"[{section}]\naws_access_key_id = {key}\naws_secret_access_key = s\n")


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    return Files(tmp_path, monkeypatch)


GIVEN = {"Version": 1, "AccessKeyId": "AKIDPROCESS", "SecretAccessKey": "s", "SessionToken": "t"}
X = CredentialsRef(profile="x")


def printing(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return f"print({text!r})"


def used_key(odd: Odd) -> str:
    return odd.asked[-1]["Authorization"].partition("Credential=")[2].partition("/")[0]


# credential_process.


@pytest.mark.usefixtures("bare")
def test_a_credential_process_gives_credentials(odd: Odd, files: Files) -> None:
    files.process(printing(GIVEN))
    assert Caller(X).works()
    assert used_key(odd) == "AKIDPROCESS"


PROCESSES = [
    ("import sys; sys.stderr.write('secret=hunter2hunter2\\n'); sys.exit(3)", "credential_process ended with status 3"),
    ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", "credential_process was ended by signal 15"),
    (printing("hunter2hunter2"), "credential_process wrote no valid credentials"),
    (printing({"Version": 1, "SecretAccessKey": "hunter2hunter2"}), "credential_process wrote no valid credentials"),
    (printing({"Version": "hunter2hunter2"}), "credential_process wrote no valid credentials"),
    (printing("[]"), "credential_process wrote no valid credentials"),
    (printing("[" * 60_000), "credential_process wrote no valid credentials"),
    (printing({**GIVEN, "Expiration": "hunter2hunter2"}), "credential_process wrote no valid credentials"),
    ("import sys; sys.stdout.buffer.write(b'\\xff\\xfe')", "credential_process wrote no valid credentials"),
    ("print('x' * 100_000)", "credential_process wrote more than 64 KB"),
    ("while True: print('x' * 1000)", "credential_process wrote more than 64 KB"),
    (printing({**GIVEN, "Expiration": "2020-01-01T00:00:00Z"}), "the credentials that were returned are expired"),
]


@pytest.mark.usefixtures("bare", "odd")
@pytest.mark.parametrize(("script", "why"), PROCESSES, ids=lambda text: text[:30])
def test_a_failing_credential_process_is_told_without_its_output(
    script: str, why: str, files: Files, capfd: pytest.CaptureFixture[str]
) -> None:
    files.process(script)
    assert Caller(X).refusal() == f"no credentials from profile x: {why}"
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("bare", "odd")
@pytest.mark.parametrize(
    ("mode", "why"), [(0o600, "Permission denied"), (None, "No such file or directory")], ids=["mode", "missing"]
)
def test_a_credential_process_that_cannot_be_started_is_told(mode: int | None, why: str, files: Files) -> None:
    files.process(printing(GIVEN))
    program = files.folder / "give-credentials"
    if mode is None:
        program.unlink()
    else:
        program.chmod(mode)
    assert Caller(X).refusal() == f"no credentials from profile x: credential_process cannot be started: {why}"


@pytest.mark.usefixtures("bare", "odd")
@pytest.mark.parametrize("command", ["", " ", "'unbalanced", "\x00"])
def test_an_odd_command_is_a_failure_like_any_other(command: str, files: Files) -> None:
    files.config.write_text(f"[profile x]\ncredential_process = {command}\n")
    assert Caller(X).refusal().startswith("no credentials")


@pytest.mark.usefixtures("bare")
def test_a_hanging_credential_process_is_killed_with_its_children(odd: Odd, files: Files) -> None:
    pids = files.folder / "pids"
    script = files.folder / "hang.sh"  # a shell: on a busy machine Python takes longer to start than the deadline
    script.write_text(f"sleep 600 & echo $$ $! > {pids}; wait\n")
    files.config.write_text(f"[profile x]\ncredential_process = /bin/sh {script}\n")
    caller, began = Caller(X), time.monotonic()
    error = caller.error(within=2)
    assert (type(error), error.code, str(error)) == (UnavailableError, "timeout", "no credentials within 2 s")
    assert time.monotonic() - began < 30
    assert caller.counts == []
    assert odd.heard == []
    running = [int(pid) for pid in pids.read_text().split()]
    assert len(running) == 2
    eventually(lambda: all(ended(pid) for pid in running))
    eventually(lambda: caller.client._calls._deadline._hanging == 0)
    files.process(printing(GIVEN))
    assert caller.works()


def ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.usefixtures("bare")
def test_a_credential_process_has_no_terminal_and_no_input(odd: Odd, files: Files) -> None:
    seen = files.folder / "seen"
    ask = "try: open('/dev/tty'); answer = 'a terminal'\nexcept OSError: answer = 'no terminal'\n"
    files.process(f"{ask}import sys\nopen({str(seen)!r}, 'w').write(answer + sys.stdin.read())\n{printing(GIVEN)}")
    assert Caller(X).works()
    assert seen.read_text() == "no terminal"
    assert odd.heard == ["GetJob"]


@pytest.mark.usefixtures("bare", "odd")
def test_a_role_over_a_failing_profile_is_named_with_the_cause(files: Files) -> None:
    files.process("raise SystemExit(4)")
    why = Caller(CredentialsRef(profile="x", role_arn=ROLE)).refusal()
    assert why == f"cannot assume {ROLE}: credential_process ended with status 4"


@pytest.mark.usefixtures("bare", "odd")
def test_a_source_profile_has_the_same_limits(files: Files) -> None:
    files.process("import sys; sys.stderr.write('hunter2hunter2'); sys.exit(5)")
    files.config.write_text(files.config.read_text() + f"[profile y]\nrole_arn = {ROLE}\nsource_profile = x\n")
    assert (
        Caller(CredentialsRef(profile="y")).refusal()
        == "no credentials from profile y: credential_process ended with status 5"
    )


# Prompts.


@pytest.mark.usefixtures("bare", "odd")
@pytest.mark.parametrize("role", [None, ROLE])
def test_a_profile_with_mfa_never_prompts(
    role: str | None, files: Files, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def prompt(*_: object) -> None:
        raise AssertionError("it prompts")

    monkeypatch.setattr("builtins.input", prompt)
    monkeypatch.setattr("getpass.getpass", prompt)
    files.config.write_text(
        f"[profile x]\nrole_arn = {ROLE}\nsource_profile = base\nmfa_serial = arn:aws:iam::{ACCOUNT}:mfa/me\n"
        "[profile base]\naws_access_key_id = A\naws_secret_access_key = s\n"
    )
    caller = Caller(CredentialsRef(profile="x", role_arn=role))
    subject = f"cannot assume {ROLE}" if role else "no credentials from profile x"
    for _ in range(3):
        assert caller.refusal() == (f"{subject}: the profile requires an MFA code; use a profile without mfa_serial")
    assert capfd.readouterr() == ("", "")


def test_the_parts_of_botocore_that_are_replaced_are_there() -> None:
    session = sdk_session.SdkSession(None)
    providers = {type(each).__name__: each for each in sdk_session.restricted_resolver(session, REGION).providers}
    assert providers["AssumeRoleProvider"]._prompter is sdk_session._refuse_to_prompt
    assert providers["ProcessProvider"]._popen is exporter.aws.credential_process.CredentialProcess
    nested = providers["AssumeRoleProvider"]._profile_provider_builder.providers(profile_name="x")
    assert [each._popen for each in nested if hasattr(each, "_popen")] == [
        exporter.aws.credential_process.CredentialProcess
    ]
    client = CredentialsSession(CredentialsRef()).access("braket", REGION).client
    assert set(client._endpoint.http_session._pool_classes_by_scheme.values()) == {
        exporter.aws.transport._Pool,
        exporter.aws.transport._SecurePool,
    }


# Web identity.


@pytest.fixture
def irsa(bare: None, odd: Odd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: ARG001 -- in this order
    token = tmp_path / "token"
    token.write_text("hunter2hunter2")
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
    odd.says(granted("WithWebIdentity"), operation="AssumeRoleWithWebIdentity")
    return token


def granted(kind: str = "", lifetime: float = 3600.0, key: str = "AKIDROLE") -> bytes:
    end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + lifetime))
    members = f"<AccessKeyId>{key}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>"
    credentials = f"<Credentials>{members}<Expiration>{end}</Expiration></Credentials>"
    return f"<a><AssumeRole{kind}Result>{credentials}</AssumeRole{kind}Result></a>".encode()


def test_a_web_identity_is_exchanged_for_credentials(irsa: Path, odd: Odd) -> None:
    assert irsa.exists()
    assert Caller().works()
    assert odd.heard == ["AssumeRoleWithWebIdentity", "GetJob"]
    assert used_key(odd) == "AKIDROLE"


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda token: token.unlink(), "No such file or directory"),
        (lambda token: (token.unlink(), token.mkdir()), "Is a directory"),
    ],
)
def test_a_token_file_that_vanishes_is_named_by_its_variable(
    spoil: Callable[[Path], object], why: str, irsa: Path, odd: Odd
) -> None:
    odd.says(granted("WithWebIdentity", lifetime=300), operation="AssumeRoleWithWebIdentity")  # renewed at each call
    caller = Caller()
    assert caller.works()
    caller.counts.clear()
    spoil(irsa)
    assert caller.refusal() == f"no credentials: the file in AWS_WEB_IDENTITY_TOKEN_FILE cannot be read: {why}"
    if irsa.is_dir():
        irsa.rmdir()
    irsa.write_text("again")
    assert caller.works()


@pytest.mark.usefixtures("irsa")
def test_sts_that_refuses_a_web_identity_is_told_with_the_role_and_the_code(odd: Odd) -> None:
    error = "<Error><Code>InvalidIdentityToken</Code><Message>hunter2hunter2</Message></Error>"
    odd.says(f"<ErrorResponse>{error}</ErrorResponse>".encode(), status=400, operation="AssumeRoleWithWebIdentity")
    assert Caller().refusal() == (
        f"cannot assume {ROLE}: STS returned InvalidIdentityToken to AssumeRoleWithWebIdentity"
    )


@pytest.mark.usefixtures("irsa")
@pytest.mark.parametrize("body", [b"", b"<html>", b"<a/>", b"{}"])
def test_sts_that_responds_with_something_else_is_told_with_the_role(body: bytes, odd: Odd) -> None:
    odd.says(body, operation="AssumeRoleWithWebIdentity")
    assert Caller().refusal() == f"cannot assume {ROLE}: STS returned no credentials to AssumeRoleWithWebIdentity"


@pytest.mark.usefixtures("irsa")
def test_sts_that_is_down_is_told_with_the_role(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://127.0.0.1:{closed_port()}")
    assert Caller().refusal() == f"cannot assume {ROLE}: STS did not respond to AssumeRoleWithWebIdentity"


@pytest.mark.usefixtures("irsa")
def test_a_role_that_is_not_an_arn_is_not_repeated(odd: Odd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ROLE_ARN", "hunter2hunter2")
    odd.says(b"", operation="AssumeRoleWithWebIdentity")
    assert Caller().refusal() == "no credentials: STS returned no credentials to AssumeRoleWithWebIdentity"


# SSO, containers, profiles.


@pytest.mark.usefixtures("bare", "odd")
@pytest.mark.parametrize("session", [True, False])
def test_sso_without_a_token_is_told_with_the_command(
    session: bool,  # noqa: FBT001 -- a parameter of the test
    files: Files,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", str(files.folder))
    start = "sso_start_url = https://x.awsapps.com/start\nsso_region = us-west-2\n"
    config = f"[profile x]\nsso_account_id = {ACCOUNT}\nsso_role_name = watch\n"
    files.config.write_text(f"{config}sso_session = s\n[sso-session s]\n{start}" if session else f"{config}{start}")
    assert Caller(X).refusal() == (
        "no credentials from profile x: the SSO token is missing or expired; log in with: aws sso login --profile x"
    )


@pytest.mark.usefixtures("bare")
def test_container_credentials_that_fail_are_tried_again(odd: Odd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.utils.ContainerMetadataFetcher.SLEEP_TIME", 0)
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{odd.url}/credentials")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "hunter2hunter2")
    odd.says(b"hunter2hunter2", status=500, operation="GetJob")
    caller = Caller()
    assert caller.refusal() == "no credentials: the endpoint for container credentials returned none"
    odd.says(b"<html>", operation="GetJob")
    assert caller.refusal() == "no credentials: the endpoint for container credentials returned none"
    given = {"AccessKeyId": "AKIDPOD", "SecretAccessKey": "s", "Token": "t", "Expiration": "2099-01-01T00:00:00Z"}
    odd.says(json.dumps({**given, "jobArn": ARN, "status": "RUNNING"}).encode(), operation="GetJob")
    assert caller.works()
    assert used_key(odd) == "AKIDPOD"


@pytest.mark.usefixtures("bare")
def test_container_credentials_that_hang_are_a_failure_at_the_deadline(
    odd: Odd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{odd.url}/credentials")
    odd.says(write=odd.hangs, operation="GetJob")
    caller = Caller()
    error = caller.error(within=0.5)
    assert (type(error), error.code, str(error)) == (UnavailableError, "timeout", "no credentials within 0.5 s")
    assert caller.counts == []


MISSING = "does not exist in the AWS configuration files"


@pytest.mark.usefixtures("odd")
@pytest.mark.parametrize(
    ("variables", "login", "why"),
    [
        (
            {},
            CredentialsRef(profile="deb"),
            f"this profile {MISSING}; known profiles: default, dev (did you mean dev?)",
        ),
        (
            {"AWS_PROFILE": "x y"},
            CredentialsRef(),
            f"the profile in AWS_PROFILE {MISSING}; known profiles: default, dev",
        ),
        (
            {"AWS_PROFILE": "deb", "AWS_DEFAULT_PROFILE": "nobody"},
            CredentialsRef(),
            f"the profile nobody in AWS_DEFAULT_PROFILE {MISSING}; known profiles: default, dev",
        ),
        (
            {"AWS_PROFILE": ""},
            CredentialsRef(),
            "AWS_PROFILE is empty, and the AWS SDK looks for a profile without a name; unset it",
        ),
    ],
)
def test_a_profile_that_does_not_exist_is_named_with_the_known_ones(
    variables: dict[str, str], login: CredentialsRef, why: str, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.config.write_text("[default]\nregion = us-west-2\n[profile dev]\nregion = us-west-2\n")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert Caller(login).refusal().endswith(f": {why}")


@pytest.mark.usefixtures("odd")
@pytest.mark.parametrize("name", ["AKIDEXAMPLEAKIDEXAMPLE", "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEYab"])
def test_a_key_that_is_mistaken_for_a_profile_is_not_shown(
    name: str, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.credentials.write_text(f"[{name}]\naws_access_key_id = x\n")
    monkeypatch.setenv("AWS_PROFILE", f"{name}x")
    assert name not in Caller().refusal()


@pytest.mark.usefixtures("odd", "files")
def test_without_any_profile_the_next_step_is_to_check_the_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "dev")
    assert "they have no profiles; check AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE" in Caller().refusal()


@pytest.mark.usefixtures("bare", "odd")
def test_a_profile_that_is_written_later_is_found(files: Files) -> None:
    caller = Caller(X)
    caller.refusal()
    files.keys("AKIDLATER", "x")
    assert caller.works()


@pytest.mark.usefixtures("bare", "odd")
def test_files_that_cannot_be_read_are_a_failure_like_any_other(files: Files) -> None:
    for content in ("hunter2hunter2", "[profile x\n", "[x]\nhunter2hunter2\n"):
        files.config.write_text(content)
        assert "hunter2" not in Caller(X).refusal()


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (OSError(24, "Too many open files"), "the AWS SDK failed: Too many open files"),
        (ssl.SSLError(786688, "malloc failure"), "the AWS SDK failed: SSLError"),
        (OSError(), "the AWS SDK failed: OSError"),
        (OSError(13, "no", "/etc/secret"), "a file cannot be read: Permission denied"),
    ],
)
def test_a_failure_without_a_file_blames_no_file(error: OSError, why: str) -> None:
    assert configuration_problem(error, None) == why


def test_making_a_session_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("something is done")

    monkeypatch.setattr("botocore.session.Session.__init__", fail)
    monkeypatch.setattr("threading.Thread.start", fail)
    BraketClient(CredentialsSession(CredentialsRef("x", ROLE, "y")), Target("", REGION), lambda *_: None)


def test_the_region_is_read_from_the_files_each_time(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    session = CredentialsSession(X)
    with pytest.raises(botocore.exceptions.ProfileNotFound):
        session.region_name()
    files.config.write_text("[profile x]\nregion = eu-west-2\n")
    assert session.region_name() == "eu-west-2"
    assert CredentialsSession(CredentialsRef()).region_name() is None
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    assert CredentialsSession(CredentialsRef(profile="nobody")).region_name() == "us-east-1"


# Rotation.

EXPIRED = {"x-amzn-errortype": "ExpiredTokenException"}


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("role", [None, ROLE])
def test_keys_that_rotate_in_a_file_are_found_after_a_refusal(role: str | None, odd: Odd, files: Files) -> None:
    odd.says(granted(), operation="AssumeRole")
    files.keys("AKIDOLD")
    caller = Caller(CredentialsRef(role_arn=role))
    assert caller.works()
    files.keys("AKIDNEW")
    assert caller.works()
    assert [key for key in keys(odd) if key != "AKIDROLE"][-1] == "AKIDOLD"
    odd.says(b"{}", status=403, headers=EXPIRED, operation="GetJob")
    assert caller.error().code == "ExpiredTokenException"
    odd.says(JOB, operation="GetJob")
    assert caller.works()
    assert [key for key in keys(odd) if key != "AKIDROLE"][-1] == "AKIDNEW"


def keys(odd: Odd) -> list[str]:
    return [each["Authorization"].partition("Credential=")[2].partition("/")[0] for each in odd.asked]


@pytest.mark.usefixtures("bare")
def test_a_session_is_renewed_once_a_minute_at_most_and_whenever_that_is_forced(
    odd: Odd, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("exporter.aws.sessions.time.monotonic", lambda: now[0])
    files.keys("AKID0")
    caller = Caller()
    assert caller.works()
    odd.says(b"{}", status=403, headers=EXPIRED, operation="GetJob")

    def used_after(seconds: float, key: str) -> str:
        now[0] += seconds
        files.keys(key)
        caller.error()
        caller.error()
        return used_key(odd)

    assert used_after(0, "AKID1") == "AKID1"
    assert used_after(59, "AKID2") == "AKID1"
    assert used_after(2, "AKID3") == "AKID3"
    assert used_after(1, "AKID4") == "AKID3"
    caller.session.renew(forced=True)
    assert used_after(1, "AKID5") == "AKID5"


@pytest.mark.usefixtures("bare")
def test_a_denied_job_renews_nothing(odd: Odd, files: Files) -> None:
    files.keys("AKIDOLD")
    caller = Caller()
    assert caller.works()
    files.keys("AKIDNEW")
    odd.says(b"{}", status=403, headers={"x-amzn-errortype": "AccessDeniedException"}, operation="GetJob")
    caller.error()
    caller.error()
    assert used_key(odd) == "AKIDOLD"


def test_a_file_that_hangs_is_left_behind(irsa: Path, odd: Odd) -> None:
    irsa.unlink()
    os.mkfifo(irsa)
    caller = Caller()
    assert str(caller.error(within=0.5)) == "no credentials within 0.5 s"
    assert odd.heard == []
    read_end = os.open(irsa, os.O_RDWR)  # the reader gets on, and waits for the end of the file
    irsa.unlink()
    irsa.write_text("again")
    assert caller.works()
    os.close(read_end)
    eventually(lambda: caller.client._calls._deadline._hanging == 0)
    assert odd.heard == ["AssumeRoleWithWebIdentity", "GetJob"]


# Secrets.

TOKEN = "IQoJb3JpZ2luX2VjEJr//////////wEaCXVzLWVhc3QtMSJHMEUCIQ+hunter2=="


@pytest.mark.usefixtures("odd")
@pytest.mark.parametrize(
    ("variable", "value", "part"),
    [
        ("AWS_SESSION_TOKEN", f"{TOKEN}\n", "the session token"),
        ("AWS_SESSION_TOKEN", f"{TOKEN}\r", "the session token"),
        ("AWS_SESSION_TOKEN", f"{TOKEN}ä", "the session token"),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE\n", "the access key ID"),
    ],
)
def test_a_credential_that_no_header_can_carry_is_told_by_its_kind(
    variable: str, value: str, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    assert Caller().refusal() == (
        f"no credentials: {part} contains a character that is not valid in an HTTP header, such as a line end"
    )
    why = Caller(CredentialsRef(role_arn=ROLE)).refusal()
    assert (
        why
        == f"cannot assume {ROLE}: {part} contains a character that is not valid in an HTTP header, such as a line end"
    )


def everything_written(error: BraketError) -> str:
    """Write an error wherever the exporter writes errors."""
    stream = io.StringIO()
    target = Target(ACCOUNT, REGION)
    EventLog(make_logger("info", "json", stream)).poll_failed(target, "GetJob", error, 1.0, ARN)
    said = report([Access(target, (CallResult("GetJob", Verdict.FAILED, str(error)),))])
    return f"{error} {error!r} {error.code} {stream.getvalue()} {said}"


def leaks(secret: str, text: str) -> list[str]:
    """List the parts of a secret, 8 characters long, that are in a text."""
    parts = {secret[start : start + 8] for start in range(max(1, len(secret) - 7))}
    return [part for part in parts if part in text]


SECRET = st.from_regex(r"([A-Za-z/+=]{1,2}[0-9]){8,40}", fullmatch=True)
"""Secrets that look like those of AWS, but not like anything that may be shown."""

KINDS = [
    kind
    for kind in vars(botocore.exceptions).values()
    if isinstance(kind, type) and issubclass(kind, botocore.exceptions.BotoCoreError)
]


def carrying(kind: type[Any], secret: str) -> BaseException:
    """Make an exception of botocore with a secret in each of its parts."""
    names = [part.partition("}")[0].partition(":")[0].partition("!")[0] for part in kind.fmt.split("{")[1:]]
    error = botocore.exceptions.HTTPClientError(error=OSError(secret), request=secret, endpoint_url=secret)
    try:
        made: BaseException = kind(**dict.fromkeys([*names, "provider", "cred_var", "request", "endpoint_url"], secret))
    except Exception:  # noqa: BLE001 -- some want other types
        made = error
    made.__cause__ = OSError(17, secret, secret)
    return made


def carriers(secret: str) -> Iterator[BaseException]:
    """Yield an exception of every kind that the SDK raises, each full of the secret."""
    yield from (carrying(kind, secret) for kind in KINDS)
    metadata = {"HTTPStatusCode": 403, "HTTPHeaders": {"x-amzn-requestid": secret, secret: secret}, "HostId": secret}
    details = {"Code": secret, "Message": f"User: {secret} is not authorized to perform: {secret}", "Type": secret}
    for operation in ("GetJob", "AssumeRole", secret):
        yield botocore.exceptions.ClientError(
            {"Error": details, "ResponseMetadata": metadata, secret: secret}, operation
        )
    odd = botocore.exceptions.ClientError({"Error": {}}, secret)
    odd.response = {"Error": secret}
    yield odd
    yield OSError(13, secret, secret)
    yield OSError(secret)
    yield FileNotFoundError(2, secret, secret)
    yield socket.gaierror(-2, secret)
    yield ValueError(f"Invalid header value b'{secret}\\n'")
    yield KeyError(secret)
    yield RuntimeError(secret)
    yield EOFError(secret)
    yield SystemExit(secret)
    yield UnicodeDecodeError("utf-8", secret.encode(), 0, 1, secret)
    yield ExceptionGroup(secret, [ValueError(secret)])
    yield type(f"Odd{''.join(filter(str.isalpha, secret))[:2]}Error", (Exception,), {})(secret)


@settings(max_examples=examples(20), suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(secret=SECRET, phase=st.sampled_from(Phase), status=st.sampled_from([0, 200, 302, 400, 403, 429, 500]))
def test_no_text_of_the_sdk_comes_through(secret: str, phase: Phase, status: int) -> None:
    for error in carriers(secret):
        attempt = Attempt(Operation("braket", "GetJob", ("jobArn",)), {"jobArn": ARN}, 0.0)
        attempt.phase, attempt.status, attempt.date = phase, status, secret
        attempt.code = attempt.message = secret
        attempt.endpoint = f"https://user:{secret}@127.0.0.1:8080/{secret}?x={secret}"
        for login in (CredentialsRef(), CredentialsRef(profile="x"), CredentialsRef(role_arn=ROLE)):
            for assuming in (False, True):
                attempt.assuming = attempt.process = assuming
                logged = failure(attempt, error, credentials=login, modelled=frozenset({"AccessDeniedException"}))
                assert leaks(secret, everything_written(logged)) == [], (error, phase)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    make_logger("debug", "json", stream)
    yield stream
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.usefixtures("bare")
def test_no_logger_of_the_sdk_writes_a_secret(log: io.StringIO, odd: Odd, files: Files) -> None:
    secret = "hunter2hunter2"
    odd.says(granted(lifetime=300), operation="AssumeRole")
    files.keys("AKIDOLD")
    caller = Caller(CredentialsRef(role_arn=ROLE))
    assert caller.works()
    odd.says(f"<ErrorResponse><Error><Code>{secret}</Code></Error></ErrorResponse>".encode(), status=400)
    odd.says(b"{}", headers={"Odd Header": secret}, operation="GetJob")
    caller.error()
    for name in ("botocore.credentials", "botocore.parsers", "boto3", "urllib3.connectionpool", "botocore"):
        logging.getLogger(name).error("%s", secret, exc_info=ValueError(secret))
    assert secret not in log.getvalue()


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("echo", ["message", "code", "header", "body"])
def test_what_a_service_echoes_is_not_repeated(echo: str, odd: Odd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDSECRETSECRET")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)
    headers = {"x-amzn-errortype": TOKEN if echo == "code" else "ValidationException"}
    if echo == "header":
        headers |= {"x-amzn-requestid": TOKEN, "Date": TOKEN, "Location": TOKEN, "Content-Type": TOKEN}
    body = TOKEN.encode() if echo == "body" else json.dumps({"message": TOKEN, "Code": TOKEN}).encode()
    for status in (200, 302, 400, 403, 404, 500):
        odd.says(body, status=status, headers=headers, operation="GetJob")
        assert leaks(TOKEN, everything_written(Caller().error())) == []


def test_a_proxys_password_is_not_repeated(odd: Odd, monkeypatch: pytest.MonkeyPatch) -> None:
    assert odd.url
    monkeypatch.delenv("NO_PROXY")
    for variable in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(variable, f"http://me:hunter2hunter2@127.0.0.1:{closed_port()}")
    caller = Caller()
    error = caller.error()
    assert (type(error), error.code) == (UnavailableError, "connection")
    assert leaks("hunter2hunter2", everything_written(error)) == []
    assert "through the proxy: Connection refused" in str(error)


def test_an_endpoints_password_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    port = closed_port()
    monkeypatch.setenv(
        "AWS_ENDPOINT_URL_BRAKET", f"http://me:hunter2hunter2@127.0.0.1:{port}/hunter2hunter2?q=hunter2hunter2"
    )
    error = Caller().error()
    assert (type(error), error.code) == (UnavailableError, "connection")
    assert str(error) == f"no response from 127.0.0.1:{port}: Connection refused"
