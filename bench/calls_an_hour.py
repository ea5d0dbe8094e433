"""The calls an hour of several accounts by operation: the exporter's own pollers on a simulated clock.

Each account discovers its jobs of one Region, with the default settings. The jobs share five devices and stay active;
the service responds at once.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from plan import CONFIG, DAY, EPOCH, RATE, Job, Service, services_for

from exporter.core import (
    GET_DEVICE,
    GET_JOB,
    SEARCH_JOBS,
    SEARCH_SPENDING_LIMITS,
    Clock,
    DeviceKey,
    DeviceSnapshot,
    JobSnapshot,
    SpendingLimit,
    SpendingLimitPage,
    Target,
)
from exporter.polling import Policy, Retention
from exporter.polling.target_builder import build_target

ACCOUNTS, DEVICES = 3, 5
START, HOUR = 900.0, 3600.0
DEFAULTS = Policy(30.0, 60.0, 14 * DAY, Retention(DAY, 3 * DAY), device_interval=60.0, spending_limit_interval=300.0)
OPERATIONS = (GET_JOB, SEARCH_JOBS, GET_DEVICE, SEARCH_SPENDING_LIMITS)


@dataclass
class Account(Service):
    """An account whose jobs use the devices in turn, with a spending limit for each device."""

    limits: tuple[SpendingLimit, ...] = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.limits = tuple(SpendingLimit(str(number), self.target, device(number)) for number in range(DEVICES))

    def get_job(self, arn: str) -> JobSnapshot:
        """Answer GetJob."""
        return replace(super().get_job(arn), device=device(int(arn[-8:]) % DEVICES))

    def get_device(self, key: DeviceKey) -> DeviceSnapshot:
        """Answer GetDevice."""
        self.calls[GET_DEVICE] += 1
        return DeviceSnapshot(key, "ONLINE")

    def search_spending_limits(self, token: str | None) -> SpendingLimitPage:
        """Answer SearchSpendingLimits."""
        self.calls[SEARCH_SPENDING_LIMITS] += 1
        return SpendingLimitPage(() if token else self.limits, 0, None)


def device(number: int) -> str:
    """Return the ARN of a device."""
    return f"arn:aws:braket:us-west-2::device/qpu/provider/device-{number}"


def account_of(number: int, active: int) -> Account:
    """Return an account with active jobs."""
    target = Target(f"{number:012d}", "us-west-2")
    arns = (f"arn:aws:braket:us-west-2:{target.account}:job/{job:08d}" for job in range(active))
    return Account([Job(arn, EPOCH - 3600.0, float("inf")) for arn in arns], target=target)


def calls_an_hour(active: int) -> Counter[str]:
    """Let the pollers of all accounts work; return the calls of an hour after the start.

    Args:
        active: the number of active jobs, over all accounts.
    """
    accounts = [account_of(number, active // ACCOUNTS + (number < active % ACCOUNTS)) for number in range(ACCOUNTS)]
    clock = accounts[0]
    services = replace(services_for(clock, RATE), clock=Clock(lambda: clock.now, lambda: clock.now))
    targets = [
        build_target(replace(CONFIG, target=account.target), account, services, DEFAULTS) for account in accounts
    ]
    began, counted = clock.now, False
    while clock.now < began + START + HOUR:
        if not counted and clock.now >= began + START:
            counted = True
            for account in accounts:
                account.calls.clear()
        now = clock.now + min(target.poller.step() for target in targets)
        for account in accounts:
            account.now = now
    return sum((account.calls for account in accounts), Counter[str]())


def rows() -> Iterator[str]:
    """Write the table, a line each as soon as it is known."""
    yield f"{ACCOUNTS} accounts, {DEVICES} devices" + "".join(f"{operation:>22}" for operation in OPERATIONS)
    for active in (50, 500):
        calls = calls_an_hour(active)
        yield f"{f'{active} active jobs':>21}" + "".join(f"{calls[each]:22,}" for each in OPERATIONS)


if __name__ == "__main__":
    for row in rows():
        sys.stdout.write(f"{row}\n")
        sys.stdout.flush()
