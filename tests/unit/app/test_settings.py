"""Settings: where a value comes from, and what every wrong one is told."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from profiles import some
from pydantic import ValidationError

from exporter.app.load_settings import load
from exporter.app.setting_types import METRICS
from exporter.app.setting_warnings import warnings_of
from exporter.app.settings import Settings, SettingsError, TargetSettings, format_default
from exporter.core import format_duration, parse_duration, parse_listen, parse_mapping
from exporter.core.text import LONGEST_DURATION, Listen
from exporter.metrics import all_families
from exporter.telemetry import PROCESS_METRICS

ONE = "arn:aws:braket:us-west-2:123456789012:job/one"
TWO = "arn:aws:braket:eu-north-1:123456789012:job/two"
DURATION = "expected a duration above 0, such as 30s, 5m, 24h, 7d, 2w, 1h30m or a number of seconds"
LISTEN = "expected HOST:PORT, :PORT or [::1]:PORT, with a port from 0 to 65535"
NOTHING = "nothing to watch: "
QUEUE = "https://sqs.us-west-2.amazonaws.com/123456789012/braket-events"
QUEUE_URL = "not the URL of an SQS queue; expected https://sqs.<region>.amazonaws.com/<account>/<queue name>"


@dataclass
class World:
    """What the settings are read from: flags, the process's environment and a file."""

    monkeypatch: pytest.MonkeyPatch
    folder: Path
    environ: dict[str, str] = field(default_factory=dict)

    def load(
        self,
        flags: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
        yaml: str | None = None,
        defaults: Mapping[str, Any] | None = None,
    ) -> Settings:
        variables = {f"BRAKET_EXPORTER_{key}": value for key, value in (env or {}).items()}
        for name, value in variables.items():
            self.monkeypatch.setenv(name, value)
        path = None if yaml is None else self.write(yaml)
        return load(flags or {}, variables, path, defaults or {})

    def write(self, yaml: str) -> str:
        path = self.folder / "exporter.yaml"
        path.write_text(yaml, encoding="utf-8")
        return str(path)

    def problems(self, *args: Any, **kwargs: Any) -> list[str]:
        with pytest.raises(SettingsError) as caught:
            self.load(*args, **kwargs)
        assert str(caught.value) == "; ".join(caught.value.problems)
        return list(caught.value.problems)

    def problem(self, *args: Any, **kwargs: Any) -> str:
        (problem,) = self.problems(*args, **kwargs)
        return problem


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    return World(monkeypatch, tmp_path)


def test_the_defaults_are_those_of_the_contract(world: World) -> None:
    assert world.load({"jobs": ONE}).model_dump() == {
        "jobs": (ONE,),
        "tags": (),
        "all_jobs": False,
        "job_name_regex": None,
        "regions": (),
        "targets": (),
        "poll_interval": "30s",
        "discovery_interval": "1m",
        "lookback": "14d",
        "retention": "1d",
        "retention_failed": "3d",
        "max_jobs": 10000,
        "per_job_metrics": True,
        "disabled_metrics": (),
        "tag_labels": (),
        "aggregate_tag_labels": (),
        "api_requests_per_second": 2.5,
        "device_metrics": "used",
        "device_interval": "1m",
        "spending_limits": "auto",
        "spending_limit_interval": "5m",
        "event_queue_url": None,
        "event_poll_interval": "5m",
        "listen_address": ":9834",
        "web_config_file": None,
        "state_file": None,
        "log_level": "info",
        "log_format": "auto",
        "shard": 0,
        "total_shards": 1,
    }


def test_durations_are_seconds(world: World) -> None:
    settings = world.load({"jobs": ONE})
    assert (settings.poll_interval, settings.retention, settings.retention_failed) == (30.0, 86400.0, 259200.0)


def test_a_flag_wins_over_the_environment_and_that_over_the_file_and_that_over_the_defaults(world: World) -> None:
    yaml = f"jobs: {ONE}\npoll_interval: 3s\nretention: 3h\nretention_failed: 3d\n"
    env = {"POLL_INTERVAL": "2s", "RETENTION": "2h"}
    settings = world.load({"poll_interval": "1s"}, env, yaml, {"log_level": "debug", "retention_failed": "9d"})
    assert settings.poll_interval == 1.0
    assert settings.retention == 7200.0
    assert settings.retention_failed == 259200.0
    assert settings.log_level == "debug"
    assert settings.log_format == "auto"


def test_every_key_can_be_given_in_every_way(world: World) -> None:
    values: dict[str, str] = {
        "jobs": ONE,
        "tags": "team=a|b,owner=*",
        "all_jobs": "yes",
        "job_name_regex": "vqe-.*",
        "regions": "us-west-2,us-east-1",
        "poll_interval": "7s",
        "discovery_interval": "70s",
        "lookback": "7d",
        "retention": "8s",
        "retention_failed": "9s",
        "max_jobs": "77",
        "per_job_metrics": "false",
        "disabled_metrics": "braket_jobs",
        "tag_labels": "team",
        "aggregate_tag_labels": "stage",
        "api_requests_per_second": "1.5",
        "device_metrics": "off",
        "device_interval": "77s",
        "spending_limits": "off",
        "spending_limit_interval": "7m",
        "event_queue_url": QUEUE,
        "event_poll_interval": "3m",
        "listen_address": "localhost:1",
        "web_config_file": "web.yml",
        "state_file": "state.sqlite",
        "log_level": "error",
        "log_format": "json",
        "shard": "2",
        "total_shards": "3",
    }
    assert values.keys() == Settings.model_fields.keys() - {"targets"}
    by_flags = world.load(values).model_dump()
    by_file = world.load(yaml="".join(f'{key}: "{value}"\n' for key, value in values.items())).model_dump()
    by_environment = world.load(env={key.upper(): value for key, value in values.items()}).model_dump()
    assert by_flags == by_file == by_environment
    assert by_flags == {
        "jobs": (ONE,),
        "tags": ("team=a|b", "owner=*"),
        "all_jobs": True,
        "job_name_regex": "vqe-.*",
        "regions": ("us-west-2", "us-east-1"),
        "targets": (),
        "poll_interval": "7s",
        "discovery_interval": "70s",
        "lookback": "7d",
        "retention": "8s",
        "retention_failed": "9s",
        "max_jobs": 77,
        "per_job_metrics": False,
        "disabled_metrics": ("braket_jobs",),
        "tag_labels": ("team",),
        "aggregate_tag_labels": ("stage",),
        "api_requests_per_second": 1.5,
        "device_metrics": "off",
        "device_interval": "77s",
        "spending_limits": "off",
        "spending_limit_interval": "7m",
        "event_queue_url": QUEUE,
        "event_poll_interval": "3m",
        "listen_address": "localhost:1",
        "web_config_file": "web.yml",
        "state_file": "state.sqlite",
        "log_level": "error",
        "log_format": "json",
        "shard": 2,
        "total_shards": 3,
    }


@pytest.mark.parametrize(
    "text",
    [
        f"{ONE},{TWO}",
        f" {ONE} , {TWO} ,",
        f'["{ONE}", "{TWO}"]',
        f'  ["{ONE}",\n"{TWO}"]',
    ],
)
def test_a_list_may_be_comma_separated_or_json(world: World, text: str) -> None:
    assert world.load({"jobs": text}).jobs == (ONE, TWO)
    assert world.load(env={"JOBS": text}).jobs == (ONE, TWO)


