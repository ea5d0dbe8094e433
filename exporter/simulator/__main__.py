"""`python -m exporter.simulator`: a Braket endpoint in a separate process."""

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Thread

from exporter.simulator.device_fleet import generate_devices, generate_limits
from exporter.simulator.fleet import REGIONS, Births, Plan, generate_fleet
from exporter.simulator.queues import Queue
from exporter.simulator.server import SimulatorServer
from exporter.simulator.world import World

_STOPPING = (signal.SIGTERM, signal.SIGINT)

_DESCRIPTION = """\
An Amazon Braket endpoint with simulated hybrid jobs, over HTTP and in the wire format of Amazon Braket.
It needs neither an AWS account nor a network.

start the endpoint; it writes one line to stdout as soon as it listens:
  $ python -m exporter.simulator --speed 30 --births-per-minute 6
  {"url": "http://127.0.0.1:43210", "jobs": ["arn:aws:braket:...", ...]}

call it with the AWS SDK, the AWS CLI or braket-exporter:
  AWS_ENDPOINT_URL_BRAKET=http://127.0.0.1:43210 AWS_ENDPOINT_URL_STS=http://127.0.0.1:43210 \
    AWS_ENDPOINT_URL_SQS=http://127.0.0.1:43210 AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x ...

it answers GetJob, SearchJobs, CancelJob, GetDevice and SearchSpendingLimits of Braket, and GetCallerIdentity of STS.
with --events, the line also has "queue_url": an SQS queue with an event of EventBridge for each change of a job's or a
device's status.

SIGTERM and SIGINT stop it with exit status 0."""

_EPILOG = """\
control requests, below the printed URL:
  GET    /_simulator/jobs      ARNs of the jobs that exist now
  GET    /_simulator/truth     schedule of each job: past and future transitions and events
  GET    /_simulator/requests  number of requests by operation and status
  POST   /_simulator/faults    add a fault or a list of faults
  DELETE /_simulator/faults    remove all faults

faults are JSON objects; only the key kind is required:
  {"kind": "throttle", "operation": "GetJob", "above_rate": 5, "burst": 25, "seconds": 60}
  {"kind": "gateway", "status": 502, "times": 3}
  {"kind": "delay", "delay": 2.5, "arn": "job/9d1c"}
kinds: throttle, internal_error, access_denied, expired_token, not_found, no_queue, gateway, delay, hang, reset,
truncated_json, cut_body, empty_body"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal or the end of stdin; return the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    world = _world(options)
    try:
        simulator = SimulatorServer(world, clock=time.time, address=options.listen, keep_requests=False)
    except OSError as error:
        parser.error(f"argument --listen: {error}")
    with _held_signals(), simulator as server:
        jobs = [job.arn for job in server.world.existing(time.time())]
        with suppress(BrokenPipeError):  # the parent process has ended, and the end of stdin stops this one
            queue = {"queue_url": server.queue_url()} if options.events else {}
            sys.stdout.write(json.dumps({"url": server.url, "jobs": jobs, **queue}) + "\n")
            sys.stdout.flush()
        if options.exit_with_stdin:
            Thread(target=_stop_at_the_end_of, args=(sys.stdin.fileno(),), daemon=True).start()
        signal.sigwait(_STOPPING)
    return 0


def _world(options: argparse.Namespace) -> World:
    plan = Plan(options.seed, time.time(), options.speed, tuple(options.region or REGIONS))
    births = Births(plan, options.births_per_minute) if options.births_per_minute else None
    devices, limits = generate_devices(plan), generate_limits(plan)
    queues = [Queue()] if options.events else []
    return World(generate_fleet(plan, options.jobs), births=births, devices=devices, limits=limits, queues=queues)


@contextmanager
def _held_signals() -> Iterator[None]:
    """Block the stopping signals, also in new threads, so that `sigwait` receives them."""
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
        help="listen address; port 0 selects a free port (default: 127.0.0.1:0)",
    )
    add(
        "--seed",
        type=int,
        default=7,
        help="seed of the simulated jobs; a seed always gives the same jobs (default: %(default)s)",
    )
    add(
        "--speed",
        type=_positive,
        default=30.0,
        help="speed of the jobs; 1 is real time (default: %(default)g)",
    )
    add("--jobs", type=_whole, default=40, help="number of jobs at the start (default: %(default)s)")
    add(
        "--births-per-minute",
        type=_rate,
        default=0.0,
        metavar="N",
        help="number of new jobs per minute (default: %(default)g)",
    )
    add("--region", action="append", choices=REGIONS, help="Region with jobs; repeatable (default: all)")
    add("--events", action="store_true", help="add an SQS queue with the events of jobs and devices")
    add(
        "--exit-with-stdin",
        action="store_true",
        help="stop at the end of stdin, and so with the parent process",
    )
    return parser


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is not valid; expected HOST:PORT")
    return host, int(port)


def _positive(text: str) -> float:
    number = _rate(text)
    if number == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not valid; expected a number > 0")
    return number


def _rate(text: str) -> float:
    number = _number(text)
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not valid; expected a number >= 0")
    return number


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not valid; expected a number") from None


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not valid; expected a whole number >= 0")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
