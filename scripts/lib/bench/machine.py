"""The machine and the versions that the figures are of."""

import os
import platform
import re
import subprocess

INTERESTING = ["tikv-jemallocator", "tikv-jemalloc-sys", "mimalloc", "libmimalloc-sys",
               "stoolap-jemalloc", "mimalloc-pprof", "rpprof", "pprof-alloc", "dhat", "axum",
               "tokio", "serde_json"]


def describe(root):
    return {
        "processor": field("/proc/cpuinfo", "model name") or platform.processor(),
        "cores": os.cpu_count(),
        "memory": int((field("/proc/meminfo", "MemTotal") or "0").split()[0]) * 1024,
        "virtual": "hypervisor" in (field("/proc/cpuinfo", "flags") or "").split(),
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "libc": " ".join(platform.libc_ver()),
        "rustc": first_line("rustc", "--version"),
        "valgrind": first_line("valgrind", "--version"),
        "python": platform.python_version(),
        "commit": commit(root),
        "crates": versions(root),
    }


class Neighbours:
    """How much of the processors others took since this was made: other programs by their own
    time, and other machines on the same hardware by what the hypervisor says that it withheld."""

    def __init__(self):
        self.processors = processors()
        self.own = sum(os.times()[:4])

    def shares(self):
        before, now = self.processors, processors()
        whole = max(sum(now.values()) - sum(before.values()), 1e-9)
        idle = sum(now[name] - before[name] for name in ("idle", "iowait"))
        stolen = now["steal"] - before["steal"]
        own = sum(os.times()[:4]) - self.own
        return {"programs": max(whole - idle - stolen - own, 0) / whole, "machines": stolen / whole}


def processors():
    """Seconds of all processors together by what they were spent on."""
    names = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
    with open("/proc/stat", encoding="utf-8") as file:
        ticks = file.readline().split()[1:9]
    return {name: int(count) / os.sysconf("SC_CLK_TCK") for name, count in zip(names, ticks)}


def field(path, name):
    try:
        with open(path, encoding="utf-8") as file:
            for line in file:
                if line.partition(":")[0].strip() == name:
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return None


def first_line(*command, cwd=None):
    try:
        result = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return result.stdout.partition("\n")[0].strip()


def commit(root):
    changed = first_line("git", "status", "--porcelain", "--untracked-files=no", cwd=root)
    return first_line("git", "rev-parse", "--short", "HEAD", cwd=root) + (
        " with changes" if changed not in ("", "unknown") else "")


def versions(root):
    """Of the crates that are compared, from the lock files."""
    found = {}
    for lock in ("bench/Cargo.lock", "bench/allocators/mimalloc-pprof/Cargo.lock"):
        text = (root / lock).read_text(encoding="utf-8")
        for name, version in re.findall(r'name = "([^"]+)"\nversion = "([^"]+)"', text):
            if name in INTERESTING:
                found[name] = version.partition("+")[0]
    return {name: found[name] for name in INTERESTING if name in found}
