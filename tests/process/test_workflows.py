"""The workflows: what their linters and their schema say, and that they hold no right that they do not need."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from processes import tool

import exporter

ROOT = Path(__file__).parents[2]
PATHS = sorted((ROOT / ".github" / "workflows").glob("*"))

each_workflow = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)


def parsed(name: str) -> dict[str, Any]:
    # In the YAML of version 1.1 the key `on` is the truth value; the base loader has texts only.
    text = (ROOT / ".github" / "workflows" / name).read_text(encoding="utf-8")
    workflow: dict[str, Any] = yaml.load(text, Loader=yaml.BaseLoader)
    return workflow


CI, DOCS, RELEASE = (parsed(name) for name in ("ci.yml", "docs.yml", "release.yml"))
JOBS: dict[str, dict[str, Any]] = {
    f"{workflow['name']}/{name}": job for workflow in (CI, DOCS, RELEASE) for name, job in workflow["jobs"].items()
}
STEPS = [step for job in JOBS.values() for step in job.get("steps", [])]


def beside_python(name: str) -> str:
    return tool(str(Path(sys.executable).with_name(name)))


def run(*command: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


# What others say of them.


def test_there_are_these_workflows() -> None:
    assert [path.name for path in PATHS] == ["ci.yml", "docs.yml", "release.yml"]


@pytest.mark.parametrize("schema", ["vendor.github-workflows", "custom.github-workflows-require-timeout"])
def test_they_are_what_the_schema_of_workflows_says(schema: str) -> None:
    checked = run(beside_python("check-jsonschema"), "--builtin-schema", schema, *PATHS)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_an_auditor_finds_nothing_in_them() -> None:
    audited = run(beside_python("zizmor"), "--offline", "--strict-collection", "--persona=auditor", *PATHS)
    assert audited.returncode == 0, audited.stdout + audited.stderr


@pytest.mark.parametrize("step", [step for step in STEPS if "run" in step], ids=lambda step: step["run"][:40])
def test_what_a_step_runs_is_bash_without_any_expression(step: dict[str, Any]) -> None:
    assert "${{" not in step["run"]
    checked = subprocess.run(["bash", "-n"], input=step["run"], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


# What they may.


@each_workflow
def test_every_action_is_pinned_to_a_commit_whose_version_is_told(path: Path) -> None:
    pinned = re.compile(r"[a-z-]+/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+|\./\.github/workflows/[a-z]+\.yml(?: #.*)?")
    used = re.findall(r"^ *(?:- )?uses: (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert used
    assert [use for use in used if not pinned.fullmatch(use)] == []


def test_an_action_has_one_commit_and_a_version_is_that_of_one_commit() -> None:
    texts = [path.read_text(encoding="utf-8") for path in PATHS]
    used = {use for text in texts for use in re.findall(r"uses: (\S+)@([0-9a-f]{40}) # (\S+)", text)}
    assert len({action for action, _, _ in used}) == len(used) == 13


def test_every_image_that_they_name_is_pinned_by_its_digest() -> None:
    named = [job["container"]["image"] for job in JOBS.values() if "container" in job]
    named += [step["with"]["image"] for step in STEPS if "image" in step.get("with", {})]
    own = [image for image in named if "@${{ steps.push.outputs.digest }}" in image]
    assert (len(named), len(own)) == (3, 1)
    named.remove(own[0])
    assert [image for image in named if not re.fullmatch(r"docker\.io/\S+:\S+@sha256:[0-9a-f]{64}", image)] == []


@each_workflow
def test_a_workflow_has_no_right_of_its_own(path: Path) -> None:
    assert parsed(path.name)["permissions"] == {}


def test_each_job_has_the_rights_that_it_needs() -> None:
    assert {name: job["permissions"] for name, job in JOBS.items()} == {
        "ci/test": {"contents": "read"},
        "docs/build": {"contents": "read"},
        "docs/publish": {"pages": "write", "id-token": "write"},
        "release/version": {"contents": "read"},
        "release/test": {"contents": "read"},
        "release/package": {"contents": "read"},
        "release/image": {"contents": "read", "packages": "write", "id-token": "write"},
        "release/chart": {"contents": "read", "packages": "write", "id-token": "write"},
        "release/pypi": {"id-token": "write"},
    }


def test_no_secret_is_asked_for() -> None:
    assert [path.name for path in PATHS if "secrets" in path.read_text(encoding="utf-8").replace("no secret", "")] == []


def test_no_checkout_leaves_its_token_behind() -> None:
    checkouts = [step for step in STEPS if step.get("uses", "").startswith("actions/checkout@")]
    assert [step["with"] for step in checkouts] == [{"persist-credentials": "false"}] * 6


# What a release is.


def test_the_changes_of_strangers_run_without_the_rights_of_the_project() -> None:
    assert CI["on"].keys() == {"push", "pull_request", "workflow_call"}


def test_a_tag_alone_makes_a_release_and_only_one_at_a_time() -> None:
    assert RELEASE["on"] == {"push": {"tags": ["v*"]}}
    assert RELEASE["concurrency"] == {"group": "release", "cancel-in-progress": "false"}
    assert CI["concurrency"]["group"] == "ci-${{ github.ref }}"


def test_nothing_is_pushed_before_the_tests_and_pypi_comes_last() -> None:
    needs = {name: job.get("needs", []) for name, job in RELEASE["jobs"].items()}
    assert needs == {
        "version": [],
        "test": "version",
        "package": "test",
        "image": ["version", "test"],
        "chart": ["version", "image"],
        "pypi": ["package", "image", "chart"],
    }
    assert RELEASE["jobs"]["pypi"]["environment"]["name"] == "pypi"


def test_the_image_is_for_two_architectures_with_provenance_and_a_list_of_what_is_in_it() -> None:
    (build,) = (step["with"] for step in STEPS if step.get("uses", "").startswith("docker/build-push-action@"))
    told = {key: build[key] for key in ("platforms", "provenance", "sbom", "push")}
    assert told == {"platforms": "linux/amd64,linux/arm64", "provenance": "mode=max", "sbom": "true", "push": "true"}
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    given = [line.partition("=")[0] for line in build["build-args"].splitlines()]
    assert [name for name in given if f"\nARG {name}=" not in dockerfile] == []
    registry = "${{ needs.version.outputs.registry }}"
    assert build["tags"] == f"{registry}/braket-exporter:${{{{ needs.version.outputs.version }}}}"


def test_the_owner_in_the_registry_is_in_lower_case(tmp_path: Path) -> None:
    output = tmp_path / "output"
    variables = f"export GITHUB_OUTPUT={output} GITHUB_REF_NAME=v{exporter.__version__}"
    step = step_that("registry=")
    assert run("bash", "-ceu", f"{variables} GITHUB_REPOSITORY_OWNER=Braket-Exporter\n{step}").returncode == 0
    assert output.read_text() == f"version={exporter.__version__}\nregistry=ghcr.io/braket-exporter\n"
    # The chart and the documentation look for the image and the chart under that name.
    image = yaml.safe_load((ROOT / "helm/braket-exporter/values.yaml").read_text(encoding="utf-8"))["image"]
    assert f"{image['registry']}/{image['repository']}" == "ghcr.io/braket-exporter/braket-exporter"


def test_the_image_and_the_chart_are_signed_and_have_an_sbom_by_digest() -> None:
    for name in ("image", "chart"):
        steps = "\n".join(step.get("run", "") for step in RELEASE["jobs"][name]["steps"])
        variable = name.upper()
        assert re.search(rf'cosign sign --yes (--recursive )?"\${variable}"', steps)
        assert re.search(rf'cosign attest --yes --type \w+ --predicate "[^"]+" "\${variable}"', steps)
        assert RELEASE["jobs"][name]["permissions"]["id-token"] == "write"
    assert "@${digest:?}" in step_that("helm push")


def test_the_sbom_of_the_chart_names_the_image(tmp_path: Path) -> None:
    step = step_that("CycloneDX").partition("cosign")[0]
    variables = f"export RUNNER_TEMP={tmp_path} CHART=c@sha256:1 IMAGE=i@sha256:2 VERSION=1.2.3"
    assert run("bash", "-ceu", f"{variables}\n{step}").returncode == 0
    made = json.loads((tmp_path / "chart.cdx.json").read_text())
    assert made["metadata"]["component"]["version"] == "1.2.3"
    assert made["dependencies"] == [{"ref": "c@sha256:1", "dependsOn": ["i@sha256:2"]}]


def step_that(runs: str) -> str:
    (text,) = (step["run"] for step in STEPS if runs in step.get("run", ""))
    return str(text)


def test_the_package_that_is_released_is_that_of_the_project(tmp_path: Path) -> None:
    """Run the step as it is."""
    source = tmp_path / "source"
    skipped = shutil.ignore_patterns(".git", ".venv", ".cache", "tests", "*_cache", "__pycache__", "dist")
    shutil.copytree(ROOT, source, ignore=skipped, symlinks=True)
    command = f"export RUNNER_TEMP={tmp_path}\n{step_that('hatchling')}"
    built = subprocess.run(["bash", "-ceu", command], cwd=source, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    name = f"braket_exporter-{exporter.__version__}"
    assert sorted(path.name for path in (source / "dist").iterdir()) == [f"{name}-py3-none-any.whl", f"{name}.tar.gz"]
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["name"] == "braket-exporter"


# The version.


def test_a_tag_of_the_version_is_that_version() -> None:
    told = run(ROOT / ".ci/version", f"v{exporter.__version__}")
    assert (told.stdout, told.returncode) == (f"{exporter.__version__}\n", 0)


@pytest.mark.parametrize("tag", ["v9.9.9", exporter.__version__, f"v{exporter.__version__}0", "v", "", ".1.0", "v.*"])
def test_another_tag_is_refused(tag: str) -> None:
    told = run(ROOT / ".ci/version", tag)
    assert (told.stdout, told.returncode) == ("", 1)


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("exporter/__init__.py", '__version__ = "{}"'),
        ("helm/braket-exporter/Chart.yaml", "version: {}"),
        ("helm/braket-exporter/Chart.yaml", "appVersion: {}"),
        ("Dockerfile", "ARG VERSION={}"),
    ],
)
@pytest.mark.parametrize("other", ["9.9.9", None])
def test_a_version_that_differs_or_is_missing_is_told(file: str, line: str, other: str | None, tmp_path: Path) -> None:
    for name in ("exporter/__init__.py", "helm/braket-exporter/Chart.yaml", "Dockerfile", ".ci/version"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    text = (tmp_path / file).read_text()
    old = f"\n{line.format(exporter.__version__)}\n"
    assert text.count(old) == 1
    (tmp_path / file).write_text(text.replace(old, "\n" if other is None else f"\n{line.format(other)}\n"))
    told = run(tmp_path / ".ci/version", f"v{exporter.__version__}")
    assert (told.stdout, told.returncode) == ("", 1)
    assert f"v{exporter.__version__} " in told.stderr
