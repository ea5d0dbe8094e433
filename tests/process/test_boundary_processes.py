"""Real exporters with two targets, one of which has credentials that fail in every way; the other must not notice."""

import json
import os
import pty
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from odd import Odd, odd_endpoint
from processes import (
    FAST,
    HASTY,
    LOCAL,
    Daemon,
    closed_port,
    command,
    daemon,
    environment,
    eventually,
    iso,
    run,
    wire_job,
)

from exporter.simulator import ScriptedJob, SimulatorServer, World

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/watch"
GOOD_ARN = f"arn:aws:braket:us-west-2:{ACCOUNT}:job/5d3c7bb0-6f0f-4d3c-9c55-5a2b1f1c0f01"
BAD_ARN = f"arn:aws:braket:eu-north-1:{ACCOUNT}:job/5d3c7bb0-6f0f-4d3c-9c55-5a2b1f1c0f02"
PRELUDE = f"{HASTY}; import exporter.aws.client; exporter.aws.client.CALL_DEADLINE = 2.5"
GOOD = {"name": "good", "profile": "good", "regions": ["us-west-2"], "all_jobs": True}
BAD = {"name": "bad", "profile": "bad", "regions": ["eu-north-1"], "all_jobs": True}
OF_NOBODY = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}


class Site:
    """An endpoint of Braket, one of STS, the SDK's files and the exporter's."""

    def __init__(self, folder: Path, braket: SimulatorServer, sts: Odd) -> None:
        self.folder, self.braket, self.sts = folder, braket, sts
        self.config, self.aws, self.keys = folder / "exporter.yaml", folder / "config", folder / "credentials"
        self.token, self.program = folder / "token", folder / "give-credentials"
        self.aws.write_text("[profile good]\n[profile bad]\n")
        self.keys.write_text("[good]\naws_access_key_id = AKIDGOOD\naws_secret_access_key = s\n")
        self.env: dict[str, str | None] = {
            **OF_NOBODY,
            "AWS_CONFIG_FILE": str(self.aws),
            "AWS_SHARED_CREDENTIALS_FILE": str(self.keys),
            "AWS_ENDPOINT_URL_BRAKET": braket.url,
            "AWS_ENDPOINT_URL_STS": sts.url,
        }

    def watch(self, *targets: dict[str, object]) -> None:
        self.config.write_text(json.dumps({"targets": targets}))

    def profile(self, text: str) -> None:
        """Write the profile of the bad target."""
        self.aws.write_text(f"[profile good]\n[profile bad]\n{text}\n")

    def process(self, script: str) -> None:
        self.program.write_text(f"#!{sys.executable}\n{script}\n")
        self.program.chmod(0o700)
        self.profile(f"credential_process = {self.program}")

    def web_identity(self, lifetime: float = 300.0) -> None:
        """Have the target without a profile use a web identity; short-lived credentials are renewed at each call."""
        self.token.write_text("hunter2hunter2")
        self.env |= {"AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": str(self.token)}
        end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + lifetime))
        members = "<AccessKeyId>AKIDBAD</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>"
        credentials = f"<Credentials>{members}<Expiration>{end}</Expiration></Credentials>"
        result = "AssumeRoleWithWebIdentityResult"
        self.sts.says(f"<a><{result}>{credentials}</{result}></a>".encode(), operation="AssumeRoleWithWebIdentity")

    @contextmanager
    def exporter(self) -> Iterator[Daemon]:
        with daemon(
            *FAST, "--discovery-interval", "0.2s", "--config", str(self.config), env=self.env, prelude=PRELUDE
        ) as it:
            yield it


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    created = time.time() - 3600
    world = World(
        ScriptedJob(arn, created, [(created, wire_job(arn, "RUNNING", createdAt=iso(created)))])
        for arn in (GOOD_ARN, BAD_ARN)
    )
    with ExitStack() as servers:
        braket = servers.enter_context(SimulatorServer(world, clock=time.time))
        yield Site(tmp_path, braket, servers.enter_context(odd_endpoint()))


def up(exporter: Daemon, target: str) -> float | None:
    return exporter.value("braket_exporter_target_up", f'target="{target}"')


