"""Which process of several polls a target: rendezvous hashing, so that few move with a new shard. Pure."""

import hashlib


def owner(key: str, shards: int) -> int:
    """Name the shard, from 0, that a key belongs to: the one whose hash together with the key is highest."""
    return max(range(shards), key=lambda shard: hashlib.sha256(f"{shard} {key}".encode()).digest())
