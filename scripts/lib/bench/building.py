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
        # Other flags in the same directory would build everything anew each time. In this one
        # `scripts/callgrind` builds with the same flags.
        target = self.target / "frame-pointers" if build.rustflags else self.target
        command = build.command()
        result = cargo(self.root, [*command, "--target-dir", target], build.rustflags)
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
        for name, program in executables(messages):
            shutil.copy2(program, place / (name if name in ("held", "live") else "workload"))

    def program(self, build, name="workload"):
        return self.programs / build / name


def cargo(root, command, rustflags="", after=()):
    """Runs a command of cargo that builds, without the caller's flags; its messages are JSON.
    `after` is for rustc."""
    environment = {name: value for name, value in os.environ.items()
                   if not name.endswith("RUSTFLAGS")}
    if rustflags:
        environment["RUSTFLAGS"] = rustflags
    command = [*command, "--message-format", "json-render-diagnostics", *after]
    return subprocess.run(command, cwd=root, env=environment, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, check=False)


def executables(messages):
    """Name and path of each program that was built."""
    for message in map(json.loads, messages.splitlines()):
        if message.get("executable"):
            yield message["target"]["name"], message["executable"]


def last_lines(text, count=6):
    lines = [line for line in text.splitlines() if line.strip()]
    return "\n".join(lines[-count:])
