"""GetDevice and SearchSpendingLimits: when they are called, by which target, and what their errors mean."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from builders import ACCOUNT, GARNET, SV1, FakeTime, NoCalls, arn, snapshot
from structlog import wrap_logger
from structlog.testing import LogCapture

from exporter.core import (
    BraketError,
    CredentialsRef,
    DeniedError,
    DeviceKey,
    DeviceSnapshot,
    JobRecord,
    MalformedError,
    NotFoundError,
    SpendingLimit,
    SpendingLimitPage,
    Target,
    TargetConfig,
    ThrottledError,
    UnavailableError,
)
from exporter.polling import Policy, RateLimiter, Retention
from exporter.polling.shared_polls import LEASE, SharedPolls
from exporter.polling.sources import refresh_device
from exporter.polling.target_builder import Services, build_target
from exporter.storage import Store
from exporter.telemetry import EventLog, SelfMetrics

if TYPE_CHECKING:
    from exporter.polling.polled_target import PolledTarget

REGION = "eu-north-1"
HERE, THERE = Target(ACCOUNT, REGION), Target("210987654321", REGION)
KEY = DeviceKey(REGION, GARNET)
DENIED = DeniedError("AccessDeniedException", "no policy allows it")


def online(key: DeviceKey) -> DeviceSnapshot:
    return DeviceSnapshot(key, "ONLINE")


def page(*names: str, token: str | None = None, problems: int = 0, target: Target = HERE) -> SpendingLimitPage:
    return SpendingLimitPage(tuple(SpendingLimit(name, target, spent=Decimal(1)) for name in names), problems, token)


@dataclass
class Client(NoCalls):
    """Responds as the test says, and notes the calls."""

    target: Target
    time: FakeTime
    device: Callable[[DeviceKey], DeviceSnapshot] = online
    limits: Callable[[str | None], SpendingLimitPage] = lambda _: page()
    calls: list[tuple[float, object]] = field(default_factory=list)
    clock_offset: float = 0.0

    def get_device(self, key: DeviceKey) -> DeviceSnapshot:
        self.calls.append((self.time.monotonic, key))
        return self.device(key)

    def search_spending_limits(self, token: str | None) -> SpendingLimitPage:
        self.calls.append((self.time.monotonic, token))
        return self.limits(token)


class Exporter:
    """Targets without jobs of their own, which share a store."""

    def __init__(self, *, devices: float | None = None, limits: float | None = None, retention: float = 1000.0) -> None:
        self.time, self.store, self.telemetry = FakeTime(), Store(()), SelfMetrics()
        self.began = self.time.monotonic
        self._log = LogCapture()
        self.services = Services(
            store=self.store,
            event_log=EventLog(wrap_logger(None, processors=[self._log])),
            telemetry=self.telemetry,
            rate_limiter=RateLimiter(100.0),
            clock=self.time.clock,
            random=lambda: 0.0,
            tombstones=self.store.tombstones,
        )
        self.policy = Policy(30.0, 60.0, 86400.0, Retention(retention, 5000.0), devices, limits)
        self.targets: list[PolledTarget] = []
        self.clients: list[Client] = []

    def add(self, target: Target = HERE, **members: Any) -> Client:
        client = Client(target, self.time, **members)
        config = TargetConfig(CredentialsRef(profile=str(len(self.clients))), target, (), None)
        self.targets.append(build_target(config, client, self.services, self.policy))
        self.clients.append(client)
        return client

    def job(self, number: int = 1, status: str = "QUEUED", device: str = GARNET, target: Target = HERE) -> None:
        job = snapshot(
            arn=arn(number, REGION, target.account), status=status, device=device, account=target.account, region=REGION
        )
        self.store.put(JobRecord(job.arn, job))

    def run(self, seconds: float, step: float = 1.0) -> None:
        """Let the pollers work for a time."""
        end = self.time.monotonic + seconds
        while self.time.monotonic < end:
            for target in self.targets:
                while not target.poller.step():
                    pass
            self.time.advance(step)

    def times(self, number: int = 0) -> list[float]:
        return [time - self.began for time, _ in self.clients[number].calls]

    def log(self, event: str) -> list[Any]:
        return [entry for entry in self._log.entries if entry["event"] == event]

    @property
    def done(self) -> bool:
        return self.targets[0].optional_polls_done

    @property
    def page(self) -> str:
        return "".join("".join(part.decode() for part in lines.plain) for family, lines in self.store.view().families())


# Devices.


def test_a_device_of_an_active_job_is_polled_once_per_interval() -> None:
    one = Exporter(devices=60.0)
    one.add()
    one.job()
    one.job(2, "RUNNING")
    one.run(200)
    assert one.times() == [0.0, 60.0, 120.0, 180.0]
    assert f'braket_device_status{{aws_region="{REGION}",device="{GARNET}",status="ONLINE"}} 1.0\n' in one.page


def test_devices_of_finished_jobs_and_embedded_simulators_are_not_polled() -> None:
    one = Exporter(devices=60.0)
    client = one.add()
    one.job(1, "COMPLETED")
    one.job(2, device="local:pennylane/lightning.qubit")
    one.job(3, device="")
    one.run(70)
    assert client.calls == []
    assert "braket_device" not in one.page


def test_a_device_of_a_new_job_is_polled_within_seconds() -> None:
    one = Exporter(devices=60.0)
    one.add()
    one.run(12)
    one.job()
    one.run(10)
    assert [time < 18.0 for time in one.times()] == [True]


def test_a_device_is_polled_for_the_retention_after_its_last_active_job_and_then_dropped() -> None:
    one = Exporter(devices=60.0, retention=150.0)
    one.add()
    one.job()
    one.run(10)
    one.job(1, "COMPLETED")
    one.run(300)
    assert one.times() == [0.0, 60.0, 120.0]
    one.store.devices.drop_expired(one.time.monotonic)
    assert one.store.devices.find(KEY) is None


def test_several_accounts_that_use_a_device_poll_it_once_and_it_has_one_set_of_series() -> None:
    one = Exporter(devices=60.0)
    one.add(HERE)
    one.add(THERE)
    one.job(1, target=HERE)
    one.job(2, target=THERE)
    one.run(125)
    assert sorted(one.times(0) + one.times(1)) == [0.0, 60.0, 120.0]
    assert one.page.count("braket_device_info{") == 1


def test_three_accounts_with_500_jobs_on_five_devices_make_300_and_36_calls_an_hour() -> None:
    one = Exporter(devices=60.0, limits=300.0)
    accounts = [Target(f"{number:012d}", REGION) for number in range(3)]
    for account in accounts:
        one.add(account)
    for number in range(500):
        one.job(number, device=f"{GARNET}-{number % 5}", target=accounts[number % 3])
    one.run(3600)
    calls = [call for client in one.clients for _, call in client.calls]
    assert (len([call for call in calls if call is not None]), calls.count(None)) == (300, 36)


def test_where_one_account_may_not_poll_a_device_another_one_does() -> None:
    one = Exporter(devices=60.0)

    def refuse(_: DeviceKey) -> DeviceSnapshot:
        raise DENIED

    one.add(HERE, device=refuse)
    one.add(THERE)
    one.job(1, target=HERE)
    one.job(2, target=THERE)
    one.run(130)
    assert one.times(0) == [0.0]
    assert one.times(1) == [0.0, 60.0, 120.0]


def test_a_simulator_is_polled_in_each_region_of_its_jobs() -> None:
    one = Exporter(devices=60.0)
    client = one.add()
    one.job(device=SV1)
    one.run(5)
    assert [key for _, key in client.calls] == [DeviceKey(REGION, SV1)]


def test_a_change_of_the_status_is_logged_once() -> None:
    one, status = Exporter(devices=60.0), ["ONLINE"]
    one.add(device=lambda key: DeviceSnapshot(key, status[0], reason="MAINTENANCE", estimated_end=1_700_003_600.0))
    one.job()
    one.run(70)
    assert one.log("device_status_changed") == []
    status[0] = "PAUSED"
    one.run(200)
    (line,) = one.log("device_status_changed")
    assert (line["from_status"], line["to_status"], line["reason"]) == ("ONLINE", "PAUSED", "MAINTENANCE")
    assert line["estimated_end"] == "2023-11-14T23:13:20.000Z"


@pytest.mark.parametrize(
    ("error", "calls"),
    [
        (DENIED, [0.0, 300.0]),
        (NotFoundError("ResourceNotFoundException", "no such device"), [0.0, 300.0]),
        (MalformedError("malformed", "no status"), [0.0, 60.0, 120.0, 180.0, 240.0, 300.0, 360.0]),
        (ThrottledError("ThrottlingException", "slow down"), None),
        (UnavailableError("timeout", "late"), None),
    ],
)
def test_an_error_of_a_device_leaves_the_target_up_and_is_logged_once(
    error: BraketError, calls: list[float] | None
) -> None:
    one = Exporter(devices=60.0)

    def refuse(_: DeviceKey) -> DeviceSnapshot:
        raise error

    one.add(device=refuse)
    one.job()
    one.run(400)
    assert [(line["operation"], line["code"], line["device"]) for line in one.log("poll_failed")] == [
        ("GetDevice", error.code, GARNET)
    ]
    assert one.targets[0].status().health.settled().up is not False
    assert calls is None or one.times() == calls
    assert len(one.times()) > 1
    assert one.done


def test_a_device_that_always_fails_leaves_their_turns_to_the_others() -> None:
    one = Exporter(devices=60.0)

    def device(key: DeviceKey) -> DeviceSnapshot:
        if key == KEY:
            raise UnavailableError("timeout", "late")
        return online(key)

    one.add(device=device)
    one.job()
    one.job(2, device=f"{GARNET}-2")
    one.job(3, device=f"{GARNET}-3")
    one.run(100)
    assert one.page.count("braket_device_info{") == 2


def test_where_every_device_fails_the_first_poll_does_not_wait_for_each() -> None:
    one = Exporter(devices=60.0)

    def device(_: DeviceKey) -> DeviceSnapshot:
        raise UnavailableError("timeout", "late")

    client = one.add(device=device)
    for number in range(20):
        one.job(number, device=f"{GARNET}-{number}")
    one.run(30)
    assert one.done
    assert len(client.calls) < 8


def test_the_devices_of_a_target_are_polled_one_at_a_time() -> None:
    one = Exporter(devices=60.0)

    def device(key: DeviceKey) -> DeviceSnapshot:
        waits.append(one.targets[0].poller.step())
        return online(key)

    waits = list[float]()
    client = one.add(device=device)
    one.job()
    one.job(2, device=f"{GARNET}-2")
    assert one.targets[0].poller.step() == 0.0
    assert (len(client.calls), waits) == (1, [5.0])


def test_a_failed_poll_keeps_the_last_data_and_a_later_failure_is_logged_again() -> None:
    one, failing = Exporter(devices=60.0), [False]

    def device(key: DeviceKey) -> DeviceSnapshot:
        if failing[0]:
            raise UnavailableError("timeout", "late")
        return online(key)

    one.add(device=device)
    one.job()
    for value in (False, True, False, True):
        failing[0] = value
        one.run(200)
    assert len(one.log("poll_failed")) == 2
    assert 'status="ONLINE"} 1.0' in one.page


def test_an_unknown_value_of_a_device_is_counted_and_logged_once() -> None:
    one = Exporter(devices=60.0)
    one.add(device=lambda key: DeviceSnapshot(key, "RESTING", unknown=(("deviceStatus", "RESTING"),)))
    one.job()
    one.run(200)
    assert [(line["device"], line["value"]) for line in one.log("unknown_value")] == [(GARNET, "RESTING")]
    own = one.telemetry.render("text", lambda *_: True, ()).decode()
    assert 'braket_exporter_unknown_values_total{field="deviceStatus"} 1.0\n' in own


def test_without_the_settings_nothing_is_called() -> None:
    one = Exporter()
    client = one.add()
    one.job()
    one.run(400)
    assert client.calls == []
    assert set(one.targets[0].status().budget) == {"GetJob"}
    assert one.done


def test_a_device_that_is_not_polled_yet_is_not_done() -> None:
    one = Exporter(devices=60.0)
    one.add()
    one.job()
    before = one.done
    one.run(2)
    assert (before, one.done) == (False, True)


# Spending limits.


def test_all_pages_of_the_spending_limits_are_read_once_per_interval() -> None:
    one, pages = Exporter(limits=300.0), {None: page("a", token="2"), "2": page("b", token="3"), "3": page("c")}
    client = one.add(limits=lambda token: pages[token])
    one.run(310)
    assert [token for _, token in client.calls] == [None, "2", "3", None, "2", "3"]
    assert one.times()[3:] == [302.0, 303.0, 304.0]
    assert one.page.count("braket_spending_limit_spent_usd{") == 3


def test_a_deleted_spending_limit_loses_its_series_at_the_next_poll() -> None:
    one, pages = Exporter(limits=300.0), [page("a", "b")]
    one.add(limits=lambda _: pages[0])
    one.run(10)
    assert one.page.count("braket_spending_limit_spent_usd{") == 2
    pages[0] = page("b")
    one.run(300)
    assert 'spending_limit="a"' not in one.page
    assert 'spending_limit="b"' in one.page


def test_targets_of_one_account_read_its_spending_limits_once() -> None:
    one = Exporter(limits=300.0)
    one.add(HERE)
    one.add(HERE)
    one.add(THERE)
    one.run(290)
    assert len(one.times(0) + one.times(1)) == 1
    assert one.times(2) == [0.0]


def test_a_page_that_fails_keeps_the_spending_limits_of_before_and_the_first_page_comes_again() -> None:
    one, failing = Exporter(limits=300.0), [False]

    def limits(token: str | None) -> SpendingLimitPage:
        if token and failing[0]:
            raise UnavailableError("timeout", "late")
        return page("b") if token else page("a", token="2")

    client = one.add(limits=limits)
    one.run(10)
    failing[0] = True
    one.run(300)
    assert one.page.count("braket_spending_limit_spent_usd{") == 2
    assert [token for _, token in client.calls][:5] == [None, "2", None, "2", None]
    assert [line["operation"] for line in one.log("poll_failed")] == ["SearchSpendingLimits"]
    assert "device" not in one.log("poll_failed")[0]


def test_pages_without_an_end_are_given_up() -> None:
    one = Exporter(limits=300.0)
    client = one.add(limits=lambda token: page("a", token=str(int(token or 0) + 1)))
    one.run(150)
    assert len(client.calls) == 100
    repeated = one.add(THERE, limits=lambda _: page("b", token="x", target=THERE))
    one.run(60)
    assert len(repeated.calls) == 2


def test_without_permission_the_spending_limits_are_tried_every_five_minutes_and_the_target_is_up() -> None:
    one = Exporter(limits=60.0)

    def refuse(_: str | None) -> SpendingLimitPage:
        raise DENIED

    one.add(limits=refuse)
    one.run(650)
    assert one.times() == [0.0, 300.0, 600.0]
    assert len(one.log("poll_failed")) == 1
    assert one.targets[0].status().health.settled().up is not False
    assert one.done


def test_the_spending_limits_of_an_unknown_account_wait_for_the_account() -> None:
    one = Exporter(limits=60.0)
    client = one.add(Target("", REGION))
    one.run(10)
    assert client.calls == []
    client.target = HERE
    before = one.done
    one.run(10)
    assert (before, one.done) == (False, True)
    assert len(client.calls) == 1


def test_an_entry_that_cannot_be_used_is_counted() -> None:
    one = Exporter(limits=300.0)
    one.add(limits=lambda _: page("a", problems=2))
    one.run(10)
    own = one.telemetry.render("text", lambda *_: True, ()).decode()
    assert "braket_exporter_parse_errors_total 2.0\n" in own


# Devices that are known to have changed.


def refreshing(device: Callable[[DeviceKey], DeviceSnapshot] = online) -> tuple[Exporter, Client]:
    one = Exporter(devices=60.0)
    one.job()
    return one, one.add(device=device)


def refresh(exporter: Exporter, key: DeviceKey = KEY) -> None:
    refresh_device(exporter.services.shared_polls, key, exporter.time.monotonic)


def test_a_device_that_is_refreshed_is_polled_at_once_and_then_after_the_interval() -> None:
    devices, _ = refreshing()
    devices.run(10)
    refresh(devices)
    devices.run(80)
    assert devices.times() == [0.0, 10.0, 70.0]


def test_a_device_that_no_job_uses_is_not_polled_by_a_refresh() -> None:
    devices, client = refreshing()
    devices.run(10)
    refresh(devices, DeviceKey(REGION, SV1))
    devices.run(40)
    assert [key for _, key in client.calls] == [KEY]


def test_a_refresh_does_not_repeat_a_poll_that_was_refused() -> None:
    def refuse(_: DeviceKey) -> DeviceSnapshot:
        raise DENIED

    devices, _ = refreshing(refuse)
    devices.run(10)
    refresh(devices)
    devices.run(40)
    assert devices.times() == [0.0]


def test_a_device_that_is_refreshed_while_it_is_polled_is_polled_again() -> None:
    def change_once(key: DeviceKey) -> DeviceSnapshot:
        if len(client.calls) == 1:
            refresh(devices, key)
        return online(key)

    devices, client = refreshing(change_once)
    devices.run(70)
    assert devices.times() == [0.0, 1.0, 61.0]  # the rate limiter delays it to the next second


# Shared polls.


def test_one_target_at_a_time_makes_a_shared_poll() -> None:
    polls = SharedPolls()
    assert polls.claim("x", 100.0) == 0.0
    assert polls.claim("x", 110.0) == LEASE - 10.0
    assert polls.claim("y", 110.0) == 0.0
    polls.end("x", 130.0)
    assert polls.claim("x", 120.0) == 10.0
    assert polls.claim("x", 130.0) == 0.0


def test_a_shared_poll_that_is_hastened_is_due_once_the_poll_in_flight_has_ended() -> None:
    polls = SharedPolls()
    polls.claim("x", 100.0)
    polls.hasten("x", 101.0)
    assert polls.claim("x", 101.0) == LEASE - 1.0
    polls.end("x", 160.0)
    assert polls.claim("x", 102.0) == 0.0
    polls.end("x", 160.0)
    assert polls.claim("x", 102.0) == 58.0


def test_a_shared_poll_without_an_outcome_is_repeated() -> None:
    polls = SharedPolls()
    polls.claim("x", 100.0)
    assert polls.claim("x", 100.0 + LEASE) == 0.0
