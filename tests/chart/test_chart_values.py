"""values.yaml, README.md and Chart.yaml: documented and up to date."""

import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from chart_support import CHART, LABELS, run

import exporter
from exporter.app.settings import Settings, format_default
from scripts.chart_defaults import defaults

VALUES = (CHART / "values.yaml").read_text(encoding="utf-8")
META = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))


def test_the_charts_versions_are_the_projects() -> None:
    assert META["version"] == exporter.__version__
    assert META["appVersion"] == exporter.__version__
    assert LABELS["app.kubernetes.io/version"] == exporter.__version__


def test_the_table_of_values_is_up_to_date(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    shutil.copy(CHART / "README.md", readme)
    done = run("readme-generator", "--values", CHART / "values.yaml", "--readme", readme)
    assert done.returncode == 0, done.stdout + done.stderr
    assert readme.read_text(encoding="utf-8") == (CHART / "README.md").read_text(encoding="utf-8"), "run make chart"


def test_the_defaults_that_templates_read_are_up_to_date() -> None:
    assert (CHART / "files" / "defaults.yaml").read_text(encoding="utf-8") == defaults(), "run make chart"


def test_every_value_has_its_row() -> None:
    rows = re.findall(r"^\| `([\w.]+)` ", (CHART / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    described = re.findall(r"^ *## @(?:param|extra) (\S+)", VALUES, re.MULTILINE)
    assert rows == described
    assert len(rows) == len(set(rows)) > 120


CHARTS_OWN = {"listen_address", "shard", "state_file", "total_shards", "web_config_file"}


@pytest.mark.parametrize("key", sorted(CHARTS_OWN))
def test_settings_that_the_chart_controls_are_not_values(key: str) -> None:
    assert f"@extra config.{key} " not in VALUES


@pytest.mark.parametrize("key", [key for key in Settings.model_fields if key not in CHARTS_OWN])
def test_a_setting_is_documented_as_in_the_code(key: str) -> None:
    found = re.search(rf"^## @extra config\.{key} (.*)$", VALUES, re.MULTILINE)
    assert found is not None
    meaning, default = Settings.model_fields[key].description, format_default(key)
    written = f"{meaning} (default: {default})" if default else str(meaning)
    assert found[1].replace("`", "").replace("\\", "").lower() == written.lower()


def switches(values: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, bool]]:
    """Yield each ``enabled`` with its place."""
    for key, value in values.items():
        if key == "enabled":
            yield path, value
        elif isinstance(value, dict):
            yield from switches(value, f"{path}.{key}".lstrip("."))


def test_everything_is_enabled_in_everything_yaml() -> None:
    everything = yaml.safe_load((Path(__file__).parent / "values" / "everything.yaml").read_text(encoding="utf-8"))
    off = {path for path, enabled in switches(yaml.safe_load(VALUES)) if not enabled}
    assert off == {path for path, enabled in switches(everything) if enabled}
    assert len(off) == 10
