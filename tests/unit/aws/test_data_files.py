"""The SDK's data files as the exporter reads them, beside what the SDK itself reads."""

import json
import os
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import botocore.exceptions
import botocore.loaders
import botocore.session
import pytest
from profiles import some

import exporter.aws
from exporter.aws.attempt import Operation
from exporter.aws.data_files import SERVICES, DataLoader, read_endpoints

ENDPOINTS = {"braket", "oidc", "portal.sso", "sts"}


def client(service: str, region: str, *, own: bool) -> Any:
    session = botocore.session.Session()
    if own:
        session.register_component("data_loader", DataLoader())
    return session.create_client(service, region, aws_access_key_id="x", aws_secret_access_key="x")


def kept(partitions: Iterable[dict[str, Any]]) -> set[str]:
    return {service for partition in partitions for service in partition["services"]}


@pytest.mark.parametrize("service", ["braket", "sts", "sso", "sso-oidc"])
@pytest.mark.parametrize("region", some(["us-east-1", "eu-north-1", "cn-north-1", "us-gov-west-1", "xx-future-1"]))
def test_a_client_has_the_endpoint_that_the_sdk_chooses(service: str, region: str) -> None:
    ours, theirs = client(service, region, own=True), client(service, region, own=False)
    assert ours.meta.endpoint_url == theirs.meta.endpoint_url
    assert ours.meta.partition == theirs.meta.partition
    assert ours._request_signer.region_name == theirs._request_signer.region_name
    assert ours._request_signer.signing_name == theirs._request_signer.signing_name


def test_every_operation_is_one_of_a_service_that_the_image_has() -> None:
    modules = [import_module(f"exporter.aws.{each.name}") for each in iter_modules(exporter.aws.__path__)]
    operations = [value for module in modules for value in vars(module).values() if isinstance(value, Operation)]
    assert {operation.service for operation in operations} == {"braket", "sqs", "sts"}
    assert {operation.service for operation in operations} < {*SERVICES}


def test_the_endpoints_of_services_that_are_not_called_take_no_memory() -> None:
    assert kept(DataLoader().load_data("endpoints")["partitions"]) == ENDPOINTS


@pytest.fixture
def endpoints() -> bytes:
    return Path(botocore.__file__).with_name("data").joinpath("endpoints.json").read_bytes()


def only_called(endpoints: bytes) -> Any:
    """Parse everything, then drop the services that are not called."""
    data = json.loads(endpoints)
    for partition in data["partitions"]:
        partition["services"] = {name: each for name, each in partition["services"].items() if name in ENDPOINTS}
    return data


def test_only_the_endpoints_of_services_that_are_called_are_parsed(
    endpoints: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, parsed, loads = only_called(endpoints), list[int](), json.loads

    def count(text: bytes) -> Any:
        parsed.append(len(text))
        return loads(text)

    monkeypatch.setattr(json, "loads", count)
    assert read_endpoints(endpoints) == expected
    assert len(parsed) == 1
    assert parsed[0] < len(endpoints) / 20


@pytest.mark.parametrize(
    "layout",
    [
        lambda text: json.dumps(json.loads(text)).encode(),
        lambda text: json.dumps(json.loads(text), indent=2).encode(),
        lambda text: json.dumps(json.loads(text), indent=1, separators=(",", " : ")).encode(),
        lambda text: text.replace(b"\n      ", b"\n       "),
        lambda text: text.replace(b"\n      }", b"\n       }"),
        lambda text: text.replace(b"\n    }", b"\n  }"),
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: text.replace(b"\n", b" "),
    ],
    ids=["compact", "indented", "less indented", "services more indented", "ends", "partitions", "CRLF", "one line"],
)
def test_endpoints_in_another_layout_are_the_same(endpoints: bytes, layout: Callable[[bytes], bytes]) -> None:
    assert read_endpoints(layout(endpoints)) == only_called(endpoints)


def test_endpoints_that_are_not_json_are_an_error() -> None:
    with pytest.raises(ValueError, match="Expecting"):
        read_endpoints(b'{"partitions" : [ {\n    "services" : {\n    }')


def test_the_loader_finds_every_service_model() -> None:
    ours, theirs = DataLoader(), botocore.loaders.create_loader()
    assert list(ours.list_available_services("service-2")) == theirs.list_available_services("service-2")
    assert ours.load_service_model("braket", "service-2") == theirs.load_service_model("braket", "service-2")


def test_a_service_without_a_model_is_reported_as_by_the_sdk() -> None:
    messages = set()
    for loader in (DataLoader(), botocore.loaders.create_loader()):
        with pytest.raises(botocore.exceptions.UnknownServiceError) as raised:
            loader.load_service_model("no-such-service", "service-2")
        messages.add(str(raised.value))
    assert len(messages) == 1


def test_a_look_up_of_one_service_reads_no_folder_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    listed: list[str] = []
    listdir = os.listdir

    def list_folder(path: str) -> list[str]:
        listed.append(path)
        return listdir(path)

    monkeypatch.setattr(os, "listdir", list_folder)
    DataLoader().load_service_model("braket", "service-2")
    assert {Path(path).name for path in listed} == {"braket"}
