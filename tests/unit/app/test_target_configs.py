"""The polled targets of the settings, with their event queues."""

import pytest

from exporter.app.settings import Settings, SettingsError
from exporter.app.target_configs import target_configs
from exporter.aws import Sdk
from exporter.core import TargetConfig

ACCOUNT = "123456789012"
WEST, NORTH = "us-west-2", "eu-north-1"
QUEUE = f"https://sqs.{WEST}.amazonaws.com/{ACCOUNT}/braket-events"
OTHER_QUEUE = f"https://sqs.{NORTH}.amazonaws.com/{ACCOUNT}/braket-events"
REGIONS = [f"eu-north-{number}" for number in range(1, 9)]


def arn(region: str) -> str:
    return f"arn:aws:braket:{region}:{ACCOUNT}:job/one"


def configs(**given: object) -> list[TargetConfig]:
    return target_configs(Settings(**given), {}, Sdk())


def test_a_queue_is_that_of_every_target() -> None:
    found = configs(jobs=[arn(WEST)], all_jobs=True, regions=[NORTH], event_queue_url=QUEUE)
    assert [(config.target.region, config.event_queue_url) for config in found] == [(WEST, QUEUE), (NORTH, QUEUE)]


def test_an_entry_of_targets_may_have_a_queue_of_its_own() -> None:
    entries = [
        {"all_jobs": True, "regions": [WEST]},
        {"jobs": [arn(NORTH)], "event_queue_url": OTHER_QUEUE},
        {"tags": ["team=chemistry"], "regions": [NORTH], "event_queue_url": OTHER_QUEUE},
    ]
    assert [config.event_queue_url for config in configs(targets=entries, event_queue_url=QUEUE)] == [
        QUEUE,
        OTHER_QUEUE,
        OTHER_QUEUE,
    ]
    assert [config.event_queue_url for config in configs(targets=entries)] == [None, OTHER_QUEUE, OTHER_QUEUE]


@pytest.mark.parametrize("shard", [0, 1])
def test_shards_that_would_delete_the_events_of_each_other_are_refused(shard: int) -> None:
    with pytest.raises(SettingsError) as caught:
        configs(all_jobs=True, regions=REGIONS, event_queue_url=QUEUE, shard=shard, total_shards=2)
    (problem,) = caught.value.problems
    assert problem == (
        "event_queue_url: the targets of queue 123456789012/braket-events are in different shards, and each shard "
        "would delete the events of the others; set a different event_queue_url for each account and Region in targets"
    )


def test_shards_may_have_queues_of_their_own() -> None:
    entries = [
        {"all_jobs": True, "regions": [region], "event_queue_url": QUEUE.replace(WEST, region)} for region in REGIONS
    ]
    polled = [
        config.target.region for shard in (0, 1) for config in configs(targets=entries, shard=shard, total_shards=2)
    ]
    assert sorted(polled) == REGIONS


def test_one_process_may_receive_the_events_of_all_targets_from_one_queue() -> None:
    assert len(configs(all_jobs=True, regions=REGIONS, event_queue_url=QUEUE)) == len(REGIONS)
