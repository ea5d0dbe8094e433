"""A real Prometheus scrapes over TLS with a password, as the documentation says."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import bcrypt
import pytest
import yaml
from certificates import Authority
from processes import Daemon, daemon, eventually
from servers import Prometheus, prometheus_with

from exporter.webconfig import parse_web_config

ROOT = Path(__file__).parent.parent
PASSWORD = "correct horse"


def sample(name: str) -> str:
    """Pick an example of the documentation by the comment that it begins with."""
    page = (ROOT / "docs" / "web.md").read_text(encoding="utf-8")
    found = re.search(rf"```yaml\n# {re.escape(name)}\n(.*?)```", page, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_example_of_the_documentation_is_good() -> None:
    config = parse_web_config(sample("web-config.yaml"), "/etc/exporter")
    assert config.tls is not None
    assert (config.tls.cert_file, config.tls.min_version) == ("/etc/exporter/exporter.crt", "TLS12")
    assert config.users.keys() == {"prometheus"}
    assert config.headers == {"Strict-Transport-Security": "max-age=31536000"}


@pytest.fixture
def exporter(tmp_path: Path) -> Iterator[Daemon]:
    Authority.in_folder(tmp_path).issue("exporter")
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    text = re.sub(r"\$2b\$\S+", lambda _: hashed, sample("web-config.yaml"))
    file = tmp_path / "web-config.yaml"
    file.write_text(text, encoding="utf-8")
    with daemon("demo", "--web-config-file", str(file)) as running:
        yield running


@pytest.fixture
def prometheus(exporter: Daemon, tmp_path: Path) -> Iterator[Prometheus]:
    with ExitStack() as stack:
        (tmp_path / "password").write_text(PASSWORD, encoding="utf-8")
        config: dict[str, Any] = yaml.safe_load(sample("prometheus.yaml"))
        config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s"}
        (right,) = config["scrape_configs"]
        right["static_configs"] = [{"targets": [exporter.address]}]
        wrong = {**right, "job_name": "wrong", "basic_auth": {"username": "prometheus", "password": "guess"}}
        config["scrape_configs"] = [right, wrong]
        path = tmp_path / "prometheus.yaml"
        path.write_text(yaml.safe_dump(config), encoding="utf-8")
        yield stack.enter_context(prometheus_with(path, tmp_path))


def test_prometheus_takes_in_every_sample_over_tls_with_the_password_and_none_without(prometheus: Prometheus) -> None:
    def scraped() -> list[tuple[str, float]]:
        return sorted((metric["job"], value) for metric, value in prometheus.query("up"))

    eventually(lambda: scraped() == [("braket-exporter", 1.0), ("wrong", 0.0)], 20)
    errors = [target["lastError"] for target in prometheus.ask("targets")["activeTargets"]]
    assert sorted(errors) == ["", "server returned HTTP status 401 Unauthorized"]
    assert prometheus.query('scrape_samples_scraped{job="wrong"}')[0][1] == 0.0
    eventually(lambda: prometheus.query('sum(braket_jobs{job="braket-exporter"}) >= 40'))
    taken_in = 'count({job="braket-exporter",__name__!~"up|scrape_.*"})'
    eventually(lambda: prometheus.query(f'scrape_samples_scraped{{job="braket-exporter"}} == scalar({taken_in})'))
