"""The commands as real processes: exit statuses, signals, and what stdout and stderr get."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from processes import (
    FAST,
    HASTY,
    LOCAL,
    LONG_AGO,
    PATIENCE,
    Daemon,
    closed_port,
    command,
    daemon,
    environment,
    eventually,
    iso,
    run,
    samples_of,
    wire_job,
)

from exporter import __version__
from exporter.simulator import Fault, FaultKind, ScriptedJob, SimulatorServer, World

ARN = "arn:aws:braket:us-west-2:123456789012:job/5d3c7bb0-6f0f-4d3c-9c55-5a2b1f1c0f01"
OTHER = "arn:aws:braket:eu-north-1:123456789012:job/5d3c7bb0-6f0f-4d3c-9c55-5a2b1f1c0f02"
SCRIPT = str(Path(sys.executable).parent / "braket-exporter")


def test_the_module_and_the_console_script_are_the_same_program() -> None:
    asked = ("check-config", "--jobs", ARN)
    module = run(*asked)
    script = subprocess.run([SCRIPT, *asked], env=environment(), capture_output=True, text=True, check=False)
    assert module.returncode == 0
    assert (module.stdout, module.stderr) == (script.stdout, script.stderr)
    assert "poll_interval: 30s" in script.stdout


def test_bad_settings_of_a_process_end_it_with_2() -> None:
    ended = run("--jobs", "nonsense", "--poll-intervall", "5s")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "Traceback" not in ended.stderr
    assert ended.stderr.splitlines()[0] == "braket-exporter: invalid settings:"
    assert len(ended.stderr.splitlines()) == 3


def one_clear_line(ended: "subprocess.CompletedProcess[str]") -> str:
    """The process ended with 1 and one line that is no log line."""
    assert ended.returncode == 1, ended.stderr
    assert "Traceback" not in ended.stderr
    lines = [line for line in ended.stderr.splitlines() if not line.startswith("{")]
    assert len(lines) == 1, lines
    assert lines[0].startswith("braket-exporter: ")
    return lines[0]


def test_a_port_in_use_is_told_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        said = one_clear_line(run("--jobs", ARN, "--listen-address", address))
    problem = f"cannot listen on {address}: Address already in use"
    assert said == f"braket-exporter: {problem}; set another address, such as --listen-address 127.0.0.1:9835"


@pytest.mark.parametrize("host", ["203.0.113.77", "127..0.0.1", "a" * 64 + ".org"])
def test_an_address_that_cannot_be_listened_on_is_told_in_one_line(host: str) -> None:
    said = one_clear_line(run("--jobs", ARN, "--listen-address", f"{host}:0"))
    assert said.startswith(f"braket-exporter: cannot listen on {host}:0: ")
    assert said.endswith("; set another address, such as --listen-address 127.0.0.1:0")


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        (
            {"AWS_PROFILE": "nobody"},
            "the profile nobody in AWS_PROFILE does not exist in the AWS configuration files; ",
        ),
        ({"AWS_ENDPOINT_URL_BRAKET": "no-url"}, "AWS_ENDPOINT_URL_BRAKET is not a valid URL"),
        ({"AWS_ENDPOINT_URL_BRAKET": "http://127.0.0.1:99999"}, "AWS_ENDPOINT_URL_BRAKET is not a valid URL"),
        ({"AWS_SECRET_ACCESS_KEY": None}, "AWS_SECRET_ACCESS_KEY is missing"),
        ({"AWS_RETRY_MODE": "often"}, "the AWS SDK cannot create a client: InvalidRetryModeError"),
    ],
    ids=str,
)
def test_an_unusable_sdk_configuration_is_a_failure_of_the_target(variables: dict[str, str | None], words: str) -> None:
    ended = run("once", "--jobs", ARN, "--log-format", "json", env=variables, prelude=HASTY)
    *log, last = ended.stderr.splitlines()
    assert ended.returncode == 1
    assert last.startswith("braket-exporter: 1 of 1 targets failed: 123456789012/us-west-2 (")
    assert last.endswith("; run braket-exporter check-config --online")
    assert words in last
    assert {json.loads(line)["event"] for line in log} == {"poll_failed"}
    assert all(words in json.loads(line)["message"] for line in log)


@pytest.fixture
def simulator() -> Iterator[SimulatorServer]:
    jobs = [ScriptedJob(arn, LONG_AGO, [(LONG_AGO, wire_job(arn, "RUNNING"))]) for arn in (ARN, OTHER)]
    with SimulatorServer(World(jobs), clock=time.time) as server:
        yield server


def once(url: str, *arguments: str, **env: str | None) -> "subprocess.CompletedProcess[str]":
    variables = {"AWS_ENDPOINT_URL_BRAKET": url, **env}
    return run("once", *FAST, "--log-format", "json", *arguments, env=variables, prelude=HASTY)


def once_as_nobody(url: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return once(url, *arguments, AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None)


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("--jobs", ARN, "--log-format", "auto"), 0),
        (("--jobs", ARN, "--log-format", "json"), 0),
        (("--jobs", OTHER, "--log-format", "console"), 0),
        (("--jobs", "typo"), 2),
    ],
)
def test_where_stderr_is_closed_nothing_but_the_log_lines_is_missing(
    simulator: SimulatorServer, arguments: tuple[str, ...], status: int
) -> None:
    ended = subprocess.run(
        ["sh", "-c", 'exec "$@" 2>&-', "sh", *command("once", *arguments)],
        env=environment({"AWS_ENDPOINT_URL_BRAKET": simulator.url}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        timeout=2 * PATIENCE,
        check=False,
    )
    assert ended.returncode == status
    assert (len(samples_of(ended.stdout)) > 10) == (status == 0)
    assert all(line.startswith(("#", "braket_", "process_", "python_")) for line in ended.stdout.splitlines())


def test_once_writes_the_exposition_to_stdout_and_logs_to_stderr(simulator: SimulatorServer) -> None:
    ended = once(simulator.url, "--jobs", f"{ARN},{OTHER}")
    assert ended.returncode == 0
    samples = samples_of(ended.stdout)
    assert f'braket_job_status{{job_arn="{ARN}",job_name="vqe-h2",status="RUNNING"}} 1.0' in samples
    assert f'braket_job_status{{job_arn="{OTHER}",job_name="vqe-h2",status="RUNNING"}} 1.0' in samples
    assert 'braket_exporter_target_up{aws_account_id="123456789012",aws_region="eu-north-1",target=""} 1.0' in samples
    assert all(line.startswith('{"timestamp"') for line in ended.stderr.splitlines())
    assert ended.stderr.count('"event": "job_discovered"') == 2
    assert sum(request.operation == "GetJob" for request in simulator.requests) == 2


SLOW_MAIN_THREAD = "import exporter.app.once as once; once.CHECK_INTERVAL = 1.5"
"""The main thread stops the pollers many intervals of ``FAST`` after the first full poll."""


@pytest.mark.parametrize(
    ("selection", "operations"),
    [
        (("--jobs", f"{ARN},{OTHER}"), [*["GetDevice"] * 2, *["GetJob"] * 2, *["SearchSpendingLimits"] * 2]),
        (
            ("--all-jobs", "--regions", "us-west-2", "--lookback", "1d"),
            ["GetDevice", "GetJob", "SearchJobs", "SearchSpendingLimits"],
        ),
    ],
    ids=["named", "discovered"],
)
def test_once_polls_each_job_and_lists_jobs_once_however_late_the_pollers_stop(
    simulator: SimulatorServer, selection: tuple[str, ...], operations: list[str]
) -> None:
    new, created = f"{ARN}-new", time.time() - 60
    simulator.world.put(ScriptedJob(new, created, lambda _: wire_job(new, "RUNNING", createdAt=iso(created))))
    ended = run(
        *("once", *FAST, "--discovery-interval", "0.1s", *selection, "--log-format", "json"),
        env={"AWS_ENDPOINT_URL_BRAKET": simulator.url},
        prelude=SLOW_MAIN_THREAD,
    )
    assert ended.returncode == 0
    assert sorted(str(request.operation) for request in simulator.requests) == operations


def test_once_logs_the_progress_of_a_long_poll(simulator: SimulatorServer) -> None:
    second = f"{ARN}-b"
    simulator.world.put(ScriptedJob(second, LONG_AGO, [(LONG_AGO, wire_job(second, "RUNNING"))]))
    often = "import exporter.app.first_poll_log as log; log.LOG_INTERVAL = 0.1"
    slowly = ("--jobs", f"{ARN},{second}", "--api-requests-per-second", "0.5", "--log-format", "json")
    ended = run("once", *slowly, env={"AWS_ENDPOINT_URL_BRAKET": simulator.url}, prelude=often)
    assert ended.returncode == 0
    lines = [json.loads(line) for line in ended.stderr.splitlines()]
    *_, told = [line for line in lines if line["event"] == "first_poll_progress"]
    assert (told["jobs_polled"], told["jobs_known"], told["targets"], told["targets_failing"]) == (1, 2, 1, 0)
    assert told["seconds_left"] == 2.0


def test_once_ends_with_1_when_a_named_job_is_gone_or_denied(simulator: SimulatorServer) -> None:
    simulator.faults.put(Fault(FaultKind.ACCESS_DENIED, arn=OTHER))
    gone = ARN[:-1] + "9"
    ended = once(simulator.url, "--jobs", f"{ARN},{OTHER},{gone}")
    assert one_clear_line(ended) == (
        "braket-exporter: GetJob failed for 2 of 3 jobs named in jobs: "
        f"{OTHER} (AccessDeniedException), {gone} (ResourceNotFoundException)"
    )
    samples = samples_of(ended.stdout)
    assert f'braket_job_poll_failing{{code="ResourceNotFoundException",job_arn="{gone}",job_name=""}} 1.0' in samples
    assert f'braket_job_poll_failing{{code="AccessDeniedException",job_arn="{OTHER}",job_name=""}} 1.0' in samples
    assert f'braket_job_status{{job_arn="{ARN}",job_name="vqe-h2",status="RUNNING"}} 1.0' in samples


def test_once_ends_with_1_when_a_target_does_not_answer() -> None:
    jobs = [ScriptedJob(ARN, LONG_AGO, lambda _: wire_job(ARN, "RUNNING"))]
    expired, hanging = Fault(FaultKind.EXPIRED_TOKEN), Fault(FaultKind.HANG)
    closed = f"127.0.0.1:{closed_port()}"
    with (
        SimulatorServer(World(jobs), clock=time.time) as good,
        SimulatorServer(World(jobs), clock=time.time, faults=[expired]) as stale,
        SimulatorServer(World(jobs), clock=time.time, faults=[hanging]) as silent,
        ThreadPoolExecutor() as pool,
    ):
        causes = {
            "connection": f"no response from {closed}: Connection refused",
            "credentials": "no credentials: the AWS SDK finds none in variables, files, or the metadata of the "
            "container or instance",
            "ExpiredTokenException": "Amazon Braket returned ExpiredTokenException (HTTP 403)",
            "timeout": f"{silent.url.removeprefix('http://')} did not respond in time",
        }
        runs = {
            "connection": pool.submit(once, f"http://{closed}", "--jobs", ARN),
            "credentials": pool.submit(once_as_nobody, good.url, "--jobs", ARN),
            "ExpiredTokenException": pool.submit(once, stale.url, "--jobs", ARN),
            "timeout": pool.submit(once, silent.url, "--jobs", ARN),
        }
        ended = {code: run.result() for code, run in runs.items()}
        assert good.requests == []
    for code, process in ended.items():
        assert one_clear_line(process) == (
            f"braket-exporter: 1 of 1 targets failed: 123456789012/us-west-2 ({causes[code]}); "
            f"GetJob failed for 1 of 1 jobs named in jobs: {ARN} (no response); "
            "run braket-exporter check-config --online"
        ), code
        assert f'"code": "{code}"' in process.stderr
        assert "Traceback" not in process.stderr
        samples = samples_of(process.stdout)
        assert (
            'braket_exporter_target_up{aws_account_id="123456789012",aws_region="us-west-2",target=""} 0.0' in samples
        )
        attempts = [line for line in samples if line.startswith("braket_exporter_api_requests_total")]
        counted = [line for line in attempts if 'operation="GetJob"' in line]
        assert len(counted) == (0 if code == "credentials" else 1)


THROTTLED = "Amazon Braket returned ThrottlingException (HTTP 429)"


@pytest.mark.parametrize(
    ("kind", "selection", "silent"),
    [
        (
            FaultKind.THROTTLE,
            ("--jobs", f"{ARN},{OTHER}"),
            (
                "2 of 2 jobs are not polled yet; "
                "2 of 2 targets failed: "
                f"123456789012/us-west-2 ({THROTTLED}), 123456789012/eu-north-1 ({THROTTLED}); "
                f"GetJob failed for 2 of 2 jobs named in jobs: {ARN} (no response), {OTHER} (no response); "
                "run braket-exporter check-config --online"
            ),
        ),
        (
            FaultKind.THROTTLE,
            ("--all-jobs", "--regions", "us-west-2"),
            (
                "the list of jobs is not complete; "
                f"1 of 1 targets failed: unknown account/us-west-2 ({THROTTLED}); "
                "run braket-exporter check-config --online"
            ),
        ),
        (
            FaultKind.HANG,
            ("--jobs", ARN),
            (
                "1 of 1 jobs are not polled yet; "
                "1 of 1 targets failed: 123456789012/us-west-2 (no call has ended); "
                f"GetJob failed for 1 of 1 jobs named in jobs: {ARN} (no response); "
                "run braket-exporter check-config --online"
            ),
        ),
    ],
)
def test_once_ends_after_its_timeout_with_what_is_known(
    kind: FaultKind, selection: tuple[str, ...], silent: str, simulator: SimulatorServer
) -> None:
    simulator.faults.put(Fault(kind))
    rarely = ("--api-requests-per-second", "0.2")  # the next call is due long after the timeout
    ended = run(
        *("once", *selection, *rarely, "--timeout", "3s", "--log-format", "json"),
        env={"AWS_ENDPOINT_URL_BRAKET": simulator.url, "AWS_ENDPOINT_URL_STS": f"http://127.0.0.1:{closed_port()}"},
    )
    assert one_clear_line(ended) == f"braket-exporter: timed out after 3s; {silent}"
    assert any(line.startswith("braket_exporter_build_info{") for line in samples_of(ended.stdout))


def test_once_names_targets_of_unknown_accounts_by_their_settings(tmp_path: Path) -> None:
    config = tmp_path / "exporter.yaml"
    regions = "regions: [us-west-2], all_jobs: true"
    config.write_text(f"targets:\n- {{name: a, {regions}}}\n- {{name: b, {regions}, tags: x=y}}\n")
    ended = once_as_nobody(f"http://127.0.0.1:{closed_port()}", "--config", str(config))
    cause = "no credentials: the AWS SDK finds none in variables, files, or the metadata of the container or instance"
    assert one_clear_line(ended) == (
        f"braket-exporter: 2 of 2 targets failed: a (unknown account/us-west-2) ({cause}), "
        f"b (unknown account/us-west-2) ({cause}); run braket-exporter check-config --online"
    )


def test_once_names_the_first_few_of_many_jobs_without_a_response(simulator: SimulatorServer) -> None:
    gone = [f"{ARN[:-2]}{number}" for number in range(10, 18)]
    said = one_clear_line(once(simulator.url, "--jobs", ",".join([ARN, *gone])))
    shown = ", ".join(f"{arn} (ResourceNotFoundException)" for arn in gone[:3])
    assert said == f"braket-exporter: GetJob failed for 8 of 9 jobs named in jobs: {shown} and 5 more"


def test_once_ends_after_its_timeout_while_the_sdk_starts_a_program_that_hangs(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("[profile slow]\nregion = us-west-2\ncredential_process = /bin/sleep 600\n")
    nobody = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}
    env = {"AWS_CONFIG_FILE": str(config), "AWS_PROFILE": "slow", **nobody}
    ended = run("once", "--jobs", ARN, "--timeout", "0.5s", "--log-format", "json", env=env)
    assert one_clear_line(ended).startswith("braket-exporter: timed out after 0.5s")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_once_that_is_interrupted_writes_no_half_page_and_ends_with_1(number: signal.Signals) -> None:
    world = World([ScriptedJob(ARN, LONG_AGO, lambda _: wire_job(ARN, "RUNNING"))])
    with (
        SimulatorServer(world, clock=time.time, faults=[Fault(FaultKind.HANG)]) as server,
        interruptible(),
        subprocess.Popen(
            command("once", "--jobs", ARN, "--log-format", "json"),
            env=environment({"AWS_ENDPOINT_URL_BRAKET": server.url}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        eventually(lambda: server.requests)
        process.send_signal(number)
        out, said = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (1, "")
    assert said == "braket-exporter: interrupted before every job was polled\n"


@pytest.mark.parametrize("asked", ["once", "check-config"])
def test_a_reader_that_went_away_gives_no_traceback(asked: str, simulator: SimulatorServer) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        status, said = _with_stdout(writing, asked, simulator.url)
    finally:
        os.close(writing)
    assert status == 1
    assert "Traceback" not in said
    assert "Exception ignored" not in said


@pytest.mark.parametrize("asked", ["once", "check-config"])
def test_a_full_disk_is_told_in_one_line(asked: str, simulator: SimulatorServer) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        status, said = _with_stdout(full, asked, simulator.url)
    finally:
        os.close(full)
    ended = subprocess.CompletedProcess([], status, "", said)
    assert "No space left on device" in one_clear_line(ended)


@pytest.mark.parametrize("asked", ["once", "check-config"])
def test_a_stdout_that_was_closed_from_the_start_gives_no_traceback(asked: str, simulator: SimulatorServer) -> None:
    ended = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *command(asked, "--jobs", ARN, "--log-format", "json")],
        env=environment({"AWS_ENDPOINT_URL_BRAKET": simulator.url}),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=2 * PATIENCE,
        check=False,
    )
    one_clear_line(ended)


def _with_stdout(stdout: int, asked: str, url: str) -> tuple[int, str]:
    ended = subprocess.run(
        command(asked, "--jobs", ARN, "--log-format", "json"),
        env=environment({"AWS_ENDPOINT_URL_BRAKET": url}),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=2 * PATIENCE,
        check=False,
    )
    return ended.returncode, ended.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "first"),
    [
        (("--version",), 0, f"braket-exporter {__version__}"),
        (("check-config", "--jobs", "x"), 2, "braket-exporter: invalid settings:"),
        (("check-config", "--jobs", ARN), 0, "# The settings are valid. Active settings:"),
    ],
)
def test_where_python_is_to_wait_for_input_at_its_end_the_status_is_the_same_and_there_is_no_traceback(
    arguments: tuple[str, ...], status: int, first: str
) -> None:
    ended = run(*arguments, env={"PYTHONINSPECT": "1"})
    assert (ended.returncode, (ended.stdout + ended.stderr).splitlines()[0]) == (status, first)
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("asked", ["run", "once"])
def test_a_limit_that_allows_no_thread_is_told_in_one_line(asked: str) -> None:
    limit = (
        "import _thread, threading\n"
        'def refuse(*_): raise RuntimeError("can\'t start new thread")\n'
        "threading._start_new_thread = refuse"
    )
    ended = run(asked, "--jobs", ARN, *LOCAL, prelude=limit)
    assert one_clear_line(ended) == (
        "braket-exporter: cannot start a thread; raise the limits of memory and of processes"
    )


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("MemoryError()", "braket-exporter: cannot load its modules: MemoryError"),
        (
            "ImportError('failed to map segment')",
            "braket-exporter: cannot load its modules: ImportError: failed to map segment",
        ),
    ],
)
@pytest.mark.parametrize("module", ["exporter.app.cli", "exporter.app.once"])
def test_a_limit_that_allows_no_libraries_is_told_in_one_line(error: str, said: str, module: str) -> None:
    broken = f"""
