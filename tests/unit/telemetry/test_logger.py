"""The logger, on a stream that cannot be written for a while."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from exporter.telemetry.logger import LogLevel, make_logger


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)


class Disk(io.StringIO):
    """A stream that may be full."""

    full = False

    def write(self, text: str) -> int:
        if self.full:
            raise OSError(28, "No space left on device")
        return super().write(text)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]


@pytest.mark.parametrize(("level", "events"), [("info", ["log_recovered", "after"]), ("error", ["after"])])
def test_lines_that_cannot_be_written_are_counted_and_reported(level: LogLevel, events: list[str]) -> None:
    disk, dropped = Disk(), list[int]()
    logger = make_logger(level, "json", disk, lambda: dropped.append(1))
    disk.full = True
    for number in range(3):
        logger.error("lost", number=number)
    logging.getLogger("some.library").error("lost as well")
    assert len(dropped) == 4
    disk.full = False
    logger.error("after")
    assert [line["event"] for line in disk.lines] == events
    logger.error("more")
    assert [line["event"] for line in disk.lines] == [*events, "more"]


def test_the_report_of_lost_lines_is_a_warning_with_their_number() -> None:
    disk = Disk()
    logger = make_logger("info", "json", disk)
    disk.full = True
    logger.info("lost")
    disk.full = False
    logger.info("after")
    report = disk.lines[0]
    assert [*report] == ["timestamp", "level", "event", "dropped"]
    assert (report["level"], report["event"], report["dropped"]) == ("warning", "log_recovered", 1)


def test_the_report_is_readable_on_a_console() -> None:
    disk = Disk()
    logger = make_logger("info", "console", disk)
    disk.full = True
    logger.info("lost")
    disk.full = False
    logger.info("after")
    first, second = disk.getvalue().splitlines()
    assert "log_recovered" in first
    assert "dropped=1" in first
    assert "after" in second


def test_a_record_that_cannot_be_formatted_does_no_harm(capsys: pytest.CaptureFixture[str]) -> None:
    disk = Disk()
    make_logger("info", "json", disk)
    logging.getLogger("some.library").warning("%d", "no number")
    logging.getLogger("some.library").warning("after")
    assert [line["event"] for line in disk.lines] == ["after"]
    assert "no number" in capsys.readouterr().err
