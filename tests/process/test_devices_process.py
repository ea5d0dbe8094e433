"""Devices and spending limits of a whole exporter: its series, its log, and the requests that it makes."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import partial

import pytest
from processes import FAST, GARNET, WITH_DEVICES, Daemon, daemon, eventually, run

from exporter.simulator import (
    DeviceState,
    Event,
    Fault,
    FaultKind,
    Phase,
    SimulatedDevice,
    SimulatedJob,
    SimulatedLimit,
    SimulatorServer,
    Status,
    World,
    job_arn,
    limit_arn,
)

REGION, ACCOUNT = "eu-north-1", "123456789012"
JOB = job_arn("0a1b2c3d-0000-4000-8000-000000000001", REGION, ACCOUNT)
LIMIT = limit_arn("gate", REGION, ACCOUNT)
RESERVATION = f"arn:aws:braket:{REGION}:{ACCOUNT}:reservation/1"
QUICK = ("--device-interval", "0.2s", "--spending-limit-interval", "0.2s")
DENIED = [Fault(FaultKind.ACCESS_DENIED, operation=name) for name in ("GetDevice", "SearchSpendingLimits")]
PLACE = f'aws_region="{REGION}",device="{GARNET}"'
AMOUNT = f'{{aws_account_id="{ACCOUNT}",{PLACE},spending_limit="gate"}}'


def queued() -> SimulatedJob:
    phases = (Phase(0.0, Status.QUEUED, Event.QUEUED_FOR_EXECUTION, position="3"),)
    return SimulatedJob(JOB, "vqe", time.time() - 60, phases, device=GARNET, reservation_arn=RESERVATION)


def in_state(state: DeviceState) -> SimulatedDevice:
    return SimulatedDevice(GARNET, (state,), since=time.time())


def limit(spent: float) -> SimulatedLimit:
    now = time.time()
    return SimulatedLimit(LIMIT, GARNET, round(now - 100), round(now + 1e6), 100.0, spent)


@pytest.fixture
def braket() -> Iterator[SimulatorServer]:
    with SimulatorServer(World([queued()], limits=[limit(79.9)]), clock=time.time) as server:
        yield server


def exporter(server: SimulatorServer, *arguments: str) -> AbstractContextManager[Daemon]:
    return daemon("run", "--jobs", JOB, *FAST, *arguments, env={"AWS_ENDPOINT_URL_BRAKET": server.url, **WITH_DEVICES})


def operations(server: SimulatorServer) -> Counter[str]:
    return Counter(request.operation or "Unknown" for request in [*server.requests])


def test_a_device_that_pauses_and_comes_back_shows_in_its_series_and_in_the_log(braket: SimulatorServer) -> None:
    with exporter(braket, *QUICK) as running:
        eventually(lambda: running.has(f'braket_device_status{{{PLACE},status="ONLINE"}} 1.0'))
        assert running.has(f'braket_job_reserved{{job_arn="{JOB}",job_name="vqe"}} 1.0')
        assert running.logged("job_discovered")[0]["reservation_arn"] == RESERVATION
        paused = in_state(DeviceState(0.0, "PAUSED", "MAINTENANCE", 3600.0, ">4000", "12"))
        braket.world.devices[GARNET] = paused
        eventually(lambda: running.has(f'braket_device_status{{{PLACE},status="PAUSED"}} 1.0'))
        end = running.value("braket_device_status_estimated_end_timestamp_seconds")
        assert end == pytest.approx(paused.since + 3600.0, abs=0.01)
        assert running.has(
            f'braket_device_status_reason{{{PLACE},reason="MAINTENANCE"}} 1.0',
            f'braket_device_queue_size{{{PLACE},priority="normal",queue="tasks"}} 4000.0',
        )
        braket.world.devices[GARNET] = in_state(DeviceState())
        eventually(lambda: running.logs("device_status_changed", to_status="ONLINE"))
        changes = [
            (line["from_status"], line["to_status"], line["reason"]) for line in running.logs("device_status_changed")
        ]
        assert changes == [("ONLINE", "PAUSED", "MAINTENANCE"), ("PAUSED", "ONLINE", None)]
        eventually(lambda: not any("braket_device_status_reason{" in line for line in running.samples))


def test_a_spending_limit_follows_its_amounts_and_disappears_when_it_is_deleted(braket: SimulatorServer) -> None:
    with exporter(braket, *QUICK) as running:
        eventually(lambda: running.has(f"braket_spending_limit_spent_usd{AMOUNT} 79.9"))
        for spent in (80.0, 100.0):
            braket.world.limits[LIMIT] = limit(spent)
            eventually(partial(running.has, f"braket_spending_limit_spent_usd{AMOUNT} {spent}"))
        assert running.has(f"braket_spending_limit_usd{AMOUNT} 100.0")
        braket.world.limits.clear()
        eventually(lambda: not any("braket_spending_limit" in line for line in running.samples))


def test_without_permission_jobs_are_not_affected_and_each_operation_is_logged_once(braket: SimulatorServer) -> None:
    braket.faults.put(*DENIED)
    with exporter(braket, *QUICK) as running:
        eventually(lambda: len(running.logs("poll_failed")) == 2)
        polls = operations(braket)["GetJob"]
        eventually(lambda: operations(braket)["GetJob"] > polls + 5)
        assert {line["operation"] for line in running.logged("poll_failed")} == {"GetDevice", "SearchSpendingLimits"}
        assert len(running.logged("poll_failed", 2)) == 2
        assert running.value("braket_exporter_target_up") == 1.0
        assert (operations(braket)["GetDevice"], operations(braket)["SearchSpendingLimits"]) == (1, 1)
        assert running.get("/-/ready").status == 200


def test_with_both_settings_off_no_other_operation_is_called(braket: SimulatorServer) -> None:
    off = ("--device-metrics", "off", "--spending-limits", "off")
    with exporter(braket, *off, "--all-jobs", "--regions", REGION, "--discovery-interval", "0.1s") as running:
        eventually(lambda: operations(braket)["GetJob"] > 5 and operations(braket)["SearchJobs"] > 5)
        assert set(operations(braket)) <= {"GetJob", "SearchJobs", "GetCallerIdentity"}
        assert not any(line.startswith(("braket_device", "braket_spending")) for line in running.samples)


def test_once_reads_devices_and_spending_limits_once(braket: SimulatorServer) -> None:
    ended = run("once", "--jobs", JOB, env={"AWS_ENDPOINT_URL_BRAKET": braket.url})
    assert ended.returncode == 0, ended.stderr
    assert f'braket_device_status{{{PLACE},status="ONLINE"}} 1.0\n' in ended.stdout
    assert f"braket_spending_limit_spent_usd{AMOUNT} 79.9\n" in ended.stdout
    assert operations(braket) == Counter(GetJob=1, GetDevice=1, SearchSpendingLimits=1)


def test_check_config_prints_the_policy_for_devices_and_spending_limits(braket: SimulatorServer) -> None:
    braket.faults.put(*DENIED)
    ended = run("check-config", "--online", "--jobs", JOB, env={"AWS_ENDPOINT_URL_BRAKET": braket.url})
    assert (
        '{"Effect": "Allow", "Action": "braket:GetDevice", "Resource": "arn:aws:braket:*:*:device/*"}' in ended.stdout
    )
    assert '{"Effect": "Allow", "Action": "braket:SearchSpendingLimits", "Resource": "*"}' in ended.stdout


def test_jobs_calls_neither_for_devices_nor_for_spending_limits(braket: SimulatorServer) -> None:
    ended = run("jobs", "--jobs", JOB, env={"AWS_ENDPOINT_URL_BRAKET": braket.url})
    assert ended.returncode == 0, ended.stderr
    assert operations(braket) == Counter(GetJob=1)
