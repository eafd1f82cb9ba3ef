"""The benchmarks of Docs/benchmarks, each beside a peer in one run."""

import importlib
from pathlib import Path

from Sim2RealLib.errors import Sim2RealError

BENCHMARKS = ("drr", "drr_export", "endoscopy", "interactive", "materials", "scatter", "xray-realism")


def run_benchmark(name: str, data: Path | None) -> str:
    """Run a benchmark and return its report as Markdown. data: the folder of real CT, for those that use it."""
    if name not in BENCHMARKS:
        raise Sim2RealError(f"There is no benchmark '{name}'; there is {', '.join(BENCHMARKS)}.")
    return importlib.import_module(f".{name.replace('-', '_')}", __name__).run(data)
