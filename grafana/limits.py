"""Spending limits, and the phases of the jobs that ended."""

from typing import Final

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import Panel

from grafana.colours import BAD, GOOD, NEUTRAL, WARNING
from grafana.dashboards import Row
from grafana.panels import COUNT, Query, Texts
from grafana.queries import by_device, increase, listed, of_fleet, with_device_name
from grafana.tables import DURATION, SHARE, Column, rows

_USD: Final = "currencyUSD"
_NEAR_THE_LIMIT: Final = 0.8
_PERIOD: Final[Texts] = {0: ("not started", NEUTRAL), 1: ("active", GOOD), 2: ("over", BAD)}

_PHASE_SECONDS: Final = "braket_job_phase_seconds_total"
_PHASES: Final = ("queued", "starting", "downloading", "running", "uploading", "deprioritized")


def spending_limits() -> Row:
    """Build the row of spending limits."""

    def limit(part: str) -> str:
        return of_fleet(f"braket_spending_limit_{part}", "spending_limit")

    amount, spent, queued = (limit(part) for part in ("usd", "spent_usd", "queued_usd"))
    start, end = (limit(f"{part}_timestamp_seconds") for part in ("start", "end"))
    table = rows(
        "Spending limits",
        "Spending limits of the accounts for quantum tasks. Left: the limit minus the spent and the queued amount. "
        "Braket rejects a task that costs more, and each task outside the period.",
        Query(listed(f"sort({with_device_name(f'{amount} - {spent} - ({queued} or 0 * {amount})')})", *_NOTHING)),
        *(
            Query(with_device_name(query))
            for query in (
                amount,
                spent,
                queued,
                f"{spent} / {amount} >= 0",
                f"(time() >= bool {start}) + (time() >= bool {end})",
                f"1000 * {end}",
            )
        ),
        columns=[
            Column("device_name", "Device", colours={}),
            Column("spending_limit", "Spending limit", width=270),
            Column("aws_account_id", "Account", width=120),
            Column("aws_region", "Region", width=105),
            Column("Value #B", "Limit", unit=_USD, decimals=2, width=100),
            Column("Value #C", "Spent", unit=_USD, decimals=2, width=100),
            Column("Value #D", "Queued", unit=_USD, decimals=2, width=100),
            Column("Value #A", "Left", unit=_USD, decimals=2, width=100),
            Column("Value #E", "Share", unit=SHARE, decimals=1, width=75, steps=_SHARE),
            Column("Value #F", "Period", unit=COUNT, width=90, texts=_PERIOD),
            Column("Value #G", "End", unit="dateTimeFromNow", width=130),
        ],
    )
    return Row(6, [(24, table)], "Spending limits")


_NOTHING: Final = ("device_name", "No spending limits")
_SHARE: Final = ((None, GOOD), (_NEAR_THE_LIMIT, WARNING), (1, BAD))


def phases() -> Builder[Panel]:
    """Build the table of phases by device."""
    total = by_device(increase(_PHASE_SECONDS, "phase"))
    each = [by_device(increase(_PHASE_SECONDS, where=f'phase="{phase}"')) for phase in _PHASES]
    jobs = by_device(increase("braket_job_phases_total", where='phase="running"'))
    return rows(
        "Where the time goes",
        "Time in each phase of the jobs that ended in the time range. Own code: the share of the phase running. Jobs: "
        "the number of jobs that had this phase.",
        Query(listed(f"sort_desc({total} > 0)", "device_name", "No ended jobs")),
        *(Query(f"{phase} > 0") for phase in each),
        Query(f"{each[_PHASES.index('running')]} / {total} >= 0"),
        Query(f"{jobs} > 0"),
        columns=[
            Column("device_name", "Device", colours={}),
            *(
                Column(f"Value #{letter}", phase.capitalize(), unit=DURATION, decimals=1, width=width)
                for letter, phase, width in zip("BCDEFG", _PHASES, (72, 74, 100, 74, 84, 106), strict=True)
            ),
            Column("Value #H", "Own code", unit=SHARE, decimals=0, width=80),
            Column("Value #I", "Jobs", unit=COUNT, decimals=0, width=54),
        ],
    )