def shows(exporter: Daemon, arn: str) -> bool:
    return exporter.has(f'braket_job_status{{job_arn="{arn}",job_name="vqe-h2",status="RUNNING"}} 1.0')


def assert_clean(exporter: Daemon) -> None:
    """Every line is one log event; there is no traceback and no secret in any."""
    assert exporter.lines
    for line in exporter.lines:
        assert "exception" not in json.loads(line)
        assert "Traceback" not in line
        assert "hunter2" not in line


def assert_the_bad_target_fails_alone(exporter: Daemon, *codes: str, why: str) -> None:
    eventually(lambda: shows(exporter, GOOD_ARN) and up(exporter, "good") == 1.0)
    failed = eventually(lambda: exporter.logs("poll_failed", operation="SearchJobs"))
    eventually(lambda: up(exporter, "bad") == 0.0)
    assert failed[0]["code"] in codes
    assert failed[0]["aws_region"] == "eu-north-1"
    assert why in failed[0]["message"]
    assert {line["aws_region"] for line in exporter.logged("poll_failed")} == {"eu-north-1"}
    requests = (line for line in exporter.samples if line.startswith("braket_exporter_api_requests_total"))
    assert [line for line in requests if "eu-north-1" in line and 'operation="SearchJobs"' in line] == []


Fault = Callable[[Site], dict[str, object]]


def missing_process(site: Site) -> dict[str, object]:
    site.profile(f"credential_process = {site.folder / 'nowhere'}")
    return BAD


def unexecutable_process(site: Site) -> dict[str, object]:
    site.process("")
    site.program.chmod(0o600)
    return BAD


def garbage_process(site: Site) -> dict[str, object]:
    site.process("print('hunter2hunter2')")
    return BAD


def failing_process(site: Site) -> dict[str, object]:
    site.process("import sys; sys.stderr.write('secret=hunter2hunter2'); sys.exit(7)")
    return BAD


def hanging_process(site: Site) -> dict[str, object]:
    site.process("import time; time.sleep(600)")
    return BAD


def role_over_a_missing_process(site: Site) -> dict[str, object]:
    return {**missing_process(site), "role_arn": ROLE}


def unknown_profile(site: Site) -> dict[str, object]:
    site.aws.write_text("[profile good]\n")
    return BAD


def profile_with_mfa(site: Site) -> dict[str, object]:
    site.profile(f"role_arn = {ROLE}\nsource_profile = good\nmfa_serial = arn:aws:iam::{ACCOUNT}:mfa/me")
    return BAD


def sso_without_a_token(site: Site) -> dict[str, object]:
    start = "sso_start_url = https://x.awsapps.com/start\nsso_region = us-west-2"
    site.profile(f"{start}\nsso_account_id = {ACCOUNT}\nsso_role_name = watch")
    site.env["HOME"] = str(site.folder)
    return BAD


def missing_token_file(site: Site) -> dict[str, object]:
    site.web_identity()
    site.token.unlink()
    return {**BAD, "profile": None}


def sts_down(site: Site) -> dict[str, object]:
    site.web_identity()
    site.env["AWS_ENDPOINT_URL_STS"] = f"http://127.0.0.1:{closed_port()}"
    return {**BAD, "profile": None}


def sts_hanging(site: Site) -> dict[str, object]:
    site.web_identity()
    site.sts.says(write=site.sts.hangs, operation="AssumeRoleWithWebIdentity")
    return {**BAD, "profile": None}


def container_hanging(site: Site) -> dict[str, object]:
    site.env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = site.sts.url
    site.sts.says(write=site.sts.hangs, operation="GetJob")
    return {**BAD, "profile": None}


def container_failing(site: Site) -> dict[str, object]:
    site.env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = f"http://127.0.0.1:{closed_port()}"
    return {**BAD, "profile": None}


