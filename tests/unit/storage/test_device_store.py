"""Devices and spending limits between polls and scrapes."""

from decimal import Decimal

from builders import ACCOUNT, GARNET, SV1, snapshot

from exporter.core import DeviceKey, DeviceRecord, DeviceSnapshot, JobRecord, SpendingLimit, Target
from exporter.storage.device_store import DeviceStore
from exporter.storage.spending_limit_store import SpendingLimitStore
from exporter.storage.store import Store

KEY = DeviceKey("eu-north-1", GARNET)
HERE, THERE = Target(ACCOUNT, "eu-north-1"), Target("210987654321", "eu-north-1")


def device(status: str = "ONLINE", key: DeviceKey = KEY) -> DeviceRecord:
    return DeviceRecord(DeviceSnapshot(key, status), 100.0)


def limit(name: str, target: Target = HERE, spent: str = "1") -> SpendingLimit:
    return SpendingLimit(name, target, GARNET, spent=Decimal(spent))


def text(store: DeviceStore | SpendingLimitStore) -> str:
    return b"".join(lines for _, lines in store.lines()).decode()


def test_without_a_device_there_is_no_family() -> None:
    assert [*DeviceStore().lines()] == [*SpendingLimitStore().lines()] == []


def test_a_device_has_one_set_of_series_and_its_last_status() -> None:
    store = DeviceStore()
    store.put(device(), 10.0)
    store.put(device("PAUSED"), 10.0)
    assert text(store).count("braket_device_info{") == 1
    assert 'status="PAUSED"} 1.0' in text(store)
    assert store.find(KEY) == device("PAUSED")
    assert store.records() == {KEY: device("PAUSED")}


def test_a_device_is_dropped_once_nobody_has_used_it_for_the_retention() -> None:
    store = DeviceStore()
    store.put(device(), 10.0)
    store.keep(KEY, 30.0)
    store.keep(KEY, 20.0)
    store.put(device(), 15.0)
    store.drop_expired(29.0)
    assert store.find(KEY) is not None
    store.drop_expired(30.0)
    assert (store.find(KEY), text(store)) == (None, "")
    store.keep(KEY, 90.0)
    assert store.find(KEY) is None


def test_a_spending_limit_that_two_accounts_report_has_one_set_of_series() -> None:
    store = SpendingLimitStore()
    store.replace(HERE, [limit("a"), limit("a", THERE, "7")])
    store.replace(THERE, [limit("a", THERE, "8")])
    spent = [line for line in text(store).splitlines() if line.startswith("braket_spending_limit_spent_usd{")]
    assert sorted(line[-3:] for line in spent) == ["1.0", "8.0"]


def test_a_deleted_spending_limit_loses_its_series_and_other_accounts_keep_theirs() -> None:
    store = SpendingLimitStore()
    store.replace(HERE, [limit("a"), limit("b")])
    store.replace(THERE, [limit("c", THERE)])
    store.replace(HERE, [limit("b", spent="2")])
    assert text(store).splitlines() == [
        (
            f'braket_spending_limit_spent_usd{{aws_account_id="{ACCOUNT}",aws_region="eu-north-1",device="{GARNET}",'
            'spending_limit="b"} 2.0'
        ),
        (
            f'braket_spending_limit_spent_usd{{aws_account_id="210987654321",aws_region="eu-north-1",device="{GARNET}",'
            'spending_limit="c"} 1.0'
        ),
    ]
    store.retain({THERE})
    assert "spending_limit=" in text(store)
    assert f'aws_account_id="{ACCOUNT}"' not in text(store)


def test_a_spending_limit_that_two_pages_have_is_exposed_once() -> None:
    store = SpendingLimitStore()
    store.replace(HERE, [limit("a"), limit("a", spent="2")])
    assert text(store).count("\n") == 1


def test_the_devices_in_use_are_those_of_active_jobs_of_the_account_and_region() -> None:
    store = Store(())
    for number, (status, dev) in enumerate([("QUEUED", GARNET), ("RUNNING", SV1), ("COMPLETED", "arn:other")]):
        job = snapshot(arn=f"job-{number}", status=status, device=dev, region="eu-north-1")
        store.put(JobRecord(job.arn, job))
    assert store.active_devices(HERE) == {GARNET, SV1}
    assert store.active_devices(THERE) == frozenset()
    store.put(JobRecord("job-0", snapshot(arn="job-0", status="FAILED", device=GARNET, region="eu-north-1")))
    assert store.active_devices(HERE) == {SV1}


def test_a_scrape_has_the_devices_and_the_spending_limits_after_the_aggregates() -> None:
    store = Store(())
    store.devices.put(device(), 10.0)
    store.spending_limits.replace(HERE, [limit("a")])
    names = [family.name for family, _ in store.view().families()]
    assert names.index("braket_jobs") < names.index("braket_device_info") < names.index("braket_spending_limit_usd")