@pytest.mark.parametrize(
    "yaml",
    [f"jobs: [{ONE}, {TWO}]", f"jobs:\n  - {ONE}\n  - {TWO}\n", f"jobs: {ONE},{TWO}", f'jobs: \'["{ONE}", "{TWO}"]\''],
)
def test_a_list_in_the_file_may_be_of_yaml_too(world: World, yaml: str) -> None:
    assert world.load(yaml=yaml).jobs == (ONE, TWO)


def test_a_list_of_a_higher_source_replaces_a_lower_ones(world: World) -> None:
    assert world.load({"jobs": TWO}, yaml=f"jobs: [{ONE}]").jobs == (TWO,)


def test_an_empty_list_may_be_written(world: World) -> None:
    assert world.load({"jobs": ONE, "tag_labels": "[]", "disabled_metrics": ""}).tag_labels == ()


def test_an_empty_variable_is_not_set(world: World) -> None:
    env = {"POLL_INTERVAL": "", "JOBS": "", "LISTEN_ADDRESS": ""}
    settings = world.load(env=env, yaml=f"jobs: {ONE}\npoll_interval: 5s")
    assert (settings.jobs, settings.poll_interval, settings.listen_address) == ((ONE,), 5.0, ":9834")


@pytest.mark.parametrize("yaml", ["", "---\n", "# nothing but a comment\n", "{}", "null"])
def test_an_empty_file_sets_nothing(world: World, yaml: str) -> None:
    assert world.load({"jobs": ONE}, yaml=yaml).model_dump() == world.load({"jobs": ONE}).model_dump()


def test_settings_are_frozen(world: World) -> None:
    settings = world.load({"jobs": ONE})
    with pytest.raises(ValidationError, match="frozen"):
        settings.poll_interval = 1.0  # type: ignore[misc]


def test_with_nothing_to_watch_the_three_ways_are_named(world: World) -> None:
    problem = world.problem()
    assert problem.startswith(NOTHING)
    assert all(way in problem for way in ("jobs", "tags", "all_jobs"))


@pytest.mark.parametrize("empty", ["", ",", "[]"])
def test_an_empty_list_of_jobs_is_nothing_to_watch(world: World, empty: str) -> None:
    assert world.problem({"jobs": empty}).startswith(NOTHING)


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("jobs", "x", 'jobs[0] = "x" (SOURCE): not a job ARN; expected arn:aws:braket:<region>:<account>:job/<id>'),
        (
            "jobs",
            f"{ONE},arn:aws:braket:us-west-2:1:job/a",
            (
                'jobs[1] = "arn:aws:braket:us-west-2:1:job/a" (SOURCE): not a job ARN; '
                "expected arn:aws:braket:<region>:<account>:job/<id>"
            ),
        ),
        ("jobs", '["x"', 'jobs = "[\\"x\\"" (SOURCE): expected a JSON list or comma-separated values'),
        ("jobs", "[1]", "jobs[0] = 1 (SOURCE): expected text"),
        ("poll_interval", "soon", f'poll_interval = "soon" (SOURCE): {DURATION}'),
        ("poll_interval", "0", f'poll_interval = "0" (SOURCE): {DURATION}'),
        ("retention", "-5m", f'retention = "-5m" (SOURCE): {DURATION}'),
        ("retention_failed", "1y", f'retention_failed = "1y" (SOURCE): {DURATION}'),
        ("lookback", "36501d", 'lookback = "36501d" (SOURCE): expected a duration of at most 36500d'),
        ("max_jobs", "0", 'max_jobs = "0" (SOURCE): expected a whole number >= 1'),
        ("max_jobs", "1.5", 'max_jobs = "1.5" (SOURCE): expected a whole number >= 1'),
        ("max_jobs", "lots", 'max_jobs = "lots" (SOURCE): expected a whole number >= 1'),
        ("max_jobs", "1000000001", 'max_jobs = "1000000001" (SOURCE): expected at most 1000000000'),
        ("per_job_metrics", "maybe", 'per_job_metrics = "maybe" (SOURCE): expected true or false'),
        (
            "disabled_metrics",
            "braket_jobs,braket_job_inf",
            'disabled_metrics[1] = "braket_job_inf" (SOURCE): unknown metric (did you mean braket_job_info?)',
        ),
        ("disabled_metrics", "zzz", 'disabled_metrics[0] = "zzz" (SOURCE): unknown metric'),
        (
            "tag_labels",
            "team,cost-centre,cost.centre",
            "tag_labels (SOURCE): cost-centre and cost.centre become the same label tag_cost_centre; keep one of them",
        ),
        ("aggregate_tag_labels", "a,b,c,d", "aggregate_tag_labels (SOURCE): 4 keys; expected at most 3"),
        ("shard", "x-y", 'shard = "x-y" (SOURCE): expected a whole number >= 0, or a pod name that ends with a number'),
        ("shard", "-1", 'shard = "-1" (SOURCE): expected a whole number >= 0'),
        ("shard", "1.5", 'shard = "1.5" (SOURCE): expected a whole number >= 0'),
        ("api_requests_per_second", "0", 'api_requests_per_second = "0" (SOURCE): expected a number > 0'),
        ("api_requests_per_second", "inf", 'api_requests_per_second = "inf" (SOURCE): expected a number > 0'),
        ("api_requests_per_second", "nan", 'api_requests_per_second = "nan" (SOURCE): expected a number > 0'),
        ("api_requests_per_second", "many", 'api_requests_per_second = "many" (SOURCE): expected a number > 0'),
        (
            "api_requests_per_second",
            "1e308",
            'api_requests_per_second = "1e308" (SOURCE): expected a number from 0.0001 to 1000000',
        ),
        ("listen_address", "9834", f'listen_address = "9834" (SOURCE): {LISTEN}'),
        ("listen_address", ":70000", f'listen_address = ":70000" (SOURCE): {LISTEN}'),
        ("log_level", "loud", 'log_level = "loud" (SOURCE): expected one of debug, info, warning, error'),
        ("log_format", "xml", 'log_format = "xml" (SOURCE): expected one of auto, json, console'),
        ("device_metrics", "all", 'device_metrics = "all" (SOURCE): expected used or off'),
        ("spending_limits", "on", 'spending_limits = "on" (SOURCE): expected auto or off'),
        ("device_interval", "0", f'device_interval = "0" (SOURCE): {DURATION}'),
        ("event_poll_interval", "0", f'event_poll_interval = "0" (SOURCE): {DURATION}'),
        ("event_queue_url", "braket-events", f'event_queue_url = "braket-events" (SOURCE): {QUEUE_URL}'),
        (
            "event_queue_url",
            "http://sqs.us-west-2.amazonaws.com/123456789012/q",
            (
                'event_queue_url = "http://sqs.us-west-2.amazonaws.com/123456789012/q" (SOURCE): '
                "http is valid only for a server outside AWS; use https"
            ),
        ),
        (
            "event_queue_url",
            "https://exporter:hunter2@sqs.us-west-2.amazonaws.com/123456789012/q",
            (
                "event_queue_url (SOURCE): the URL of a queue cannot contain a user, a password or @; "
                "expected https://sqs.<region>.amazonaws.com/<account>/<queue name>"
            ),
        ),
        ("event_queue_url", f"{QUEUE}?X-Amz-Signature=hunter2", f"event_queue_url (SOURCE): {QUEUE_URL}"),
    ],
)
def test_a_wrong_value_is_told_with_its_key_and_what_would_be_right(
    world: World, key: str, value: str, problem: str
) -> None:
    jobs = {} if key == "jobs" else {"jobs": ONE}
    flag = f"--{key.replace('_', '-')}"
    assert world.problem({**jobs, key: value}) == problem.replace("SOURCE", flag)
    assert world.problem(jobs, env={key.upper(): value}) == problem.replace("SOURCE", f"BRAKET_EXPORTER_{key.upper()}")


