"""The sinks of log lines, with real pipes, files and devices."""

import io
import os
import threading
import time
from pathlib import Path

import pytest
from disks import no_file_larger_than

from exporter.telemetry.log_sink import DescriptorSink, StreamSink, sink_of


def test_a_file_gets_each_line_at_once(tmp_path: Path) -> None:
    file = tmp_path / "log"
    with file.open("w", encoding="utf-8") as stream:
        sink = sink_of(stream)
        assert isinstance(sink, DescriptorSink)
        sink.write("grün\n")
        assert file.read_text(encoding="utf-8") == "grün\n"
        sink.write("")
        sink.write("two\nthree\n")
        assert file.read_text(encoding="utf-8") == "grün\ntwo\nthree\n"


def test_characters_beyond_the_encoding_are_escaped(tmp_path: Path) -> None:
    file = tmp_path / "log"
    with file.open("w", encoding="ascii") as stream:
        sink_of(stream).write("grün\n")
    assert file.read_bytes() == b"gr\\xfcn\n"


def test_a_stream_without_a_descriptor_is_written_to() -> None:
    stream = io.StringIO()
    sink = sink_of(stream)
    assert isinstance(sink, StreamSink)
    sink.write("line\n")
    assert stream.getvalue() == "line\n"


def test_a_full_device_is_an_error_and_nothing_stays_in_a_buffer() -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        with pytest.raises(OSError, match="No space left"):
            sink_of(full).write("line\n")
        full.flush()


def test_a_line_after_one_that_was_cut_starts_on_its_own(tmp_path: Path) -> None:
    file = tmp_path / "log"
    with file.open("w", encoding="utf-8") as stream:
        sink = sink_of(stream)
        sink.write("first\n")
        with no_file_larger_than(10), pytest.raises(OSError, match="File too large"):
            sink.write("second\n")
        sink.write("third\n")
        sink.write("fourth\n")
    assert file.read_text(encoding="utf-8") == "first\nseco\nthird\nfourth\n"


def test_a_full_pipe_that_does_not_block_is_waited_for() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    sink, size = DescriptorSink(writing, "utf-8"), 1_000_000
    writer = threading.Thread(target=sink.write, args=("x" * size + "\n",), daemon=True)
    cpu = time.process_time()
    writer.start()
    writer.join(0.3)
    assert writer.is_alive()
    assert time.process_time() - cpu < 0.2
    received = 0
    while received < size + 1:
        received += len(os.read(reading, 65536))
    writer.join(30)
    assert not writer.is_alive()
    os.close(reading)
    with pytest.raises(BrokenPipeError):
        sink.write("line\n")
    os.close(writing)
