"""The status in an event beside the status that GetJob returned."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.core import STATUSES, is_behind, is_news

ANY = st.sampled_from([*STATUSES, "HIBERNATING", None])


@pytest.mark.parametrize(
    ("known", "reported"),
    [
        ("QUEUED", "RUNNING"),
        ("QUEUED", "COMPLETED"),
        ("RUNNING", "CANCELLING"),
        ("CANCELLING", "CANCELLED"),
        ("RUNNING", "FAILED"),
    ],
)
def test_a_later_status_is_news_and_an_earlier_one_is_not(known: str, reported: str) -> None:
    assert is_behind(known, reported)
    assert is_news(known, reported)
    assert not is_behind(reported, known)
    assert not is_news(reported, known)


@given(known=ANY)
def test_without_a_status_in_the_event_anything_may_have_changed(known: str | None) -> None:
    assert is_news(known, None)
    assert not is_behind(known, None)


@given(reported=ANY)
def test_any_event_is_news_about_a_job_that_was_never_polled(reported: str | None) -> None:
    assert is_news(None, reported)


def test_an_unknown_status_is_news_once() -> None:
    assert is_news("RUNNING", "HIBERNATING")
    assert not is_news("HIBERNATING", "HIBERNATING")
    assert is_news("HIBERNATING", "RUNNING")
    assert not is_behind("HIBERNATING", "RUNNING")


@given(known=ANY, reported=ANY)
def test_a_status_that_is_behind_is_news(known: str | None, reported: str | None) -> None:
    assert is_news(known, reported) or not is_behind(known, reported)