import builtins
def failing(name, *args, real=builtins.__import__, **kwargs):
    if name == "{module}":
        raise {error}
    return real(name, *args, **kwargs)
builtins.__import__ = failing
"""
    assert one_clear_line(run("once", "--jobs", ARN, prelude=broken)) == said


def test_memory_that_runs_out_is_told_in_one_line() -> None:
    greedy = "import exporter.app.once\ndef once(*_): raise MemoryError\nexporter.app.once.once = once"
    ended = run("once", "--jobs", ARN, *LOCAL, prelude=greedy)
    assert one_clear_line(ended) == "braket-exporter: out of memory; raise the memory limit"


def test_another_runtime_error_is_a_bug_with_its_traceback() -> None:
    broken = "import exporter.app.once\ndef once(*_): raise RuntimeError('odd')\nexporter.app.once.once = once"
    ended = run("once", "--jobs", ARN, *LOCAL, prelude=broken)
    assert ended.returncode == 1
    assert "RuntimeError: odd" in ended.stderr


SLOW_TO_IMPORT = """
import builtins, sys, time
def slowly(name, *args, real=builtins.__import__, **kwargs):
    if name == "exporter.app.cli":
        print("importing", file=sys.stderr, flush=True)
        time.sleep(600)
    return real(name, *args, **kwargs)
