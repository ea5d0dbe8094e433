"""The container image: what is in it, and how it behaves as process 1 without any right."""

import os
import re
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from images import BASE, IMAGE, NOWHERE, PYTHON, ROOT, Container, Images, built, catches, started
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from processes import closed_port, eventually, tool

import exporter

JOB = "arn:aws:braket:us-west-2:123456789012:job/0a1b2c3d-0000-4000-8000-000000000001"
WATCH = ("--jobs", JOB, "--listen-address", "127.0.0.1:0")
PROJECT = "https://github.com/braket-exporter/braket-exporter"
LOCKS = {"requirements.lock": "project.dependencies", "requirements-build.lock": "build-system.requires"}


@pytest.fixture(scope="module")
def images() -> Iterator[Images]:
    with built(REVISION="0123456789abcdef0123456789abcdef01234567", CREATED="2025-06-15T15:06:40Z") as images:
        yield images


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def pinned(lock: str) -> dict[str, str]:
    """Read the version of each package."""
    return dict(re.findall(r"^([a-z0-9.-]+)==(\S+)", text(lock), re.MULTILINE))


def required(key: str) -> list[Requirement]:
    section, _, name = key.partition(".")
    return [Requirement(line) for line in tomllib.loads(text("pyproject.toml"))[section][name]]


# What it is made from.


