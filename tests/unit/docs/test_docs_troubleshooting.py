"""docs/operate/troubleshooting.md: what it says one sees is what the exporter writes, and every name in it exists."""

import json
import re
from pathlib import Path

import pytest

from exporter.app import cli
from exporter.app.settings import Settings, TargetSettings
from exporter.core import DROP_REASONS
from exporter.metrics import all_families

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs/operate/troubleshooting.md").read_text(encoding="utf-8")
SCHEMA = json.loads((ROOT / "docs/log.schema.json").read_text(encoding="utf-8"))
FAMILIES = {family.name: family for family in all_families()}
EVENTS = {reference["$ref"].rpartition("/")[2] for reference in SCHEMA["oneOf"]} - {"library"}
FIELDS = {field for event in EVENTS for field in SCHEMA["$defs"][event]["properties"]}
SETTINGS = {*Settings.model_fields, *TargetSettings.model_fields}
CODES = {"connection", "timeout", "credentials", "malformed", "other"}
OTHERS = {"auto", "up", "unless", "or", "scheme", "scrape_timeout", "ca_file", "cert_file", "credential_process"}
OTHERS |= {"edit", "patch", "honor_labels", "exported_aws_region", "exported_aws_account_id"}
"""Words that are PromQL's, Prometheus's, the AWS SDK's, kubectl's, the web configuration file's, or values."""
SECTIONS = re.findall(r"^### (.*?)\n(.*?)(?=^##|\Z)", TEXT, re.MULTILINE | re.DOTALL)


def test_every_symptom_has_a_cause_and_a_fix() -> None:
    assert len(SECTIONS) == 19
    for title, text in SECTIONS:
        if title != "TLS and passwords":  # a table
            assert re.findall(r"^- \*\*(See|Cause|Fix)\*\*: ", text, re.MULTILINE) == ["See", "Cause", "Fix"], title


def test_every_name_is_one_of_a_setting_a_metric_an_event_or_a_field() -> None:
    known = {*FAMILIES, *EVENTS, *FIELDS, *SETTINGS, *CODES, *OTHERS, *DROP_REASONS, *cli.COMMANDS}
    named = set(re.findall(r"`([a-z_]+)(?:\{[^`]*\}|: [^`]*)?`", TEXT))
    assert named - known == set()
    assert {"poll_failed", "poll_interval", "braket_exporter_target_up"} <= named


def test_every_series_shown_has_the_labels_of_its_family() -> None:
    samples = re.findall(r"`(braket_[a-z_]+)\{([^`]*)\}`", TEXT)
    assert samples
    for name, labels in samples:
        family = FAMILIES[name]
        assert set(re.findall(r"([a-z_]+)=", labels)) <= set(family.labels)


def test_every_class_of_error_named_is_one_that_the_exporter_knows() -> None:
    source = (ROOT / "exporter/aws/error_codes.py").read_text(encoding="utf-8")
    codes = set(re.findall(r"`([A-Z][A-Za-z]+(?:Exception|Expired|Match))`", TEXT))
    assert codes >= {"AccessDeniedException", "RequestExpired"}
    for code in codes - {"AccessDeniedException", "ResourceNotFoundException"}:
        assert f'"{code}"' in source, code


def test_what_http_says_is_what_the_code_says() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "exporter/web").rglob("*.py"))
    for said in ("The first full poll is not complete.", "This port requires TLS; use https.", "Unauthorized."):
        assert said in TEXT
        assert said in source


@pytest.mark.parametrize(
    ("said", "file"),
    [
        ("the credentials belong to account", "app/permission_check.py"),
        ("the SSO token is missing or expired", "aws/credential_failures.py"),
        ("the credentials that were returned are expired", "aws/credential_failures.py"),
    ],
)
def test_a_message_that_is_shown_is_one_of_the_code(said: str, file: str) -> None:
    assert said in TEXT
    assert said in (ROOT / "exporter" / file).read_text(encoding="utf-8")