def test_the_source_of_a_wrong_value_is_the_one_that_wins(world: World) -> None:
    yaml = f"jobs: {ONE}\npoll_interval: 5q\nretention: 6q\nlookback: 7q\n"
    assert world.problems({"poll_interval": "10x"}, {"POLL_INTERVAL": "5x", "RETENTION": "6x"}, yaml) == [
        f'poll_interval = "10x" (--poll-interval): {DURATION}',
        f'lookback = "7q": {DURATION}',
        f'retention = "6x" (BRAKET_EXPORTER_RETENTION): {DURATION}',
    ]


@pytest.mark.parametrize("text", ["off", "'off'", "false"])
def test_off_is_off_however_yaml_reads_it(world: World, text: str) -> None:
    settings = world.load({"jobs": ONE}, yaml=f"device_metrics: {text}\nspending_limits: {text}\n")
    assert (settings.device_metrics, settings.spending_limits) == ("off", "off")


@pytest.mark.parametrize(
    ("yaml", "problem"),
    [
        ("poll_interval: true", f"poll_interval = true: {DURATION}"),
        ("poll_interval: 0", f"poll_interval = 0: {DURATION}"),
        ("poll_interval: -1.5", f"poll_interval = -1.5: {DURATION}"),
        ("poll_interval: .inf", "poll_interval = Infinity: expected a duration of at most 36500d"),
        ("poll_interval:", f"poll_interval = null: {DURATION}"),
        ("poll_interval: [30s]", f'poll_interval = ["30s"]: {DURATION}'),
        ("retention: 2024-01-01", f'retention = "2024-01-01": {DURATION}'),
        ("listen_address: ''", f'listen_address = "": {LISTEN}'),
        ("state_file: ''", 'state_file = "": expected the path of a file; to use no file, remove the key'),
        ("api_requests_per_second: -1", "api_requests_per_second = -1: expected a number > 0"),
        ("tag_labels: [1]", "tag_labels[0] = 1: expected text"),
        ("listen_address: 9834", f"listen_address = 9834: {LISTEN}"),
        ("listen_address:", f"listen_address = null: {LISTEN}"),
        (
            "tags: {team: chemistry}",
            'tags = {"team": "chemistry"}: expected a list, or text with commas, such as team=chemistry,stage=prod',
        ),
        ("tags: 5", "tags = 5: expected a list, or text with commas"),
        ("log_level: [info]", 'log_level = ["info"]: expected one of debug, info, warning, error'),
    ],
)
def test_a_wrong_value_of_the_file_is_told_as_it_was_read(world: World, yaml: str, problem: str) -> None:
    assert world.problem({"jobs": ONE}, yaml=yaml) == problem


@pytest.mark.parametrize(
    "yaml",
    [
        "poll_interval: {2024-01-01: 1}",
        "poll_interval: !!set {30s}",
        f"poll_interval: {'[' * 100}{']' * 100}",
        "poll_interval: {" + "x" * 1000 + ": [" + "y, " * 1000 + "]}",
    ],
    ids=["date-as-key", "set", "nested", "long"],
)
def test_no_value_of_the_file_is_too_strange_to_be_told(world: World, yaml: str) -> None:
    problem = world.problem({"jobs": ONE}, yaml=yaml)
    assert problem.startswith("poll_interval = ")
    assert problem.endswith(DURATION)
    assert len(problem) < 300


def test_a_list_that_is_something_else_is_told_what_it_should_be(world: World) -> None:
    for yaml in ("jobs:", "jobs: 5", "jobs: {a: b}"):
        problem = world.problem(yaml=yaml)
        assert problem.startswith("jobs = ")
        assert "tuple" not in problem
        assert "list" in problem


def test_all_problems_are_told_at_once(world: World) -> None:
    problems = world.problems(
        {"poll_interval": "x", "jobs": f"y,{ONE},z", "foo": "1"},
        {"LOG_LEVEL": "loud", "RETENTON": "1h"},
        "tag_labels: [a-b, a.b]\nretension: 5m\n",
    )
    assert sorted(problem.split(":")[0].split(" = ")[0] for problem in problems) == [
        "jobs[0]",
        "jobs[2]",
        "log_level",
        "poll_interval",
        "tag_labels",
        "unknown setting foo; --help lists the settings",
        "unknown setting retension (did you mean retention?)",
        "unknown variable BRAKET_EXPORTER_RETENTON (did you mean BRAKET_EXPORTER_RETENTION?)",
    ]


def test_that_there_is_nothing_to_watch_is_told_beside_the_other_problems(world: World) -> None:
    problems = world.problems({"poll_interval": "x"}, {"POL_INTERVAL": "3"})
    assert f'poll_interval = "x" (--poll-interval): {DURATION}' in problems
    assert "unknown variable BRAKET_EXPORTER_POL_INTERVAL (did you mean BRAKET_EXPORTER_POLL_INTERVAL?)" in problems
    assert any(problem.startswith(NOTHING) for problem in problems)


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("pol_interval", " (did you mean poll_interval?)"),
        ("poll-interval", " (did you mean poll_interval?)"),
        ("pollInterval", " (did you mean poll_interval?)"),
        ("job", " (did you mean jobs?)"),
        ("zzz", "; --help lists the settings"),
        ("model_config", "; --help lists the settings"),
    ],
)
def test_an_unknown_key_is_told_with_a_near_one(world: World, key: str, hint: str) -> None:
    assert world.problem({"jobs": ONE}, yaml=f"{key}: 1") == f"unknown setting {key}{hint}"


@pytest.mark.parametrize("key", ["_case_sensitive", "_cli_parse_args", "_env_prefix", "self"])
def test_an_argument_of_the_settings_library_is_an_unknown_setting(world: World, key: str) -> None:
    assert world.problem({"jobs": ONE}, yaml=f"{key}: 1").startswith(f"unknown setting {key}")


def test_a_key_of_the_file_that_is_no_text_is_unknown(world: World) -> None:
    assert world.problem({"jobs": ONE}, yaml="1: 2") == "unknown setting 1; --help lists the settings"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("POL_INTERVAL", " (did you mean BRAKET_EXPORTER_POLL_INTERVAL?)"),
        ("CONFG", " (did you mean BRAKET_EXPORTER_CONFIG?)"),
        ("JOBS_", " (did you mean BRAKET_EXPORTER_JOBS?)"),
        ("PORT", "; --help lists the settings"),
        ("QQQQQQQQQQQQ", "; --help lists the settings"),
    ],
)
def test_an_unknown_variable_is_told_with_a_near_one(world: World, name: str, hint: str) -> None:
    problem = world.problem({"jobs": ONE}, env={name: "1"})
    assert problem == f"unknown variable BRAKET_EXPORTER_{name}{hint}"


