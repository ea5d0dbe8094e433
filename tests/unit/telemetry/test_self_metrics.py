"""The exporter's own metrics, literally."""

import platform
import re
import sys
from collections.abc import Callable, Iterable

import boto3
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

import exporter
from exporter.core import Health, QueueStatus, Target, TargetStatus
from exporter.metrics import EXPORTER_FAMILIES, Format
from exporter.telemetry.self_metrics import SelfMetrics

ONE = Target("123456789012", "us-west-2")
TWO = Target("123456789012", "eu-north-1")


def status(target: Target = ONE, health: Health | None = None, **members: object) -> TargetStatus:
    usual: dict[str, object] = {
        "active": 3,
        "finished": 2,
        "waiting": 1,
        "staleness": 12.5,
        "poll_duration": 0.75,
        "budget": {"GetJob": 2.5},
    }
    good = Health(up=True, last_success=1700000000.5)
    return TargetStatus(target=target, health=health or good, **{**usual, **members})  # type: ignore[arg-type]


UP, NEVER_CALLED = QueueStatus(up=True, last_receive=1700000000.0), QueueStatus(up=None, last_receive=None)


def watch_queues(telemetry: SelfMetrics, *statuses: QueueStatus) -> None:
    telemetry.events.watch(lambda: statuses)


def everything(_: str, __: str) -> bool:
    return True


def only(*names: str) -> Callable[[str, str], bool]:
    return lambda name, _: name in names


def own_lines(
    telemetry: SelfMetrics, wanted: Callable[[str, str], bool] = everything, targets: Iterable[TargetStatus] = ()
) -> list[str]:
    page = telemetry.render("text", wanted, targets).decode()
    return [line for line in page.splitlines() if line.startswith("braket_exporter_")]


def lines_of(telemetry: SelfMetrics, *families: str) -> list[str]:
    return own_lines(telemetry, only(*families))


def target_lines(*targets: TargetStatus) -> list[str]:
    lines = own_lines(SelfMetrics(), targets=targets)
    return [line for line in lines if "_target_" in line or "_budget_" in line]


def lines_of_targets(family: str, *targets: TargetStatus) -> list[str]:
    return own_lines(SelfMetrics(), only(family), targets)


def test_every_family_of_the_exporter_is_there_with_its_type_and_the_labels_of_its_row() -> None:
    telemetry = SelfMetrics()
    telemetry.request(ONE, "GetJob", "ok", 0.1)
    telemetry.dropped("retention")
    telemetry.unknown_value("status")
    telemetry.tag_value_dropped("team")
    watch_queues(telemetry, UP)
    telemetry.state_written(1700000000.0, 4096)
    page = telemetry.render("text", everything, [status()]).decode()
    found = {family.name: family for family in parse_text(page)}
    for row in EXPORTER_FAMILIES:
        family = found[row.name.removesuffix("_total")]
        assert (family.type, family.documentation) == (row.type, row.help)
        assert family.samples
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(row.labels)


def test_a_target_is_told_literally() -> None:
    targets = status(), status(TWO, Health(up=False), active=0, name="chemistry")
    where, unnamed = '{aws_account_id="123456789012",aws_region="us-west-2"', 'target=""'
    other, named = '{aws_account_id="123456789012",aws_region="eu-north-1"', 'target="chemistry"'
    assert target_lines(*targets) == [
        f"braket_exporter_target_up{where},{unnamed}}} 1.0",
        f"braket_exporter_target_up{other},{named}}} 0.0",
        f"braket_exporter_target_last_success_timestamp_seconds{where},{unnamed}}} 1.7000000005e+09",
        f"braket_exporter_target_poll_duration_seconds{where},{unnamed}}} 0.75",
        f"braket_exporter_target_poll_duration_seconds{other},{named}}} 0.75",
        f"braket_exporter_target_staleness_seconds{where},{unnamed}}} 12.5",
        f"braket_exporter_target_staleness_seconds{other},{named}}} 12.5",
        f'braket_exporter_target_jobs{where},state="active",{unnamed}}} 3.0',
        f'braket_exporter_target_jobs{where},state="finished",{unnamed}}} 2.0',
        f'braket_exporter_target_jobs{other},state="active",{named}}} 0.0',
        f'braket_exporter_target_jobs{other},state="finished",{named}}} 2.0',
        f'braket_exporter_api_budget_requests_per_second{where},operation="GetJob"}} 2.5',
        f'braket_exporter_api_budget_requests_per_second{other},operation="GetJob"}} 2.5',
    ]


