"""docs/operate/costs.md, against what real exporters print and expose."""

import re
import time
from pathlib import Path

from processes import FAST, daemon, eventually, iso, run, wire_job

from exporter.simulator import ScriptedJob, SimulatorServer, World

ROOT = Path(__file__).parents[2]
CALLS = (ROOT / "docs/operate/costs.md").read_text(encoding="utf-8")


def test_the_predictions_that_are_shown_are_those_of_check_config() -> None:
    (block,) = re.findall(
        r"```console\n\$ braket-exporter (check-config .*?) \| grep '\^# '\n(.*?)```", CALLS, re.DOTALL
    )
    done = run(*block[0].split())
    assert [line for line in done.stdout.splitlines() if line.startswith("# ")] == block[1].splitlines()


def test_a_real_exporter_has_no_more_series_than_the_formula_says() -> None:
    arn = "arn:aws:braket:us-west-2:123456789012:job/0a1b2c3d-0000-4000-8000-000000000001"
    with SimulatorServer(World(), clock=time.time) as server:
        server.world.put(ScriptedJob(arn, time.time() - 60, lambda _: wire_job(arn, "RUNNING", createdAt=iso(0))))
        env = {"AWS_ENDPOINT_URL_BRAKET": server.url}
        with daemon("--all-jobs", "--regions", "us-west-2", *FAST, env=env) as running:
            eventually(lambda: running.get("/-/ready").status == 200)
            series = len(running.samples)
    assert 0.7 * (30 + 87 + 50 + 30) < series <= 30 + 87 + 50 + 30
