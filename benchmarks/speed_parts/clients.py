"""Our API part against bare clients that send the same reads and compare the same statuses."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from speed_parts.gate import play
from speed_parts.rows import Row
from streampay_sandbox.stack import start_sandbox
from streampay_smoke.evidence import events

TAGS = "@readiness or @streams"
OURS = "our part with these reads and all else it checks"

BASH = r"""
set -euo pipefail
while IFS=$'\t' read -r path served; do
  if [ "$served" = 1 ]; then
    curl -sf -H "x-api-key: $KEY" "$BASE$path" | jq -e . >/dev/null || { echo "$path" >&2; exit 1; }
  else
    status=$(curl -s -o /dev/null -w '%{http_code}' "$BASE$path")
    [ "$status" -ge 400 ] || { echo "$path $status" >&2; exit 1; }
  fi
done <"$READS"
"""
HTTPX = """
import os, httpx
with httpx.Client(base_url=os.environ["BASE"]) as client:
    for line in open(os.environ["READS"]):
        path, served = line.rstrip("\\n").split("\\t")
        answer = client.get(path, headers={"x-api-key": os.environ["KEY"]} if served == "1" else {})
        assert (answer.status_code < 300 and answer.json()) if served == "1" else answer.status_code >= 400, path
"""
NODE = """
const { readFileSync } = require("fs");
(async () => {
  for (const line of readFileSync(process.env.READS, "utf8").trim().split("\\n")) {
    const [path, served] = line.split("\\t");
    const headers = served === "1" ? { "x-api-key": process.env.KEY } : {};
    const answer = await fetch(process.env.BASE + path, { headers });
    if (served === "1" ? !(answer.ok && (await answer.json())) : answer.status < 400) throw new Error(path);
  }
})();
"""
CLIENTS: Mapping[str, tuple[Sequence[str], Sequence[str]]] = {
    "bash, curl and jq": (("bash", "-c", BASH), ("bash", "curl", "jq")),
    "plain httpx": ((sys.executable, "-c", HTTPX), ()),
    "plain fetch in Node": (("node", "-e", NODE), ("node",)),
}
"""Each client: its command, and the programs that must be installed for it."""


def rows(runs: int) -> Iterator[Row]:
    """Yield our part in each client's time; clients that are not installed are left out."""
    ours: list[float] = []
    theirs: dict[str, list[float]] = {}
    count = 0
    for _ in range(runs):
        with start_sandbox() as sandbox, tempfile.TemporaryDirectory() as folder:
            environ = {**sandbox.ready_document()["env"], "SMOKE_AUTH_MODE": "api-key"}
            played = play(environ, tags=TAGS, wanted="PASS")
            ours.append(played.seconds)
            reads = list(_reads(played.entries))
            count = len(reads)
            file = Path(folder) / "reads"
            file.write_text("".join(f"{path}\t{int(served)}\n" for path, served in reads))
            asked = {"BASE": sandbox.base_url, "KEY": environ["SMOKE_API_KEY"], "READS": str(file)}
            for name, (command, needs) in CLIENTS.items():
                if all(map(shutil.which, needs)):
                    theirs.setdefault(name, []).append(_seconds(command, asked))
    for name, seconds in theirs.items():
        yield Row(
            part="api",
            what=f"{OURS} ({count} reads)",
            seconds=tuple(ours),
            base=name,
            base_seconds=tuple(seconds),
        )


def _reads(entries: Sequence[object]) -> Iterator[tuple[str, bool]]:
    """Yield the reads of a run that anybody can repeat: their path, and whether they were served."""
    for entry in entries:
        event = getattr(entry, "event", None)
        if not isinstance(event, events.Exchanged) or event.peer != "service" or event.method != "GET":
            continue
        if event.status in {200, 401}:
            yield event.target, event.status == 200


def _seconds(command: Sequence[str], environ: Mapping[str, str]) -> float:
    began = time.monotonic()
    subprocess.run(command, env={**os.environ, **environ}, check=True, capture_output=True, text=True)
    return time.monotonic() - began
