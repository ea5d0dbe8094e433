"""Write every dashboard to ``grafana/dashboards/`` and to the chart, where some packagers drop symbolic links."""

from pathlib import Path
from typing import Final

from grafana import exporter, fleet, job
from grafana.dashboards import to_json

FOLDER: Final = Path(__file__).parent / "dashboards"
CHART: Final = Path(__file__).parents[1] / "helm" / "braket-exporter" / "dashboards"

DASHBOARDS: Final = {
    "braket-fleet.json": fleet.make,
    "braket-job.json": job.make,
    "braket-exporter.json": exporter.make,
}
"""The builders of the dashboards, by file name."""


def main() -> None:
    """Write the files."""
    for folder in (FOLDER, CHART):
        folder.mkdir(exist_ok=True)
        for name, make in DASHBOARDS.items():
            (folder / name).write_text(to_json(make()), encoding="utf-8")


if __name__ == "__main__":
    main()
