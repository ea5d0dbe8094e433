"""The text and the colour of each panel in three states: nothing wrong, no exporter, no such job."""

from typing import Final

from shown import VALUE, Shown

from grafana.colours import NO_STATUS, STATUS_COLOURS

BAD: Final = STATUS_COLOURS["FAILED"]
GOOD: Final = STATUS_COLOURS["COMPLETED"]

TEXTS: Final = {
    ("fleet", "Exporters"): (Shown(VALUE, GOOD), Shown(VALUE, BAD), Shown(VALUE, GOOD)),
    ("fleet", "Firing alerts"): (Shown(VALUE, GOOD), Shown("No rules", "text"), Shown(VALUE, GOOD)),
    ("fleet", "Running"): (Shown(VALUE, "text"), Shown("No exporter", "text"), Shown(VALUE, "text")),
    ("fleet", "Queued"): (Shown(VALUE, "text"), Shown("No exporter", "text"), Shown(VALUE, "text")),
    ("fleet", "Failed"): (Shown(VALUE, "text"), Shown("No exporter", "text"), Shown(VALUE, "text")),
    ("fleet", "Out of time"): (Shown(VALUE, "text"), Shown("No exporter", "text"), Shown(VALUE, "text")),
    ("fleet", "Success rate"): (Shown(VALUE, GOOD), Shown("No exporter", "text"), Shown(VALUE, GOOD)),
    ("fleet", "Failing targets"): (Shown(VALUE, GOOD), Shown("No exporter", "text"), Shown(VALUE, GOOD)),
    ("fleet", "Problems by kind"): (
        Shown("No problems", "text"),
        Shown("No exporter", BAD),
        Shown("No problems", "text"),
    ),
    ("fleet", "Failures by category"): (
        Shown("No failures", "text"),
        Shown("No exporter", BAD),
        Shown("No failures", "text"),
    ),
    ("fleet", "Problems"): (Shown("No problems", "text"), Shown("No exporter", BAD), Shown("No problems", "text")),
    ("fleet", "Ended jobs"): (Shown(VALUE, "series"), Shown("No jobs, or no exporter", "text"), Shown(VALUE, "series")),
    ("fleet", "Active jobs"): (
        Shown(VALUE, "series"),
        Shown("No jobs, or no exporter", "text"),
        Shown(VALUE, "series"),
    ),
    ("fleet", "Devices"): (Shown(VALUE, "cells"), Shown("No exporter", BAD), Shown(VALUE, "cells")),
    ("fleet", "Device status history"): (
        Shown("ONLINE", GOOD),
        Shown("No devices, or no exporter", NO_STATUS),
        Shown("ONLINE", GOOD),
    ),
    ("fleet", "Device queues"): (Shown(VALUE, "cells"), Shown("No exporter", BAD), Shown(VALUE, "cells")),
    ("fleet", "Spending limits"): (Shown(VALUE, "cells"), Shown("No exporter", BAD), Shown(VALUE, "cells")),
    ("fleet", "Where the time goes"): (Shown(VALUE, "cells"), Shown("No exporter", BAD), Shown(VALUE, "cells")),
    ("fleet", "Team totals"): (Shown(VALUE, "cells"), Shown("No exporter", BAD), Shown(VALUE, "cells")),
    ("fleet", "Teams"): (Shown("No ended jobs", "text"), Shown("No exporter", BAD), Shown("No ended jobs", "text")),
    ("fleet", "Queue time p95"): (
        Shown(VALUE, "series"),
        Shown("No jobs started, or no exporter", "text"),
        Shown(VALUE, "series"),
    ),
    ("fleet", "Run time p95"): (
        Shown(VALUE, "series"),
        Shown("No jobs ended, or no exporter", "text"),
        Shown(VALUE, "series"),
    ),
    ("fleet", "Billed time by device"): (Shown(VALUE, "cells"), Shown("No exporter", BAD), Shown(VALUE, "cells")),
    ("fleet", "Billed time by instance"): (Shown(VALUE, "cells"), Shown("No exporter", BAD), Shown(VALUE, "cells")),
    ("fleet", "Billed time by team"): (
        Shown("No billed time", "text"),
        Shown("No exporter", BAD),
        Shown("No billed time", "text"),
    ),
    ("fleet", "Newest jobs"): (Shown(VALUE, "cells"), Shown("No exporter", BAD), Shown(VALUE, "cells")),
    ("fleet", "Longest queued jobs"): (
        Shown("No queued jobs", "text"),
        Shown("No exporter", "text"),
        Shown("No queued jobs", "text"),
    ),
    ("job", "Status"): (
        Shown("RUNNING", STATUS_COLOURS["RUNNING"]),
        Shown("Unknown job", "text"),
        Shown("Unknown job", "text"),
    ),
    ("job", "Queue position"): (
        Shown("Not queued", "text"),
        Shown("Unknown job", "text"),
        Shown("Unknown job", "text"),
    ),
    ("job", "Time left"): (Shown(VALUE, "text"), Shown("Unknown job", "text"), Shown("Unknown job", "text")),
    ("job", "Run time used"): (Shown(VALUE, GOOD), Shown("Unknown job", "text"), Shown("Unknown job", "text")),
    ("job", "Billed time"): (Shown("Not reported", "text"), Shown("Unknown job", "text"), Shown("Unknown job", "text")),
    ("job", "Failure"): (Shown("None", "text"), Shown("Unknown job", "text"), Shown("Unknown job", "text")),
    ("job", "GetJob errors"): (Shown("None", "text"), Shown("Unknown job", "text"), Shown("Unknown job", "text")),
    ("job", "Data age"): (Shown(VALUE, GOOD), Shown("Unknown job", "text"), Shown("Unknown job", "text")),
    ("job", "Status history"): (
        Shown("RUNNING", STATUS_COLOURS["RUNNING"]),
        Shown("No data", NO_STATUS),
        Shown("No data", NO_STATUS),
    ),
    ("job", "Why it waits"): (Shown(VALUE, "cells"), Shown("Unknown job", "text"), Shown("Unknown job", "text")),
    ("job", "Job details"): (Shown(VALUE, "cells"), Shown("Unknown job", "text"), Shown("Unknown job", "text")),
    ("job", "Events"): (Shown(VALUE, "cells"), Shown("Unknown job", "text"), Shown("Unknown job", "text")),
    ("job", "Phases"): (Shown(VALUE, "cells"), Shown("Unknown job", "text"), Shown("Unknown job", "text")),
    ("job", "Queue position history"): (
        Shown("Not queued, or unknown job", "text"),
        Shown("Not queued, or unknown job", "text"),
        Shown("Not queued, or unknown job", "text"),
    ),
    ("job", "Run time history"): (
        Shown(VALUE, "series"),
        Shown("Not started, or unknown job", "text"),
        Shown("Not started, or unknown job", "text"),
    ),
    ("exporter", "Exporters"): (Shown(VALUE, GOOD), Shown(VALUE, BAD), Shown(VALUE, GOOD)),
    ("exporter", "Firing alerts"): (Shown(VALUE, GOOD), Shown("No rules", "text"), Shown(VALUE, GOOD)),
    ("exporter", "Failing targets"): (Shown(VALUE, GOOD), Shown("No exporter", "text"), Shown(VALUE, GOOD)),
    ("exporter", "Data age"): (Shown(VALUE, GOOD), Shown("No exporter", "text"), Shown(VALUE, GOOD)),
    ("exporter", "API budget used"): (Shown(VALUE, GOOD), Shown("No exporter", "text"), Shown(VALUE, GOOD)),
    ("exporter", "Throttled calls"): (Shown(VALUE, GOOD), Shown("No exporter", "text"), Shown(VALUE, GOOD)),
    ("exporter", "Settings reload"): (
        Shown("Successful", GOOD),
        Shown("No exporter", "text"),
        Shown("Successful", GOOD),
    ),
    ("exporter", "State file"): (
        Shown("Not configured", "text"),
        Shown("No exporter", "text"),
        Shown("Not configured", "text"),
    ),
    ("exporter", "Exporter details"): (Shown(VALUE, "cells"), Shown("No exporter", BAD), Shown(VALUE, "cells")),
    ("exporter", "Targets"): (Shown(VALUE, "cells"), Shown("No exporter", BAD), Shown(VALUE, "cells")),
    ("exporter", "API budget history"): (Shown(VALUE, "series"), Shown("No exporter", "text"), Shown(VALUE, "series")),
    ("exporter", "API errors"): (Shown(VALUE, "series"), Shown("No exporter", "text"), Shown(VALUE, "series")),
    ("exporter", "Data age history"): (
        Shown(VALUE, "series"),
        Shown("No active jobs, or no exporter", "text"),
        Shown(VALUE, "series"),
    ),
    ("exporter", "Poll duration"): (Shown(VALUE, "series"), Shown("No exporter", "text"), Shown(VALUE, "series")),
    ("exporter", "API call duration"): (
        Shown(VALUE, "series"),
        Shown("No calls, or no exporter", "text"),
        Shown(VALUE, "series"),
    ),
    ("exporter", "Drops"): (Shown(VALUE, "series"), Shown("No exporter", "text"), Shown(VALUE, "series")),
    ("exporter", "Unexpected responses"): (
        Shown(VALUE, "series"),
        Shown("No exporter", "text"),
        Shown(VALUE, "series"),
    ),
    ("exporter", "Event queue"): (
        Shown("Not configured", "text"),
        Shown("No exporter", "text"),
        Shown("Not configured", "text"),
    ),
    ("exporter", "Events"): (
        Shown("No event queue, or no exporter", "text"),
        Shown("No event queue, or no exporter", "text"),
        Shown("No event queue, or no exporter", "text"),
    ),
    ("exporter", "Event delay"): (
        Shown("No event queue, or no exporter", "text"),
        Shown("No event queue, or no exporter", "text"),
        Shown("No event queue, or no exporter", "text"),
    ),
    ("exporter", "Transitions found"): (
        Shown("No event queue, or no exporter", "text"),
        Shown("No event queue, or no exporter", "text"),
        Shown("No event queue, or no exporter", "text"),
    ),
    ("exporter", "Last receive"): (
        Shown("No event queue, or no exporter", "text"),
        Shown("No event queue, or no exporter", "text"),
        Shown("No event queue, or no exporter", "text"),
    ),
    ("exporter", "Scrape duration"): (Shown(VALUE, "series"), Shown("No exporter", "text"), Shown(VALUE, "series")),
    ("exporter", "Samples per scrape"): (Shown(VALUE, "series"), Shown("No exporter", "text"), Shown(VALUE, "series")),
    ("exporter", "Memory"): (Shown(VALUE, "series"), Shown("No exporter", "text"), Shown(VALUE, "series")),
    ("exporter", "CPU"): (Shown(VALUE, "series"), Shown("No exporter", "text"), Shown(VALUE, "series")),
    ("exporter", "State age"): (
        Shown("No state file, or no exporter", "text"),
        Shown("No state file, or no exporter", "text"),
        Shown("No state file, or no exporter", "text"),
    ),
    ("exporter", "State size"): (
        Shown("No state file, or no exporter", "text"),
        Shown("No state file, or no exporter", "text"),
        Shown("No state file, or no exporter", "text"),
    ),
}