def test_the_files_variable_and_those_of_others_are_no_problem(world: World) -> None:
    world.monkeypatch.setenv("BRAKET_EXPORTER", "x")
    settings = load({"jobs": ONE}, {"BRAKET_EXPORTER_CONFIG": "x", "BRAKET_EXPORTER": "x", "PATH": "/"}, None)
    assert settings.jobs == (ONE,)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "tcp://10.0.0.11:9834"),
        ("SERVICE_HOST", "10.0.0.11"),
        ("SERVICE_PORT", "9834"),
        ("SERVICE_PORT_HTTP_METRICS", "9834"),
        ("PORT_9834_TCP", "tcp://10.0.0.11:9834"),
        ("PORT_9834_TCP_ADDR", "10.0.0.11"),
        ("PORT_9834_TCP_PORT", "9834"),
        ("PORT_9834_TCP_PROTO", "tcp"),
        ("PORT_9834_UDP", "udp://10.0.0.11:9834"),
        ("HEADLESS_SERVICE_HOST", "10.0.0.12"),
        ("HEADLESS_PORT", "tcp://10.0.0.12:9834"),
        ("HEADLESS_PORT_9834_TCP_ADDR", "10.0.0.12"),
    ],
)
def test_what_kubernetes_puts_beside_a_service_of_that_name_is_ignored(world: World, name: str, value: str) -> None:
    assert world.load({"jobs": ONE}, {name: value}).model_dump() == world.load({"jobs": ONE}).model_dump()


@pytest.mark.parametrize(("name", "value"), [("PORT", "9000"), ("LISTEN_PORT", "9000"), ("SERVICE_PORTS", "1")])
def test_a_variable_that_only_looks_like_one_of_kubernetes_is_unknown(world: World, name: str, value: str) -> None:
    problem = world.problem({"jobs": ONE}, env={name: value})
    assert problem.startswith(f"unknown variable BRAKET_EXPORTER_{name}")


@pytest.mark.parametrize(
    ("yaml", "problem"),
    [
        ("a: b: c", "line 1, column 5: not valid YAML: mapping values are not allowed here"),
        (
            "\n\na: [",
            "line 3, column 5: not valid YAML: expected the node content, but found '<stream end>'",
        ),
        (
            "!!python/object:os.system {}",
            "line 1, column 1: not valid YAML: could not determine a constructor for the tag",
        ),
        ("a: *bee", "line 1, column 4: not valid YAML: found undefined alias"),
        ("- a", "expected keys with values, such as 'poll_interval: 30s'"),
        ("words", "expected keys with values, such as 'poll_interval: 30s'"),
        ("5", "expected keys with values, such as 'poll_interval: 30s'"),
        ("false", "expected keys with values, such as 'poll_interval: 30s'"),
        ("[]", "expected keys with values, such as 'poll_interval: 30s'"),
    ],
)
def test_a_file_of_another_shape_is_told_with_its_place(world: World, yaml: str, problem: str) -> None:
    path = world.folder / "exporter.yaml"
    assert world.problem({"jobs": ONE}, yaml=yaml) == f"config file {path}: {problem}"


def test_a_character_that_yaml_forbids_is_told_on_one_line(world: World) -> None:
    problem = world.problem({"jobs": ONE}, yaml="\x00")
    assert problem.startswith(f"config file {world.folder / 'exporter.yaml'}: not valid YAML: unacceptable character")
    assert "\n" not in problem


@pytest.mark.parametrize(
    "yaml",
    ["retention: 2024-13-45", "retention: !!int many", "retention: !!float many", "retention: 0b_"],
    ids=["no-such-month", "int", "float", "no-digits"],
)
def test_a_scalar_that_yaml_cannot_build_is_a_problem_and_no_traceback(world: World, yaml: str) -> None:
    problem = world.problem({"jobs": ONE}, yaml=yaml)
    assert problem.startswith((f"config file {world.folder / 'exporter.yaml'}: ", "retention = "))


def test_a_file_that_is_no_text_is_told(world: World) -> None:
    path = world.folder / "binary.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError) as caught:
        load({"jobs": ONE}, {}, str(path))
    (problem,) = caught.value.problems
    assert problem == f"config file {path}: not UTF-8 text: byte 1 is 0xff"


def test_a_file_that_cannot_be_read_is_told(world: World) -> None:
    for path, reason in ((world.folder / "none.yaml", "No such file or directory"), (world.folder, "Is a directory")):
        with pytest.raises(SettingsError) as caught:
            load({"jobs": ONE}, {}, str(path))
        assert caught.value.problems == (f"config file {path}: cannot be read: {reason}",)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30.0),
        ("5m", 300.0),
        ("24h", 86400.0),
        ("7d", 604800.0),
        ("45", 45.0),
        (45, 45.0),
        (0.5, 0.5),
        ("1.5h", 5400.0),
        ("0.25s", 0.25),
        (" 10 s ", 10.0),
        ("007m", 420.0),
        ("2w", 1209600.0),
        ("1h30m", 5400.0),
        ("1d12h", 129600.0),
        ("1w2d3h4m5s", 788645.0),
        ("1m0.5s", 60.5),
        (" 1h 30m ", 5400.0),
        ("36500d", 3153600000.0),
    ],
)
def test_a_duration_is_read(text: object, seconds: float) -> None:
    assert parse_duration(text) == seconds


NO_DURATIONS = (
    *(
        "",
        " ",
        "s",
        "-1s",
        "0",
        "0d",
        "1e3",
        "30m1h",
        "1h1h",
        "1h30",
        "5 minutes",
        "5M",
        "\u0661s",
        "inf",
        "nan",
        "1,5s",
        "1_0s",
    ),
    *("0h0m", ".5s", "1.s", "+5s", "5s\n5s", True, False, None, 0, -3, 0.0, float("nan"), float("-inf")),
)


@pytest.mark.parametrize("text", [*NO_DURATIONS, [], {}])
def test_what_is_no_duration_is_refused(text: object) -> None:
    with pytest.raises(
        ValueError, match="expected a duration above 0, such as 30s, 5m, 24h, 7d, 2w, 1h30m or a number of seconds"
    ):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (30.0, "30s"),
        (60.0, "1m"),
        (90.0, "90s"),
        (5400.0, "90m"),
        (86400.0, "1d"),
        (90000.0, "25h"),
        (0.1, "0.1s"),
        (2.25, "2.25s"),
        (1000001.0, "1000001s"),
    ],
)
def test_a_duration_is_written_in_the_largest_unit_that_fits(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize("value", ["9" * 400, "9" * 5000, "36501d", 10**5000, float("inf")], ids=range(5))
def test_a_duration_of_more_than_a_century_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"^expected a duration of at most 36500d$"):
        parse_duration(value)


@given(st.floats(0, LONGEST_DURATION, exclude_min=True) | st.integers(1, 36500).map(lambda days: 86400.0 * days))
@example(1000001.0)
@example(100000.5)
@example(5e-324)
def test_every_duration_is_read_back_as_it_was_written(seconds: float) -> None:
    assert parse_duration(format_duration(seconds)) == seconds


