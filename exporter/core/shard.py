"""Assignment of targets to shards by rendezvous hashing: a new shard moves few targets. Pure."""

import hashlib


def owner(key: str, shards: int) -> int:
    """Return the shard of a key, from 0: the one with the highest hash of shard and key."""
    return max(range(shards), key=lambda shard: hashlib.sha256(f"{shard} {key}".encode()).digest())
