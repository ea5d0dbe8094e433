"""docs/operate/api-calls.md and docs/operate/cardinality.md."""

import re
from pathlib import Path

import pytest

from exporter.app.settings import Settings
from exporter.metrics import job_families
from scripts.docs_tables import PAGES, QUOTA, TABLES, default, with_tables

pages = pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])


@pages
def test_make_docs_tables_changes_nothing(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert with_tables(text) == text


def test_every_table_is_in_a_page() -> None:
    texts = [page.read_text(encoding="utf-8") for page in PAGES]
    assert sorted(name for text in texts for name in re.findall("<!-- generated: (.*) -->", text)) == sorted(TABLES)


def test_half_of_the_quota_is_left_for_other_users() -> None:
    half = 60 * default("api_requests_per_second")
    assert half == QUOTA / 2
    assert "suffices for 6 users who wait for a job" in " ".join(PAGES[0].read_text(encoding="utf-8").split())
    assert half // (2 * 60 / 5) == 6


@pages
def test_every_setting_named_exists(page: Path) -> None:
    known = {*Settings.model_fields, *(family.name for family in job_families())}
    named = {word for word in re.findall(r"`([a-z_]+)(?::[^`]*)?`", page.read_text(encoding="utf-8")) if "_" in word}
    assert {word for word in named if not word.startswith("braket_exporter_")} <= known
