"""Which accounts and Regions are polled, with whose credentials and for which jobs."""

import re
import subprocess
import sys
from collections.abc import Sequence

import pytest
from builders import ACCOUNT, arn
from hypothesis import given
from hypothesis import strategies as st
from processes import environment

from exporter.core.jobs import Target
from exporter.core.selector import Selector, TagRule
from exporter.core.targets import CredentialsRef, TargetConfig, TargetSpec, plan_targets, predecessors, receiver_of

OTHER = "210987654321"
EVERY = Selector(all_jobs=True)
USUAL = CredentialsRef()
ROLE = CredentialsRef(role_arn=f"arn:aws:iam::{OTHER}:role/braket-exporter", external_id="x")
PROFILE = CredentialsRef(profile="chemistry")

WEST, NORTH, EAST = "us-west-2", "eu-north-1", "us-east-1"


def test_without_entries_there_are_no_lanes() -> None:
    assert plan_targets([]) == []
    assert plan_targets([TargetSpec(USUAL)]) == []


def test_named_jobs_are_polled_in_the_account_and_region_that_their_arns_name() -> None:
    jobs = [arn(1), arn(2, NORTH), arn(3), arn(4, WEST, OTHER)]
    assert plan_targets([TargetSpec(USUAL, jobs)]) == [
        TargetConfig(USUAL, Target(ACCOUNT, WEST), (arn(1), arn(3)), None),
        TargetConfig(USUAL, Target(ACCOUNT, NORTH), (arn(2, NORTH),), None),
        TargetConfig(USUAL, Target(OTHER, WEST), (arn(4, WEST, OTHER),), None),
    ]


def test_jobs_are_looked_for_in_every_region_that_is_set() -> None:
    assert plan_targets([TargetSpec(USUAL, (), EVERY, [WEST, NORTH])]) == [
        TargetConfig(USUAL, Target("", WEST), (), EVERY),
        TargetConfig(USUAL, Target("", NORTH), (), EVERY),
    ]


def test_regions_without_anything_to_look_for_are_no_lanes() -> None:
    assert plan_targets([TargetSpec(USUAL, [arn(1)], None, [NORTH, EAST])]) == [
        TargetConfig(USUAL, Target(ACCOUNT, WEST), (arn(1),), None),
    ]


def test_a_region_that_is_set_twice_is_one_lane() -> None:
    assert plan_targets([TargetSpec(USUAL, (), EVERY, [WEST, WEST])]) == [
        TargetConfig(USUAL, Target("", WEST), (), EVERY)
    ]


def test_named_jobs_tell_whose_credentials_these_are() -> None:
    assert plan_targets([TargetSpec(USUAL, [arn(1)], EVERY, [WEST, NORTH])]) == [
        TargetConfig(USUAL, Target(ACCOUNT, WEST), (arn(1),), EVERY),
        TargetConfig(USUAL, Target(ACCOUNT, NORTH), (), EVERY),
    ]


def test_a_region_with_named_jobs_alone_is_not_searched() -> None:
    assert plan_targets([TargetSpec(USUAL, [arn(1)], EVERY, [NORTH])]) == [
        TargetConfig(USUAL, Target(ACCOUNT, WEST), (arn(1),), None),
        TargetConfig(USUAL, Target(ACCOUNT, NORTH), (), EVERY),
    ]


def test_named_jobs_of_several_accounts_leave_open_whose_credentials_these_are() -> None:
    assert plan_targets([TargetSpec(USUAL, [arn(1), arn(2, WEST, OTHER)], EVERY, [WEST])]) == [
        TargetConfig(USUAL, Target(ACCOUNT, WEST), (arn(1),), None),
        TargetConfig(USUAL, Target(OTHER, WEST), (arn(2, WEST, OTHER),), None),
        TargetConfig(USUAL, Target("", WEST), (), EVERY),
    ]


def test_a_role_tells_its_account_whatever_the_named_jobs_say() -> None:
    assert plan_targets([TargetSpec(ROLE, [arn(1)], EVERY, [WEST])]) == [
        TargetConfig(ROLE, Target(ACCOUNT, WEST), (arn(1),), None),
        TargetConfig(ROLE, Target(OTHER, WEST), (), EVERY),
    ]


def test_each_entry_has_lanes_of_its_own_even_in_the_same_account_and_region() -> None:
    physics = Selector(all_jobs=True)
    entries = [TargetSpec(USUAL, [arn(1)]), TargetSpec(PROFILE, [arn(2)], physics, [WEST])]
    assert plan_targets(entries) == [
        TargetConfig(USUAL, Target(ACCOUNT, WEST), (arn(1),), None),
        TargetConfig(PROFILE, Target(ACCOUNT, WEST), (arn(2),), physics),
    ]


