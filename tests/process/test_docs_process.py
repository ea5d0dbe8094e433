"""What the documentation shows of other programs."""

import re
import subprocess
import sys
from pathlib import Path

from certificates import Authority
from processes import tool

from exporter.web.http.web_config import parse_web_config

ROOT = Path(__file__).parents[2]


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def examples(name: str, title: str) -> list[str]:
    return re.findall(rf"```yaml\n(# {re.escape(title)}\n.*?)```", page(name), re.DOTALL)


def test_prometheus_takes_the_sample_that_goes_with_it(tmp_path: Path) -> None:
    (sample,) = examples("docs/operate/tls.md", "prometheus.yml")
    authority = Authority.in_folder(tmp_path)
    authority.issue("prometheus")
    (tmp_path / "password").write_text("x")
    (tmp_path / "prometheus.yml").write_text(sample)
    command = (tool("promtool"), "check", "config", str(tmp_path / "prometheus.yml"))
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_documented_way_to_make_a_hash_makes_one() -> None:
    (code,) = re.findall(r"^\$ \.venv/bin/python -c '(.*)'$", page("docs/operate/tls.md"), re.MULTILINE)
    code = code.replace("getpass.getpass()", "'wonderland'")
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert [*parse_web_config(f"basic_auth_users: {{alice: {made}}}", "").users] == ["alice"]


def test_the_documentation_site_has_every_page_in_its_navigation_and_no_dead_link(tmp_path: Path) -> None:
    command = (
        str(Path(sys.executable).with_name("mkdocs")),
        "build",
        "--strict",
        "--quiet",
        "--site-dir",
        str(tmp_path / "site"),
    )
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    assert (tmp_path / "site" / "index.html").exists()
