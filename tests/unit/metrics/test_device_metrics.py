"""The metrics of devices and of spending limits: literal expositions."""

from decimal import Decimal

from builders import ACCOUNT, GARNET

from exporter.core import DeviceKey, DeviceRecord, DeviceSnapshot, QueueSize, SpendingLimit, Target
from exporter.metrics import DEVICE_FAMILIES, SPENDING_LIMIT_FAMILIES, render

PLACE = f'aws_region="eu-north-1",device="{GARNET}"'.split(",")
REGION, DEVICE = PLACE
KEY = DeviceKey("eu-north-1", GARNET)
PAUSED = DeviceSnapshot(
    KEY,
    "PAUSED",
    reason="MAINTENANCE",
    reason_started=1_700_000_000.0,
    estimated_end=1_700_003_600.0,
    queues=(QueueSize("tasks", "normal", 4000, is_floor=True), QueueSize("jobs", "", 0, is_floor=False)),
    running_priority_jobs=3,
)


def exposed(device: DeviceSnapshot) -> dict[str, str]:
    rows = render(DEVICE_FAMILIES, DeviceRecord(device, 1_700_000_060.0))
    return {family.name: row.decode() for family, row in zip(DEVICE_FAMILIES, rows, strict=True) if row}


def test_a_paused_device_has_its_reason_and_the_estimated_end() -> None:
    assert exposed(PAUSED) == {
        "braket_device_info": f'braket_device_info{{{REGION},{DEVICE},device_name="Garnet",device_provider="iqm",'
        'device_type="qpu"} 1.0\n',
        "braket_device_status": f'braket_device_status{{{REGION},{DEVICE},status="ONLINE"}} 0.0\n'
        f'braket_device_status{{{REGION},{DEVICE},status="OFFLINE"}} 0.0\n'
        f'braket_device_status{{{REGION},{DEVICE},status="RETIRED"}} 0.0\n'
        f'braket_device_status{{{REGION},{DEVICE},status="PAUSED"}} 1.0\n',
        "braket_device_status_reason": f'braket_device_status_reason{{{REGION},{DEVICE},reason="MAINTENANCE"}} 1.0\n',
        "braket_device_status_reason_started_timestamp_seconds": (
            f"braket_device_status_reason_started_timestamp_seconds{{{REGION},{DEVICE}}} 1.7e+09\n"
        ),
        "braket_device_status_estimated_end_timestamp_seconds": (
            f"braket_device_status_estimated_end_timestamp_seconds{{{REGION},{DEVICE}}} 1.7000036e+09\n"
        ),
        "braket_device_queue_size": (
            f'braket_device_queue_size{{{REGION},{DEVICE},priority="normal",queue="tasks"}} 4000.0\n'
            f'braket_device_queue_size{{{REGION},{DEVICE},priority="",queue="jobs"}} 0.0\n'
        ),
        "braket_device_queue_size_is_floor": (
            f'braket_device_queue_size_is_floor{{{REGION},{DEVICE},priority="normal",queue="tasks"}} 1.0\n'
            f'braket_device_queue_size_is_floor{{{REGION},{DEVICE},priority="",queue="jobs"}} 0.0\n'
        ),
        "braket_device_running_priority_jobs": f"braket_device_running_priority_jobs{{{REGION},{DEVICE}}} 3.0\n",
        "braket_device_last_poll_timestamp_seconds": (
            f"braket_device_last_poll_timestamp_seconds{{{REGION},{DEVICE}}} 1.70000006e+09\n"
        ),
    }


def test_what_braket_does_not_report_of_a_device_is_no_sample() -> None:
    assert [*exposed(DeviceSnapshot(KEY, "ONLINE"))] == [
        "braket_device_info",
        "braket_device_status",
        "braket_device_last_poll_timestamp_seconds",
    ]


def test_an_unknown_status_of_a_device_is_added_under_its_own_name() -> None:
    text = exposed(DeviceSnapshot(KEY, "RESTING"))["braket_device_status"]
    assert [line.split('status="')[1] for line in text.splitlines()] == [
        'ONLINE"} 0.0',
        'OFFLINE"} 0.0',
        'RETIRED"} 0.0',
        'PAUSED"} 0.0',
        'RESTING"} 1.0',
    ]


def test_a_spending_limit_has_its_amounts_and_its_period() -> None:
    limit = SpendingLimit(
        id="7d1f",
        target=Target(ACCOUNT, "eu-north-1"),
        device=GARNET,
        start=1_700_000_000.0,
        end=1_700_086_400.0,
        limit=Decimal("100.10"),
        spent=Decimal("79.99"),
    )
    labels = f'aws_account_id="{ACCOUNT}",{REGION},{DEVICE},spending_limit="7d1f"'
    assert b"".join(render(SPENDING_LIMIT_FAMILIES, limit)).decode() == (
        f"braket_spending_limit_usd{{{labels}}} 100.1\n"
        f"braket_spending_limit_spent_usd{{{labels}}} 79.99\n"
        f"braket_spending_limit_start_timestamp_seconds{{{labels}}} 1.7e+09\n"
        f"braket_spending_limit_end_timestamp_seconds{{{labels}}} 1.7000864e+09\n"
    )
