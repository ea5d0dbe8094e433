"""The watch of the settings file."""

import os
from pathlib import Path

import pytest

from exporter.app.file_watch import FileWatch


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "exporter.yaml"
    path.write_text("all_jobs: true\n")
    return path


def test_a_change_counts_when_two_checks_find_the_same_content(file: Path) -> None:
    watch = FileWatch(str(file))
    assert not watch.changed()
    file.write_text("all_jobs: tr")
    assert not watch.changed()
    file.write_text("all_jobs: false\n")
    assert not watch.changed()
    assert watch.changed()


def test_content_that_was_read_is_no_change_even_if_it_was_invalid(file: Path) -> None:
    watch = FileWatch(str(file))
    file.write_text("all_jobs: maybe\n")
    watch.about_to_read()
    assert [watch.changed() for _ in range(3)] == [False] * 3
    file.write_text("all_jobs: true\n")
    assert [watch.changed() for _ in range(2)] == [False, True]


def test_a_touched_file_has_not_changed(file: Path) -> None:
    watch = FileWatch(str(file))
    os.utime(file, (1, 1))
    assert [watch.changed() for _ in range(3)] == [False] * 3


def test_the_swap_of_a_symbolic_link_is_a_change_as_in_a_config_map(tmp_path: Path) -> None:
    for version in ("1", "2"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "exporter.yaml").write_text(f"max_jobs: {version}\n")
    (tmp_path / "data").symlink_to("1")
    (tmp_path / "exporter.yaml").symlink_to("data/exporter.yaml")
    watch = FileWatch(str(tmp_path / "exporter.yaml"))
    (tmp_path / "next").symlink_to("2")
    (tmp_path / "next").rename(tmp_path / "data")
    assert [watch.changed() for _ in range(2)] == [False, True]


def test_a_missing_file_has_not_changed_until_it_is_back_with_other_content(file: Path) -> None:
    watch = FileWatch(str(file))
    file.unlink()
    assert [watch.changed() for _ in range(3)] == [False] * 3
    file.write_text("all_jobs: true\n")
    assert [watch.changed() for _ in range(3)] == [False] * 3
    file.write_text("all_jobs: false\n")
    assert [watch.changed() for _ in range(2)] == [False, True]


@pytest.mark.parametrize("kind", ["none", "pipe", "device"])
def test_without_a_regular_file_nothing_changes_and_nothing_blocks(kind: str, tmp_path: Path) -> None:
    path = {"none": None, "pipe": str(tmp_path / "pipe"), "device": "/dev/null"}[kind]
    if kind == "pipe":
        os.mkfifo(tmp_path / "pipe")
    watch = FileWatch(path)
    assert [watch.changed() for _ in range(2)] == [False] * 2
