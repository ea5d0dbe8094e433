"""Many accounts and Regions: bounded threads and connections, and accounts that hang beside accounts that respond."""

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from organization import Organization, organization
from processes import PATIENT, Daemon, daemon, eventually, fetch, run

REGIONS = ("us-east-1", "us-west-1", "us-west-2", "eu-north-1", "eu-west-2")
ACCOUNTS = [f"{100000000000 + number}" for number in range(12)]
HANGING = frozenset(ACCOUNTS[::3])
OTHERS = [(account, region) for account in ACCOUNTS if account not in HANGING for region in REGIONS]

THREADS = 80
"""The limit for any number of targets."""


def settings(file: Path, accounts: Sequence[str], **more: object) -> str:
    """Write the settings of an exporter that discovers the jobs of these accounts in all Regions."""
    targets = [
        {"name": account, "role_arn": f"arn:aws:iam::{account}:role/r", "regions": REGIONS, "all_jobs": True}
        for account in accounts
    ]
    file.write_text(json.dumps({"targets": targets, **more}))
    return str(file)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "settings.yaml"


@pytest.fixture
def hanging() -> Iterator[Organization]:
    with organization(HANGING) as served:
        yield served


def env(served: Organization) -> dict[str, str | None]:
    return {"AWS_ENDPOINT_URL": served.url}


def polls(served: Organization, targets: Sequence[tuple[str, str]]) -> int:
    """Return the number of calls of the least polled target."""
    return min(len(served.seen.get(target, ())) for target in targets)


def threads(exporter: Daemon) -> int:
    lines = Path(f"/proc/{exporter.process.pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Threads:"))


def test_accounts_that_hang_do_not_hold_up_the_others_nor_the_end(hanging: Organization, file: Path) -> None:
    config = settings(file, ACCOUNTS, discovery_interval="1s")
    with daemon("--config", config, env=env(hanging), prelude=PATIENT) as exporter:
        eventually(lambda: polls(hanging, OTHERS) >= 5, 60)
        assert threads(exporter) <= THREADS
        down = [f'braket_exporter_target_up{{aws_account_id="{account}"' for account in sorted(HANGING)]

        def are_down() -> bool:
            samples = [line for line in exporter.samples if line.startswith("braket_exporter_target_up")]
            zero = [line for line in samples if line.endswith(" 0.0")]
            return len(zero) == 20 and all(any(line.startswith(start) for line in zero) for start in down)

        eventually(are_down, 60)
        before = polls(hanging, OTHERS)
        eventually(lambda: polls(hanging, OTHERS) >= before + 5, 60)
        assert threads(exporter) <= THREADS
        began = time.monotonic()
        assert exporter.stop() == 0
        assert time.monotonic() - began < 10.0


def test_a_reload_adds_and_removes_accounts_while_calls_hang(hanging: Organization, file: Path) -> None:
    first, then = ACCOUNTS[:6], [*ACCOUNTS[1:3], *ACCOUNTS[6:]]
    fast = {"discovery_interval": "1s"}
    with daemon("--config", settings(file, first, **fast), env=env(hanging)) as exporter:
        eventually(lambda: polls(hanging, [one for one in OTHERS if one[0] in first]) >= 1)
        settings(file, then, **fast)
        assert fetch(exporter.address, "/-/reload", method="POST").status == 200
        (reloaded,) = exporter.logged("config_reloaded")
        assert (reloaded["added"], reloaded["removed"]) == (30, 20)
        wanted = [one for one in OTHERS if one[0] in then]
        eventually(lambda: polls(hanging, wanted) >= 1)
        removed = [one for one in OTHERS if one[0] not in then]
        time.sleep(0.5)  # calls in flight end
        seen = {one: len(hanging.seen.get(one, ())) for one in removed}
        before = polls(hanging, wanted)
        eventually(lambda: polls(hanging, wanted) >= before + 3)
        assert {one: len(hanging.seen.get(one, ())) for one in removed} == seen
        assert exporter.stop() == 0


def test_once_polls_all_accounts_and_names_those_that_hang(hanging: Organization, file: Path) -> None:
    config = settings(file, ACCOUNTS)
    ended = run("once", "--config", config, env=env(hanging), prelude=PATIENT, timeout=120)
    assert ended.returncode == 1
    assert "20 of 60 targets failed" in ended.stderr
    assert polls(hanging, OTHERS) >= 1


def test_once_succeeds_when_all_accounts_respond(file: Path) -> None:
    with organization() as served:
        ended = run("once", "--config", settings(file, ACCOUNTS), env=env(served), timeout=120)
        assert ended.returncode == 0, ended.stderr
        assert sorted(served.seen) == [(account, region) for account in ACCOUNTS for region in sorted(REGIONS)]
        assert ended.stdout.count("braket_exporter_target_up{") == 60