def token_with_a_line_end(site: Site) -> dict[str, object]:
    site.env |= {"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "hunter2hunter2\n"}
    return {**BAD, "profile": None}


FAULTS: dict[Fault, tuple[tuple[str, ...], str]] = {
    missing_process: (("credentials",), "credential_process cannot be started: No such file or directory"),
    unexecutable_process: (("credentials",), "credential_process cannot be started: Permission denied"),
    garbage_process: (("credentials",), "credential_process wrote no valid credentials"),
    failing_process: (("credentials",), "credential_process ended with status 7"),
    hanging_process: (("timeout",), "no credentials within 2.5 s"),
    role_over_a_missing_process: (("credentials",), f"cannot assume {ROLE}: credential_process cannot be started"),
    unknown_profile: (("credentials",), "no credentials from profile bad: this profile does not exist"),
    profile_with_mfa: (("credentials",), "the profile requires an MFA code"),
    sso_without_a_token: (("credentials",), "aws sso login --profile bad"),
    missing_token_file: (("credentials",), "the file in AWS_WEB_IDENTITY_TOKEN_FILE cannot be read"),
    sts_down: (("credentials",), f"cannot assume {ROLE}: STS did not respond to AssumeRoleWithWebIdentity"),
    sts_hanging: (("credentials", "timeout"), ""),  # the other threads wait for the one that calls STS
    container_hanging: (("timeout",), "no credentials within 2.5 s"),
    container_failing: (("credentials", "timeout"), "no credentials"),
    token_with_a_line_end: (
        ("credentials",),
        "the session token contains a character that is not valid in an HTTP header",
    ),
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_target_without_credentials_starts_as_down_and_the_other_runs(fault: Fault, site: Site) -> None:
    codes, why = FAULTS[fault]
    site.watch(GOOD, fault(site))
    with site.exporter() as exporter:
        assert_the_bad_target_fails_alone(exporter, *codes, why=why)
        assert exporter.stop() == 0
    assert_clean(exporter)


@pytest.mark.parametrize(
    "fault",
    [missing_process, hanging_process, unknown_profile, profile_with_mfa, role_over_a_missing_process],
    ids=lambda fault: fault.__name__,
)
def test_a_reload_that_adds_such_a_target_takes_it_as_down(fault: Fault, site: Site) -> None:
    codes, why = FAULTS[fault]
    site.watch(GOOD)
    bad = fault(site)
    with site.exporter() as exporter:
        eventually(lambda: shows(exporter, GOOD_ARN))
        site.watch(GOOD, bad)
        exporter.process.send_signal(signal.SIGHUP)
        eventually(lambda: exporter.logs("config_reloaded", added=1))
        assert_the_bad_target_fails_alone(exporter, *codes, why=why)
        assert exporter.value("braket_exporter_config_last_reload_successful") == 1.0
        assert exporter.stop() == 0
    assert_clean(exporter)


@pytest.mark.parametrize(
    ("spoil", "restore"),
    [
        (lambda token: token.unlink(), lambda token: token.write_text("again")),
        (lambda token: (token.unlink(), token.mkdir()), lambda token: (token.rmdir(), token.write_text("again"))),
    ],
    ids=["vanishes", "unreadable"],
)
def test_a_token_file_that_is_lost_at_a_refresh_stops_one_target_until_it_is_back(
    spoil: Callable[[Path], object], restore: Callable[[Path], object], site: Site
) -> None:
    site.web_identity()
    site.watch(GOOD, {**BAD, "profile": None})
    with site.exporter() as exporter:
        eventually(lambda: shows(exporter, GOOD_ARN) and shows(exporter, BAD_ARN))
        assert (up(exporter, "good"), up(exporter, "bad")) == (1.0, 1.0)
        spoil(site.token)
        eventually(lambda: up(exporter, "bad") == 0.0)
        assert up(exporter, "good") == 1.0
        assert shows(exporter, BAD_ARN)
        restore(site.token)
        eventually(lambda: up(exporter, "bad") == 1.0)
        assert exporter.stop() == 0
    assert {line["code"] for line in exporter.logged("poll_failed")} == {"credentials"}
    assert_clean(exporter)


def test_a_credential_process_that_hangs_at_a_refresh_stops_one_target_until_it_is_fixed(site: Site) -> None:
    end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 300))
    given = json.dumps(
        {"Version": 1, "AccessKeyId": "A", "SecretAccessKey": "s", "SessionToken": "t", "Expiration": end}
    )
    site.process(f"print({given!r})")
    site.watch(GOOD, BAD)
    with site.exporter() as exporter:
        eventually(lambda: shows(exporter, GOOD_ARN) and shows(exporter, BAD_ARN))
        site.process("import time; time.sleep(600)")
        eventually(lambda: up(exporter, "bad") == 0.0)
        assert up(exporter, "good") == 1.0
        site.process(f"print({given!r})")
        eventually(lambda: up(exporter, "bad") == 1.0)
        assert exporter.stop() == 0
    assert "timeout" in {line["code"] for line in exporter.logs("poll_failed")}
    assert_clean(exporter)


