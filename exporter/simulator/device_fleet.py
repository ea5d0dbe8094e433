"""The devices and spending limits of a fleet: each kind of outage and of limit shows within minutes."""

from collections.abc import Iterator

from exporter.simulator.devices import DeviceState, SimulatedDevice, SimulatedLimit, limit_arn
from exporter.simulator.fleet import QPUS, Plan
from exporter.simulator.wire import region_of

_HOUR = 3600.0
_CYCLE_SECONDS = 4 * _HOUR
# A device goes through one of these courses; the first queue is short, and it grows while the device is not online.
_OUTAGES = (
    ("PAUSED", "MAINTENANCE", 1.5 * _HOUR),
    ("OFFLINE", "OUTSIDE_AVAILABILITY_WINDOW", 2.0 * _HOUR),
    ("OFFLINE", "RESERVATION", 1.0 * _HOUR),
    ("PAUSED", "MAINTENANCE", None),
)
# The share of the limit that is spent at the start, and the simulated hours in which the rest is spent.
_SPENDING = ((0.75, 4.0), (0.2, 40.0), (0.98, 2.0))


def generate_devices(plan: Plan) -> Iterator[SimulatedDevice]:
    """Each QPU of the plan's Regions: online for some time, then in an outage, over and over.

    At 30 times the speed, an outage begins every 8 minutes; the devices take turns.
    """
    for number, arn in enumerate(arn for region, arn in QPUS if region in plan.regions):
        status, reason, seconds = _OUTAGES[number % len(_OUTAGES)]
        online = 0.5 * _HOUR * (1 + number % 3)
        outage = 1.0 * _HOUR if seconds is None else seconds
        expected = None if seconds is None else seconds / plan.speed
        states = (
            DeviceState(tasks="3", priority_tasks="0", jobs="0 (1 prioritized job(s) running)"),
            DeviceState(online / plan.speed, status, reason, expected, ">4000", "12", "7"),
            DeviceState((online + outage) / plan.speed, tasks="120", priority_tasks="2", jobs="3"),
        )
        yield SimulatedDevice(arn, states, plan.epoch, _CYCLE_SECONDS / plan.speed)


def generate_limits(plan: Plan) -> Iterator[SimulatedLimit]:
    """A limit for every other QPU of the plan's Regions; one of them ends soon, and one is used up soon."""
    devices = [arn for region, arn in QPUS if region in plan.regions][::2]
    for number, (arn, (share, hours)) in enumerate(zip(devices, _SPENDING, strict=False)):
        limit, ends_soon = 100.0 * (number + 1), number == 1
        yield SimulatedLimit(
            arn=limit_arn(f"demo-{number + 1}", region_of(arn), plan.account),
            device=arn,
            start=round(plan.epoch, 3),
            end=round(plan.epoch + (3.0 if ends_soon else 24 * 30.0) * _HOUR / plan.speed, 3),
            limit=limit,
            spent=limit * share,
            per_second=limit * (1 - share) / (hours * _HOUR) * plan.speed,
            queued=limit / 50,
        )
