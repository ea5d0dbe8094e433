"""An embedded Amazon Braket endpoint: the real wire format over HTTP, with jobs that live on a timeline.

For demonstrations, tests and benchmarks; it imports nothing from the rest of the project.

A world of exact jobs under a clock of the test's own::

    now = [1_750_000_000.0]
    job = SimulatedJob(
        arn=job_arn("0a1b2c3d-0000-4000-8000-000000000001", region="us-east-1"),
        name="vqe-h2",
        created=now[0],
        phases=(
            Phase(0.0, Status.QUEUED, Event.QUEUED_FOR_EXECUTION, position=">15"),
            Phase(60.0, position="15"),
            Phase(90.0, Status.RUNNING, Event.DOWNLOADING_DATA),
            Phase(120.0, Status.FAILED, Event.FAILED),
        ),
        failure_reason="AlgorithmError: ValueError, exit code: 1",
    )
    odd = ScriptedJob(job_arn("odd"), now[0], [(now[0], {"jobArn": job_arn("odd"), "status": "PAUSED"})])
    with SimulatorServer(World([job, odd]), clock=lambda: now[0]) as server:
        ...  # AWS_ENDPOINT_URL_BRAKET=server.url, or endpoint_url=server.url
        now[0] += 95.0
        server.world.put(another_job)
        server.faults.put(Fault(FaultKind.THROTTLE, operation="GetJob", times=3))
        server.faults.clear()
        assert server.requests[-1].operation == "GetJob"

* `SimulatedJob(arn, name, created, phases=RECORDED_LIFE, device=..., tags=..., ...)`: `answer(now,
  queue_info=False)` is the GetJob JSON at a time, `summary(now)` the SearchJobs one, `truth()` the schedule.
* `ScriptedJob(arn, created, answers)`: GetJob answers word for word, as pairs of (time, JSON) or
  a function of the time.
* `World(jobs, births=None, accounts=None, disorder=None)`: `put(*jobs)` adds or replaces. `accounts` maps an
  access key id to an account; `Disorder(seed, shift=0)` shuffles SearchJobs.
* `World(..., devices=(), limits=())`: `SimulatedDevice(arn, states, since, cycle_seconds)` follows its
  `DeviceState`s; other devices are online. `SimulatedLimit(arn, device, start, end, limit, ...)` fills up.
* `World(..., queues=[Queue(name="braket-events", visibility_seconds=30.0)])`: SQS queues that receive an event for each
  change of a status; `server.queue_url()` is the URL, and `queue.send(*bodies)` adds messages.
* `generate_devices(plan)` and `generate_limits(plan)` give those of the demo.
* `generate_fleet(Plan(seed, epoch, speed=1.0, regions=..., account=...), count)` gives believable jobs, and
  `Births(plan, per_minute)` an endless stream of them.
* `Fault(kind, operation=None, arn=None, times=None, seconds=None, status=502, delay=1.0, above_rate=None,
  burst=None)`.
* `SimulatorServer(world, clock=..., faults=(), address=("127.0.0.1", 0), keep_requests=True)`: `url`,
  `world`, `faults`, `requests` (a list of `RequestRecord`).
* `python -m exporter.simulator --help` for a process of its own, which is controlled over HTTP.
"""

from exporter.simulator.device_fleet import generate_devices, generate_limits
from exporter.simulator.devices import DeviceState, SimulatedDevice, SimulatedLimit, limit_arn
from exporter.simulator.faults import Fault, FaultKind
from exporter.simulator.fleet import REGIONS, Births, Plan, generate_fleet
from exporter.simulator.jobs import Job, SimulatedJob, job_arn
from exporter.simulator.phases import RECORDED_LIFE, Event, Phase, Status
from exporter.simulator.queues import Queue
from exporter.simulator.scripted import ScriptedJob
from exporter.simulator.search import Disorder
from exporter.simulator.server import SimulatorServer
from exporter.simulator.world import World

__all__ = [
    "RECORDED_LIFE",
    "REGIONS",
    "Births",
    "DeviceState",
    "Disorder",
    "Event",
    "Fault",
    "FaultKind",
    "Job",
    "Phase",
    "Plan",
    "Queue",
    "ScriptedJob",
    "SimulatedDevice",
    "SimulatedJob",
    "SimulatedLimit",
    "SimulatorServer",
    "Status",
    "World",
    "generate_devices",
    "generate_fleet",
    "generate_limits",
    "job_arn",
    "limit_arn",
]