def test_a_reload_reads_the_keys_in_files_again(site: Site) -> None:
    site.watch(GOOD)
    with site.exporter() as exporter:
        eventually(lambda: shows(exporter, GOOD_ARN))
        assert {request.access_key_id for request in site.braket.requests} == {"AKIDGOOD"}
        site.keys.write_text(site.keys.read_text().replace("AKIDGOOD", "AKIDNEW"))
        exporter.process.send_signal(signal.SIGHUP)
        eventually(lambda: site.braket.requests[-1].access_key_id == "AKIDNEW")
        assert exporter.stop() == 0


def test_a_hanging_credential_process_ends_with_the_exporter(site: Site) -> None:
    pids = site.folder / "pids"
    site.process(f"import os, time; open({str(pids)!r}, 'a').write(f'{{os.getpid()}}\\n'); time.sleep(600)")
    site.watch(GOOD, BAD)
    with site.exporter() as exporter:
        eventually(lambda: pids.exists() and pids.read_text().endswith("\n"))
        assert exporter.stop() == 0
    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids.read_text().split()))


def test_an_endpoint_that_drips_stops_a_target(site: Site) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
    for operation in ("GetJob", "SearchJobs"):
        site.sts.says(write=site.sts.drips(head + b"{" * 900, 0.02), operation=operation)
    site.env["AWS_ENDPOINT_URL_BRAKET"] = site.sts.url
    site.watch(GOOD)
    with site.exporter() as exporter:
        eventually(lambda: up(exporter, "good") == 0.0)
        (first, *_) = eventually(lambda: exporter.logs("poll_failed"))
        assert first["code"] == "timeout"
        assert exporter.get("/-/healthy").status == 200
        assert exporter.stop() == 0
    assert_clean(exporter)


@pytest.mark.parametrize(
    ("status", "body"), [(302, b""), (404, b"<html>"), (407, b"<html>"), (204, b""), (200, b"<html>"), (200, b"")]
)
def test_something_else_that_responds_is_not_the_jobs_fault(status: int, body: bytes, site: Site) -> None:
    site.sts.says(body, status=status)
    env = {**site.env, "AWS_ENDPOINT_URL_BRAKET": site.sts.url, "AWS_PROFILE": "good"}
    done = run("once", "--jobs", GOOD_ARN, *FAST, "--log-format", "json", env=env, prelude=PRELUDE)
    assert done.returncode == 1
    assert "braket_exporter_target_up" in done.stdout
    (sample,) = [line for line in done.stdout.splitlines() if line.startswith("braket_exporter_target_up{")]
    assert sample.endswith(" 0.0")
    assert "braket_job_poll_failing{" not in done.stdout


# Commands that end by themselves.


ENDING = [("check-config --online", fault) for fault in FAULTS] + [
    ("once", fault) for fault in (missing_process, hanging_process, profile_with_mfa, token_with_a_line_end)
]


@pytest.mark.parametrize(("line", "fault"), ENDING, ids=lambda value: getattr(value, "__name__", value))
def test_a_command_ends_with_1_and_without_a_traceback(line: str, fault: Fault, site: Site) -> None:
    arguments = line.split()
    _, why = FAULTS[fault]
    site.watch(GOOD, fault(site))
    done = run(*arguments, *FAST, "--config", str(site.config), *LOCAL, env=site.env, prelude=PRELUDE)
    said = done.stdout + done.stderr
    assert done.returncode == 1
    assert "Traceback" not in said
    assert "hunter2" not in said
    assert why in said
    if arguments[0] == "check-config":
        assert done.stderr == ""
        assert f"#   good ({ACCOUNT}/us-west-2) GetJob: ok\n" in said