def test_each_lane_of_an_entry_has_its_name() -> None:
    entry = TargetSpec(USUAL, [arn(1)], EVERY, [WEST, NORTH], "chemistry")
    assert [(config.target.region, config.name) for config in plan_targets([entry])] == [
        (WEST, "chemistry"),
        (NORTH, "chemistry"),
    ]
    assert [config.name for config in plan_targets([TargetSpec(USUAL, [arn(1)])])] == [""]


def test_the_order_of_named_jobs_is_kept() -> None:
    jobs = [arn(number) for number in (3, 1, 2)]
    assert plan_targets([TargetSpec(USUAL, jobs)])[0].jobs == tuple(jobs)


def test_a_queue_is_received_by_a_target_in_its_account_or_by_the_first() -> None:
    queue = f"https://sqs.us-west-2.amazonaws.com/{OTHER}/braket-events"
    first, second = (
        TargetConfig(USUAL, Target(ACCOUNT, region), (), EVERY, event_queue_url=queue) for region in (WEST, NORTH)
    )
    of_owner = TargetConfig(ROLE, Target(OTHER, WEST), (), EVERY, event_queue_url=queue)
    assert receiver_of([first, second, of_owner]) == of_owner
    assert receiver_of([first, second]) == first


def test_a_named_job_that_is_no_job_is_refused() -> None:
    with pytest.raises(ValueError, match="not a job ARN"):
        plan_targets([TargetSpec(USUAL, ["arn:aws:s3:::bucket"])])


@pytest.mark.parametrize(
    ("login", "account", "key"),
    [
        (USUAL, ACCOUNT, f"{ACCOUNT}/{WEST}"),
        (ROLE, OTHER, f"{OTHER}/{WEST}"),
        (PROFILE, ACCOUNT, f"{ACCOUNT}/{WEST}"),
        (PROFILE, "", f"chemistry/{WEST}"),
        (USUAL, "", f"/{WEST}"),
    ],
)
def test_a_lane_is_shared_out_by_the_quota_that_it_draws_on_as_far_as_the_settings_tell(
    login: CredentialsRef, account: str, key: str
) -> None:
    assert TargetConfig(login, Target(account, WEST), (), EVERY).shard_key == key


ACCOUNTS = st.sampled_from([ACCOUNT, OTHER, "000000000001"])
REGIONS = st.sampled_from([WEST, NORTH, EAST])
JOBS = st.lists(st.builds(arn, st.integers(0, 99), REGIONS, ACCOUNTS), max_size=6, unique=True)
ENTRIES = st.lists(
    st.builds(
        TargetSpec,
        st.sampled_from([USUAL, ROLE, PROFILE]),
        JOBS,
        st.sampled_from([None, EVERY]),
        st.lists(REGIONS, max_size=3),
    ),
    max_size=5,
)


@given(entries=ENTRIES, total=st.integers(1, 6))
def test_every_lane_belongs_to_one_shard_and_lanes_of_one_quota_stay_together(
    entries: Sequence[TargetSpec], total: int
) -> None:
    shares = [plan_targets(entries, shard=shard, total_shards=total) for shard in range(total)]
    configs = plan_targets(entries)
    assert sorted(map(repr, configs)) == sorted(repr(config) for share in shares for config in share)
    owners: dict[str, int] = {}
    for shard, share in enumerate(shares):
        assert [config for config in configs if config in share] == share
        assert all(owners.setdefault(config.shard_key, shard) == shard for config in share)


@given(entries=ENTRIES)
def test_every_named_job_and_every_region_to_search_is_in_one_lane_of_its_entry(entries: Sequence[TargetSpec]) -> None:
    for entry in entries:
        configs = plan_targets([entry])
        assert sorted(job for config in configs for job in config.jobs) == sorted(entry.jobs)
        searched = [config.target.region for config in configs if config.selector is not None]
        assert sorted(searched) == ([] if entry.selector is None else sorted(set(entry.regions)))
        assert len({config.target for config in configs}) == len(configs)
        assert {config.credentials for config in configs} <= {entry.credentials}


# Which lane goes on as which.


def config(
    *jobs: int,
    account: str = ACCOUNT,
    region: str = WEST,
    login: CredentialsRef = USUAL,
    selector: Selector | None = None,
    name: str = "",
) -> TargetConfig:
    return TargetConfig(login, Target(account, region), tuple(map(arn, jobs)), selector, name)


