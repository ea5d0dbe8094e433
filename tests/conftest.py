"""No test finds real credentials, calls an instance's metadata, or uses a proxy; what tests share stays together."""

import gc
import os
from collections.abc import Iterator

import pytest
from profiles import load_profile
from sts import moto_server

load_profile()


def pytest_itemcollected(item: pytest.Item) -> None:
    """Keep tests that share a fixture of their module in one worker of ``--dist=loadgroup``: it is made once."""
    fixtures = item._fixtureinfo.name2fixturedefs.values() if isinstance(item, pytest.Function) else ()
    if any(definition.scope == "module" for definitions in fixtures for definition in definitions):
        item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))


def pytest_collection_finish() -> None:
    """Keep the many objects of modules and tests out of the garbage collector's way."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@pytest.fixture(autouse=True)
def _aws_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("AWS_", "BRAKET_EXPORTER_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """Run moto in a process; return its URL."""
    with moto_server() as url:
        yield url
