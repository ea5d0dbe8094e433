"""`python -m exporter.simulator`: a Braket endpoint in a process of its own."""

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Thread

from exporter.simulator.fleet import REGIONS, Births, Plan, generate_fleet
from exporter.simulator.server import SimulatorServer
from exporter.simulator.world import World

_STOPPING = (signal.SIGTERM, signal.SIGINT)

_DESCRIPTION = """\
An Amazon Braket endpoint with simulated hybrid jobs. It speaks the real wire format over HTTP, so the real
SDK can be pointed at it, and needs neither an AWS account nor the network:

  python -m exporter.simulator --speed 30 --births-per-minute 6
  {"url": "http://127.0.0.1:43210", "jobs": ["arn:aws:braket:...", ...]}

  AWS_ENDPOINT_URL_BRAKET=http://127.0.0.1:43210 AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x ...

The one line on stdout is printed once it listens. It stops on SIGTERM or SIGINT and exits with 0."""

_EPILOG = """\
control while it runs, under the printed url:
  GET    /_simulator/jobs      the ARNs of the jobs that exist now
  GET    /_simulator/truth     every job's schedule: transitions and events, past and future
  GET    /_simulator/requests  how many requests there were, by operation and status
  POST   /_simulator/faults    make something go wrong: one fault, or a list of them
  DELETE /_simulator/faults    take every fault away

a fault is JSON; only its kind is required:
  {"kind": "throttle", "operation": "GetJob", "above_rate": 5, "seconds": 60}
  {"kind": "gateway", "status": 502, "times": 3}
  {"kind": "delay", "delay": 2.5, "arn": "job/9d1c"}
kinds: throttle, internal_error, access_denied, expired_token, not_found, gateway, delay, hang, reset,
truncated_json, cut_body, empty_body"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until a signal or a request to stop; returns the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    world = _world(options)
    try:
        simulator = SimulatorServer(world, clock=time.time, address=options.listen, keep_requests=False)
    except OSError as error:
        parser.error(f"argument --listen: {error}")
    with _held_signals(), simulator as server:
        jobs = [job.arn for job in server.world.existing(time.time())]
        with suppress(BrokenPipeError):  # the parent process has ended; the end of stdin will end this one, too
            sys.stdout.write(json.dumps({"url": server.url, "jobs": jobs}) + "\n")
            sys.stdout.flush()
        if options.exit_with_stdin:
            Thread(target=_stop_at_the_end_of, args=(sys.stdin.fileno(),), daemon=True).start()
        signal.sigwait(_STOPPING)
    return 0


def _world(options: argparse.Namespace) -> World:
    plan = Plan(options.seed, time.time(), options.speed, tuple(options.region or REGIONS))
    births = Births(plan, options.births_per_minute) if options.births_per_minute else None
    return World(generate_fleet(plan, options.jobs), births=births)


@contextmanager
def _held_signals() -> Iterator[None]:
    """Keeps the stopping signals for `sigwait`; threads started meanwhile inherit that."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _stop_at_the_end_of(stdin: int) -> None:
    # Not through sys.stdin: its lock would still be held when the interpreter ends.
    while os.read(stdin, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m exporter.simulator",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "--listen",
        type=_address,
        default=("127.0.0.1", 0),
        metavar="HOST:PORT",
        help="where to listen; port 0 takes a free one (127.0.0.1:0)",
    )
    add("--seed", type=int, default=7, help="the same seed gives the same fleet (%(default)s)")
    add(
        "--speed",
        type=_positive,
        default=30.0,
        help="how many times faster than real the jobs live; 1 is real time (%(default)g)",
    )
    add("--jobs", type=_whole, default=40, help="how many jobs there are at the start (%(default)s)")
    add(
        "--births-per-minute",
        type=_rate,
        default=0.0,
        metavar="N",
        help="how many further jobs are created in a minute, without end (%(default)g)",
    )
    add("--region", action="append", choices=REGIONS, help="a Region to have jobs in; may be repeated (all)")
    add(
        "--exit-with-stdin",
        action="store_true",
        help="stop when stdin ends, so that it dies with the process that started it",
    )
    return parser


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host, int(port)


def _positive(text: str) -> float:
    number = _rate(text)
    if number == 0:
        raise argparse.ArgumentTypeError("it must be greater than 0")
    return number


def _rate(text: str) -> float:
    number = _number(text)
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 on")
    return number


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 on")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
