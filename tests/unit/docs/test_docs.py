"""The documentation says what the code does: each name of the public interface stands in it, with its true values."""

import ast
import json
import re
from pathlib import Path
from typing import Final

import pytest
import yaml

from exporter import __version__
from exporter.app import cli
from exporter.app.cost_estimate import Demand, predict
from exporter.app.daemon import MAINTENANCE_INTERVAL
from exporter.app.load_settings import load
from exporter.app.settings import Settings
from exporter.core import DROP_REASONS, JobRecord
from exporter.metrics import all_families, job_families
from exporter.web.http import connection, crowd, reception, server, translation
from exporter.web.http.web_config import MAX_COST, parse_web_config
from exporter.web.jobs_api import job_document
from scripts import docs_tables

ROOT = Path(__file__).parents[3]
PAGES = sorted(path for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")) if path.parent.name != "runbooks")
EVERY_FAMILY = all_families()


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


DEVELOPMENT = page("docs/contribute/development.md")
LOG_SCHEMA = json.loads(page("docs/log.schema.json"))


@pytest.mark.parametrize("path", docs_tables.PAGES, ids=lambda path: path.name)
def test_make_docs_tables_changes_nothing(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert docs_tables.with_tables(text) == text


def test_every_generated_table_is_in_one_page() -> None:
    found = [
        name for path in PAGES for name in re.findall("<!-- generated: (.*) -->", path.read_text(encoding="utf-8"))
    ]
    assert sorted(found) == sorted(docs_tables.TABLES)


def test_the_tables_have_a_row_for_each_metric_and_each_setting() -> None:
    metrics = re.findall(r"^\| `(braket_[a-z_]+)` \|", page("docs/use/metrics.md"), re.MULTILINE)
    assert metrics == [family.name for family in EVERY_FAMILY]
    settings = re.findall(
        r"^\| `([a-z_]+)` \| (?:none|`[^`]*`) \|", page("docs/operate/configuration.md"), re.MULTILINE
    )
    assert settings == list(Settings.model_fields)


def test_no_metric_is_documented_that_does_not_exist() -> None:
    names = {family.name for family in EVERY_FAMILY}
    names |= {f"{family.name}_bucket" for family in EVERY_FAMILY if family.type == "histogram"}
    for path in PAGES:
        found = set(re.findall(r"(?<![\w:])braket_[a-z_]+[a-z]\b", path.read_text(encoding="utf-8")))
        assert found - names == set(), path.name


def test_each_log_event_of_the_code_is_documented_and_each_documented_one_is_in_the_code() -> None:
    documented = set(re.findall(r"^\| `([a-z_]+)` \|", page("docs/use/logs.md"), re.MULTILINE))
    assert documented == set().union(*(logged_events(path) for path in (ROOT / "exporter").rglob("*.py")))


def test_the_name_of_a_log_event_is_found_whatever_it_is(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(
        'self._logger.info("new_name", job_arn="a")\n'
        'self._logger.log(level, "other", **fields)\n'
        'logger.warning("third")\n'
        'self._texts.error("no_event")\n'
    )
    assert logged_events(path) == {"new_name", "other", "third"}


def logged_events(path: Path) -> set[str]:
    """Return the events that a module logs: the first text among the arguments of each call of a logger."""
    calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    events = set()
    for call in calls:
        method = call.func
        if isinstance(method, ast.Attribute) and method.attr in LOGGING and LOGGER.search(ast.unparse(method.value)):
            values = [text.value for text in call.args if isinstance(text, ast.Constant)]
            events.update([value for value in values if isinstance(value, str)][:1])
    return events


LOGGING: Final = {"debug", "info", "warning", "error", "critical", "exception", "log"}
LOGGER: Final = re.compile(r"\b_?logger$")


def test_each_field_of_the_jobs_api_is_documented() -> None:
    (row,) = re.findall(r"^\| `/api/v1/jobs` \|.*$", page("docs/operate/configuration.md"), re.MULTILINE)
    page_fields = [name for name in job_document(JobRecord(JOB)) if name not in TRANSITION_FIELDS]
    assert len(page_fields) > 10
    assert [name for name in page_fields if f"`{name}`" not in row] == []


JOB: Final = "arn:aws:braket:us-west-2:123456789012:job/0a1b2c3d-0000-4000-8000-000000000001"
TRANSITION_FIELDS: Final = set(LOG_SCHEMA["$defs"]["job_transition"]["properties"])


def test_each_command_is_documented() -> None:
    section = page("docs/operate/configuration.md").partition("\n## Commands\n")[2].partition("\n## ")[0]
    documented = re.findall(r"^\| `([a-z-]+)`(?: \(default\))? \|", section, re.MULTILINE)
    assert documented == [*cli.COMMANDS]


def test_the_sample_settings_file_is_valid_and_has_every_key(tmp_path: Path) -> None:
    sample = re.search(r"```yaml\n(# exporter\.yaml\n.*?)```", page("docs/operate/configuration.md"), re.DOTALL)
    assert sample is not None
    assert {*yaml.safe_load(sample[1]), "targets"} == {*Settings.model_fields}
    path = tmp_path / "exporter.yaml"
    path.write_text(sample[1])
    settings = load({}, {}, str(path))
    assert settings.poll_interval == 15.0
    assert (len(settings.jobs), len(settings.tags), len(settings.regions)) == (2, 3, 2)


def test_the_sample_of_several_accounts_is_good(tmp_path: Path) -> None:
    sample = re.search(r"```yaml\n(# accounts\.yaml\n.*?)```", page("docs/operate/configuration.md"), re.DOTALL)
    assert sample is not None
    path = tmp_path / "accounts.yaml"
    path.write_text(sample[1])
    assert [target.name for target in load({}, {}, str(path)).targets] == ["chemistry", "sandbox"]


def examples(name: str, title: str) -> list[str]:
    return re.findall(rf"```yaml\n(# {re.escape(title)}\n.*?)```", page(name), re.DOTALL)


def test_the_sample_web_configuration_is_good() -> None:
    (sample,) = examples("docs/operate/tls.md", "web.yml")
    config = parse_web_config(sample, "/etc")
    assert config.tls is not None
    assert (config.tls.cert_file, config.tls.client_auth_type, config.tls.min_version) == (
        "/etc/server.crt",
        "RequireAndVerifyClientCert",
        "TLS13",
    )
    assert [*config.users] == ["prometheus"]


def test_the_documented_limits_are_the_servers() -> None:
    text = page("docs/operate/tls.md")
    assert f"closed after {connection.HANDSHAKE_TIMEOUT:.0f} seconds each" in text
    assert connection.HANDSHAKE_TIMEOUT == connection.REQUEST_TIMEOUT
    assert f"| closed after {connection.IDLE_TIMEOUT:.0f} seconds |" in text
    assert f"| closed after {connection.RESPONSE_TIMEOUT:.0f} seconds |" in text
    assert f"larger than {translation.MAX_HEADER_BYTES // 1024} KiB" in text
    assert f"| more than {crowd.MAX_CONNECTIONS} connections |" in text
    assert f"below {crowd.MAX_CONNECTIONS + crowd.RESERVED_DESCRIPTORS}" in text
    assert f"it leaves {crowd.RESERVED_DESCRIPTORS} descriptors" in text
    assert f"more than {reception.MAX_RENDERED} scrapes" in text
    assert f"up to {reception.RENDER_WAIT:.0f} seconds, then get 503" in text
    assert f"While {reception.MAX_CHECKS} logins wait" in text
    assert f"have {server.STOP_TIMEOUT:.0f} seconds to finish" in text.replace("\n", " ")
    assert f"checks the file and its certificates every {MAINTENANCE_INTERVAL:.0f} seconds" in text
    assert f"a cost from 4 to {MAX_COST};" in text


def test_the_documented_share_of_the_budget_is_the_planners() -> None:
    found = [Demand(0, discovers=True)]
    cost = predict(found, interval=30.0, discovery_interval=60.0, rate=2.5, max_jobs=1, families=())
    assert cost.alone == 60
    assert "Above 60 active jobs" in page("docs/operate/costs.md")


def test_each_reason_for_dropping_a_job_is_documented() -> None:
    for reason in DROP_REASONS:
        assert f"`{reason}`" in page("docs/use/metrics.md")


def test_every_json_and_yaml_example_of_the_readme_parses() -> None:
    blocks = re.findall(r"```(json|yaml)\n(.*?)```", page("README.md"), re.DOTALL)
    assert [kind for kind, _ in blocks] == ["json", "yaml"]
    policy, scrape = (yaml.safe_load(text) for _, text in blocks)
    assert policy["Statement"][0]["Action"] == "braket:GetJob"
    assert scrape["scrape_configs"][0]["job_name"] == "braket-exporter"


def test_the_documented_numbers_of_series_are_those_predicted() -> None:
    one = [Demand(1, discovers=True)]
    cost = predict(one, interval=30.0, discovery_interval=60.0, rate=2.5, max_jobs=1, families=job_families())
    assert (cost.series_per_job, cost.series_per_device) == (30, 99)
    assert re.search(r"^series = 30 . jobs with series \+ 99 . devices", page("docs/operate/costs.md"), re.MULTILINE)


HOME = "https://github.com/braket-exporter/braket-exporter/blob/main/"
RAW = "https://raw.githubusercontent.com/braket-exporter/braket-exporter/main/"


def links(path: Path) -> list[tuple[Path, str]]:
    """List the links of a page to files of the project, as (file, anchor)."""
    text = path.read_text(encoding="utf-8")
    found = []
    for link in re.findall(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"", text):
        target, _, anchor = "".join(link).partition("#")
        if target.startswith((HOME, RAW)):
            found.append((ROOT / target.removeprefix(HOME).removeprefix(RAW), anchor))
        elif not target.startswith("http"):
            found.append((path.parent / target if target else path, anchor))
    return found


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_link_to_a_file_of_the_project_leads_somewhere(path: Path) -> None:
    for target, _ in links(path):
        assert target.exists(), target


def test_every_link_of_the_readme_works_on_pypi() -> None:
    relative = re.findall(r"\]\((?!https://)([^)]+)\)|src=\"(?!https://)([^\"]+)", page("README.md"))
    assert relative == []
    assert len(links(ROOT / "README.md")) > 15


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_link_into_the_repository_leads_to_a_file(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    repository = r"https://github\.com/braket-exporter/braket-exporter/(?:blob|tree)/main/"
    for target in re.findall(rf"\]\({repository}([^)#]*)", text):
        assert (ROOT / target).exists(), target


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_published_artefacts_have_the_version_of_the_release(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    versions = re.findall(r"ghcr\.io/braket-exporter/braket-exporter:(\S+)", text)
    versions += re.findall(r"charts/braket-exporter --version (\S+)", text)
    versions += re.findall(r"githubusercontent\.com/braket-exporter/braket-exporter/v([^/]+)/", text)
    assert set(versions) <= {__version__}


def test_artefacts_are_installed_from_where_the_release_publishes_them() -> None:
    release = page(".github/workflows/release.yml")
    assert '"registry=ghcr.io/${GITHUB_REPOSITORY_OWNER,,}"' in release
    assert "${{ needs.version.outputs.registry }}/braket-exporter:${{ needs.version.outputs.version }}" in release
    assert "ghcr.io/braket-exporter/braket-exporter:" in page("docs/get-started/container.md")
    assert "REGISTRY: ${{ needs.version.outputs.registry }}/charts\n" in release
    assert 'helm push "$RUNNER_TEMP/braket-exporter-$VERSION.tgz" "oci://$REGISTRY"' in release
    assert "oci://ghcr.io/braket-exporter/charts/braket-exporter" in page("docs/get-started/kubernetes.md")
    assert "https://pypi.org/project/braket-exporter/" in release
    assert "pipx install braket-exporter" in page("docs/get-started/python.md")


def anchors(path: Path) -> set[str]:
    """List the addresses that GitHub gives the headings of a page."""
    prose = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return {
        re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^#+ (.*)$", prose, re.MULTILINE)
    }


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_link_into_a_page_leads_to_a_heading(path: Path) -> None:
    for target, anchor in links(path):
        assert not anchor or anchor in anchors(target), f"{target}#{anchor}"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_make_command_named_exists(path: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", page("Makefile"), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z]+)`|\$ make ([a-z]+)", path.read_text(encoding="utf-8"))) <= {
        pair for target in targets for pair in ((target, ""), ("", target))
    }


def test_the_readme_begins_with_a_sentence_real_lines_one_command_and_a_picture() -> None:
    first = page("README.md").partition("\n## ")[0]
    kinds = re.findall(r"^(braket-exporter is a Prometheus exporter|braket_|\$ make demo|<img )", first, re.MULTILINE)
    assert kinds == ["braket-exporter is a Prometheus exporter", *["braket_"] * 4, "$ make demo", "<img "]
    assert page("README.md").count("\n") <= 130


def test_the_lines_that_the_readme_shows_have_the_labels_of_their_families() -> None:
    families = {family.name: family for family in EVERY_FAMILY}
    for name, labels in re.findall(r"^(braket_[a-z_]+)\{(.*)\} [0-9.]+$", page("README.md"), re.MULTILINE):
        assert set(re.findall(r'([a-z_]+)="', labels)) == {*families[name].labels}, name


def test_the_policy_of_the_readme_is_the_one_for_jobs_that_are_found() -> None:
    statements = [
        [*json.loads(text)["Statement"]]
        for name in ("README.md", "docs/operate/permissions.md")
        for text in re.findall(r"```json\n(.*?)```", page(name), re.DOTALL)
        if "braket:SearchJobs" in text
    ]
    first, second = (sorted(each, key=lambda statement: str(statement["Action"])) for each in statements)
    assert first == second


def test_every_file_that_contributors_are_told_of_exists() -> None:
    named = re.findall(r"`((?:exporter|tests|docs|helm|grafana|\.ci|\.github)/[\w./-]*|Dockerfile)[` ]", DEVELOPMENT)
    assert len(named) > 12
    for name in named:
        assert (ROOT / name).exists(), name


def test_the_table_of_packages_has_every_package() -> None:
    rows = re.findall(r"^\| `([a-z]+)` \| ([^|]+) \|$", DEVELOPMENT, re.MULTILINE)
    assert {package for package, _ in rows} == {
        path.name for path in (ROOT / "exporter").iterdir() if path.is_dir() and not path.name.startswith("_")
    }


def test_every_class_of_the_glossary_exists() -> None:
    table = DEVELOPMENT.partition("## Glossary")[2].partition("\n## ")[0]
    named = {name.partition(".")[0] for name in re.findall(r"`([A-Z]\w+)[.\w]*`", table)}
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "exporter").rglob("*.py"))
    assert [name for name in sorted(named) if f"class {name}" not in source] == []
    assert len(named) > 15


def test_the_test_that_contributors_are_shown_exists() -> None:
    (name,) = re.findall(r"`(test_[a-z_]+)`", DEVELOPMENT)
    assert any(f"def {name}(" in path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