@given(st.lists(st.integers(0, 99), min_size=5, max_size=5))
@example([0, 1, 12, 0, 0])
def test_a_duration_of_several_units_is_their_sum(counts: list[int]) -> None:
    text = "".join(f"{count}{unit}" for count, unit in zip(counts, "wdhms", strict=True) if count)
    seconds = sum(count * size for count, size in zip(counts, (604800, 86400, 3600, 60, 1), strict=True))
    if seconds:
        assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "listen"),
    [
        (":9834", ("", 9834)),
        (":0", ("", 0)),
        (":65535", ("", 65535)),
        ("127.0.0.1:9834", ("127.0.0.1", 9834)),
        ("localhost:80", ("localhost", 80)),
        ("[::1]:9834", ("::1", 9834)),
        ("[::]:9834", ("::", 9834)),
        ("[::ffff:10.0.0.1]:1", ("::ffff:10.0.0.1", 1)),
    ],
)
def test_a_listen_address_is_read(text: str, listen: tuple[str, int]) -> None:
    assert parse_listen(text) == Listen(*listen)


NO_ADDRESSES = (
    *("", ":", "9834", "localhost", "localhost:", ":65536", ":-1", ":http", "::1:9834", "[::1]", "[::1]9834"),
    *("[]:1", "[x]:1", "a b:1", "http://a:1", ":\u0661", ":9834\n", ":000001"),
)


@pytest.mark.parametrize("text", NO_ADDRESSES)
def test_what_is_no_listen_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected HOST:PORT"):
        parse_listen(text)


def test_every_metric_can_be_disabled(world: World) -> None:
    assert (*(family.name for family in all_families()), *PROCESS_METRICS) == METRICS
    assert world.load({"jobs": ONE, "disabled_metrics": ",".join(METRICS)}).disabled_metrics == METRICS


def test_defaults_are_written_as_people_would() -> None:
    assert {key: format_default(key) for key in Settings.model_fields} == {
        "jobs": "",
        "tags": "",
        "all_jobs": "false",
        "job_name_regex": "",
        "regions": "",
        "targets": "",
        "poll_interval": "30s",
        "discovery_interval": "1m",
        "lookback": "14d",
        "retention": "1d",
        "retention_failed": "3d",
        "max_jobs": "10000",
        "per_job_metrics": "true",
        "disabled_metrics": "",
        "tag_labels": "",
        "aggregate_tag_labels": "",
        "api_requests_per_second": "2.5",
        "device_metrics": "used",
        "device_interval": "1m",
        "spending_limits": "auto",
        "spending_limit_interval": "5m",
        "event_queue_url": "",
        "event_poll_interval": "5m",
        "listen_address": ":9834",
        "web_config_file": "",
        "state_file": "",
        "log_level": "info",
        "log_format": "auto",
        "shard": "0",
        "total_shards": "1",
    }


@pytest.mark.parametrize("key", Settings.model_fields)
def test_every_default_is_itself_a_good_value(world: World, key: str) -> None:
    default = format_default(key)
    written = {key: default} if default else {}
    assert world.load({"jobs": ONE, **written}).model_dump() == world.load({"jobs": ONE}).model_dump()


def test_every_key_has_a_help_text() -> None:
    assert all(field.description for field in Settings.model_fields.values())


def test_what_check_config_prints_can_be_read_back(world: World) -> None:
    settings = world.load({"jobs": f"{ONE},{TWO}", "poll_interval": "90", "retention": "1.5h", "tag_labels": "a"})
    assert world.load(settings.model_dump(mode="json")).model_dump() == settings.model_dump()


# What to watch.

ROLE = "arn:aws:iam::123456789012:role/reader"
SELECTIONS: list[dict[str, str]] = [{"jobs": ONE}, {"tags": "team=a"}, {"all_jobs": "true"}, {"all_jobs": "1"}]


@pytest.mark.parametrize("selection", SELECTIONS)
def test_each_way_to_choose_jobs_is_enough(world: World, selection: dict[str, str]) -> None:
    assert world.load(selection).discovers is ("jobs" not in selection)


@pytest.mark.parametrize("flags", [{}, {"all_jobs": "false"}, {"tags": ""}, {"regions": "us-west-2"}, {"jobs": "[]"}])
def test_without_anything_to_watch_the_three_ways_are_told(world: World, flags: dict[str, str]) -> None:
    problem = world.problem(flags)
    assert problem.startswith(NOTHING)
    for key in ("jobs", "tags", "all_jobs"):
        assert key in problem


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        ({"tags": "team"}, 'tags[0] = "team" (--tags): expected key=value, key=this|that or key=*'),
        ({"tags": "a=b,=c"}, 'tags[1] = "=c" (--tags): expected key=value, key=this|that or key=*'),
        (
            {"tags": "team=a,team=b"},
            "tags (--tags): team is set more than once; combine its values, as in team=this|that",
        ),
        (
            {"all_jobs": "1", "job_name_regex": "vqe-("},
            (
                'job_name_regex = "vqe-(" (--job-name-regex): not a regular expression: '
                "missing ), unterminated subpattern at position 4"
            ),
        ),
        (
            {"all_jobs": "1", "regions": "us-west-2,mars"},
            (
                'regions[1] = "mars" (--regions): not a Region name; '
                "Braket is in: us-east-1, us-west-1, us-west-2, eu-west-2, eu-north-1"
            ),
        ),
        (
            {"jobs": ONE, "shard": "3", "total_shards": "3"},
            "shard = 3: expected a number from 0 to 2, because total_shards is 3",
        ),
        (
            {"jobs": ONE, "shard": "exporter-3", "total_shards": "3"},
            "shard = 3: expected a number from 0 to 2, because total_shards is 3",
        ),
        (
            {"jobs": ONE, "shard": "3.0", "total_shards": "3"},
            "shard = 3: expected a number from 0 to 2, because total_shards is 3",
        ),
        (
            {"jobs": ONE, "shard": "exporter"},
            'shard = "exporter" (--shard): expected a whole number >= 0, or a pod name that ends with a number',
        ),
        ({"jobs": ONE, "shard": "-1"}, 'shard = "-1" (--shard): expected a whole number >= 0'),
        (
            {"jobs": ONE, "total_shards": "0"},
            'total_shards = "0" (--total-shards): expected a whole number >= 1 and <= 1000',
        ),
    ],
)
def test_a_wrong_choice_is_told(world: World, flags: dict[str, str], problem: str) -> None:
    assert world.problem(flags) == problem


@pytest.mark.parametrize(
    "queue", [f"event_queue_url: {QUEUE}\njobs: {ONE}", f"targets: [{{jobs: {ONE}, event_queue_url: '{QUEUE}'}}]"]
)
@pytest.mark.parametrize("interval", ["", "event_poll_interval: 300\n"])
def test_running_jobs_are_not_polled_more_often_because_of_events(world: World, queue: str, interval: str) -> None:
    expected = "expected at least poll_interval, which is 10m"
    problem = world.problem(yaml=f"poll_interval: 10m\n{interval}{queue}\n")
    assert problem == f'event_poll_interval = "5m": {expected}'


def test_a_poll_interval_above_five_minutes_needs_no_other_setting_without_an_event_queue(world: World) -> None:
    assert world.load({"jobs": ONE, "poll_interval": "10m"}).poll_interval == 600.0