def test_targets_that_hang_do_not_add_up(site: Site) -> None:
    site.process("import time; time.sleep(600)")
    site.watch(*({**BAD, "name": f"bad-{number}", "external_id": str(number), "role_arn": ROLE} for number in range(8)))
    began = time.monotonic()
    done = run("check-config", "--online", "--config", str(site.config), env=site.env, prelude=PRELUDE)
    assert done.returncode == 1
    assert done.stdout.count("GetCallerIdentity: failed: no credentials within 2.5 s") == 8
    assert time.monotonic() - began < 30  # one after the other they would take 60 s and the start


def test_nothing_is_ever_asked_on_the_terminal(site: Site) -> None:
    site.watch(GOOD, profile_with_mfa(site))
    arguments = command("once", *FAST, "--config", str(site.config), "--log-format", "json", prelude=PRELUDE)
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(arguments[0], arguments, environment(site.env))
    seen = b""
    with suppress(OSError):  # the terminal ends with the process
        while part := os.read(terminal, 65536):
            seen += part
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 1
    assert b"the profile requires an MFA code" in seen
    assert b"Enter MFA" not in seen


def test_the_port_is_taken_before_the_state_file_is_read(site: Site) -> None:
    port = closed_port()
    site.watch(GOOD)
    slow = "import exporter.storage.state_writer as writer, time; writer.StateWriter.load = lambda *_: time.sleep(600)"
    arguments = ("--config", str(site.config), "--listen-address", f"127.0.0.1:{port}")
    state = ("--state-file", str(site.folder / "state"))
    with subprocess.Popen(command(*arguments, *state, prelude=slow), env=environment(site.env)) as process:
        try:
            eventually(lambda: not is_free(port))
            assert process.poll() is None
        finally:
            process.kill()


def is_free(port: int) -> bool:
    try:
        with socket.create_server(("127.0.0.1", port)):
            return True
    except OSError:
        return False


# Variables of the SDK that do not do what people expect.


@pytest.mark.parametrize(
    ("variables", "setting", "message"),
    [
        ({"AWS_ROLE_ARN": ROLE}, "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE is not set"),
        ({"AWS_WEB_IDENTITY_TOKEN_FILE": "/x"}, "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN is not set"),
        ({"AWS_PROFILE": ""}, "AWS_PROFILE", "unset it"),
    ],
)
def test_a_variable_with_an_unexpected_effect_is_told_at_the_start(
    variables: dict[str, str], setting: str, message: str, site: Site
) -> None:
    site.env |= variables
    site.watch(GOOD)
    with site.exporter() as exporter:
        (line,) = eventually(lambda: exporter.logs("config_warning", setting=setting))
        assert line["level"] == "warning"
        assert message in line["message"]
    done = run("check-config", "--config", str(site.config), env=site.env)
    assert done.returncode == 0
    (comment,) = [each for each in done.stdout.splitlines() if each.startswith("# Warning: ")]
    assert comment.startswith(f"# Warning: {setting}: ")
    assert message in comment


def test_a_region_that_boto3_does_not_read_is_told(site: Site) -> None:
    site.env["AWS_REGION"] = "us-west-2"
    done = run("check-config", "--all-jobs", env=site.env)
    assert done.returncode == 2
    assert "set regions or AWS_DEFAULT_REGION (boto3 does not read AWS_REGION)" in done.stderr
    site.aws.write_text("[default]\nregion = eu-north-1\n")
    done = run("check-config", "--all-jobs", env=site.env)
    assert done.returncode == 0
    assert "# Warning: AWS_REGION: boto3 does not read it; set regions or AWS_DEFAULT_REGION" in done.stdout


def test_a_target_without_a_region_is_named(site: Site) -> None:
    site.aws.write_text("[profile good]\n")
    site.watch(GOOD, {"name": "bad", "profile": "bad", "all_jobs": True})
    done = run("--config", str(site.config), *LOCAL, env=site.env)
    assert done.returncode == 2
    (problem,) = done.stderr.splitlines()[1:]
    assert problem == (
        "  targets[1].regions: not set, and the AWS configuration of profile bad cannot be read: "
        "this profile does not exist in the AWS configuration files; known profiles: good; set regions"
    )
