"""Builds the programs, each on its own, and keeps a copy of each."""

import json
import os
import shutil
import subprocess
import time


class Builder:
    def __init__(self, root, target):
        self.root, self.target = root, target
        self.programs = target / "bench" / "programs"

    def build(self, build):
        """Returns what became of it: seconds, and the error if there was one."""
        start = time.monotonic()
        # Other flags in the same directory would build everything anew each time.
        target = self.target / "bench" / "flags" if build.rustflags else self.target
        environment = {name: value for name, value in os.environ.items()
                       if not name.endswith("RUSTFLAGS")}
        if build.rustflags:
            environment["RUSTFLAGS"] = build.rustflags
        command = build.command()
        result = subprocess.run(
            [*command, "--target-dir", target, "--message-format", "json-render-diagnostics"], cwd=self.root,
            env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        outcome = {"command": " ".join(command), "rustflags": build.rustflags, "seconds": 0.0, "error": None}
        if result.returncode:
            outcome["error"] = last_lines(result.stderr)
        else:
            self.keep(build, result.stdout)
        outcome["seconds"] = round(time.monotonic() - start, 1)
        return outcome

    def keep(self, build, messages):
        """Another build of the same package replaces its program."""
        place = self.programs / build.name
        place.mkdir(parents=True, exist_ok=True)
        for line in messages.splitlines():
            message = json.loads(line)
            if message.get("executable"):
                name = message["target"]["name"]
                name = name if name in ("held", "live") else "workload"
                shutil.copy2(message["executable"], place / name)

    def program(self, build, name="workload"):
        return self.programs / build / name


def last_lines(text, count=6):
    lines = [line for line in text.splitlines() if line.strip()]
    return "\n".join(lines[-count:])