def test_targets_of_one_account_and_region_share_one_sample_of_each_rate_limit() -> None:
    searching = {"GetJob": 1.25, "SearchJobs": 2.5}
    targets = [status(name="chemistry", budget={"GetJob": 1.25}), status(name="physics", budget=searching)]
    where = '{aws_account_id="123456789012",aws_region="us-west-2"'
    name = "braket_exporter_api_budget_requests_per_second"
    assert lines_of_targets(name, *targets) == [
        f'{name}{where},operation="GetJob"}} 1.25',
        f'{name}{where},operation="SearchJobs"}} 2.5',
    ]
    assert lines_of_targets("braket_exporter_target_up", *targets) == [
        f'braket_exporter_target_up{where},target="chemistry"}} 1.0',
        f'braket_exporter_target_up{where},target="physics"}} 1.0',
    ]


def test_targets_with_an_unknown_account_are_told_apart_by_their_names() -> None:
    unknown = Target("", "us-west-2")
    targets = [status(unknown, Health(up=up), name=name) for name, up in (("a", True), ("b", False))]
    assert lines_of_targets("braket_exporter_target_up", *targets) == [
        'braket_exporter_target_up{aws_account_id="",aws_region="us-west-2",target="a"} 1.0',
        'braket_exporter_target_up{aws_account_id="",aws_region="us-west-2",target="b"} 0.0',
    ]


def test_what_is_not_known_of_a_target_yet_is_no_sample() -> None:
    target = status(health=Health(), staleness=None, poll_duration=None, budget={})
    assert [line.partition("{")[0] for line in target_lines(target)] == [
        "braket_exporter_target_jobs",
        "braket_exporter_target_jobs",
    ]


def test_requests_count_by_what_came_of_them_and_their_durations_fall_into_buckets() -> None:
    telemetry = SelfMetrics()
    telemetry.request(ONE, "GetJob", "ok", 0.05)
    telemetry.request(ONE, "GetJob", "ok", 0.2)
    telemetry.request(ONE, "GetJob", "ThrottlingException", 20.0)
    where = 'aws_account_id="123456789012",aws_region="us-west-2"'
    assert lines_of(telemetry, "braket_exporter_api_requests_total") == [
        f'braket_exporter_api_requests_total{{{where},code="ok",operation="GetJob"}} 2.0',
        f'braket_exporter_api_requests_total{{{where},code="ThrottlingException",operation="GetJob"}} 1.0',
    ]
    name = "braket_exporter_api_request_duration_seconds"
    assert lines_of(telemetry, name) == [
        f'{name}_bucket{{{where},le="0.025",operation="GetJob"}} 0.0',
        f'{name}_bucket{{{where},le="0.05",operation="GetJob"}} 1.0',
        f'{name}_bucket{{{where},le="0.1",operation="GetJob"}} 1.0',
        f'{name}_bucket{{{where},le="0.25",operation="GetJob"}} 2.0',
        f'{name}_bucket{{{where},le="0.5",operation="GetJob"}} 2.0',
        f'{name}_bucket{{{where},le="1.0",operation="GetJob"}} 2.0',
        f'{name}_bucket{{{where},le="2.5",operation="GetJob"}} 2.0',
        f'{name}_bucket{{{where},le="5.0",operation="GetJob"}} 2.0',
        f'{name}_bucket{{{where},le="10.0",operation="GetJob"}} 2.0',
        f'{name}_bucket{{{where},le="+Inf",operation="GetJob"}} 3.0',
        f'{name}_count{{{where},operation="GetJob"}} 3.0',
        f'{name}_sum{{{where},operation="GetJob"}} 20.25',
    ]


def test_the_counter_of_a_tag_key_starts_at_0() -> None:
    telemetry = SelfMetrics()
    telemetry.tag_keys_used(["team"])
    assert 'braket_exporter_tag_values_dropped_total{tag="team"} 0.0' in own_lines(telemetry)
    telemetry.tag_value_dropped("team")
    telemetry.tag_keys_used(["team"])
    assert 'braket_exporter_tag_values_dropped_total{tag="team"} 1.0' in own_lines(telemetry)


def test_what_was_dropped_unreadable_or_unknown_is_counted() -> None:
    telemetry = SelfMetrics()
    telemetry.dropped("weather")
    telemetry.dropped("weather")
    telemetry.parse_error()
    telemetry.unknown_value("eventType")
    lines = own_lines(telemetry)
    assert 'braket_exporter_jobs_dropped_total{reason="weather"} 2.0' in lines
    assert "braket_exporter_parse_errors_total 1.0" in lines
    assert 'braket_exporter_unknown_values_total{field="eventType"} 1.0' in lines


