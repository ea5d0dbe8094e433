"""Whatever may be known of a job or come from the wire, for hypothesis."""

from datetime import UTC
from typing import Any

from builders import ARN
from hypothesis import strategies as st

from exporter.core import EVENT_TYPES, STATUSES, EventKey, JobEvent, JobRecord, JobSnapshot

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
    reservation_arn=st.none() | TEXT,
    queue=TEXT,
    queue_message=TEXT,
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
    first_listed_status=st.none() | TEXT,
    configured=st.booleans(),
    baseline_at=SECONDS,
    owner=TEXT,
)

# The wire.

ANY_TEXT = st.text(st.characters(), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=10,
)


def mostly(right: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(right, right, right, right, st.none(), JSON)


TIMES = st.one_of(
    st.datetimes(timezones=st.none() | st.just(UTC)).map(lambda moment: moment.isoformat()),
    st.integers(-(10**18), 10**18),
    st.floats(),
)
COUNTS = st.integers(-5, 2**60) | st.floats()
EVENTS = st.lists(
    mostly(
        st.fixed_dictionaries(
            {},
            optional={
                "eventType": mostly(st.sampled_from(EVENT_TYPES)),
                "timeOfEvent": mostly(TIMES),
                "message": mostly(ANY_TEXT),
            },
        )
    ),
    max_size=5,
)
ANSWERS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"status": mostly(st.sampled_from(STATUSES))},
    optional={
        "jobArn": mostly(st.just(ARN)),
        "jobName": mostly(ANY_TEXT),
        "createdAt": mostly(TIMES),
        "startedAt": mostly(TIMES),
        "endedAt": mostly(TIMES),
        "billableDuration": mostly(COUNTS),
        "failureReason": mostly(ANY_TEXT),
        "instanceConfig": mostly(st.fixed_dictionaries({"instanceType": ANY_TEXT, "instanceCount": mostly(COUNTS)})),
        "stoppingCondition": mostly(st.fixed_dictionaries({"maxRuntimeInSeconds": COUNTS})),
        "deviceConfig": mostly(st.fixed_dictionaries({"device": mostly(ANY_TEXT)})),
        "queueInfo": mostly(st.fixed_dictionaries({"position": mostly(ANY_TEXT | COUNTS)})),
        "tags": mostly(st.dictionaries(st.sampled_from(["team", "owner"]) | ANY_TEXT, mostly(ANY_TEXT), max_size=3)),
        "events": mostly(EVENTS),
    },
)

LONG = st.builds(lambda text, times: text * times, st.text(st.characters(), min_size=1, max_size=3), st.just(20_000))
"""Texts that are too long."""

NOT_OBJECTS: list[tuple[object, str]] = [
    (None, "null"),
    ([], "a list"),
    ("text", "text"),
    (5, "a number"),
    (1.5, "a number"),
    (True, "a boolean"),
    ([{"status": "RUNNING"}], "a list"),
]
"""JSON values that are not objects, each with the name of its type."""
