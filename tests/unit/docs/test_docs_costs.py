"""docs/operate/costs.md."""

import re

from exporter.app.settings import Settings
from exporter.metrics import job_families
from scripts.docs_tables import COSTS, QUOTA, default

TEXT = COSTS.read_text(encoding="utf-8")


def test_half_of_the_quota_is_left_for_other_users() -> None:
    half = 60 * default("api_requests_per_second")
    assert half == QUOTA / 2
    assert "suffices for 6 users who wait for a job" in " ".join(TEXT.split())
    assert half // (2 * 60 / 5) == 6


def test_every_setting_named_exists() -> None:
    known = {*Settings.model_fields, *(family.name for family in job_families())}
    named = {word for word in re.findall(r"`([a-z_]+)(?::[^`]*)?`", TEXT) if "_" in word}
    assert {word for word in named if not word.startswith("braket_exporter_")} <= known