def test_a_poll_interval_equal_to_that_with_events_is_valid(world: World) -> None:
    given = {"jobs": ONE, "event_queue_url": QUEUE, "poll_interval": "1m", "event_poll_interval": "60s"}
    assert world.load(given).event_poll_interval == 60.0


def test_a_tag_rule_with_a_comma_in_it_can_be_written_in_json(world: World) -> None:
    assert world.load({"tags": '["team=a,b|c", "owner=*"]'}).tags == ("team=a,b|c", "owner=*")


def test_several_accounts_are_listed_in_the_file(world: World) -> None:
    settings = world.load(
        yaml=f"""
targets:
  - name: chemistry
    regions: [us-west-2, eu-north-1]
    role_arn: {ROLE}
    external_id: x-1
    tags: team=chemistry,stage=prod|dev
    job_name_regex: vqe-.*
  - profile: other
    jobs: [{ONE}]
  - all_jobs: true
"""
    )
    first, second, third = settings.targets
    assert (first.name, first.regions, first.role_arn, first.external_id) == (
        "chemistry",
        ("us-west-2", "eu-north-1"),
        ROLE,
        "x-1",
    )
    assert (first.tags, first.job_name_regex) == (("team=chemistry", "stage=prod|dev"), "vqe-.*")
    assert (second.profile, second.jobs, second.discovers) == ("other", (ONE,), False)
    assert (third.all_jobs, third.discovers) == (True, True)


@pytest.mark.parametrize(
    ("yaml", "problem"),
    [
        ("targets: [{name: x}]", "targets[0]: nothing to watch: set jobs, tags or all_jobs"),
        (
            'targets: [{name: "a\\ud800", all_jobs: true}]',
            'targets[0].name = "a\\ud800": not valid Unicode text; remove the surrogate',
        ),
        ("targets: [{nam: x, all_jobs: true}]", "targets[0]: unknown setting nam (did you mean name?)"),
        ("targets: [{1: x, all_jobs: true}]", "targets[0]: unknown setting 1"),
        (
            "targets: [{all_jobs: true, role_arn: me}]",
            'targets[0].role_arn = "me": not a role ARN; expected arn:aws:iam::<account>:role/<name>',
        ),
        (
            "targets: [{all_jobs: true, external_id: x}]",
            "targets[0]: external_id is valid only with role_arn; set role_arn or remove external_id",
        ),
        ("targets: [{all_jobs: true, name: x}, {all_jobs: true, name: x}]", "targets: duplicate name x; give"),
        (
            f"targets: [{{jobs: [{TWO}, {ONE}], name: a}}, {{all_jobs: true}}, {{jobs: {ONE}, profile: p}}]",
            f"targets: {ONE} is in targets[0] (a) and targets[2], which have different credentials; keep it in one",
        ),
        (
            "targets: [{all_jobs: true, name: a b}, {all_jobs: true, name: a b}]",
            'targets: duplicate name "a b"; give each target a different name',
        ),
        ("targets: {all_jobs: true}", 'targets = {"all_jobs": true}: expected a list'),
        ("targets: [us-west-2]", 'targets[0] = "us-west-2": expected a mapping of keys to values'),
        (
            "targets: [{all_jobs: true}]\nall_jobs: true",
            "targets: not valid together with all_jobs; move them into an entry of targets",
        ),
        (
            f"targets: [{{all_jobs: true}}]\njobs: {ONE}\nregions: us-west-2",
            "targets: not valid together with jobs, regions; move them into an entry of targets",
        ),
    ],
)
def test_a_wrong_target_is_told(world: World, yaml: str, problem: str) -> None:
    assert problem in world.problem(yaml=yaml)


def test_a_duplicate_name_is_told_beside_the_errors_of_other_targets(world: World) -> None:
    yaml = "targets: [{all_jobs: true, name: x}, {all_jobs: true, name: x}, {name: y}, {name: 1, all_jobs: true}]"
    assert world.problems(yaml=yaml) == [
        "targets[2]: nothing to watch: set jobs, tags or all_jobs",
        "targets[3].name = 1: expected text",
        "targets: duplicate name x; give each target a different name",
    ]


def test_targets_cannot_be_a_variable(world: World) -> None:
    problem = world.problem({"jobs": ONE}, env={"TARGETS": "[]"})
    assert problem == "BRAKET_EXPORTER_TARGETS: set targets in the YAML file; it cannot be a variable"


def test_targets_beside_empty_selections_are_no_conflict(world: World) -> None:
    yaml = "targets: [{all_jobs: true}]\njobs: []\nall_jobs: false\ntags: []\njob_name_regex: null\n"
    assert len(world.load(yaml=yaml).targets) == 1


@pytest.mark.parametrize(
    ("text", "shard"), [("2", 2), ("braket-exporter-2", 2), ("team-7-exporter-0", 0), ("a.b-1", 1)]
)
def test_a_shard_is_a_number_or_the_end_of_a_pods_name(world: World, text: str, shard: int) -> None:
    assert world.load({"jobs": ONE, "shard": text, "total_shards": "3"}).shard == shard


# What is given twice.


@pytest.mark.parametrize(
    ("yaml", "place"),
    [
        (f"jobs: {ONE}\nmax_jobs: 5\nmax_jobs: 6\n", "line 3, column 1: duplicate key max_jobs, first on line 2"),
        (
            f"jobs: {ONE}\nlog_level: info\n'log_level': info\n",
            "line 3, column 1: duplicate key log_level, first on line 2",
        ),
        ("targets:\n- all_jobs: true\n  name: a\n  name: b\n", "line 4, column 3: duplicate key name, first on line 3"),
        ("targets: [{all_jobs: true, name: a, name: b}]\n", "line 1, column 37: duplicate key name, first on line 1"),
        ("a: &a {all_jobs: true}\n<<: *a\n<<: *a\n", "line 3, column 1: duplicate key <<, first on line 2"),
        ("1: a\n0x1: b\n", "line 2, column 1: duplicate key 0x1, first on line 1"),
    ],
)
def test_a_key_that_the_file_has_twice_is_refused_with_both_lines(world: World, yaml: str, place: str) -> None:
    assert world.problem({}, yaml=yaml) == f"config file {world.folder / 'exporter.yaml'}: {place}; keep one of them"


def test_merge_keys_work_and_own_keys_win(world: World) -> None:
    yaml = f"""
targets:
  - &usual {{all_jobs: true, regions: [us-west-2], name: one}}
  - &other {{<<: *usual, name: two, profile: p}}
  - {{<<: [*other, *usual], name: three, jobs: [{ONE}]}}
"""
    targets = world.load(yaml=yaml).targets
    assert [(target.name, target.profile, target.regions) for target in targets] == [
        ("one", None, ("us-west-2",)),
        ("two", "p", ("us-west-2",)),
        ("three", "p", ("us-west-2",)),
    ]


@pytest.mark.parametrize("key", ["[a, b]", "{a: b}"])
def test_a_key_that_is_a_list_or_a_mapping_is_refused(world: World, key: str) -> None:
    problem = world.problem({"jobs": ONE}, yaml=f"? {key}\n: c\n")
    assert problem.endswith("line 1, column 3: a key is a list or a mapping; expected text")


