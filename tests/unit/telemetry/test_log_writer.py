"""The thread that writes log lines, while its sink works, while it is stuck and while it reports errors."""

import io
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from exporter.telemetry import log_writer
from exporter.telemetry.log_sink import sink_of
from exporter.telemetry.log_writer import LogWriter, write_text

SOON = 30.0
"""The longest wait for another thread, seconds."""


class Sink:
    """A sink that can get stuck, or report errors."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self.error: OSError | None = None
        self.entered = threading.Semaphore(0)
        self.works = threading.Event()
        self.works.set()
        self.done = threading.Semaphore(0)

    def write(self, text: str) -> None:
        self.entered.release()
        self.works.wait(SOON)  # a test may end while the sink is stuck, and its thread must not fail in a later one
        try:
            if self.error is not None:
                raise self.error
            self.written.append(text)
        finally:
            self.done.release()


@dataclass
class Log:
    """A writer whose threads wait for a line by moving the clock."""

    sink: Sink = field(default_factory=Sink)
    now: float = 1000.0
    dropped: int = 0
    waited: list[float] = field(default_factory=list)
    writer: LogWriter = field(init=False)

    def __post_init__(self) -> None:
        self.writer = LogWriter(
            self.sink,
            recovery_line=lambda count: f"{count} lost\n",
            on_drop=self._drop,
            clock=lambda: self.now,
            wait=self._wait,
        )

    def get_stuck(self) -> None:
        """Have a thread give up on a line that is being written."""
        self.sink.works.clear()
        self.writer.write("stuck\n")

    def recover(self) -> None:
        """Have the sink continue, and wait until the lost lines are reported."""
        self.sink.works.set()
        assert eventually(lambda: self.writer._lost == 0)

    def _drop(self) -> None:
        self.dropped += 1

    def _wait(self, over: threading.Event, seconds: float) -> bool:
        if self.sink.works.is_set():
            assert over.wait(SOON)
            return True
        assert self.sink.entered.acquire(timeout=SOON)  # the thread is in the sink now
        self.waited.append(seconds)
        self.now += seconds
        return over.is_set()


def eventually(true: Callable[[], bool]) -> bool:
    waiting = threading.Event()
    return any(true() or waiting.wait(0.01) for _ in range(int(SOON * 100)))


def test_a_line_is_written_when_the_call_returns() -> None:
    log = Log()
    for number in range(100):
        log.writer.write(f"{number}\n")
        assert log.sink.written[-1] == f"{number}\n"
    assert len(log.sink.written) == 100
    assert log.dropped == 0


def test_the_lines_of_many_threads_are_all_written() -> None:
    log = Log()

    def write(name: int) -> None:
        for number in range(50):
            log.writer.write(f"{name} {number}\n")

    threads = [threading.Thread(target=write, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in range(8):
        lines = [line for line in log.sink.written if line.startswith(f"{name} ")]
        assert lines == [f"{name} {number}\n" for number in range(50)]


def test_a_stuck_sink_is_waited_for_a_second_in_total() -> None:
    log = Log()
    log.get_stuck()
    for _ in range(5000):
        log.writer.write("more\n")
    assert log.waited == [1.0]
    assert log.dropped == 5000


def test_the_line_that_got_stuck_is_written_later_and_the_number_of_the_others_is_reported_once() -> None:
    log = Log()
    log.writer.write("before\n")
    assert log.sink.entered.acquire(timeout=SOON)
    log.get_stuck()
    log.writer.write("lost\n")
    log.writer.write("lost\n")
    log.recover()
    log.writer.write("after\n")
    assert log.sink.written == ["before\n", "stuck\n", "2 lost\n", "after\n"]
    assert log.dropped == 2


def test_a_sink_that_only_was_slow_reports_nothing() -> None:
    log = Log()
    log.get_stuck()
    log.sink.works.set()
    assert eventually(lambda: log.sink.written == ["stuck\n"])
    log.writer.write("after\n")
    assert log.sink.written == ["stuck\n", "after\n"]


def test_lines_that_wait_behind_a_stuck_one_are_dropped_with_the_first_that_gives_up() -> None:
    sink, dropped, patient = Sink(), list[int](), threading.Event()

    def wait(over: threading.Event, _: float) -> bool:
        if threading.current_thread().name == "first":
            patient.wait(SOON)
            return over.is_set()
        return over.wait(SOON)

    writer = LogWriter(sink, on_drop=lambda: dropped.append(1), wait=wait)
    sink.works.clear()
    threads = [threading.Thread(target=writer.write, args=("line\n",), name="first")]
    threads[0].start()
    assert sink.entered.acquire(timeout=SOON)
    threads += [threading.Thread(target=writer.write, args=("line\n",)) for _ in range(7)]
    for thread in threads[1:]:
        thread.start()
    assert eventually(lambda: len(writer._queue) == 7)
    patient.set()
    for thread in threads:
        thread.join(SOON)
        assert not thread.is_alive()
    assert len(dropped) == 7
    sink.works.set()


@pytest.mark.parametrize(("later", "patience"), [(0.0, 0.05), (2.5, 0.25), (9.0, 0.9), (1000.0, 1.0)])
def test_a_sink_that_is_stuck_again_soon_is_waited_for_less(later: float, patience: float) -> None:
    log = Log()
    log.get_stuck()
    log.writer.write("lost\n")
    log.recover()
    while log.sink.entered.acquire(blocking=False):
        pass
    log.now += later
    log.get_stuck()
    assert log.waited == [1.0, pytest.approx(patience)]
    log.sink.works.set()


def test_a_sink_with_an_error_is_not_waited_for_and_reported_before_the_next_line() -> None:
    log = Log()
    log.sink.error = OSError(28, "No space left on device")
    for _ in range(10):
        log.writer.write("lost\n")
    assert (log.waited, log.dropped, log.sink.written) == ([], 10, [])
    log.sink.error = None
    log.writer.write("after\n")
    log.writer.write("more\n")
    assert log.sink.written == ["10 lost\n", "after\n", "more\n"]
    assert log.dropped == 10


def test_a_sink_with_an_error_is_tried_again_without_another_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_writer, "RETRY_INTERVAL", 0.02)
    sink = Sink()
    sink.error = OSError(32, "Broken pipe")
    writer = LogWriter(sink, recovery_line=lambda count: f"{count} lost\n")
    writer.write("lost\n")
    assert all(sink.done.acquire(timeout=SOON) for _ in range(3))
    sink.error = None
    assert eventually(lambda: sink.written == ["1 lost\n"])
    assert not eventually_more(sink)


def eventually_more(sink: Sink) -> bool:
    """Return whether more than one line is written in a while."""
    return any(len(sink.written) > 1 or threading.Event().wait(0.01) for _ in range(10))


def test_a_closed_stream_is_an_error() -> None:
    stream, dropped = io.StringIO(), list[int]()
    writer = LogWriter(sink_of(stream), on_drop=lambda: dropped.append(1))
    stream.close()
    writer.write("lost\n")
    assert dropped == [1]


def test_a_sink_that_logs_does_not_wait_for_itself() -> None:
    written: list[str] = []

    class Talking:
        def write(self, text: str) -> None:
            written.append(text)
            if text == "first\n":
                writer.write("second\n")

    writer = LogWriter(Talking(), wait=lambda over, _: over.wait(SOON))
    writer.write("first\n")
    assert eventually(lambda: written == ["first\n", "second\n"])


def test_lines_beyond_the_queue_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_writer, "MAX_QUEUED", 3)
    sink, dropped = Sink(), list[int]()
    writer = LogWriter(sink, on_drop=lambda: dropped.append(1), wait=lambda over, _: over.wait(SOON))
    sink.works.clear()
    threads = [threading.Thread(target=writer.write, args=("line\n",)) for _ in range(10)]
    threads[0].start()
    assert sink.entered.acquire(timeout=SOON)
    for thread in threads[1:]:
        thread.start()
    assert eventually(lambda: len(dropped) == 6)
    sink.works.set()
    for thread in threads:
        thread.join(SOON)
    assert eventually(lambda: sink.written.count("line\n") == 4)


def test_a_text_is_written_at_once() -> None:
    stream = io.StringIO()
    write_text(stream, "one\ntwo\n")
    assert stream.getvalue() == "one\ntwo\n"


@pytest.fixture
def no_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    yield
    monkeypatch.undo()


@pytest.mark.usefixtures("no_threads")
def test_a_text_is_written_without_threads() -> None:
    stream = io.StringIO()
    write_text(stream, "cannot start a thread\n")
    assert stream.getvalue() == "cannot start a thread\n"


def test_an_idle_writer_has_no_thread_and_the_next_line_starts_one() -> None:
    before = threading.active_count()
    logs = [Log() for _ in range(50)]
    for log in logs:
        log.writer.write("one\n")
    assert eventually(lambda: threading.active_count() <= before)
    for log in logs:
        log.writer.write("two\n")
    assert [log.sink.written for log in logs] == [["one\n", "two\n"]] * 50