def test_the_dockerfile_satisfies_its_linter() -> None:
    linter = tool(str(Path(sys.executable).with_name("hadolint")))
    ended = subprocess.run([linter, ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (ended.stdout, ended.returncode) == ("", 0)


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_hashes_for_every_package_and_names_no_host(lock: str) -> None:
    entries = re.split(r"\n(?=\S)", text(lock).rstrip("\n"))
    package = r"[a-z0-9.-]+==[a-z0-9.]+(?: ; [^\n\\]+)?(?: \\\n    --hash=sha256:[0-9a-f]{64})+"
    assert [entry for entry in entries if re.fullmatch(package, entry) is None] == []
    assert len(entries) == len(pinned(lock)) >= len(required(LOCKS[lock]))


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_what_the_project_asks_for(lock: str) -> None:
    versions = pinned(lock)
    for requirement in required(LOCKS[lock]):
        assert requirement.specifier.contains(versions[canonicalize_name(requirement.name)]), requirement


def test_the_base_of_the_builder_has_a_digest_and_the_image_has_no_base() -> None:
    assert re.search(rf"\nARG PYTHON_IMAGE={BASE}@sha256:[0-9a-f]{{64}}\n", text("Dockerfile"))
    assert re.findall(r"^FROM (.*)$", text("Dockerfile"), re.MULTILINE) == ["${PYTHON_IMAGE} AS builder", "scratch"]


# What is in it.


def test_its_labels_describe_it(images: Images) -> None:
    labels = images.config()["Labels"]
    assert {name: value for name, value in labels.items() if name.startswith("org.opencontainers.image.")} == {
        "org.opencontainers.image.title": "braket-exporter",
        "org.opencontainers.image.description": "Prometheus exporter for Amazon Braket hybrid jobs",
        "org.opencontainers.image.licenses": "Apache-2.0",
        "org.opencontainers.image.source": PROJECT,
        "org.opencontainers.image.url": PROJECT,
        "org.opencontainers.image.documentation": f"{PROJECT}/blob/main/docs/get-started/container.md",
        "org.opencontainers.image.version": exporter.__version__,
        "org.opencontainers.image.revision": "0123456789abcdef0123456789abcdef01234567",
        "org.opencontainers.image.created": "2025-06-15T15:06:40Z",
    }


def test_it_asks_for_a_numeric_user_a_port_and_sigterm_and_sets_no_variable_of_the_exporter(images: Images) -> None:
    config = images.config()
    assert (config["User"], config["ExposedPorts"], config["StopSignal"]) == (
        "65532:65532",
        {"9834/tcp": {}},
        "SIGTERM",
    )
    assert [variable for variable in config["Env"] if not variable.startswith("PATH=")] == ["MALLOC_ARENA_MAX=1"]


FILES = """
import os, stat
for folder, folders, names in os.walk("/"):
    folders[:] = [name for name in folders if os.path.join(folder, name) not in ("/dev", "/proc", "/sys")]
    for name in names:
        path = os.path.join(folder, name)
        mode = os.lstat(path).st_mode
        if stat.S_ISREG(mode):
            with open(path, "rb") as file:
                print(f"{mode:o}", file.read(4) == b"\\x7fELF", path)
"""


@pytest.fixture(scope="module")
def files(images: Images) -> dict[str, tuple[int, bool]]:
    """List the files with their modes, and whether they are in the format of programs."""
    lines = (line.split(maxsplit=2) for line in images.python(FILES).splitlines())
    return {path: (int(mode, 8), program == "True") for mode, program, path in lines}


def test_its_only_programs_are_python_and_the_exporter(files: dict[str, tuple[int, bool]]) -> None:
    programs = {path for path, (mode, binary) in files.items() if mode & 0o111 and binary and ".so" not in path}
    assert {re.sub(r"\d+\.\d+$", "", path) for path in programs} == {"/usr/bin/python"}
    scripts = {path for path, (mode, _) in files.items() if mode & 0o111 and not path.endswith(".py")}
    assert {path for path in scripts - programs if ".so" not in path} == {"/opt/braket-exporter/bin/braket-exporter"}
    assert [path for path, (mode, _) in files.items() if mode & 0o6000] == []


def test_it_has_no_shell_and_no_package_manager(files: dict[str, tuple[int, bool]]) -> None:
    names = {Path(path).name for path in files}
    assert names & {"sh", "bash", "dash", "busybox", "apt", "apt-get", "dpkg", "perl", "pip", "pip3"} == set()
    assert len(files) > 1000


def test_scanners_find_the_debian_packages_of_its_libraries(files: dict[str, tuple[int, bool]]) -> None:
    folder = "/var/lib/dpkg/status.d/"
    packages = {path.removeprefix(folder) for path in files if path.startswith(folder)}
    assert packages >= {"libc6", "libssl3", "libsqlite3-0", "zlib1g"}


def test_the_exporter_comes_without_pip_tests_and_the_scripts_of_others(images: Images) -> None:
    program = """
import os, sysconfig
print(*sorted(os.listdir("/opt/braket-exporter/bin")))
packages = os.listdir(sysconfig.get_path("purelib"))
print(*sorted({"pip", "setuptools", "wheel", "hatchling", "tests", "exporter"} & {*packages}))
"""
    scripts, packages = images.python(program).splitlines()
    assert re.sub(r" python3\.\d+", "", scripts) == "braket-exporter python python3"
    assert packages == "exporter"


def test_of_the_sdks_data_it_has_what_the_exporter_and_the_chain_of_credentials_ask_for(images: Images) -> None:
    program = """
import boto3, botocore, os
data = os.path.join(os.path.dirname(botocore.__file__), "data")
services = sorted(name for name in os.listdir(data) if os.path.isdir(os.path.join(data, name)))
print(*services)
print(*(boto3.client(name, "eu-north-1").meta.endpoint_url for name in services))
"""
    services, endpoints = images.python(program).splitlines()
    assert services == "braket signin sqs sso sso-oidc sts"
    assert endpoints.split() == [
        "http://127.0.0.1:9",  # the environment says so
        "https://signin.eu-north-1.amazonaws.com",
        "https://sqs.eu-north-1.amazonaws.com",
        "https://portal.sso.eu-north-1.amazonaws.com",
        "https://oidc.eu-north-1.amazonaws.com",
        "https://sts.eu-north-1.amazonaws.com",
    ]


def test_every_module_is_compiled_and_never_compared_with_its_source(images: Images) -> None:
    program = """
import importlib.util, pathlib, sysconfig
sources = [*pathlib.Path(sysconfig.get_path("purelib")).rglob("*.py")]
flags = [pathlib.Path(importlib.util.cache_from_source(source)).read_bytes()[4:8] for source in sources]
print(len(sources) > 400, {int.from_bytes(flag, "little") for flag in flags})
"""
    assert images.python(program) == "True {1}\n"


def test_nothing_is_left_to_compile_at_the_start_or_at_the_first_call(images: Images) -> None:
    entry = f'--entrypoint=["{PYTHON}", "-v", "-m", "exporter"]'
    ended = images.run("once", "--jobs", JOB, options=(entry,), env=NOWHERE)
    assert '"event": "poll_failed"' in ended.stderr
    assert len(re.findall(r"^# code object from '.*\.pyc'$", ended.stderr, re.MULTILINE)) > 400
    assert re.findall(r"^# code object from [^'].*$", ended.stderr, re.MULTILINE) == []


def test_nothing_is_left_to_compile_of_what_is_loaded_on_demand(images: Images) -> None:
    program = """
import pathlib, sys
import exporter.simulator.__main__, exporter.storage.sqlite_file, exporter.web.status_page, yaml
specs = [getattr(module, "__spec__", None) for module in [*sys.modules.values()]]
compiled = [spec.cached for spec in specs if spec and spec.cached]
print(len(compiled) > 400, [path for path in compiled if not pathlib.Path(path).exists()])
"""
    assert images.python(program) == "True []\n"


def test_it_has_at_most_75_megabytes(images: Images) -> None:
    assert 30_000_000 < images.size(IMAGE) < 75_000_000


@pytest.mark.parametrize("user", ["0:0", "1000690000:0", "65532:65532"])
def test_any_user_can_run_it(images: Images, user: str) -> None:
    ended = images.run("check-config", "--jobs", JOB, options=(f"--user={user}",), env=NOWHERE)
    assert (ended.returncode, ended.stderr) == (0, "")


# How it behaves: as process 1 and a user without a name, on a file system that it cannot write to, without a shell.


def test_it_serves_the_metrics_of_the_demo_without_any_right_and_stops_on_sigterm(images: Images) -> None:
    with images.container("demo", "--events", "--listen-address", "127.0.0.1:0", "--log-level", "info") as container:
        running = started(container).daemon
        eventually(lambda: running.get("/-/ready").status == 200)
        eventually(lambda: any(line.startswith("braket_job_status{") for line in running.samples))
        eventually(lambda: "braket_exporter_event_queue_up 1.0" in running.samples)
        assert running.get("/").status == 200
        assert container.kernel("Uid", "Gid", "CapEff", "CapBnd", "CapPrm", "NoNewPrivs", "NSpid") == {
            "Uid": "65532\t65532\t65532\t65532",
            "Gid": "65532\t65532\t65532\t65532",
            "CapEff": "0000000000000000",
            "CapBnd": "0000000000000000",
            "CapPrm": "0000000000000000",
            "NoNewPrivs": "1",
            "NSpid": f"{container.pid}\t1",
        }
        for command in (["sh", "-c", "true"], ["touch", "/tmp/file"], ["touch", "/opt/braket-exporter/file"]):
            assert container.execute(*command).returncode != 0, command
        assert running.logs("poll_failed") == []
        assert stopped(container) == 0
    assert len(running.logged("stopped")) == 1


def test_sigterm_ends_it_while_it_is_still_importing_too(images: Images, tmp_path: Path) -> None:
    package = images.python("import exporter; print(*exporter.__path__, end='')")
    (tmp_path / "__init__.py").touch()
    (tmp_path / "__main__.py").write_text((ROOT / "exporter" / "__main__.py").read_text(encoding="utf-8"))
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__init__.py").write_text("import time\ntime.sleep(60)\n")
    tmp_path.chmod(0o755)
    slow = (f"--volume={tmp_path}:{package}:ro",)
    with images.container(*WATCH, options=slow, env=NOWHERE) as container:
        eventually(lambda: catches(container, signal.SIGTERM))
        os.kill(container.pid, signal.SIGTERM)
        assert container.daemon.wait(5) == 0


def stopped(container: Container) -> int:
    """Stop it as a cluster would; the exit status must come long before the cluster kills it."""
    container.images.podman("stop", "--time=30", container.name)
    return container.daemon.wait(5)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--jobs", JOB, "--poll-interval", "soon"], "poll_interval"),
        ([], "nothing to watch"),
    ],
)
def test_bad_settings_end_it_with_2_and_say_why(images: Images, arguments: list[str], problem: str) -> None:
    ended = images.run(*arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    first, second = ended.stderr.splitlines()
    assert first == "braket-exporter: invalid settings:"
    assert problem in second


def test_it_takes_variables_and_a_mounted_file(images: Images, tmp_path: Path) -> None:
    file = tmp_path / "exporter.yaml"
    file.write_text("all_jobs: true\nregions: [eu-north-1]\n")
    mounted = (f"--volume={file}:/etc/braket-exporter.yaml:ro",)
    env = {"BRAKET_EXPORTER_CONFIG": "/etc/braket-exporter.yaml", "BRAKET_EXPORTER_POLL_INTERVAL": "11s"}
    ended = images.run("check-config", options=mounted, env=env)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert {"poll_interval: 11s", "- eu-north-1"} <= {line.strip() for line in ended.stdout.splitlines()}


def test_it_prints_its_version(images: Images) -> None:
    ended = images.run("--version")
    assert (ended.returncode, ended.stdout) == (0, f"braket-exporter {exporter.__version__}\n")


@pytest.mark.parametrize("address", [None, "", ":9000", "127.0.0.1:9000", "[::1]:9000", "0.0.0.0:9000", "[::]:9000"])
def test_the_health_check_finds_it_at_its_address(images: Images, address: str | None) -> None:
    variables = {} if address is None else {"BRAKET_EXPORTER_LISTEN_ADDRESS": address}
    with images.container("--jobs", JOB, network="none", env={**NOWHERE, **variables}) as container:
        assert started(container).healthy()


def test_the_health_check_does_not_go_through_the_proxy_for_aws(images: Images) -> None:
    env = {**NOWHERE, "http_proxy": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
    with images.container("--jobs", JOB, network="none", env=env) as container:
        assert started(container).healthy()


def test_the_health_check_fails_where_nothing_listens(images: Images) -> None:
    env = {**NOWHERE, "BRAKET_EXPORTER_LISTEN_ADDRESS": f"127.0.0.1:{closed_port()}"}
    with images.container("--jobs", JOB, "--listen-address", "127.0.0.1:0", env=env) as container:
        assert not started(container).healthy()