@pytest.mark.parametrize("yaml", ["poll_interval: &a [*a]", "poll_interval: &a {b: *a}", "&a jobs: *b", "<<: &a [*a]"])
def test_an_alias_to_what_contains_it_or_to_nothing_is_refused(world: World, yaml: str) -> None:
    assert "alias" in world.problem({"jobs": ONE}, yaml=yaml)


@pytest.mark.parametrize("pattern", ["[{}]", "{{<<: [{}]}}"], ids=["lists", "merge-keys"])
def test_a_few_aliases_of_aliases_cannot_fill_the_memory(world: World, pattern: str) -> None:
    lines = ["a0: &a0 {b: x}"]
    lines += [f"a{i}: &a{i} " + pattern.format(", ".join([f"*a{i - 1}"] * 9)) for i in range(1, 30)]
    problem = world.problem({"jobs": ONE}, yaml="\n".join(lines))
    assert problem.endswith("aliases repeat more than 10000 values; write them out")


@given(st.lists(st.sampled_from("abcdef"), min_size=2, max_size=8))
def test_a_mapping_is_read_if_and_only_if_its_keys_are_distinct(keys: list[str]) -> None:
    text = "".join(f"{key}: {number}\n" for number, key in enumerate(keys))
    if len(set(keys)) == len(keys):
        assert parse_mapping(text, "a: 1") == {key: number for number, key in enumerate(keys)}
    else:
        with pytest.raises(ValueError, match="duplicate key"):
            parse_mapping(text, "a: 1")


@pytest.mark.parametrize(
    "text",
    [
        "*hunter2",
        "!hunter2 x",
        "!!int hunter2",
        "!!float hunter2",
        '"\\hunter2"',
        "!hunter2!x y",
        "&hunter2 a: &hunter2 b",
    ],
)
def test_what_is_wrong_with_yaml_is_told_without_its_values_for_they_may_be_passwords(text: str) -> None:
    with pytest.raises(ValueError, match="line 1") as caught:
        parse_mapping(f"alice: {text}", "a: 1")
    assert "hunter2" not in str(caught.value)


def test_a_duplicate_in_a_list_is_taken_once_where_it_is_first(world: World) -> None:
    settings = world.load(
        {
            "jobs": f"{ONE},{TWO},{ONE}",
            "regions": "us-west-2,us-east-1,us-west-2",
            "tags": "team=a,team=a",
            "tag_labels": "team,owner,team",
            "disabled_metrics": "braket_jobs,braket_jobs",
        }
    )
    assert (settings.jobs, settings.regions) == ((ONE, TWO), ("us-west-2", "us-east-1"))
    assert (settings.tags, settings.tag_labels, settings.disabled_metrics) == (
        ("team=a",),
        ("team", "owner"),
        ("braket_jobs",),
    )


def test_a_job_of_two_targets_with_the_same_credentials_is_taken_by_the_first(world: World) -> None:
    yaml = f"targets: [{{name: a, jobs: [{ONE}, {ONE}]}}, {{name: b, jobs: [{ONE}, {TWO}]}}, {{name: c, jobs: {TWO}}}]"
    targets = world.load(yaml=yaml).targets
    assert [(target.name, target.jobs) for target in targets] == [("a", (ONE,)), ("b", (TWO,))]


# What an error shows.

FORTY = [f"arn:aws:braket:us-west-2:123456789012:job/{number:02}" for number in range(40)]


@pytest.mark.parametrize("form", ["text", "json", "yaml"])
def test_an_error_about_one_of_forty_shows_that_one(world: World, form: str) -> None:
    arns = [*FORTY[:20], "vqe-h2", *FORTY[21:]]
    given = {"text": ",".join(arns), "json": json.dumps(arns)}
    told = world.problem({"jobs": given[form]}) if form in given else world.problem(yaml=json.dumps({"jobs": arns}))
    source = " (--jobs)" if form in given else ""
    assert told == f'jobs[20] = "vqe-h2"{source}: not a job ARN; expected arn:aws:braket:<region>:<account>:job/<id>'


def test_of_many_wrong_elements_the_first_are_shown_and_the_others_counted(world: World) -> None:
    problems = world.problems({"jobs": ",".join(f"x{number}" for number in range(1000)), "regions": "mars"})
    assert [problem.partition(" =")[0] for problem in problems] == [
        *(f"jobs[{number}]" for number in range(10)),
        "regions[0]",
        "jobs: 990 more elements are invalid",
    ]


@pytest.mark.parametrize(
    "yaml",
    [
        f"log_level: {'x' * 10_000}",
        f"log_level: [{'x, ' * 10_000}]",
        f"{'x' * 10_000}: 1",
        f"targets: [{{all_jobs: true, {'x' * 10_000}: 1}}]",
        f"targets: [{{name: {'x' * 10_000}}}]",
        f"max_jobs: 0x{'F' * 10_000}",
        f"poll_interval: 0x{'F' * 10_000}",
        f"tag_labels: [{', '.join(f'a{chr(45 + number % 2)}b{number // 2}' for number in range(2000))}]",
    ],
    ids=["text", "list", "key", "key-of-a-target", "target", "number", "duration", "labels"],
)
def test_no_error_is_long(world: World, yaml: str) -> None:
    flags = {} if "targets" in yaml else {"jobs": ONE}
    assert len(world.problem(flags, yaml=yaml)) < 300


@pytest.mark.parametrize("text", ["[" * 100_000, '["x"', "[1" + "0" * 5000 + "]"], ids=["deep", "half", "digits"])
def test_a_list_that_only_begins_like_json_is_shown_in_part(world: World, text: str) -> None:
    problem = world.problem({"jobs": text})
    assert problem.endswith(": expected a JSON list or comma-separated values")
    assert len(problem) < 300


def test_a_file_that_is_too_large_is_refused_and_not_read_to_its_end() -> None:
    with pytest.raises(SettingsError) as caught:
        load({"jobs": ONE}, {}, "/dev/zero")
    assert caught.value.problems == ("config file /dev/zero: expected at most 4,194,304 bytes",)


HOSTILE: list[Any] = [
    *(None, True, False, 0, -1, 1.5, 10**30, float("nan"), "", "x", "yes please", "9" * 5000, "nan", "\ud800", "a\nb"),
    *(b"\xff", [], [None], [[]], [1, "x", {}], {}, {"a": 1}, {1: 2}, "[", "[1]", '["x", 5]', (), {"name": []}),
]
PYDANTIC = re.compile(
    r"input should|unable to|valid (string|integer|number|boolean|list|tuple|dict)|value error|type=|https?://errors|pydantic"
    r"|greater than|less than or|finite|extra inputs|tuple|instance of|python",
    re.IGNORECASE,
)


@pytest.mark.parametrize("key", Settings.model_fields)
def test_no_value_of_any_key_is_answered_in_the_words_of_a_library(key: str) -> None:
    for value in some(HOSTILE):
        try:
            load({"jobs": ONE, key: value}, {}, None)
        except SettingsError as error:
            for problem in error.problems:
                assert PYDANTIC.search(problem.replace(repr(value), "")) is None, (value, problem)
                assert re.search(r"expected|set |not |unknown|label", problem), (value, problem)


