"""A terminal of tmux, on a server of its own: what stands in it, keys, and sizes."""

import os
import subprocess
import time
import unicodedata

# Long enough for the slowest machine: only a failure waits so long.
PATIENCE = 60


class Terminal:
    """Ended on leaving the `with` block."""

    def __init__(self, directory, columns=120, rows=30):
        self._socket = str(directory / "tmux")
        self._directory = directory
        self._size = (columns, rows)

    def __enter__(self):
        columns, rows = self._size
        # Nobody's settings, a shell without a prompt of its own.
        self._tmux("new-session", "-d", "-x", columns, "-y", rows, "-c", self._directory, "env", "PS1=ready> ", "sh")
        self._tmux("set-option", "-g", "escape-time", "0")
        self.wait("the shell", lambda: "ready>" in self.text())
        return self

    def __exit__(self, *_):
        self._tmux("kill-server")

    def _tmux(self, *arguments):
        command = ["tmux", "-f", "/dev/null", "-S", self._socket, *map(str, arguments)]
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("HEAPLENS_", "TMUX", "NO_COLOR"))}
        environment.update(LC_ALL="C.UTF-8", TERM="xterm-256color")
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} ended with {done.returncode}: {done.stderr}")
        return done.stdout

    def text(self, *options):
        return self._tmux("capture-pane", "-p", *options)

    def lines(self):
        return self.text().splitlines()

    def styled(self):
        """With the escapes of colours."""
        return self.text("-e")

    def keys(self, *keys):
        """One after the other: an Escape directly before a letter would be another key."""
        for key in keys:
            self._tmux("send-keys", key)
            time.sleep(0.05)

    def write(self, text):
        self._tmux("send-keys", "-l", text)

    def run(self, command):
        self.write(command)
        self.keys("Enter")

    def resize(self, columns, rows):
        self._size = (columns, rows)
        self._tmux("resize-window", "-x", columns, "-y", rows)

    def children(self):
        """What the shell runs at present, by process id."""
        shell = self._tmux("display-message", "-p", "#{pane_pid}").strip()
        with open(f"/proc/{shell}/task/{shell}/children") as children:
            return [int(child) for child in children.read().split()]

    def wait(self, what, holds):
        """Waits until something holds, and tells what it returned."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if result := holds():
                return result
            time.sleep(0.05)
        raise SystemExit(f"check-terminal: waited in vain for {what}. There stands:\n{self.text()}")

    def wait_for(self, *parts):
        self.wait(f"{parts}", lambda: all(part in self.text() for part in parts))

    def wait_without(self, part):
        self.wait(f"the end of {part!r}", lambda: part not in self.text())


def width(line):
    """Columns that a line takes."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in line)
    return len(line) + wide