@pytest.mark.parametrize(
    "line",
    [
        'braket_exporter_jobs_dropped_total{reason="retention"} 0.0',
        "braket_exporter_parse_errors_total 0.0",
        'braket_exporter_unknown_values_total{field="status"} 0.0',
        'braket_exporter_unknown_values_total{field="eventType"} 0.0',
        'braket_exporter_unknown_values_total{field="queuePosition"} 0.0',
    ],
)
def test_counters_of_what_should_not_happen_start_at_zero(line: str) -> None:
    assert line in own_lines(SelfMetrics())


def test_settings_in_force_have_a_time_and_are_called_good() -> None:
    telemetry = SelfMetrics()
    telemetry.settings_loaded(1700000000.25)
    assert [line for line in own_lines(telemetry) if "_config_" in line] == [
        "braket_exporter_config_last_reload_successful 1.0",
        "braket_exporter_config_last_reload_success_timestamp_seconds 1.70000000025e+09",
    ]


def test_bad_settings_show_and_those_in_force_keep_their_time() -> None:
    telemetry = SelfMetrics()
    telemetry.settings_loaded(1_700_000_000.25)
    telemetry.reload_failed()
    assert [line for line in own_lines(telemetry) if "_config_" in line] == [
        "braket_exporter_config_last_reload_successful 0.0",
        "braket_exporter_config_last_reload_success_timestamp_seconds 1.70000000025e+09",
    ]


def test_a_web_configuration_file_that_is_well_again_does_not_hide_bad_settings() -> None:
    telemetry = SelfMetrics()
    shown: list[float] = []
    steps: list[Callable[[], None]] = [
        lambda: telemetry.web_config_checked(failing=True),
        telemetry.reload_failed,
        lambda: telemetry.web_config_checked(failing=False),
        lambda: telemetry.settings_loaded(1.0),
    ]
    telemetry.settings_loaded(0.0)
    for step in steps:
        step()
        (line,) = lines_of(telemetry, "braket_exporter_config_last_reload_successful")
        shown.append(float(line.split()[-1]))
    assert shown == [0.0, 0.0, 0.0, 1.0]


def state_lines(telemetry: SelfMetrics) -> list[str]:
    return [line for line in own_lines(telemetry) if "_state_" in line]


@pytest.mark.parametrize("form", ["text", "openmetrics"])
def test_without_a_state_file_nothing_speaks_of_one(form: Format) -> None:
    assert b"braket_exporter_state" not in SelfMetrics().render(form, everything, ())


def test_a_state_file_that_takes_what_is_written_has_a_time_and_a_size() -> None:
    telemetry = SelfMetrics()
    telemetry.state_written(1_700_000_000.25, 40960)
    assert state_lines(telemetry) == [
        "braket_exporter_state_up 1.0",
        "braket_exporter_state_size_bytes 40960.0",
        "braket_exporter_state_last_write_timestamp_seconds 1.70000000025e+09",
    ]


def test_a_state_file_that_takes_no_more_keeps_the_time_and_the_size_of_its_last_write() -> None:
    telemetry = SelfMetrics()
    telemetry.state_written(1_700_000_000.25, 40960)
    telemetry.state_failed()
    assert state_lines(telemetry) == [
        "braket_exporter_state_up 0.0",
        "braket_exporter_state_size_bytes 40960.0",
        "braket_exporter_state_last_write_timestamp_seconds 1.70000000025e+09",
    ]


def test_a_state_file_that_never_took_anything_has_no_time_and_no_size() -> None:
    telemetry = SelfMetrics()
    telemetry.state_failed()
    assert state_lines(telemetry) == ["braket_exporter_state_up 0.0"]


def test_a_state_file_that_takes_what_is_written_again_is_up_again() -> None:
    telemetry = SelfMetrics()
    telemetry.state_failed()
    telemetry.state_written(1_700_000_060.5, 81920)
    assert state_lines(telemetry) == [
        "braket_exporter_state_up 1.0",
        "braket_exporter_state_size_bytes 81920.0",
        "braket_exporter_state_last_write_timestamp_seconds 1.7000000605e+09",
    ]


def test_build_info_tells_the_versions() -> None:
    (line,) = lines_of(SelfMetrics(), "braket_exporter_build_info")
    assert line == (
        f'braket_exporter_build_info{{boto3_version="{boto3.__version__}",'
        f'python_version="{platform.python_version()}",version="{exporter.__version__}"}} 1.0'
    )


@pytest.mark.parametrize("form", ["text", "openmetrics"])
def test_there_are_no_created_series(form: Format) -> None:
    telemetry = SelfMetrics()
    telemetry.request(ONE, "GetJob", "ok", 0.1)
    telemetry.parse_error()
    assert b"_created" not in telemetry.render(form, everything, [status()])


