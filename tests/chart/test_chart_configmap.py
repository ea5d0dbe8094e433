"""templates/configmap.yaml: the exporter reads the settings that the chart writes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import bcrypt
import processes
import pytest
import yaml
from certificates import Authority
from chart_support import LABELS, NAME, NAMESPACE, VALUES, of_kind, only, refusal, render, render_file

from exporter.app.load_settings import load
from exporter.app.settings import Settings

STATE_FILE = "/var/lib/braket-exporter/state.sqlite"
JOB = "arn:aws:braket:us-west-2:123456789012:job/1"
WITH_EXPORTER = [path for path in VALUES if "-only" not in path.stem]
QUEUE = "https://sqs.us-west-2.amazonaws.com/123456789012/braket-exporter-events"


def settings_of(values: Mapping[str, Any]) -> dict[str, Any]:
    return dict(yaml.safe_load(only(render(values), "ConfigMap")["data"]["exporter.yaml"]))


def loaded(config: Mapping[str, Any], folder: Path) -> Settings:
    """Read the settings of the chart as the exporter does."""
    path = folder / "exporter.yaml"
    path.write_text(only(render({"config": config}), "ConfigMap")["data"]["exporter.yaml"], encoding="utf-8")
    return load({}, {}, str(path))


def web_config(folder: Path, values: Path) -> Path:
    """Write the files in the Secrets of a set of values, as mounted in the pod."""
    given = yaml.safe_load(values.read_text(encoding="utf-8")).get("webConfig", {"existingSecret": ""})
    text: dict[str, Any] = {}
    if given.get("tls"):
        Authority.in_folder(folder).issue("tls")
        text["tls_server_config"] = {"cert_file": "tls.crt", "key_file": "tls.key"}
    if given.get("basicAuth"):
        text["basic_auth_users"] = {"prometheus": bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()}
    if given.get("clientCertificate"):
        required = {"client_ca_file": "ca.crt", "client_auth_type": "RequireAndVerifyClientCert"}
        text["tls_server_config"] |= required
    if given["existingSecret"]:
        (folder / given.get("key", "web-config.yaml")).write_text(yaml.safe_dump(text), encoding="utf-8")
    return folder


def test_it_holds_the_settings_and_nothing_else() -> None:
    config_map = only(render(), "ConfigMap")
    assert config_map["metadata"] == {"name": NAME, "namespace": NAMESPACE, "labels": LABELS}
    assert config_map["data"].keys() == {"exporter.yaml"}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, {"all_jobs": True}),
        ({"config": {"regions": ["us-west-2"]}}, {"all_jobs": True, "regions": ["us-west-2"]}),
        ({"config": {"tags": "team=a"}}, {"tags": "team=a"}),
        ({"config": {"jobs": JOB}}, {"jobs": JOB}),
        ({"config": {"tags": ["team=a"], "all_jobs": True}}, {"tags": ["team=a"], "all_jobs": True}),
        ({"config": {"targets": [{"all_jobs": True}]}}, {"targets": [{"all_jobs": True}]}),
        ({"config": {"poll_interval": None}}, {"all_jobs": True}),
    ],
    ids=lambda value: str(value) if "config" in value else "",
)  # fmt: skip
def test_all_jobs_are_watched_by_default(values: dict[str, Any], expected: dict[str, Any]) -> None:
    assert settings_of(values) == {"listen_address": ":9834", "state_file": STATE_FILE, **expected}


def test_the_address_is_that_of_the_containers_port() -> None:
    assert settings_of({"containerPort": 9000})["listen_address"] == ":9000"


def test_the_number_of_shards_is_that_of_the_pods() -> None:
    assert settings_of({"sharding": {"totalShards": 3}})["total_shards"] == 3
    assert "total_shards" not in settings_of({})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("jobs", [JOB]),
        ("tags", "team=a"),
        ("all_jobs", True),
        ("job_name_regex", "a.*"),
        ("regions", ["us-west-2"]),
    ],
)
def test_targets_and_a_key_that_they_replace_are_rejected(key: str, value: object) -> None:
    reported = refusal({"config": {"targets": [{"all_jobs": True}], key: value}})
    assert f"config.targets and config.{key} are both set; move config.{key} into a target" in reported


def test_settings_without_jobs_are_rejected_before_the_installation() -> None:
    reported = refusal({"config": {"all_jobs": False}})
    assert "config selects no jobs; set config.jobs, config.tags, config.all_jobs or config.targets" in reported


@pytest.mark.parametrize(
    ("key", "given", "read"),
    [
        ("lookback", 1209600, 1209600.0),
        ("retention", 100000000, 100000000.0),
        ("max_jobs", 1000000, 1000000),
        ("poll_interval", 0.5, 0.5),
        ("poll_interval", "7d", 604800.0),
        ("api_requests_per_second", 1, 1.0),
        ("job_name_regex", r"^\d+: {{x}} \"y\" # z$", r"^\d+: {{x}} \"y\" # z$"),
        ("job_name_regex", "123", "123"),
        ("tag_labels", ["yes", "1e3"], ("yes", "1e3")),
        ("tags", "team=a|b,stage=*", ("team=a|b", "stage=*")),
        ("per_job_metrics", False, False),
        ("device_metrics", False, "off"),
        ("spending_limits", "off", "off"),
        ("event_queue_url", QUEUE, QUEUE),
        ("event_poll_interval", "10m", 600.0),
    ],
)
def test_the_exporter_reads_the_given_value(key: str, given: object, read: object, tmp_path: Path) -> None:
    assert getattr(loaded({key: given}, tmp_path), key) == read


@pytest.mark.parametrize("path", WITH_EXPORTER, ids=lambda path: path.stem)
def test_the_exporter_accepts_the_settings_with_each_set_of_values(path: Path, tmp_path: Path) -> None:
    file = tmp_path / "exporter.yaml"
    settings = only(render_file(path), "ConfigMap")["data"]["exporter.yaml"]
    mounted = web_config(tmp_path, path)
    settings = settings.replace("/etc/braket-exporter-web/", f"{mounted}/")
    file.write_text(settings.replace("/var/lib/braket-exporter/", f"{mounted}/"), encoding="utf-8")
    variables = {"AWS_DEFAULT_REGION": "us-west-2", "BRAKET_EXPORTER_CONFIG": str(file)}
    profiles = tmp_path / "config"
    profiles.write_text("[profile sandbox]\nregion = us-east-1\n", encoding="utf-8")
    done = processes.run("check-config", env={**variables, "AWS_CONFIG_FILE": str(profiles)})
    assert done.returncode == 0, done.stderr


def test_a_shard_knows_its_share_from_its_pods_name(tmp_path: Path) -> None:
    file = tmp_path / "exporter.yaml"
    values = {"sharding": {"totalShards": 3}, "config": {"regions": ["us-west-2"]}, "state": {"enabled": False}}
    file.write_text(only(render(values), "ConfigMap")["data"]["exporter.yaml"], encoding="utf-8")
    variables = {"BRAKET_EXPORTER_CONFIG": str(file), "BRAKET_EXPORTER_SHARD": f"{NAME}-2"}
    settings = load({}, variables, str(file))
    assert settings.total_shards == 3
    done = processes.run("check-config", env=variables)
    assert "shard: 2\n" in done.stdout, done.stderr


def test_there_is_none_without_the_exporter() -> None:
    assert of_kind(render({"exporter": {"enabled": False}}), "ConfigMap") == []
