"""What the dashboards are checked against: real services, scraped by a real Prometheus."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path

JOB = "heaplens"
# Long enough for the slowest machine: only a failure waits so long.
PATIENCE = 120
# Ends services even if this program is killed in a way that leaves no time to clean up.
LIFETIME = 900
# Named as shipped ones, on figures that are reached in little time.
RULES = """\
groups:
  - name: within-seconds
    rules:
      - alert: MapHeapBytesHigh
        expr: map_heap_bytes > HEAP_BYTES
        labels: {severity: warning, subject: map, certainty: suspected}
      - alert: ProcessMemoryLimitNear
        expr: process_resident_memory_bytes > PROCESS_BYTES
        labels: {severity: warning, subject: process}
"""


class Failure(Exception):
    """The environment cannot be had; says nothing of the dashboards."""


class Environment:
    """Services and one Prometheus, ended on leaving the `with` block."""

    def __init__(self, prometheus, leaky, caches, rate=300, limit=512 << 20, map_bytes=3_000_000, process_bytes=5_000_000):
        """Paths of the programs; requests a second, bytes of memory limit of the leaking service,
        bytes of a map and of a process at which alerts fire."""
        self._prometheus, self._leaky, self._caches = prometheus, leaky, caches
        self._rate, self._limit = rate, limit
        self._rules = RULES.replace("HEAP_BYTES", str(map_bytes)).replace("PROCESS_BYTES", str(process_bytes))
        self._children = []
        self.targets = {}
        self.notes = []

    def __enter__(self):
        self._directory = Path(tempfile.mkdtemp(prefix="heaplens-dashboards-"))
        try:
            self._start_services()
            self._start_prometheus()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for child, _ in self._children:
            child.kill()
            child.wait()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _start_services(self):
        load = ["--listen", "127.0.0.1:0", "--service", "127.0.0.1:0", "--duration", str(LIFETIME)]
        load += ["--rate", str(self._rate)]
        self._service("leaking", limited([self._leaky, *load], self._limit, self._directory))
        if "process_memory_limit_bytes" not in self.exported("leaking"):
            # Not everybody may make namespaces.
            self.notes.append("no memory limit can be set up here")
        self._service("fixed", [self._leaky, "--fixed", *load])
        self._service("caches", [self._caches, "127.0.0.1:0", str(LIFETIME)])

    def _service(self, name, command):
        log = self._run(name, command)
        pattern = r"http://(127\.0\.0\.1:\d+)/(?:metrics|debug/maps)\b"
        self.targets[name] = self._wait(f"address of {name}", lambda: re.search(pattern, log.read_text()))[1]

    def _start_prometheus(self):
        configuration = self._directory / "prometheus.yml"
        (self._directory / "rules.yml").write_text(self._rules)
        configuration.write_text(
            json.dumps(
                {
                    "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
                    "rule_files": ["rules.yml"],
                    "scrape_configs": [
                        {"job_name": JOB, "static_configs": [{"targets": sorted(self.targets.values())}]}
                    ],
                }
            )
        )
        log = self._run(
            "prometheus",
            [
                self._prometheus,
                f"--config.file={configuration}",
                f"--storage.tsdb.path={self._directory / 'data'}",
                "--web.listen-address=127.0.0.1:0",
            ],
        )

        def address():
            text = log.read_text()
            if "Server is ready" not in text:
                return None
            # The first: in 3.x a line on TLS follows it.
            return re.search(r'"?Listening on"?.*address=(\S+)', text)

        self.url = f"http://{self._wait('address of Prometheus', address)[1]}"

    def _run(self, name, command):
        log = self._directory / f"{name}.log"
        environment = {k: v for k, v in os.environ.items() if not k.startswith("HEAPLENS_")}
        with open(log, "wb") as file:
            child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, env=environment
            )
        self._children.append((child, log))
        return log

    def _wait(self, what, ask):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if answer := ask():
                return answer
            for child, log in self._children:
                if child.poll() is not None:
                    raise Failure(f"no {what}: {log.stem} ended with {child.returncode}:\n{log.read_text()}")
            time.sleep(0.1)
        raise Failure(f"no {what} after {PATIENCE} s:\n{self._children[-1][1].read_text()}")

    def exported(self, name=None):
        """Names of all metrics that one service, or any of them, exports now."""
        targets = [self.targets[name]] if name else self.targets.values()
        return {
            re.match(r"[\w:]+", line)[0]
            for target in targets
            for line in get(f"http://{target}/metrics").splitlines()
            if line and not line.startswith("#")
        }

    def ask(self, path, **parameters):
        """The `data` of an answer of Prometheus' API."""
        query = urllib.parse.urlencode(parameters, doseq=True)
        return json.loads(get(f"{self.url}/api/v1/{path}?{query}"))["data"]


def limited(command, bytes_, directory):
    """The command such that it sees a memory limit, if this system lets us show it one."""
    file = limit_file()
    if not file or not shutil.which("unshare"):
        return command
    limit = directory / "limit"
    limit.write_text(f"{bytes_}\n")
    # The limit of its control group, as the process reads it, in a namespace of its own.
    unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
    script = 'mount --bind "$0" "$1" && shift && exec "$@"'
    probe = subprocess.run([*unshare, "sh", "-c", script, limit, file, "true"], capture_output=True)
    return [*unshare, "sh", "-c", script, limit, file, *command] if probe.returncode == 0 else command


def limit_file():
    """Where the limit of this process's control group is to be read."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        number, controllers, path = line.split(":", 2)
        v2 = Path(f"/sys/fs/cgroup{path}/memory.max")
        v1 = Path(f"/sys/fs/cgroup/memory{path}/memory.limit_in_bytes")
        if number == "0" and v2.is_file():
            return v2
        if "memory" in controllers.split(",") and v1.is_file():
            return v1
    return None


# Everything that is asked runs here: no proxy stands between.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def get(url):
    try:
        with DIRECT.open(url, timeout=10) as answer:
            return answer.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        raise Failure(f"{url}: {error}: {error.read().decode(errors='replace')}") from error
    except OSError as error:
        raise Failure(f"{url}: {error}") from error
