"""The chart's package: metadata for Artifact Hub, licence, and values for chart-testing."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from chart_support import CHART, IMAGE, ROOT, render_file, run

META: dict[str, Any] = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
PROJECT = "https://github.com/braket-exporter/braket-exporter"
CI_VALUES = sorted((CHART / "ci").glob("*-values.yaml"))


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("package")
    assert run("helm4", "package", CHART, "--destination", folder).returncode == 0
    subprocess.run(["tar", "-xzf", next(folder.glob("*.tgz")), "-C", folder], check=True)
    return folder / "braket-exporter"


def test_the_package_has_its_licence_and_no_values_for_tests(package: Path) -> None:
    assert (package / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert not (package / "ci").exists()
    assert (package / "README.md").read_bytes() == (CHART / "README.md").read_bytes()


def test_every_link_of_the_packaged_readme_is_absolute(package: Path) -> None:
    targets = re.findall(r"\]\(([^)]*)\)", (package / "README.md").read_text(encoding="utf-8"))
    assert len(targets) >= 3
    assert [target for target in targets if not target.startswith("https://")] == []


def test_artifact_hub_finds_the_image_the_licence_and_links_to_pages_that_exist() -> None:
    annotations = META["annotations"]
    (image,) = yaml.safe_load(annotations["artifacthub.io/images"])
    assert image["image"] == IMAGE
    assert annotations["artifacthub.io/license"] in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    urls = [link["url"] for link in yaml.safe_load(annotations["artifacthub.io/links"])]
    pages = [url.removeprefix(f"{PROJECT}/blob/main/") for url in urls if "/blob/main/" in url]
    assert len(pages) == 2
    assert [page for page in pages if not (ROOT / page).exists()] == []


def test_the_icon_is_in_the_documentation() -> None:
    raw = "https://raw.githubusercontent.com/braket-exporter/braket-exporter/main/"
    assert (ROOT / META["icon"].removeprefix(raw)).read_text(encoding="utf-8").startswith("<svg ")


def test_the_owner_of_the_repository_is_the_maintainer() -> None:
    repository = yaml.safe_load((CHART.parent / "artifacthub-repo.yml").read_text(encoding="utf-8"))
    assert [owner["name"] for owner in repository["owners"]] == [one["name"] for one in META["maintainers"]]


@pytest.mark.parametrize("path", CI_VALUES, ids=lambda path: path.stem)
def test_chart_testing_needs_no_custom_resources(path: Path) -> None:
    groups = {manifest["apiVersion"].rpartition("/")[0] for manifest in render_file(path)}
    assert groups <= {"", "apps", "networking.k8s.io", "policy"}


def test_chart_testing_covers_both_workloads_and_the_dashboards() -> None:
    kinds = {manifest["kind"] for path in CI_VALUES for manifest in render_file(path)}
    assert kinds >= {"Deployment", "StatefulSet", "ConfigMap", "Ingress", "NetworkPolicy"}
