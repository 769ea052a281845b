"""What the machine is, how busy it is, and whether its figures may be published."""

import os
import platform
import resource
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

import numpy as np
from threadpoolctl import threadpool_info

import sksoftmax

LIBRARIES = (
    *("numpy", "scipy", "scikit-learn", "scikit-learn-intelex"),
    *("snapml", "torch", "river", "mlxtend", "bbai", "glmstar", "fasttext-numpy2"),
)
THREAD_VARIABLES = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
    *("BLIS_NUM_THREADS", "NUMEXPR_NUM_THREADS", "LOKY_MAX_CPU_COUNT"),
)
# A fixed kernel is slower than the one that a current OpenBLAS picks for the processor.
KERNEL_VARIABLES = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
# Above these the figures are not published: load average a core, share of the cores
# that other processes take, share that the hypervisor takes, slowest over median speed.
LIMITS = {"load": 0.5, "others": 0.05, "steal": 0.02, "spread": 1.3}


def describe() -> dict:
    """Return processor, cores and versions, as this process has them."""
    versions = {"sksoftmax": sksoftmax.__version__}
    for name in LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = None
    blas = {
        f"{i['internal_api']} {i['version']} ({i.get('architecture', 'unknown')})"
        for i in threadpool_info()
        if i["user_api"] == "blas"
    }
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "versions": versions,
        "blas": sorted(blas),
    }


def environment(mode: str) -> dict[str, str]:
    """Return the environment of a process with one thread, or with all cores."""
    ours = {k: v for k, v in os.environ.items() if k not in KERNEL_VARIABLES}
    for name in THREAD_VARIABLES:
        ours.pop(name, None)
        if mode == "one":
            ours[name] = "1"
    return ours


def stay_on_one_core() -> None:
    """Bind this process to one core: the only limit that every thread pool respects."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


class Watch:
    """What other processes and the hypervisor take of the cores, from now to `stop`."""

    def __init__(self) -> None:
        self.load = os.getloadavg()[0] / (os.cpu_count() or 1)
        self._start = self._read()

    def stop(self) -> dict[str, float]:
        """Return shares of all cores, without this process and its ended children."""
        wall, ours, busy, steal = (
            now - then for now, then in zip(self._read(), self._start, strict=True)
        )
        total = wall * (os.cpu_count() or 1)
        return {"others": max(0.0, (busy - ours) / total), "steal": steal / total}

    @staticmethod
    def _read():
        ours = sum(
            usage.ru_utime + usage.ru_stime
            for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
            for usage in [resource.getrusage(who)]
        )
        busy = steal = 0.0
        if Path("/proc/stat").exists():  # elsewhere the load average alone is known
            ticks = [float(t) for t in Path("/proc/stat").read_text().split()[1:9]]
            user, nice, system, _, _, interrupts, soft, stolen = ticks
            hertz = os.sysconf("SC_CLK_TCK")
            busy = (user + nice + system + interrupts + soft) / hertz
            steal = stolen / hertz
        return time.perf_counter(), ours, busy, steal


def check() -> dict[str, float]:
    """Return how busy the machine is and how much its own speed varies, in 3 s."""
    watch = Watch()
    time.sleep(1)
    square = np.random.default_rng(0).random((512, 512), "f")
    seconds = []
    while sum(seconds) < 2:
        started = time.perf_counter()
        for _ in range(20):
            square @ square
        seconds.append(time.perf_counter() - started)
    spread = float(np.quantile(seconds, 0.95)) / median(seconds)
    return {"load": watch.load, "spread": spread, **watch.stop()}


def objections(found: dict[str, float]) -> list[str]:
    """Return why figures measured under these conditions are not published."""
    words = {
        "load": "the load average was {:.2f} a core",
        "others": "other processes took {:.0%} of the cores",
        "steal": "the hypervisor took {:.0%} of the cores",
        "spread": "the slowest of equal products took {:.2f} times the median",
    }
    return [
        words[name].format(found[name])
        for name, limit in LIMITS.items()
        if found.get(name, 0) > limit
    ]


def _processor():
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.split(":")[1].strip() for line in lines if "model name" in line]
    return names[0] if names else platform.processor() or "unknown processor"
