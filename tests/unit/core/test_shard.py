"""Which process of several polls a target."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.core.shard import owner

KEYS = [f"{account:012d}/{region}" for account in range(250) for region in ("us-east-1", "us-west-2", "eu-north-1")]


@given(st.text(), st.integers(1, 50))
def test_every_key_has_one_owner_among_the_shards(key: str, shards: int) -> None:
    assert owner(key, shards) in range(shards)
    assert owner(key, shards) == owner(key, shards)


@given(st.text(), st.integers(1, 50))
def test_a_new_shard_takes_keys_and_moves_none_between_the_others(key: str, shards: int) -> None:
    assert owner(key, shards + 1) in {owner(key, shards), shards}


@pytest.mark.parametrize("shards", [1, 2, 3, 7])
def test_a_new_shard_takes_its_fair_share(shards: int) -> None:
    moved = sum(owner(key, shards) != owner(key, shards + 1) for key in KEYS)
    assert moved == pytest.approx(len(KEYS) / (shards + 1), rel=0.25)


@pytest.mark.parametrize("shards", [2, 3, 10])
def test_no_shard_has_much_more_than_the_others(shards: int) -> None:
    loads = Counter(owner(key, shards) for key in KEYS)
    assert len(loads) == shards
    assert max(loads.values()) < 1.5 * len(KEYS) / shards
    assert min(loads.values()) > 0.5 * len(KEYS) / shards


def test_owners_are_the_same_in_every_process_and_release() -> None:
    keys = ["123456789012/us-east-1", "123456789012/us-west-2", "210987654321/eu-north-1", "/eu-west-2", ""]
    assert [owner(key, 5) for key in keys] == [2, 2, 1, 3, 0]
    assert [owner(key, 1) for key in keys] == [0, 0, 0, 0, 0]