def test_the_process_and_its_python_are_told() -> None:
    page = SelfMetrics().render("text", everything, ()).decode()
    assert f'python_info{{implementation="{platform.python_implementation()}",major="{sys.version_info.major}"' in page
    if sys.platform == "linux":
        for name in ("cpu_seconds_total", "resident_memory_bytes", "open_fds", "start_time_seconds"):
            assert f"\nprocess_{name} " in page


def test_only_families_that_are_wanted_are_rendered_and_types_are_told_to_the_choice() -> None:
    requested: dict[str, str] = {}

    def wanted(name: str, kind: str) -> bool:
        requested[name] = kind
        return name == "braket_exporter_target_up"

    telemetry = SelfMetrics()
    watch_queues(telemetry, UP)
    telemetry.state_written(1700000000.0, 4096)
    page = telemetry.render("text", wanted, [status()]).decode()
    assert page == (
        "# HELP braket_exporter_target_up State of the target: 1 while it can be polled, 0 while it fails as a whole "
        "(credentials, network, throttling, overdue call); no sample before the first attempt.\n"
        "# TYPE braket_exporter_target_up gauge\n"
        'braket_exporter_target_up{aws_account_id="123456789012",aws_region="us-west-2",target=""} 1.0\n'
    )
    assert {row.name: row.type for row in EXPORTER_FAMILIES}.items() <= requested.items()
    assert requested["python_info"] == "gauge"


def test_openmetrics_ends_with_exactly_one_end_mark_and_text_with_none() -> None:
    telemetry = SelfMetrics()
    page = telemetry.render("openmetrics", everything, [status()])
    assert page.endswith(b"\n# EOF\n")
    assert page.count(b"# EOF") == 1
    assert b"# EOF" not in telemetry.render("text", everything, [status()])
    assert telemetry.render("openmetrics", only(), ()) == b"# EOF\n"
    assert telemetry.render("text", only(), ()) == b""


def test_openmetrics_names_a_counter_without_its_ending_and_parses() -> None:
    telemetry = SelfMetrics()
    telemetry.request(ONE, "GetJob", "ok", 0.1)
    watch_queues(telemetry, UP)
    telemetry.state_written(1700000000.0, 4096)
    page = telemetry.render("openmetrics", everything, [status()]).decode()
    assert "\n# TYPE braket_exporter_api_requests counter\n" in page
    names = {family.name for family in parse_openmetrics(page)}
    assert {row.name.removesuffix("_total") for row in EXPORTER_FAMILIES} <= names


def event_lines(*statuses: QueueStatus) -> list[str]:
    telemetry = SelfMetrics()
    watch_queues(telemetry, *statuses)
    return [line for line in own_lines(telemetry) if "_event_queue_" in line]


def test_without_a_queue_there_is_no_family_of_events() -> None:
    names = ("braket_exporter_event", "braket_exporter_transitions_found")
    assert not any(line.startswith(names) for line in own_lines(SelfMetrics()))


def test_a_queue_that_was_never_called_has_counters_only() -> None:
    telemetry = SelfMetrics()
    watch_queues(telemetry, NEVER_CALLED)
    lines = own_lines(telemetry)
    assert not any("_event_queue_" in line for line in lines)
    assert 'braket_exporter_transitions_found_total{by="event"} 0.0' in lines
    assert 'braket_exporter_transitions_found_total{by="poll"} 0.0' in lines
    counters = [line for line in lines if line.startswith("braket_exporter_events_total")]
    assert [re.findall(r'"([^"]*)"', line) for line in counters] == [
        ["Braket Job State Change", outcome] for outcome in ("applied", "known", "unselected", "foreign", "malformed")
    ]


def test_one_queue_that_fails_is_not_hidden_by_another_one() -> None:
    assert event_lines(UP, QueueStatus(up=False, last_receive=1600000000.0), NEVER_CALLED) == [
        "braket_exporter_event_queue_up 0.0",
        "braket_exporter_event_queue_last_receive_timestamp_seconds 1.6e+09",
    ]
    assert event_lines(UP, UP) == [
        "braket_exporter_event_queue_up 1.0",
        "braket_exporter_event_queue_last_receive_timestamp_seconds 1.7e+09",
    ]


def test_two_telemetries_share_nothing() -> None:
    one, two = SelfMetrics(), SelfMetrics()
    one.parse_error()
    assert lines_of(two, "braket_exporter_parse_errors_total") == ["braket_exporter_parse_errors_total 0.0"]


def test_rendering_twice_gives_the_same_counters() -> None:
    telemetry = SelfMetrics()
    telemetry.request(ONE, "GetJob", "ok", 0.1)
    assert own_lines(telemetry) == own_lines(telemetry)
