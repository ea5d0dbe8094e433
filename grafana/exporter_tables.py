"""The tables of exporters and of targets."""

from typing import Final

from grafana.colours import BAD, GOOD, NEUTRAL, WARNING
from grafana.dashboards import Row
from grafana.panels import COUNT, Query, Texts
from grafana.queries import INSTANCE_FILTER, exporters_of_the_range, listed, of_exporters, of_processes, of_targets
from grafana.tables import DURATION, Column, rows

_STALE: Final = ((None, GOOD), (300, WARNING), (600, BAD))
_STATE: Final[Texts] = {0: ("down", BAD), 1: ("up", GOOD), 2: ("gone", NEUTRAL)}

_BY_EXPORTER: Final = "by (job, instance)"


def exporters() -> Row:
    """Build the table of exporters."""
    seen = exporters_of_the_range()
    scraped = f"max {_BY_EXPORTER} (up{{{INSTANCE_FILTER}}}) and on (job, instance) {seen}"
    state = f"{scraped} or on (job, instance) 2 * {seen}"
    targets = of_targets("braket_exporter_target_up")
    table = rows(
        "Exporter details",
        "Exporters that Prometheus scraped in the time range. A scrape of an exporter that is down fails. Prometheus "
        "no longer scrapes an exporter that is gone, such as a replaced pod.",
        Query(listed(f"sort({state})", "instance", "No exporter")),
        Query(f"count {_BY_EXPORTER} ({targets} == 0) or on (job, instance) 0 * count {_BY_EXPORTER} ({targets})"),
        Query(f"count {_BY_EXPORTER} ({targets})"),
        Query(f"max {_BY_EXPORTER} ({of_targets('braket_exporter_target_staleness_seconds')})"),
        Query(f"1000 * max {_BY_EXPORTER} ({of_processes('process_start_time_seconds')})"),
        Query(f"max {_BY_EXPORTER} ({of_processes('process_resident_memory_bytes')})"),
        Query(of_exporters("braket_exporter_config_last_reload_successful")),
        Query(f"max by (job, instance, version) (braket_exporter_build_info{{{INSTANCE_FILTER}}})"),
        columns=[
            Column("instance", "Exporter", colours={}),
            Column("job", "Prometheus job"),
            Column("Value #A", "Up", unit=COUNT, width=80, texts=_STATE),
            Column("Value #B", "Failing targets", unit=COUNT, width=125, steps=((None, GOOD), (1, BAD))),
            Column("Value #C", "Targets", unit=COUNT, width=85),
            Column("Value #D", "Data age", unit=DURATION, decimals=0, width=100, steps=_STALE),
            Column("Value #E", "Started", unit="dateTimeFromNow", width=150),
            Column("Value #F", "Memory", unit="bytes", decimals=0, width=95),
            Column("Value #G", "Settings", unit=COUNT, width=110, texts={0: ("failed", BAD), 1: ("successful", GOOD)}),
            Column("version", "Version", width=90),
        ],
        sort_by="Up",
    )
    return Row(6, [(24, table)])


def targets() -> Row:
    """Build the table of targets of each exporter."""
    jobs = {
        state: of_targets("braket_exporter_target_jobs", where=f'state="{state}"') for state in ("active", "finished")
    }
    table = rows(
        "Targets",
        "Polled targets of each exporter: account, Region and the name of the target in the settings. Failing targets "
        "are first.",
        Query(listed(f"sort({of_targets('braket_exporter_target_up')})", "target", "No targets")),
        Query(f"1000 * {of_targets('braket_exporter_target_last_success_timestamp_seconds')}"),
        Query(of_targets("braket_exporter_target_staleness_seconds")),
        Query(of_targets("braket_exporter_target_poll_duration_seconds")),
        *(Query(query) for query in jobs.values()),
        columns=[
            Column("target", "Target", colours={}),
            Column("aws_account_id", "Account", width=130),
            Column("aws_region", "Region", width=110),
            Column("Value #A", "Up", unit=COUNT, width=80, texts={0: ("failing", BAD), 1: ("up", GOOD)}),
            Column("Value #B", "Last success", unit="dateTimeFromNow", width=150),
            Column("Value #C", "Data age", unit=DURATION, decimals=0, width=100, steps=_STALE),
            Column("Value #D", "Poll duration", unit=DURATION, decimals=1, width=115),
            Column("Value #E", "Active jobs", unit=COUNT, width=105),
            Column("Value #F", "Finished jobs", unit=COUNT, width=120),
            Column("instance", "Exporter"),
        ],
        sort_by="Up",
    )
    return Row(7, [(24, table)])
