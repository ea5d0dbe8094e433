"""docs/get-started/kubernetes.md and the chart's README: examples, links and commands."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from chart_support import CHART, ROOT, of_kind, render

from exporter.web.http.web_config import parse_web_config

REPOSITORY = "https://github.com/braket-exporter/braket-exporter/blob/main/"
PAGES = (ROOT / "docs" / "get-started" / "kubernetes.md", CHART / "README.md")
BLOCKS = {
    name: text
    for page in PAGES
    for name, text in re.findall(r"```yaml\n# (\S+)\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
}
OTHER_FILES = {"web-config.yaml": BLOCKS.pop("web-config.yaml")}
"""Examples other than values."""

EXPORTER = {"ServiceAccount", "ConfigMap", "Service", "Deployment", "Pod"}
KINDS = {
    "irsa.yaml": EXPORTER,
    "events.yaml": EXPORTER,
    "monitor.yaml": EXPORTER | {"ServiceMonitor"},
    "tls.yaml": EXPORTER | {"ServiceMonitor"},
    "alerts.yaml": EXPORTER | {"PrometheusRule"},
    "state.yaml": EXPORTER | {"PersistentVolumeClaim"},
    "monitoring-only.yaml": {"ConfigMap", "PrometheusRule"},
    "resources.yaml": EXPORTER,
    "my-values.yaml": EXPORTER | {"ServiceMonitor", "PrometheusRule"},
}


def values(name: str) -> dict[str, Any]:
    return dict(yaml.safe_load(BLOCKS[name]))


def test_every_example_is_one_of_these() -> None:
    assert BLOCKS.keys() == KINDS.keys()
    written = sum(page.read_text(encoding="utf-8").count("```yaml") for page in PAGES)
    assert written == len(BLOCKS) + len(OTHER_FILES)


@pytest.mark.parametrize("name", KINDS)
def test_an_example_can_be_installed(name: str) -> None:
    assert {manifest["kind"] for manifest in render(values(name))} == KINDS[name]


def test_all_examples_can_be_used_together_except_the_one_without_the_exporter() -> None:
    merged: dict[str, Any] = {}
    for name in ("irsa.yaml", "monitor.yaml", "alerts.yaml", "state.yaml", "resources.yaml"):
        merged |= values(name)
    assert len(of_kind(render(merged), "Deployment")) == 1


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_link_has_a_page_and_a_heading(page: Path) -> None:
    text = page.read_text(encoding="utf-8").replace(f"]({REPOSITORY}", f"]({ROOT}/")
    links = re.findall(r"\]\((?!https?://)([^)#]*)#?([^)]*)\)", text)
    assert links
    for target, anchor in links:
        path = (page.parent / target).resolve()
        assert path.is_relative_to(ROOT)
        headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        slugs = {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}
        assert not anchor or anchor in slugs, (target, anchor)


def test_the_command_that_checks_permissions_is_in_the_image() -> None:
    assert "/opt/braket-exporter/bin/braket-exporter check-config --online" in PAGES[0].read_text(encoding="utf-8")
    assert "/opt/braket-exporter/bin" in (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_the_exporter_understands_the_web_configuration_file_that_is_shown() -> None:
    text = OTHER_FILES["web-config.yaml"].replace("$2y$10$...", "$2y$10$" + "a" * 21 + "u" + "a" * 31)
    config = parse_web_config(text, "/etc/braket-exporter-web")
    assert config.tls is not None
    assert config.tls.cert_file == "/etc/braket-exporter-web/tls.crt"
    assert config.users.keys() == {"prometheus"}
