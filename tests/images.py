"""The image, built for real on a base made here, in a store of its own; its containers run as a cluster runs them."""

import ast
import configparser
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from processes import Daemon, eventually, tool

ROOT = Path(__file__).parent.parent
CACHE = ROOT / ".cache" / "images"

BASE = "docker.io/library/python:3.13-slim-bookworm"
"""What the Dockerfile names, beside a digest. Only the store of the tests has ours under that name."""

IMAGE = "localhost/braket-exporter:test"
PYTHON = "/opt/braket-exporter/bin/python"

BASE_RECIPE = (
    "mmdebstrap",
    "--quiet",
    "--variant=essential",
    "--include=ca-certificates,python3,python3-pip",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    '--customize-hook=find "$1/usr" -name "*.pyc" -delete',  # official Python images have none either
    "bookworm",
)

HARDENED = (
    "--read-only",
    "--read-only-tmpfs=false",  # podman would otherwise make /tmp, /run and /var/tmp writable
    "--cap-drop=all",
    "--security-opt=no-new-privileges",
    "--ulimit=nofile=1024:1024",
    "--ulimit=nproc=1024:1024",
)

NOWHERE = {
    "AWS_ENDPOINT_URL_BRAKET": "http://127.0.0.1:9",
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""An environment in which no call leaves the machine."""


@dataclass(frozen=True)
class Container:
    """A started container."""

    images: "Images"
    name: str
    daemon: Daemon

    @property
    def pid(self) -> int:
        """The host's number of the container's process 1; 0 while there is none."""
        told = self.images.podman("inspect", "--format", "{{.State.Pid}}", self.name, check=False)
        return int(told.stdout) if told.returncode == 0 else 0

    def kernel(self, *keys: str) -> dict[str, str]:
        """Ask the kernel about process 1."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        told = {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}
        return {key: told[key] for key in keys}

    def execute(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """Run a command in it."""
        return self.images.podman("exec", self.name, *command, check=False)

    def healthy(self) -> bool:
        """Run the health check of the image."""
        return self.images.podman("healthcheck", "run", self.name, check=False).returncode == 0


@dataclass(frozen=True)
class Images:
    """A store of images and containers."""

    place: Path

    def buildah(self, *arguments: str) -> str:
        return self._call("buildah", *self._store, *arguments).stdout

    def podman(self, *arguments: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        return self._call("podman", *self._podman, *arguments, check=check)

    def size(self, name: str) -> int:
        """Tell the bytes of an image, those of its base among them."""
        return int(self.podman("image", "inspect", "--format", "{{.Size}}", name).stdout)

    def config(self) -> dict[str, Any]:
        """Tell how the image is to be run."""
        (told,) = json.loads(self.podman("image", "inspect", IMAGE).stdout)
        config: dict[str, Any] = told["Config"]
        return config

    def run(
        self, *arguments: str, options: tuple[str, ...] = (), env: Mapping[str, str] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Run a hardened container to its end."""
        return self.podman("run", "--rm", *self._options("host", env), *options, IMAGE, *arguments, check=False)

    def python(self, program: str, *arguments: str) -> str:
        """Run a Python program with the image's Python."""
        entry = f"--entrypoint={json.dumps([PYTHON, *arguments])}"
        ended = self.run("-c", program, options=(entry,), env=NOWHERE)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    @contextmanager
    def container(
        self,
        *arguments: str,
        network: str = "host",
        options: tuple[str, ...] = (),
        env: Mapping[str, str] | None = None,
    ) -> Iterator[Container]:
        """Start a hardened container and follow its log lines; it is gone at the end."""
        name = f"test-{uuid.uuid4().hex[:12]}"
        all_options = ["--name", name, *self._options(network, env), *options]
        command = [tool("podman"), *self._podman, "run", *all_options, IMAGE, *arguments]
        pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
        with subprocess.Popen(
            command, env=_environment(), stdin=nothing, stdout=nothing, stderr=pipe, text=True
        ) as process:
            running = Daemon(process)
            assert process.stderr is not None
            running.read_from(process.stderr)
            try:
                yield Container(self, name, running)
            finally:
                self.podman("rm", "--force", "--ignore", "--time=0", name)
                running.end()

    def close(self) -> None:
        """Take everything away."""
        self.podman("rm", "--all", "--force", "--time=0", check=False)
        # The driver mounts its directory upon itself, once more for each two commands that began at the same time.
        while mounted := [each for each in _mounts() if each.is_relative_to(self.place)]:
            # Detached, as the end of a container may still be under way.
            subprocess.run(["umount", "--lazy", mounted[-1]], check=True, timeout=60)
        shutil.rmtree(self.place)

    @property
    def _store(self) -> tuple[str, ...]:
        return ("--root", str(self.place / "store"), "--runroot", str(self.place / "run"))

    @property
    def _podman(self) -> tuple[str, ...]:
        return (*self._store, "--runtime=runc", "--cgroup-manager=cgroupfs")

    @staticmethod
    def _options(network: str, env: Mapping[str, str] | None) -> list[str]:
        variables = [f"--env={name}={value}" for name, value in (env or {}).items()]
        # Proxies of this machine are none of the containers' business.
        return [f"--network={network}", "--http-proxy=false", *HARDENED, *variables]

    @staticmethod
    def _call(program: str, *arguments: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        command = [tool(program), *arguments]
        ended = subprocess.run(
            command, env=_environment(), cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
        )
        assert not check or ended.returncode == 0, f"{command}\n{ended.stdout[-4000:]}\n{ended.stderr[-4000:]}"
        return ended


@contextmanager
def built(**arguments: str) -> Iterator[Images]:
    """Build the image with the given build arguments, on a base made here."""
    for name in ("buildah", "podman", "runc", "mmdebstrap"):
        tool(name)
    if os.geteuid() != 0:
        pytest.skip("images are built and run as root")
    # The sockets of containers need a short path.
    images = Images(Path(tempfile.mkdtemp(prefix="images-")))
    try:
        images.podman("import", str(_base()), BASE)
        told = [f"--build-arg={name}={value}" for name, value in {"PYTHON_IMAGE": BASE, **arguments}.items()]
        # The format of Docker has health checks; that of OCI has none.
        build = ["build", "--pull-never", "--format=docker", *_pip_settings(images.place), *told, f"--tag={IMAGE}", "."]
        images.buildah(*build)
        yield images
    finally:
        images.close()


def _mounts() -> list[Path]:
    """List what is mounted, in the order in which it was."""
    return [Path(line.split()[4]) for line in Path("/proc/self/mountinfo").read_text().splitlines()]


def _base() -> Path:
    """Make a Debian with Python, once for each recipe."""
    path = CACHE / f"base-{hashlib.sha256(repr(BASE_RECIPE).encode()).hexdigest()[:16]}.tar"
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f"{uuid.uuid4().hex}.tar")
        try:
            subprocess.run([*BASE_RECIPE, unfinished], check=True, timeout=300)
            unfinished.rename(path)
        finally:
            unfinished.unlink(missing_ok=True)
    return path


def _pip_settings(place: Path) -> list[str]:
    """Lend the build this machine's settings of pip, and the certificates that it trusts: what its index may need."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], check=True, capture_output=True, text=True
    ).stdout
    settings: dict[str, str] = {}
    for line in sorted(listed.splitlines(), key=lambda line: line.startswith(":env:")):  # variables come last and win
        key, _, value = line.partition("=")
        settings[key.rpartition(".")[2]] = ast.literal_eval(value)
    parser = configparser.RawConfigParser()
    parser["global"] = settings
    with (place / "pip.conf").open("w") as file:
        parser.write(file)
    trusted = "/etc/ssl/certs/ca-certificates.crt"
    named = {word for value in settings.values() for word in value.split() if word.startswith("/")}
    lent = [f"--volume={path}:{path}:ro" for path in sorted({*named, trusted}) if Path(path).exists()]
    return [*lent, f"--volume={place / 'pip.conf'}:/etc/pip.conf:ro"]


def _environment() -> dict[str, str]:
    usual = {"STORAGE_DRIVER": "overlay"}
    # Without a systemd, podman cannot set a timer for the health check; here it is run by hand.
    return usual | os.environ | {"BUILDAH_ISOLATION": "chroot", "DISABLE_HC_SYSTEMD": "true"}


def catches(container: Container, number: signal.Signals) -> bool:
    """Tell whether process 1 has a handler for a signal by now."""
    try:
        caught = int(container.kernel("SigCgt")["SigCgt"], 16)
    except FileNotFoundError:  # it is not running yet
        return False
    return bool(caught >> (number - 1) & 1)


def started(container: Container) -> Container:
    """Wait until the exporter serves."""
    eventually(lambda: container.daemon.logs("started") or container.daemon.process.poll() is not None, 60)
    assert container.daemon.process.poll() is None, "\n".join(container.daemon.lines)
    return container