@pytest.mark.parametrize("key", TargetSettings.model_fields)
def test_no_value_of_any_key_of_a_target_is_answered_in_the_words_of_a_library(key: str) -> None:
    for value in some(HOSTILE):
        try:
            load({"targets": [{"all_jobs": True, key: value}]}, {}, None)
        except SettingsError as error:
            for problem in error.problems:
                assert problem.startswith("targets[0]"), (value, problem)
                assert PYDANTIC.search(problem) is None, (value, problem)


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("flag", {"meant": {"all_jobs"}}),
        ("flag", {"meant": {"config"}}),
        ("variable", {"environ": {"BRAKET_EXPORTER_AL_JOBS": "true"}}),
        ("variable", {"environ": {"BRAKET_EXPORTER_CONFG": "x"}}),
    ],
)
def test_what_only_follows_from_a_misspelled_name_is_not_told(kind: str, given: dict[str, Any]) -> None:
    arguments: dict[str, Any] = {"flags": {}, "environ": {}, "config": None, **given}
    with pytest.raises(SettingsError) as caught:
        load(**{**arguments, "flags": {"poll_interval": "x"}})
    assert [problem.split(":")[0] for problem in caught.value.problems if "variable" not in problem] == [
        'poll_interval = "x" (--poll-interval)'
    ], kind


def test_a_misspelled_key_of_the_file_is_told_without_what_follows_from_it(world: World) -> None:
    assert world.problem(yaml="all_job: true") == "unknown setting all_job (did you mean all_jobs?)"
    assert world.problem({"jobs": ONE}, yaml="shard: 2\ntotal_shard: 3") == (
        "unknown setting total_shard (did you mean total_shards?)"
    )


# What is valid and probably a mistake.

KNOWN = "Braket is in: us-east-1, us-west-1, us-west-2, eu-west-2, eu-north-1"


def test_usual_settings_are_given_no_warning(world: World) -> None:
    assert warnings_of(world.load({"jobs": ",".join(FORTY)})) == ()
    assert warnings_of(world.load({"all_jobs": "true"}), ["us-west-2", "eu-north-1"]) == ()
    assert warnings_of(world.load({"all_jobs": "true", "api_requests_per_second": "5", "poll_interval": "1s"})) == ()


@pytest.mark.parametrize(
    ("region", "hint"),
    [
        ("us-west-9", " (did you mean us-west-2?)"),
        ("us-wets-1", " (did you mean us-west-1?)"),
        ("eunorth-1", " (did you mean eu-north-1?)"),
        ("eu-central-1", ""),
        ("ap-southeast-2", ""),
        ("mars-1", ""),
        ("cn-north-1", ""),
        ("us-gov-west-1", ""),
    ],
)
def test_a_region_that_this_release_does_not_know_is_a_warning_with_a_near_one(
    world: World, region: str, hint: str
) -> None:
    message = f"Region {region} is not known to this release{hint}; {KNOWN}"
    assert warnings_of(world.load({"all_jobs": "true", "regions": f"us-west-2,{region}"})) == (("regions", message),)
    arns = f"{ONE},arn:aws:braket:{region}:123456789012:job/a,arn:aws:braket:{region}:123456789012:job/b"
    assert warnings_of(world.load({"jobs": arns})) == (("jobs", message),)
    yaml = f"targets: [{{all_jobs: true}}, {{all_jobs: true, regions: [{region}]}}]"
    assert warnings_of(world.load(yaml=yaml)) == (("targets[1].regions", message),)


def test_an_unknown_region_that_the_settings_do_not_name_is_the_sdks(world: World) -> None:
    settings = world.load({"all_jobs": "true"})
    assert warnings_of(settings, ["eu-central-1", "eu-central-1", "us-west-2"]) == (
        ("regions", f"the AWS SDK's Region eu-central-1 is not known to this release; {KNOWN}"),
    )


def test_a_queue_of_another_region_than_its_jobs_is_a_warning(world: World) -> None:
    def message(regions: str) -> str:
        return (
            f"a rule sends to queues of its own Region only; events from {regions} reach the queue in us-west-2 only "
            "through an event bus there. Without one, RUNNING jobs are polled every event_poll_interval, and no event "
            "reports their changes; set a queue of the Region in targets"
        )

    settings = {"all_jobs": "true", "event_queue_url": QUEUE}
    three = settings | {"regions": "us-west-2,us-east-1,eu-west-2"}
    assert warnings_of(world.load(three)) == (("event_queue_url", message("us-east-1, eu-west-2")),)
    assert warnings_of(world.load(settings), ["us-west-2"]) == ()
    assert warnings_of(world.load(settings), ["us-east-1"]) == (("event_queue_url", message("us-east-1")),)
    elsewhere = settings | {"regions": "us-east-1", "event_queue_url": "http://localhost:4566/123456789012/q"}
    assert warnings_of(world.load(elsewhere)) == ()
    yaml = (
        f"targets: [{{all_jobs: true, regions: [us-west-2], event_queue_url: '{QUEUE}'}}, "
        f"{{all_jobs: true, regions: [us-east-1], event_queue_url: '{QUEUE}'}}, "
        "{all_jobs: true, regions: [eu-west-2]}]"
    )
    assert warnings_of(world.load(yaml=yaml)) == (("targets[1].event_queue_url", message("us-east-1")),)
    shared = f"event_queue_url: '{QUEUE}'\ntargets: [{{all_jobs: true, regions: [us-east-1]}}, {{jobs: ['{ONE}']}}]"
    assert warnings_of(world.load(yaml=shared)) == (("event_queue_url", message("us-east-1")),)


def test_tags_beside_all_jobs_are_a_warning(world: World) -> None:
    message = "tags have no effect, because all_jobs watches every job; remove all_jobs to select by tag"
    assert warnings_of(world.load({"all_jobs": "true", "tags": "team=a"})) == (("tags", message),)
    assert warnings_of(world.load({"tags": "team=a"})) == ()
    yaml = "targets: [{all_jobs: true}, {tags: [team=a]}, {all_jobs: true, tags: [team=a]}]"
    assert warnings_of(world.load(yaml=yaml)) == (("targets[2].tags", message),)


def test_a_rate_above_the_service_quota_is_a_warning(world: World) -> None:
    assert warnings_of(world.load({"jobs": ONE, "api_requests_per_second": "5.1"})) == (
        (
            "api_requests_per_second",
            "5.1 calls per second are more than Braket's default quota of 5, which all users of the account share",
        ),
    )


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            {"jobs": ",".join(FORTY), "poll_interval": "10s"},
            (
                "40 active jobs in 123456789012/us-west-2 would take 4 GetJob calls per second; "
                "with api_requests_per_second 2.5 each is polled every 16s"
            ),
        ),
        (
            {"all_jobs": "true", "poll_interval": "0.001s"},
            (
                "1 active job would take 1000 GetJob calls per second; "
                "with api_requests_per_second 2.5 each is polled every 0.4s"
            ),
        ),
        (
            {"jobs": ONE, "poll_interval": "0.5s"},
            "0.5s is shorter than 1s; each active job takes 2 GetJob calls per second",
        ),
    ],
)
def test_a_poll_interval_that_the_rate_does_not_allow_or_below_a_second_is_a_warning(
    world: World, flags: dict[str, str], message: str
) -> None:
    assert warnings_of(world.load(flags)) == (("poll_interval", message),)
