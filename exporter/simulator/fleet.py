"""Realistic jobs, generated from a seed only.

Durations are drawn in real seconds and divided by the plan's speed at the very end.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random
from uuid import UUID

from exporter.simulator.courses import KINDS, SHORTEST_LIFE_SECONDS, Hardware, Kind, life
from exporter.simulator.jobs import LONGEST_RUNTIME_SECONDS, SV1, SimulatedJob, job_arn
from exporter.simulator.phases import Event, Phase, Status

REGIONS = ("us-east-1", "us-west-1", "us-west-2", "eu-west-2", "eu-north-1")

# One job in this many has ended long before the epoch.
_FINISHED_SHARE = 5
# The active jobs end this long after the epoch, crowded towards the beginning: at 30 times the speed half of
# them end within 4 minutes, one in eight after an hour, and the last after two hours.
_ENDS_AFTER_SECONDS = (120.0, 60 * 3600.0)
_CROWDING = 5
# At the epoch a job is this share as old as it still has to live, so that much of what happens is yet to come.
_AGE_SHARES = (0.1, 0.6)
_ENDED_BEFORE_SECONDS = (12 * 3600.0, 10 * 86_400.0)
_LIFE_SECONDS = (SHORTEST_LIFE_SECONDS, 6 * 3600.0)

QPUS = (
    ("us-east-1", "arn:aws:braket:us-east-1::device/qpu/ionq/Aria-1"),
    ("us-east-1", "arn:aws:braket:us-east-1::device/qpu/ionq/Forte-1"),
    ("us-east-1", "arn:aws:braket:us-east-1::device/qpu/quera/Aquila"),
    ("us-west-1", "arn:aws:braket:us-west-1::device/qpu/rigetti/Ankaa-3"),
    ("eu-north-1", "arn:aws:braket:eu-north-1::device/qpu/iqm/Garnet"),
    ("eu-north-1", "arn:aws:braket:eu-north-1::device/qpu/iqm/Emerald"),
)
_PLACES = {
    Hardware.QPU: QPUS,
    Hardware.SIMULATOR: (
        ("us-east-1", SV1),
        ("us-west-1", SV1),
        ("us-west-2", SV1),
        ("eu-west-2", SV1),
        ("us-west-2", "arn:aws:braket:::device/quantum-simulator/amazon/dm1"),
        ("eu-west-2", "arn:aws:braket:::device/quantum-simulator/amazon/tn1"),
    ),
    Hardware.LOCAL: tuple((region, "local:pennylane/lightning.qubit") for region in REGIONS),
}
_TOPICS = {
    "chemistry": ("vqe-h2", "vqe-lih-sto3g", "adapt-vqe-beh2", "qpe-water", "uccsd-n2"),
    "optimisation": ("qaoa-maxcut", "qaoa-portfolio", "mis-rydberg", "tsp-annealing"),
    "ml": ("qnn-iris", "qgan-mnist", "quantum-kernel-svm", "barren-plateau-scan"),
}
_OWNERS = ("amara", "bjorn", "chen", "dolores", "emre", "farah")
_STAGES = ("prod", "dev", "dev")
_INSTANCES = {
    Hardware.QPU: ("ml.m5.large", "ml.t3.large"),
    Hardware.SIMULATOR: ("ml.m5.large", "ml.m5.4xlarge", "ml.c5.2xlarge"),
    Hardware.LOCAL: ("ml.m5.4xlarge", "ml.g4dn.4xlarge", "ml.g4dn.xlarge", "ml.c5.9xlarge"),
}
_RUNTIME_LIMITS_SECONDS = (3600, 6 * 3600, 86_400, 3 * 86_400)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a fleet is generated from; equal plans give equal fleets.

    Attributes:
        seed: Of everything that is drawn.
        epoch: Unix seconds at which most of the fleet is active.
        speed: How many times faster than real the jobs live; durations, the maximum runtime and so the
            billable time shrink alike.
        regions: Where the jobs live; a job on a QPU lives in its device's Region.
        account: The account in the jobs' ARNs.
    """

    seed: int
    epoch: float
    speed: float = 1.0
    regions: tuple[str, ...] = REGIONS
    account: str = "123456789012"


@dataclass(frozen=True, slots=True)
class Births:
    """An endless stream of jobs created after the plan's epoch; job n depends on the seed and n alone.

    Attributes:
        plan: What the jobs are generated from.
        per_minute: Real births in a real minute, greater than 0.
    """

    plan: Plan
    per_minute: float

    def created(self, number: int) -> float:
        """Unix seconds at which job `number` (from 0) is created; later numbers come later."""
        moment = number + self._random(number).random()
        return round(self.plan.epoch + moment * 60 / self.per_minute, 3)

    def job(self, number: int) -> SimulatedJob:
        """Job `number` of the stream, from 0."""
        rng = self._random(number)
        kind = KINDS[number % len(KINDS)]
        return _job(rng, self.plan, kind, created=self.created(number), seconds=_spread(rng, _LIFE_SECONDS))

    def _random(self, number: int) -> Random:
        return Random(f"{self.plan.seed}:birth:{number}")