CHEMISTS, PHYSICISTS = Selector(name=re.compile("chem.*")), Selector(name=re.compile("phys.*"))


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ([], [config(1)], [None]),
        ([config(1)], [], []),
        ([config(1)], [config(1)], [0]),
        ([config(1)], [config(2)], [0]),
        ([config(1)], [config(1, selector=EVERY)], [0]),
        ([config(1)], [config(1, region=NORTH)], [None]),
        ([config(1)], [config(1, account=OTHER)], [None]),
        ([config(1)], [config(1, login=PROFILE)], [None]),
        ([config(1), config(1, region=NORTH)], [config(1, region=NORTH), config(1)], [1, 0]),
        ([config(selector=EVERY)], [config(account="", selector=EVERY)], [0]),
        ([config(account="", selector=EVERY)], [config(1, selector=EVERY)], [0]),
        (
            [config(selector=CHEMISTS), config(selector=PHYSICISTS)],
            [config(selector=PHYSICISTS), config(selector=EVERY)],
            [1, 0],
        ),
        ([config(selector=CHEMISTS)], [config(selector=EVERY), config(selector=CHEMISTS)], [None, 0]),
        ([config(1), config(1, account=OTHER)], [config(account="", selector=EVERY), config(2)], [1, 0]),
        ([config(1, name="a")], [config(1, name="b")], [0]),
        ([config(1, name="a")], [config(1)], [0]),
        ([config(1, name="a"), config(2, name="b")], [config(2, name="a"), config(1, name="b")], [1, 0]),
        ([config(1, name="a"), config(2, name="b")], [config(3, name="b"), config(4, name="a")], [1, 0]),
        ([config(1, name="a"), config(1, name="b")], [config(1, name="b"), config(1, name="c")], [1, 0]),
    ],
)
def test_a_lane_goes_on_as_the_one_before_that_is_most_like_it(
    before: Sequence[TargetConfig], after: Sequence[TargetConfig], found: list[int | None]
) -> None:
    assert predecessors(before, after) == found


# What names a lane across restarts.

TEAMS = TagRule("team", frozenset({"chemistry", "physics", "biology"}))
TAGGED = TargetConfig(
    CredentialsRef("p", "r", "x"), Target("", NORTH), (), Selector((TEAMS, TagRule("a", None)), name=re.compile("v.*"))
)


def test_a_key_survives_a_release() -> None:
    assert config(selector=EVERY).key == "6105ff2fc46f6b1e"
    assert TAGGED.key == "931a8b7eb90dd92a"


@pytest.mark.parametrize("seed", ["0", "1", "42"])
def test_a_key_is_the_same_in_every_process(seed: str) -> None:
    program = (
        "import re; from exporter.core.targets import *\n"
        "from exporter.core.jobs import Target; from exporter.core.selector import *\n"
        "teams = TagRule('team', frozenset({'chemistry', 'physics', 'biology'}))\n"
        "selector = Selector((teams, TagRule('a', None)), name=re.compile('v.*'))\n"
        "print(TargetConfig(CredentialsRef('p', 'r', 'x'), Target('', 'eu-north-1'), (), selector).key)"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], env=environment({"PYTHONHASHSEED": seed}), capture_output=True, check=True
    )
    assert said.stdout.decode().strip() == TAGGED.key


def test_a_key_differs_with_each_part_of_what_is_looked_for_and_where() -> None:
    tag, other = TagRule("team", frozenset({"chemistry"})), TagRule("team", frozenset({"physics"}))
    configs = [
        config(selector=EVERY),
        config(selector=EVERY, region=NORTH),
        *(
            config(selector=EVERY, login=login)
            for login in (PROFILE, ROLE, CredentialsRef("p"), CredentialsRef(None, "p"))
        ),
        *(config(selector=EVERY, login=CredentialsRef("p", "r", external)) for external in (None, "x", "y")),
        *(config(selector=selector) for selector in (None, CHEMISTS, PHYSICISTS)),
        *(config(selector=Selector(tags)) for tags in ((tag,), (other,), (tag, other), (TagRule("team", None),))),
        config(selector=Selector((TagRule("squad", frozenset({"chemistry"})),))),
        config(selector=Selector((TagRule("team", frozenset({"chemistry", "physics"})),))),
        config(selector=Selector(all_jobs=True, name=re.compile("chem.*"))),
    ]
    assert len({each.key for each in configs}) == len(configs)


def test_a_key_does_not_change_with_named_jobs_or_whether_they_tell_the_account() -> None:
    assert config(1, 2, selector=EVERY).key == config(selector=EVERY).key == config(selector=EVERY, account="").key


def test_neither_the_key_nor_the_shard_changes_with_the_name() -> None:
    one, other = config(1, selector=EVERY), config(1, selector=EVERY, name="chemistry")
    assert (other.key, other.shard_key) == (one.key, one.shard_key)
    assert one != other


def test_a_key_does_not_change_with_the_order_of_tags() -> None:
    rules = (TagRule("team", frozenset({"chemistry"})), TagRule("squad", None))
    assert config(selector=Selector(rules)).key == config(selector=Selector(rules[::-1])).key
