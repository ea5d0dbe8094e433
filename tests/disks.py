"""Disks that take nothing more, or give nothing more."""

import os
import resource
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """Have the system refuse this process to write beyond a size, as it does where a disk is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def small_disk(place: Path, size: str = "512k") -> Iterator[Path]:
    """Mount a disk of so many bytes; without the rights to do so, the test is skipped."""
    if os.geteuid() != 0:
        pytest.skip("disks are mounted as root")
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def fail_midway(monkeypatch: pytest.MonkeyPatch, error: sqlite3.Error) -> None:
    """Have the second group of jobs in a state file be unreadable."""

    class Failing(sqlite3.Connection):
        groups = 0

        def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
            self.groups += " IN (" in sql
            if self.groups == 2:
                raise error
            return super().execute(sql, *parameters)

    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Failing))
