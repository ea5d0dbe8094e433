"""Whatever may be known of a job, for hypothesis."""

from hypothesis import strategies as st

from exporter.model import EventKey, JobEvent, JobRecord, JobSnapshot

TEXT = st.text(max_size=5)
SECONDS = st.floats(allow_nan=False, allow_infinity=False)
TIME = st.none() | SECONDS
COUNT = st.none() | st.integers()
PAIRS = st.lists(st.tuples(TEXT, TEXT), max_size=2).map(tuple)
KEYS = st.builds(EventKey, st.none() | TEXT, TIME)
SNAPSHOTS = st.builds(
    JobSnapshot,
    arn=TEXT,
    name=TEXT,
    status=TEXT,
    account=TEXT,
    region=TEXT,
    device=TEXT,
    instance_type=TEXT,
    instance_count=COUNT,
    max_runtime_seconds=COUNT,
    created=TIME,
    started=TIME,
    ended=TIME,
    billable_seconds=TIME,
    queue_position=COUNT,
    queue_position_is_floor=st.booleans(),
    failure_reason=st.none() | TEXT,
    events=st.lists(st.builds(JobEvent, KEYS, TEXT), max_size=3).map(tuple),
    tags=PAIRS,
    unknown=PAIRS,
)
RECORDS = st.builds(
    JobRecord,
    arn=TEXT,
    snapshot=st.none() | SNAPSHOTS,
    events=st.lists(KEYS, max_size=3).map(tuple),
    counted=st.lists(TEXT, max_size=2).map(tuple),
    polled_at=TIME,
    failing=st.none() | TEXT,
    unknown=PAIRS,
    sighted=st.none() | TEXT,
    named=st.booleans(),
    since=SECONDS,
    lane=TEXT,
)
