"""The unit for systemd: what systemd itself says of it, and what its commands do."""

import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from processes import daemon, eventually, run, tool

from exporter.app.load_settings import load

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "systemd" / "braket-exporter.service"
TEXT = UNIT.read_text(encoding="utf-8")
PROGRAM = "/opt/braket-exporter/bin/braket-exporter"
SETTINGS_FILE = "/etc/braket-exporter/exporter.yaml"
GOOD = "all_jobs: true\nregions: [us-west-2]\n"

MOST_EXPOSURE = 15
"""In tenths of a point, of which there are 10. systemd 252 gives it 1.1; others may count otherwise."""


def values(key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", TEXT, re.MULTILINE)


def value(key: str) -> str:
    (only,) = values(key)
    return str(only)


def analyze(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    command = (tool("systemd-analyze"), *arguments)
    return subprocess.run(command, capture_output=True, text=True, check=False)


def installed(folder: Path) -> Path:
    """Write the unit with a program that is there: verifying asks for it."""
    assert TEXT.count(PROGRAM) == 1
    path = folder / UNIT.name
    path.write_text(TEXT.replace(PROGRAM, str(Path(sys.executable).with_name("braket-exporter"))), encoding="utf-8")
    return path


def verified(unit: Path) -> tuple[int, str]:
    told = analyze("verify", "--man=no", "--recursive-errors=no", unit)
    return told.returncode, told.stdout + told.stderr


def test_systemd_finds_nothing_wrong_with_it(tmp_path: Path) -> None:
    assert verified(installed(tmp_path)) == (0, "")


def test_systemd_does_find_what_is_wrong(tmp_path: Path) -> None:
    path = installed(tmp_path)
    path.write_text(path.read_text(encoding="utf-8").replace("ProtectHome=", "ProtectHouse="), encoding="utf-8")
    assert "ProtectHouse" in verified(path)[1]


def test_systemd_finds_nothing_wrong_with_the_documented_addition(tmp_path: Path) -> None:
    text = (ROOT / "docs/get-started/systemd.md").read_text(encoding="utf-8")
    (addition,) = re.findall(r"```ini\n# systemctl edit braket-exporter\n(.*?)```", text, re.DOTALL)
    path = installed(tmp_path)
    path.write_text(f"{path.read_text(encoding='utf-8')}\n{addition}", encoding="utf-8")
    assert verified(path) == (0, "")


def exposure(unit: Path) -> "subprocess.CompletedProcess[str]":
    return analyze("security", "--offline=true", f"--threshold={MOST_EXPOSURE}", "--no-pager", unit)


def test_systemd_finds_little_that_it_could_harm() -> None:
    told = exposure(UNIT)
    assert told.returncode == 0, told.stdout + told.stderr


def test_systemd_finds_much_that_it_could_harm_without_its_restrictions(tmp_path: Path) -> None:
    kept = ("[", "Description", "Type", "Exec", "Restart", "WantedBy")
    bare = tmp_path / UNIT.name
    bare.write_text("\n".join(line for line in TEXT.splitlines() if line.startswith(kept)), encoding="utf-8")
    told = exposure(bare)
    assert told.returncode != 0
    assert re.search(r"exposure level for braket-exporter\.service: 9\.\d", told.stdout)


def test_it_starts_the_exporter_with_the_documented_file_and_reload_reads_it_anew(tmp_path: Path) -> None:
    program, *arguments = shlex.split(value("ExecStart"))
    assert (program, arguments) == (PROGRAM, ["--config", SETTINGS_FILE])
    settings = tmp_path / "exporter.yaml"
    settings.write_text(GOOD, encoding="utf-8")
    given = [argument.replace(SETTINGS_FILE, str(settings)) for argument in arguments]
    with daemon(*given, env={"AWS_ENDPOINT_URL_BRAKET": "http://127.0.0.1:9"}) as running:
        settings.write_text(f"{GOOD}poll_interval: 11s\n", encoding="utf-8")
        reload = value("ExecReload").replace("$MAINPID", str(running.process.pid))
        subprocess.run(shlex.split(reload), check=True)
        (told,) = eventually(lambda: running.logs("config_reloaded"))
        assert (told["file"], told["changed"]) == (str(settings), 1)
        assert running.stop() == 0


def test_it_is_started_again_but_for_bad_settings(tmp_path: Path) -> None:
    settings = tmp_path / "exporter.yaml"
    settings.write_text(f"{GOOD}poll_interval: soon\n", encoding="utf-8")
    assert run("--config", str(settings)).returncode == int(value("RestartPreventExitStatus"))
    assert value("Restart") == "on-failure"


def test_a_reload_that_comes_too_early_does_not_end_it_for_good() -> None:
    # SIGHUP ends a process that does not handle it yet, unless the signal is ignored, as under nohup. systemd counts
    # that as a good end.
    assert signal.getsignal(signal.SIGHUP) in {signal.SIG_DFL, signal.SIG_IGN}
    assert value("RestartForceExitStatus") == "SIGHUP"


def test_the_documented_settings_are_good_and_keep_the_state_in_the_folder_of_the_service(tmp_path: Path) -> None:
    text = (ROOT / "docs/get-started/systemd.md").read_text(encoding="utf-8")
    (sample,) = re.findall(rf"^# cat >{SETTINGS_FILE} <<END\n(.*?)^END$", text, re.DOTALL | re.MULTILINE)
    path = tmp_path / "exporter.yaml"
    path.write_text(sample, encoding="utf-8")
    assert load({}, {}, str(path)).state_file == f"/var/lib/{value('StateDirectory')}/state.sqlite"


@pytest.mark.parametrize(
    "path", [PROGRAM.removesuffix("/bin/braket-exporter"), SETTINGS_FILE, "/var/lib/braket-exporter"]
)
def test_the_document_names_the_paths_of_the_unit(path: str) -> None:
    assert path in (ROOT / "docs/get-started/systemd.md").read_text(encoding="utf-8")
    assert path in TEXT
