"""Opens pprof's web interface on the example's heap in a browser: see scripts/check-pprof-page."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "readers"))
from service import PATIENCE, Service  # noqa: E402

# Seconds between the two profiles of the difference.
BETWEEN = 10
# Shown whole, with what is in brackets.
WHOLE = ["<tokio::runtime::blocking::task::BlockingTask<T> as core::future::future::Future>::poll"]
BOXES = "#stack-chart .boxtext"


@contextmanager
def served(program, directory, *arguments):
    """pprof's own server, and its address."""
    log = directory / f"pprof{len(list(directory.iterdir()))}.log"
    environment = {**os.environ, "PPROF_TMPDIR": str(directory), "HOME": str(directory)}
    command = [os.environ[program], "-no_browser", "-http=127.0.0.1:", *map(str, arguments)]
    with open(log, "wb") as file:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=environment)
    try:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and child.poll() is None:
            if found := re.search(r"http://127\.0\.0\.1:\d+", log.read_text()):
                yield found[0]
                return
            time.sleep(0.1)
        raise SystemExit(f"pprof does not serve:\n{log.read_text()}")
    finally:
        child.kill()
        child.wait()


def main():
    modules, chromium, program, pictures = sys.argv[1:]
    pictures = Path(pictures)
    pictures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with Service(program, directory) as service:
            time.sleep(BETWEEN)
            base = service.fetch("/debug/pprof/heap", directory / "base.pb.gz")
            time.sleep(BETWEEN)
            heap = service.fetch("/debug/pprof/heap", directory / "heap.pb.gz")
        with (
            served("HEAPLENS_PPROF", directory, heap) as whole,
            served("HEAPLENS_PPROF", directory, f"-diff_base={base}", heap) as difference,
            # Go's own has no source page for programs of other languages.
            served("HEAPLENS_GOOGLE_PPROF", directory, heap) as google,
        ):
            # From the service's own functions downwards.
            focus = "sf=^leaky_service::cases"
            pages = [
                ("flamegraph", f"{whole}/ui/flamegraph?si=inuse_space", BOXES, WHOLE),
                ("focus", f"{whole}/ui/flamegraph?si=inuse_space&{focus}", BOXES, ["create_session"]),
                ("source", f"{google}/ui/source?si=inuse_space&f=create_session", "body", ["create_session", "sessions.rs"]),
                ("top", f"{whole}/ui/top?si=inuse_space", "#rows", ["leaky_service::cases::sessions"]),
                ("difference", f"{difference}/ui/flamegraph?si=inuse_space&{focus}", BOXES, ["create_session"]),
            ]
            plan = directory / "pages.json"
            plan.write_text(
                json.dumps(
                    [
                        {"url": url, "picture": str(pictures / f"{name}.png"), "selector": selector, "texts": texts}
                        for name, url, selector, texts in pages
                    ]
                )
            )
            done = subprocess.run(["node", HERE / "look.mjs", modules, chromium, plan])
    if done.returncode:
        raise SystemExit("check-pprof-page: not everything was drawn, see above")
    print(f"pictures in {pictures}")


main()
