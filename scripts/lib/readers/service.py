"""The example service, running for as long as it is looked at."""

import os
import re
import subprocess
import time
import urllib.request

# Long enough for the slowest machine: only a failure waits so long.
PATIENCE = 120
# Everything that is asked runs here: no proxy stands between.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Service:
    """Ended on leaving the `with` block, and by itself if nobody does."""

    def __init__(self, program, directory, rate=500, lifetime=600):
        self._log = directory / "service.log"
        self._command = [program, "--listen", "127.0.0.1:0", "--service", "127.0.0.1:0"]
        self._command += ["--rate", str(rate), "--duration", str(lifetime)]

    def __enter__(self):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("HEAPLENS_")}
        with open(self._log, "wb") as log:
            self._child = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=environment
            )
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self._child.poll() is None:
            if found := re.search(r"http://127\.0\.0\.1:\d+(?=/debug/heap)", self._log.read_text()):
                self.url = found[0]
                return self
            time.sleep(0.1)
        self.__exit__()
        raise SystemExit(f"the service did not start:\n{self._log.read_text()}")

    def __exit__(self, *_):
        self._child.kill()
        self._child.wait()

    def get(self, path):
        with DIRECT.open(f"{self.url}{path}", timeout=PATIENCE) as answer:
            return answer.read()

    def fetch(self, path, file):
        file.write_bytes(self.get(path))
        return file
