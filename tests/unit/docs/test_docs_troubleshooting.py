"""docs/troubleshooting.md: what it says one sees is what the exporter writes, and every name in it exists."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from prometheus_client.parser import text_string_to_metric_families

from exporter.app import cli
from exporter.app.settings import Settings, TargetSettings
from exporter.core import DROP_REASONS
from exporter.metrics import all_families

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
SCHEMA = json.loads((ROOT / "docs/log.schema.json").read_text(encoding="utf-8"))
FAMILIES = {family.name: family for family in all_families()}
EVENTS = {reference["$ref"].rpartition("/")[2] for reference in SCHEMA["oneOf"]} - {"library"}
FIELDS = {field for event in EVENTS for field in SCHEMA["$defs"][event]["properties"]}
SETTINGS = {*Settings.model_fields, *TargetSettings.model_fields}
CODES = {"connection", "timeout", "credentials", "malformed", "other"}
OTHERS = {"auto", "up", "unless", "or", "vqe", "scheme", "scrape_timeout", "ca_file", "cert_file", "credential_process"}
"""Words that are PromQL's, Prometheus's, the AWS SDK's, the web configuration file's, or values."""
LINES = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)]
SECTIONS = re.findall(r"^### (.*?)\n(.*?)(?=^##|\Z)", TEXT, re.MULTILINE | re.DOTALL)


def test_every_symptom_tells_what_one_sees_why_and_what_to_do() -> None:
    assert len(SECTIONS) == 22
    for title, text in SECTIONS:
        assert re.findall(r"^\*\*(See|Why|Do)\*\*", text, re.MULTILINE) == ["See", "Why", "Do"], title


@pytest.mark.parametrize("line", LINES, ids=lambda line: line["code"])
def test_every_log_line_shown_fits_the_schema(line: dict[str, Any]) -> None:
    assert [*Draft202012Validator(SCHEMA).iter_errors(line)] == []


def test_every_name_is_one_of_a_setting_a_metric_an_event_or_a_field() -> None:
    known = {*FAMILIES, *EVENTS, *FIELDS, *SETTINGS, *CODES, *OTHERS, *DROP_REASONS, *cli.COMMANDS}
    named = set(re.findall(r"`([a-z_]+)(?:\{[^`]*\}|: [^`]*)?`", TEXT))
    assert named - known == set()
    assert {"poll_failed", "poll_interval", "braket_exporter_target_up"} <= named


def test_every_sample_shown_has_the_labels_of_its_family() -> None:
    shown = "\n".join(re.findall(r"^braket_[a-z_]+\{.*$", TEXT, re.MULTILINE))
    samples = [sample for family in text_string_to_metric_families(shown + "\n") for sample in family.samples]
    assert len(samples) == 3
    for sample in samples:
        assert set(sample.labels) == set(FAMILIES[sample.name].labels)
    for name, labels in re.findall(r"`(braket_[a-z_]+)\{([^`]*)\}`", TEXT):
        family = FAMILIES[name]
        assert set(re.findall(r"([a-z_]+)=", labels)) <= set(family.labels)


def test_every_class_of_error_named_is_one_that_the_exporter_knows() -> None:
    source = (ROOT / "exporter/aws/error_codes.py").read_text(encoding="utf-8")
    codes = set(re.findall(r"`([A-Z][A-Za-z]+(?:Exception|Expired|Match))`", TEXT))
    assert codes >= {"AccessDeniedException", "RequestExpired"}
    for code in codes - {"AccessDeniedException", "ResourceNotFoundException"}:
        assert f'"{code}"' in source, code


def shown(code: str) -> dict[str, Any]:
    by_code: dict[str, dict[str, Any]] = {line["code"]: line for line in LINES}
    return by_code[code]


def test_what_http_says_is_what_the_code_says() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "exporter/web").rglob("*.py"))
    for said in ("The first full poll is under way.", "This port speaks TLS; use https.", "Unauthorized."):
        assert said in TEXT
        assert said in source
    assert "cannot assume" in (ROOT / "exporter/aws/credential_failures.py").read_text(encoding="utf-8")
    assert "these are credentials of account" in (ROOT / "exporter/app/permission_check.py").read_text(encoding="utf-8")