def generate_fleet(plan: Plan, count: int) -> tuple[SimulatedJob, ...]:
    """A fixed list of `count` jobs, all created before the plan's epoch.

    One in five has ended long before the epoch. The others are active at it, and their ends are spread so
    that each kind of ending is seen soon and some are left for much later.
    """
    finished = count // _FINISHED_SHARE
    return (*_finished_jobs(plan, finished), *_active_jobs(plan, count - finished))


def _finished_jobs(plan: Plan, count: int) -> Iterator[SimulatedJob]:
    for number in range(count):
        rng = Random(f"{plan.seed}:finished:{number}")
        seconds = _spread(rng, _LIFE_SECONDS)
        created = plan.epoch - (_spread(rng, _ENDED_BEFORE_SECONDS) + seconds) / plan.speed
        yield _job(rng, plan, KINDS[number % len(KINDS)], created=created, seconds=seconds)


def _active_jobs(plan: Plan, count: int) -> Iterator[SimulatedJob]:
    for number in range(count):
        rng = Random(f"{plan.seed}:active:{number}")
        rest = _rest_seconds((number + rng.random()) / count)
        age = max(rest * rng.uniform(*_AGE_SHARES), SHORTEST_LIFE_SECONDS - rest)
        created = plan.epoch - age / plan.speed
        yield _job(rng, plan, KINDS[number % len(KINDS)], created=created, seconds=age + rest)


def _rest_seconds(rank: float) -> float:
    """How long the job at `rank` (0 to 1) of the active ones still lives at the epoch."""
    soonest, latest = _ENDS_AFTER_SECONDS
    return soonest + (latest - soonest) * math.pow(rank, _CROWDING)


def _spread(rng: Random, limits: tuple[float, float]) -> float:
    """A draw that is as likely between 1 and 10 as between 10 and 100."""
    low, high = limits
    return low * math.pow(high / low, rng.random())


def _job(rng: Random, plan: Plan, kind: Kind, *, created: float, seconds: float) -> SimulatedJob:
    region, device = _place(rng, kind.hardware, plan.regions)
    team = rng.choice(tuple(_TOPICS))
    topic = f"{rng.choice(_TOPICS[team])}-{rng.randint(1, 9)}"
    phases = life(rng, kind, seconds)
    identity, name = _identity(rng, topic)
    job = SimulatedJob(
        arn=job_arn(identity, region, plan.account),
        name=name,
        created=round(created, 3),
        phases=phases,
        device=device,
        instance_type=rng.choice(_INSTANCES[kind.hardware]),
        instance_count=rng.choice((1, 1, 1, 2, 4)),
        max_runtime_seconds=_max_runtime(phases),
        tags={"team": team, "stage": rng.choice(_STAGES), "owner": rng.choice(_OWNERS)},
        hyper_parameters={"n_qubits": str(rng.randint(4, 24)), "shots": str(rng.choice((100, 1000, 8192)))},
        failure_reason=kind.failure_reason,
        reservation_arn=f"arn:aws:braket:{region}:{plan.account}:reservation/{team}" if kind.reserved else None,
    )
    return _compressed(job, plan.speed)


def _identity(rng: Random, topic: str) -> tuple[str, str]:
    """The end of a job's ARN and its name: a UUID, or for one job in eight the older form, which is the name."""
    bits = rng.getrandbits(128)
    if rng.random() < 1 / 8:
        name = f"{topic}-{bits % 10**13}"
        return name, name
    return str(UUID(int=bits, version=4)), topic


def _place(rng: Random, hardware: Hardware, regions: tuple[str, ...]) -> tuple[str, str]:
    """A Region and a device in it; where a Region has no such device its jobs simulate locally."""
    places = [place for place in _PLACES[hardware] if place[0] in regions]
    return rng.choice(places or [place for place in _PLACES[Hardware.LOCAL] if place[0] in regions])


def _max_runtime(phases: tuple[Phase, ...]) -> int:
    """The limit that fits the life: passed at the event that says so, otherwise at least twice the run."""
    start = next((phase.offset for phase in phases if phase.status == Status.RUNNING), phases[-1].offset)
    for phase in phases:
        if phase.event == Event.MAX_RUNTIME_EXCEEDED:
            return math.floor(phase.offset - start)
    run = phases[-1].offset - start
    return next((limit for limit in _RUNTIME_LIMITS_SECONDS if limit >= 2 * run), LONGEST_RUNTIME_SECONDS)


def _compressed(job: SimulatedJob, speed: float) -> SimulatedJob:
    return replace(
        job,
        phases=tuple(replace(phase, offset=round(phase.offset / speed, 3)) for phase in job.phases),
        max_runtime_seconds=max(1, math.floor(job.max_runtime_seconds / speed)),
    )
