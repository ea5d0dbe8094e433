"""values.schema.json: invalid values are rejected, and its settings match the code."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args

import pytest
import yaml
from chart_support import CHART, HELMS, container, refusal, render

from exporter.app.settings import Settings, TargetSettings
from exporter.core import parse_duration

SCHEMA = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
VALUES = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
CONFIG = SCHEMA["properties"]["config"]["properties"]

CHARTS_OWN = {"listen_address", "web_config_file", "state_file", "shard", "total_shards"}
"""Settings that follow from other values: containerPort, webConfig, state, the pod's name, sharding.totalShards."""

FOR_A_PARENT = {"enabled"}
"""A key of parent charts."""


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").removeprefix("#/definitions/")
    return dict(SCHEMA["definitions"][name]) if name else schema


def closed(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every object of the schema with listed keys."""
    schema = resolved(schema)
    if "properties" in schema:
        yield path, schema
        for key, value in schema["properties"].items():
            yield from closed(value, f"{path}.{key}".lstrip("."))


def test_every_key_of_the_values_is_in_the_schema_and_the_other_way_round() -> None:
    for path, schema in closed(SCHEMA):
        values: Any = VALUES
        for key in filter(None, path.split(".")):
            values = (values or {}).get(key)
        if path.startswith(("config", "prometheusRule.alerts", "resources")) or values is None:
            continue
        optional = {"initialDelaySeconds", "successThreshold"} if path.endswith("Probe") else set()
        assert schema["properties"].keys() - optional - (set() if path else FOR_A_PARENT) == values.keys(), path


def test_each_list_of_keys_is_complete_except_that_of_helm() -> None:
    assert [path for path, schema in closed(SCHEMA) if schema.get("additionalProperties") is not False] == ["global"]


def test_the_settings_are_those_of_the_code() -> None:
    assert CONFIG.keys() == Settings.model_fields.keys() - CHARTS_OWN
    assert CONFIG["targets"]["items"]["properties"].keys() == TargetSettings.model_fields.keys()
    assert CONFIG["targets"]["items"]["additionalProperties"] is False


@pytest.mark.parametrize(
    ("properties", "model"),
    [(CONFIG, Settings), (CONFIG["targets"]["items"]["properties"], TargetSettings)],
    ids=["settings", "targets"],
)
def test_a_setting_is_described_as_in_the_code(properties: dict[str, Any], model: type[Settings]) -> None:
    described = {key: schema["description"] for key, schema in properties.items()}
    assert described == {key: model.model_fields[key].description for key in described}


@pytest.mark.parametrize("key", ["log_level", "log_format"])
def test_a_choice_is_that_of_the_code(key: str) -> None:
    assert CONFIG[key]["enum"] == [*get_args(Settings.model_fields[key].annotation), None]


@pytest.mark.parametrize("key", ["device_metrics", "spending_limits"])
def test_a_choice_with_off_accepts_false_which_yaml_makes_of_off(key: str) -> None:
    assert CONFIG[key]["enum"] == [*get_args(Settings.model_fields[key].annotation), False, None]


@pytest.mark.parametrize(
    "key", ["poll_interval", "event_poll_interval", "discovery_interval", "lookback", "retention", "retention_failed"]
)
def test_the_chart_accepts_the_durations_of_the_exporter_and_rejects_words(key: str) -> None:
    pattern = CONFIG[key]["pattern"]
    for text in ("30s", "5m", "24h", "7d", "2w", "1h30m", "1d 12h", "1w2d3h4m5.5s", "45", "1.5h"):
        assert parse_duration(text) > 0
        assert re.search(pattern, text), text
    assert [text for text in ("", "fast", "s", "1y", "1h30", "-5s") if re.search(pattern, text)] == []


def test_the_alerts_are_those_of_the_rules() -> None:
    texts = [(CHART / "rules" / f"{name}.yaml").read_text(encoding="utf-8") for name in ("devices", "exporter", "jobs")]
    groups = [group for text in texts for group in yaml.safe_load(text)["groups"]]
    alerts = {rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule}
    assert SCHEMA["properties"]["prometheusRule"]["properties"]["alerts"]["properties"].keys() == alerts


@pytest.mark.parametrize("helm", HELMS)
@pytest.mark.parametrize(
    ("values", "reported"),
    [
        ({"replicas": 2}, "additional properties 'replicas' not allowed"),
        ({"config": {"poll_intervall": "15s"}}, "at '/config': additional properties 'poll_intervall' not allowed"),
        (
            {"config": {"event_queue_url": "https://sqs/q?x=1"}},
            "'/config/event_queue_url': 'https://sqs/q?x=1' does not",
        ),
        ({"config": {"listen_address": ":1"}}, "at '/config': additional properties 'listen_address' not allowed"),
        ({"config": {"web_config_file": "/a"}}, "'/config': additional properties 'web_config_file' not allowed"),
        ({"config": {"state_file": "/a"}}, "'/config': additional properties 'state_file' not allowed"),
        ({"state": {"sizeLimit": "1 GB"}}, "at '/state/sizeLimit': '1 GB' does not match pattern"),
        ({"state": {"sizeLimit": "0Gi"}}, "at '/state/sizeLimit': '0Gi' does not match pattern"),
        ({"state": {"persistentVolumeClaim": {"size": 5}}}, "'/state/persistentVolumeClaim/size': got number, want"),
        ({"state": {"persistentVolumeClaim": {"accessModes": []}}}, "accessModes': minItems: got 0, want 1"),
        (
            {"state": {"persistentVolumeClaim": {"accessModes": ["ReadOnlyMany"]}}},
            "at '/state/persistentVolumeClaim/accessModes/0': value must be one of 'ReadWriteOnce', 'ReadWriteOncePod'",
        ),
        (
            {"state": {"persistentVolumeClaim": {"existingClaim": "My_Claim"}}},
            "at '/state/persistentVolumeClaim/existingClaim': 'My_Claim' does not match pattern",
        ),
        ({"webConfig": {"password": "x"}}, "at '/webConfig': additional properties 'password' not allowed"),
        ({"webConfig": {"key": "a/b"}}, "at '/webConfig/key': 'a/b' does not match pattern"),
        ({"webConfig": {"tls": "yes"}}, "at '/webConfig/tls': got string, want null or boolean"),
        ({"config": {"poll_interval": "fast"}}, "at '/config/poll_interval': 'fast' does not match pattern"),
        ({"config": {"poll_interval": 0}}, "at '/config/poll_interval': exclusiveMinimum: got 0, want 0"),
        ({"config": {"all_jobs": "yes"}}, "at '/config/all_jobs': got string, want null or boolean"),
        ({"config": {"jobs": ["vqe"]}}, "at '/config/jobs/0': 'vqe' does not match pattern"),
        ({"config": {"log_level": "loud"}}, "at '/config/log_level': value must be one of 'debug', 'info', 'warning'"),
        ({"config": {"targets": [{"rolearn": "x"}]}}, "'/config/targets/0': additional properties 'rolearn' not allow"),
        ({"image": {"digest": "latest"}}, "at '/image/digest': 'latest' does not match pattern"),
        ({"sharding": {"totalShards": 0}}, "at '/sharding/totalShards': minimum: got 0, want 1"),
        ({"service": {"type": "ExternalName"}}, "at '/service/type': value must be one of 'ClusterIP', 'NodePort'"),
        ({"service": {"port": "metrics"}}, "at '/service/port': got string, want null or integer"),
        (
            {"commonLabels": {"team": ["a"]}},
            "at '/commonLabels/team': got array, want null or boolean or number or string",
        ),
        ({"serviceMonitor": {"interval": "30"}}, "at '/serviceMonitor/interval': '30' does not match pattern"),
        ({"livenessProbe": {"httpGet": {}}}, "at '/livenessProbe': additional properties 'httpGet' not allowed"),
        ({"aws": {"accessKeyId": "A"}}, "at '/aws': additional properties 'accessKeyId' not allowed"),
        ({"fullnameOverride": "Not_A_Name"}, "at '/fullnameOverride': 'Not_A_Name' does not match pattern"),
        (
            {"prometheusRule": {"thresholds": {"throttledRatio": 10}}},
            "at '/prometheusRule/thresholds/throttledRatio': maximum: got 10, want 1",
        ),
        (
            {"prometheusRule": {"alerts": {"BraketJobFailed": {"for": 5}}}},
            "at '/prometheusRule/alerts/BraketJobFailed/for': got number, want null or string",
        ),
    ],
    ids=str,
)
def test_an_invalid_value_is_rejected_with_its_path(values: Mapping[str, Any], reported: str, helm: str) -> None:
    assert reported in refusal(values, helm)


def test_all_invalid_values_are_reported_at_once() -> None:
    reported = refusal({"config": {"poll_intervall": 1}, "sharding": {"totalShards": 0}, "replicas": 2})
    assert all(word in reported for word in ("poll_intervall", "totalShards", "replicas"))


def test_a_parent_chart_can_add_its_own_values() -> None:
    assert render({"global": {"storageClass": "x"}, "enabled": True}) == render()


@pytest.mark.parametrize("key", ["podSecurityContext", "securityContext", "affinity", "dnsConfig"])
def test_fields_of_kubernetes_can_have_unlisted_keys(key: str) -> None:
    assert render({key: {"somethingNew": True}})


def test_no_value_takes_a_key_of_aws() -> None:
    keys = {key.lower() for _, schema in closed(SCHEMA) for key in schema["properties"]}
    assert {key for key in keys if any(word in key for word in ("access", "secretkey", "token", "password"))} == {
        "passwordkey",  # where in a Secret a password for the exporter is
        "automountserviceaccounttoken",
        "accessmodes",  # of a volume
    }
    assert [one["name"] for one in container()["env"] if one["name"].startswith("AWS")] == []
