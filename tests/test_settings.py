"""Settings: where a value comes from, and what every wrong one is told."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from exporter.families import EXPORTER_FAMILIES, FLEET_FAMILIES, job_families
from exporter.settings import METRICS, Settings, SettingsError, format_default
from exporter.sources import load
from exporter.values import Listen, format_duration, parse_duration, parse_listen

ONE = "arn:aws:braket:us-west-2:123456789012:job/one"
TWO = "arn:aws:braket:eu-north-1:123456789012:job/two"
DURATION = "expected a duration above 0, such as 30s, 5m, 24h, 7d or a number of seconds"
LISTEN = "expected HOST:PORT, :PORT or [::1]:PORT, with a port from 0 to 65535"
NOTHING = "nothing to watch: "


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
        "api_requests_per_second": 2.5,
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
        "api_requests_per_second": "1.5",
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
        "api_requests_per_second": 1.5,
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
        ("jobs", "x", 'jobs[0] = "x": is no job ARN; one looks like arn:aws:braket:us-west-2:123456789012:job/<id>'),
        (
            "jobs",
            f"{ONE},arn:aws:braket:us-west-2:1:job/a",
            (
                'jobs[1] = "arn:aws:braket:us-west-2:1:job/a": is no job ARN; '
                "one looks like arn:aws:braket:us-west-2:123456789012:job/<id>"
            ),
        ),
        (
            "jobs",
            "arn:aws:braket:eu-central-1:123456789012:job/a",
            (
                'jobs[0] = "arn:aws:braket:eu-central-1:123456789012:job/a": names Region eu-central-1, '
                "where there is no Amazon Braket; there is in us-east-1, us-west-1, us-west-2, eu-west-2, eu-north-1"
            ),
        ),
        ("jobs", f"{ONE},{ONE}", f'jobs = "{ONE},{ONE}": {ONE} is listed more than once; list it once'),
        ("jobs", '["x"', 'jobs = "[\\"x\\"": expected a JSON list or comma-separated values'),
        ("jobs", "[1]", "jobs[0] = 1: expected a valid string"),
        ("poll_interval", "soon", f'poll_interval = "soon": {DURATION}'),
        ("poll_interval", "0", f'poll_interval = "0": {DURATION}'),
        ("retention", "-5m", f'retention = "-5m": {DURATION}'),
        ("retention_failed", "1w", f'retention_failed = "1w": {DURATION}'),
        ("max_jobs", "0", 'max_jobs = "0": expected greater than or equal to 1'),
        ("max_jobs", "1.5", 'max_jobs = "1.5": expected a valid integer, unable to parse string as an integer'),
        (
            "per_job_metrics",
            "maybe",
            'per_job_metrics = "maybe": expected a valid boolean, unable to interpret input',
        ),
        (
            "disabled_metrics",
            "braket_jobs,braket_job_inf",
            'disabled_metrics[1] = "braket_job_inf": is no metric of this exporter; did you mean braket_job_info?',
        ),
        ("disabled_metrics", "zzz", 'disabled_metrics[0] = "zzz": is no metric of this exporter'),
        (
            "tag_labels",
            "team,cost-centre,cost.centre",
            (
                'tag_labels = "team,cost-centre,cost.centre": '
                "cost-centre, cost.centre become the same label tag_cost_centre; keep one of them"
            ),
        ),
        ("tag_labels", "a,a", 'tag_labels = "a,a": a, a become the same label tag_a; keep one of them'),
        ("api_requests_per_second", "0", 'api_requests_per_second = "0": expected greater than 0'),
        ("api_requests_per_second", "inf", 'api_requests_per_second = "inf": expected a finite number'),
        ("api_requests_per_second", "nan", 'api_requests_per_second = "nan": expected a finite number'),
        (
            "api_requests_per_second",
            "many",
            'api_requests_per_second = "many": expected a valid number, unable to parse string as a number',
        ),
        ("listen_address", "9834", f'listen_address = "9834": {LISTEN}'),
        ("listen_address", ":70000", f'listen_address = ":70000": {LISTEN}'),
        ("log_level", "loud", "log_level = \"loud\": expected 'debug', 'info', 'warning' or 'error'"),
        ("log_format", "xml", "log_format = \"xml\": expected 'auto', 'json' or 'console'"),
    ],
)
def test_a_wrong_value_is_told_with_its_key_and_what_would_be_right(
    world: World, key: str, value: str, problem: str
) -> None:
    jobs = {} if key == "jobs" else {"jobs": ONE}
    assert world.problem({**jobs, key: value}) == problem
    assert world.problem(jobs, env={key.upper(): value}) == problem


@pytest.mark.parametrize(
    ("yaml", "problem"),
    [
        ("poll_interval: true", f"poll_interval = true: {DURATION}"),
        ("poll_interval: 0", f"poll_interval = 0: {DURATION}"),
        ("poll_interval: -1.5", f"poll_interval = -1.5: {DURATION}"),
        ("poll_interval: .inf", f"poll_interval = Infinity: {DURATION}"),
        ("poll_interval:", f"poll_interval = null: {DURATION}"),
        ("poll_interval: [30s]", f'poll_interval = ["30s"]: {DURATION}'),
        ("retention: 2024-01-01", f'retention = "2024-01-01": {DURATION}'),
        ("listen_address: ''", f'listen_address = "": {LISTEN}'),
        ("state_file: ''", 'state_file = "": is empty; name a file, or leave the key out'),
        ("api_requests_per_second: -1", "api_requests_per_second = -1: expected greater than 0"),
        ("tag_labels: [1]", "tag_labels[0] = 1: expected a valid string"),
        ("log_level: [info]", "log_level = [\"info\"]: expected 'debug', 'info', 'warning' or 'error'"),
    ],
)
def test_a_wrong_value_of_the_file_is_told_as_it_was_read(world: World, yaml: str, problem: str) -> None:
    assert world.problem({"jobs": ONE}, yaml=yaml) == problem


@pytest.mark.parametrize(
    "yaml",
    [
        "poll_interval: {2024-01-01: 1}",
        "poll_interval: &a [*a]",
        "poll_interval: &a {b: *a}",
        "poll_interval: !!set {30s}",
    ],
    ids=["date-as-key", "list-in-itself", "mapping-in-itself", "set"],
)
def test_no_value_of_the_file_is_too_strange_to_be_told(world: World, yaml: str) -> None:
    problem = world.problem({"jobs": ONE}, yaml=yaml)
    assert problem.startswith("poll_interval = ")
    assert problem.endswith(DURATION)


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
        "BRAKET_EXPORTER_RETENTON",
        "foo",
        "jobs[0]",
        "jobs[2]",
        "log_level",
        "poll_interval",
        "retension",
        "tag_labels",
    ]


def test_that_there_is_nothing_to_watch_is_told_beside_the_other_problems(world: World) -> None:
    problems = world.problems({"poll_interval": "x"}, {"POL_INTERVAL": "3"})
    assert f'poll_interval = "x": {DURATION}' in problems
    assert "BRAKET_EXPORTER_POL_INTERVAL: is no known variable; did you mean BRAKET_EXPORTER_POLL_INTERVAL?" in problems
    assert any(problem.startswith(NOTHING) for problem in problems)


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("pol_interval", "; did you mean poll_interval?"),
        ("poll-interval", "; did you mean poll_interval?"),
        ("job", "; did you mean jobs?"),
        ("zzz", ""),
        ("model_config", ""),
    ],
)
def test_an_unknown_key_is_told_with_a_near_one(world: World, key: str, hint: str) -> None:
    assert world.problem({"jobs": ONE, key: "1"}) == f"{key}: is no known key{hint}"
    assert world.problem({"jobs": ONE}, yaml=f"{key}: 1") == f"{key}: is no known key{hint}"


def test_a_key_of_the_file_that_is_no_text_is_unknown(world: World) -> None:
    assert world.problem({"jobs": ONE}, yaml="1: 2") == "1: is no known key"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("POL_INTERVAL", "; did you mean BRAKET_EXPORTER_POLL_INTERVAL?"),
        ("CONFG", "; did you mean BRAKET_EXPORTER_CONFIG?"),
        ("JOBS_", "; did you mean BRAKET_EXPORTER_JOBS?"),
    ],
)
def test_an_unknown_variable_is_told_with_a_near_one(world: World, name: str, hint: str) -> None:
    problem = world.problem({"jobs": ONE}, env={name: "1"})
    assert problem == f"BRAKET_EXPORTER_{name}: is no known variable{hint}"


def test_a_variable_that_is_like_no_other_is_told_without_a_guess() -> None:
    with pytest.raises(SettingsError) as caught:
        load({"jobs": ONE}, {"BRAKET_EXPORTER_QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ": "1"}, None)
    assert caught.value.problems == (
        "BRAKET_EXPORTER_QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ: is no known variable",
    )


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
    assert problem.startswith(f"BRAKET_EXPORTER_{name}: is no known variable")


@pytest.mark.parametrize(
    ("yaml", "problem"),
    [
        ("a: b: c", "line 1, column 5: is no valid YAML: mapping values are not allowed here"),
        (
            "\n\na: [",
            "line 3, column 5: is no valid YAML: expected the node content, but found '<stream end>'",
        ),
        (
            "!!python/object:os.system {}",
            (
                "line 1, column 1: is no valid YAML: could not determine a constructor for the tag "
                "'tag:yaml.org,2002:python/object:os.system'"
            ),
        ),
        ("a: *b", "line 1, column 4: is no valid YAML: found undefined alias 'b'"),
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
    assert problem.startswith(f"config file {world.folder / 'exporter.yaml'}: is no valid YAML: unacceptable character")
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
    assert problem.startswith(f"config file {path}: is no valid YAML: 'utf-8' codec can't decode byte 0xff")


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
    ],
)
def test_a_duration_is_read(text: object, seconds: float) -> None:
    assert parse_duration(text) == seconds


NO_DURATIONS = (
    *("", " ", "s", "-1s", "0", "0d", "1e3", "1m30s", "5 minutes", "5M", "\u0661s", "inf", "nan", "1,5s", "1_0s"),
    *("9" * 400, ".5s", "1.s", "+5s", "5s\n5s", True, False, None, 0, -3, 0.0, float("nan"), float("inf")),
)


@pytest.mark.parametrize("text", [*NO_DURATIONS, [], {}])
def test_what_is_no_duration_is_refused(text: object) -> None:
    with pytest.raises(
        ValueError, match="expected a duration above 0, such as 30s, 5m, 24h, 7d or a number of seconds"
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


@given(st.integers(1, 10**9), st.sampled_from(["s", "m", "h", "d", ""]))
@example(1000001, "s")
def test_a_duration_of_whole_units_is_read_back_as_it_was_written(count: int, unit: str) -> None:
    seconds = parse_duration(f"{count}{unit}")
    assert parse_duration(format_duration(seconds)) == seconds


@given(st.integers(1, 10**9).map(lambda millis: millis / 1000))
@example(100000.5)
def test_a_duration_of_milliseconds_is_read_back_as_it_was_written(seconds: float) -> None:
    assert parse_duration(format_duration(seconds)) == seconds


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
    families = (*job_families(), *FLEET_FAMILIES, *EXPORTER_FAMILIES)
    assert tuple(family.name for family in families) == METRICS
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
        "api_requests_per_second": "2.5",
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
        ({"tags": "team"}, 'tags[0] = "team": expected key=value, key=this|that or key=*'),
        ({"tags": "a=b,=c"}, 'tags[1] = "=c": expected key=value, key=this|that or key=*'),
        (
            {"tags": "team=a,team=b"},
            'tags = "team=a,team=b": team is given more than once; give its values together, as in team=this|that',
        ),
        (
            {"all_jobs": "1", "job_name_regex": "vqe-("},
            'job_name_regex = "vqe-(": is no regular expression: missing ), unterminated subpattern at position 4',
        ),
        (
            {"all_jobs": "1", "regions": "us-west-2,mars-1"},
            (
                'regions[1] = "mars-1": has no Amazon Braket; there is in us-east-1, us-west-1, us-west-2, eu-west-2, '
                "eu-north-1"
            ),
        ),
        (
            {"all_jobs": "1", "regions": "us-west-2,us-west-2"},
            'regions = "us-west-2,us-west-2": us-west-2 is listed more than once; list it once',
        ),
        ({"jobs": ONE, "shard": "3", "total_shards": "3"}, "shard = 3: expected less than total_shards, which is 3"),
        (
            {"jobs": ONE, "shard": "exporter-3", "total_shards": "3"},
            "shard = 3: expected less than total_shards, which is 3",
        ),
        (
            {"jobs": ONE, "shard": "exporter"},
            'shard = "exporter": expected a valid integer, unable to parse string as an integer',
        ),
        ({"jobs": ONE, "shard": "-1"}, 'shard = "-1": expected greater than or equal to 0'),
        ({"jobs": ONE, "total_shards": "0"}, 'total_shards = "0": expected greater than or equal to 1'),
    ],
)
def test_a_wrong_choice_is_told(world: World, flags: dict[str, str], problem: str) -> None:
    assert world.problem(flags) == problem


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
        ("targets: [{name: x}]", "nothing to watch: give the target jobs, tags or all_jobs"),
        (
            'targets: [{name: "a\\ud800", all_jobs: true}]',
            'targets[0].name = "a\\ud800": has a lone surrogate, which a label cannot carry; expected Unicode text',
        ),
        ("targets: [{nam: x, all_jobs: true}]", "targets[0].nam: is no known key; did you mean name?"),
        (
            "targets: [{all_jobs: true, role_arn: me}]",
            'role_arn = "me": is no ARN of a role; one looks like arn:aws:iam',
        ),
        ("targets: [{all_jobs: true, external_id: x}]", "external_id goes with role_arn"),
        ("targets: [{all_jobs: true, name: x}, {all_jobs: true, name: x}]", "x is listed more than once"),
        (f"targets: [{{jobs: {ONE}}}, {{jobs: {ONE}}}]", f"{ONE} is listed more than once"),
        ("targets: {all_jobs: true}", 'targets = {"all_jobs": true}: expected a list'),
        ("targets: [us-west-2]", 'targets[0] = "us-west-2": expected a mapping of keys to values'),
        (
            "targets: [{all_jobs: true}]\nall_jobs: true",
            "targets: takes the place of all_jobs; move them into a target",
        ),
        (
            f"targets: [{{all_jobs: true}}]\njobs: {ONE}\nregions: us-west-2",
            "targets: takes the place of jobs, regions; move them into a target",
        ),
    ],
)
def test_a_wrong_target_is_told(world: World, yaml: str, problem: str) -> None:
    assert problem in world.problem(yaml=yaml)


def test_targets_cannot_be_a_variable(world: World) -> None:
    problem = world.problem({"jobs": ONE}, env={"TARGETS": "[]"})
    assert problem == "BRAKET_EXPORTER_TARGETS: targets can be set in the file only"


def test_targets_beside_empty_selections_are_no_conflict(world: World) -> None:
    yaml = "targets: [{all_jobs: true}]\njobs: []\nall_jobs: false\ntags: []\njob_name_regex: null\n"
    assert len(world.load(yaml=yaml).targets) == 1


@pytest.mark.parametrize(
    ("text", "shard"), [("2", 2), ("braket-exporter-2", 2), ("team-7-exporter-0", 0), ("a.b-1", 1)]
)
def test_a_shard_is_a_number_or_the_end_of_a_pods_name(world: World, text: str, shard: int) -> None:
    assert world.load({"jobs": ONE, "shard": text, "total_shards": "3"}).shard == shard