builtins.__import__ = slowly
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_comes_while_modules_are_imported_ends_it_with_0(number: signal.Signals) -> None:
    with daemon(prelude=SLOW_TO_IMPORT, started=False) as running:
        eventually(lambda: running.lines == ["importing"])
        assert running.stop(number) == 0


@pytest.mark.parametrize("asked", ["once", "check-config"])
def test_a_signal_that_comes_while_modules_are_imported_leaves_a_result_undone(asked: str) -> None:
    started = command(asked, "--jobs", ARN, prelude=SLOW_TO_IMPORT)
    with subprocess.Popen(started, env=environment(), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "importing\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 1


def test_a_check_that_is_interrupted_tells_nothing_and_ends_with_1(tmp_path: Path) -> None:
    config = tmp_path / "exporter.yaml"
    os.mkfifo(config)
    with daemon("check-config", "--config", str(config), started=False) as running:
        writer = eventually(lambda: _opened_by_both(running, config))
        running.process.send_signal(signal.SIGTERM)
        os.close(writer)
        assert running.wait() == 1
    assert running.lines == ["braket-exporter: interrupted before everything was checked"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_comes_before_the_start_is_done_ends_it_with_0(number: signal.Signals, tmp_path: Path) -> None:
    # Nobody writes to the pipe, so the process waits in the reading of its settings.
    config = tmp_path / "exporter.yaml"
    os.mkfifo(config)
    with interruptible(), daemon("--config", str(config), started=False) as running:
        writer = eventually(lambda: _opened_by_both(running, config))
        running.process.send_signal(number)
        # A signal that came just before the reading began shows when that ends.
        os.close(writer)
        status = running.wait()
    assert status == 0
    assert running.lines == []


@contextmanager
def interruptible() -> Iterator[None]:
    """Let children take SIGINT, though a shell that runs the tests in the background has them ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _opened_by_both(running: Daemon, path: Path) -> int | None:
    """Open the pipe for writing, which is possible as soon as there is a reader."""
    assert running.process.poll() is None
    try:
        return os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return None


def test_run_is_the_default_command(simulator: SimulatorServer) -> None:
    env = {"AWS_ENDPOINT_URL_BRAKET": simulator.url, "BRAKET_EXPORTER_JOBS": ARN}
    with daemon(*FAST, env=env) as running:
        assert running.stop() == 0
    assert len(running.logged("stopped")) == 1


def test_the_console_format_is_for_people(simulator: SimulatorServer) -> None:
    arguments = ("once", "--jobs", ARN, *LOCAL, "--log-format", "console")
    ended = run(*arguments, env={"AWS_ENDPOINT_URL_BRAKET": simulator.url})
    assert ended.returncode == 0
    assert "job_discovered" in ended.stderr
    assert not ended.stderr.startswith("{")
    assert "\x1b[" not in ended.stderr
