"""The reads of a run that anybody can repeat, and what is checked of each answer: its status, and its JSON fields."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import httpx
import msgspec

from streampay_smoke.evidence import events
from streampay_smoke.evidence.journal import Entry

KEY_HEADER = "x-api-key"
REPEATED = frozenset({200, 401})


class Read(msgspec.Struct, frozen=True, kw_only=True):
    """One GET: sent with the API key or without, the status it gets, and the fields of the JSON object in its answer.

    `fields` are sorted, and none where the answer is no JSON object.
    """

    path: str
    with_key: bool
    status: int
    fields: tuple[str, ...]


def reads_of(entries: Sequence[Entry], *, base_url: str, key: str) -> list[Read]:
    """Return the reads of a run that a bare client gets the run's own statuses for; each is sent once to learn that."""
    found = []
    with httpx.Client(base_url=base_url) as client:
        for entry in entries:
            event = entry.event
            if not isinstance(event, events.Exchanged) or (event.peer, event.method) != ("service", "GET"):
                continue
            if event.status not in REPEATED:
                continue
            answer = client.get(event.target, headers={KEY_HEADER: key} if event.status == 200 else {})
            if answer.status_code == event.status:
                fields = _fields(answer)
                read = Read(path=event.target, with_key=event.status == 200, status=event.status, fields=fields)
                found.append(read)
    return found


def _fields(answer: httpx.Response) -> tuple[str, ...]:
    try:
        content = answer.json()
    except ValueError:
        return ()
    return tuple(sorted(content)) if isinstance(content, dict) else ()


class ReadFiles(msgspec.Struct, frozen=True, kw_only=True):
    """The same reads, in the form that each kind of client takes."""

    folder: Path
    tsv: Path
    json: Path
    feature: Path
    collection: Path
    variables: Path


def write(reads: Sequence[Read], folder: Path, variables: Mapping[str, str]) -> ReadFiles:
    """Write the reads into a folder, in every form; `variables` are those of the collection."""
    files = ReadFiles(
        folder=folder,
        tsv=folder / "reads.tsv",
        json=folder / "reads.json",
        feature=folder / "reads.feature",
        collection=folder / "reads.postman_collection.json",
        variables=folder / "reads.postman_environment.json",
    )
    files.tsv.write_text("".join(f"{line}\n" for line in map(_as_line, reads)))
    files.json.write_bytes(msgspec.json.encode(reads))
    files.feature.write_text(_feature(reads))
    files.collection.write_text(json.dumps(_collection(reads)))
    values = [{"key": name, "value": value} for name, value in variables.items()]
    files.variables.write_text(json.dumps({"name": "here", "values": values}))
    return files


def _as_line(read: Read) -> str:
    return "\t".join((read.path, str(int(read.with_key)), str(read.status), ",".join(read.fields)))


def _feature(reads: Iterable[Read]) -> str:
    rows = [
        f"      | {read.path} | {'with' if read.with_key else 'without'} | {read.status} | {','.join(read.fields)} |"
        for read in reads
    ]
    return "\n".join(
        [
            "Feature: Reads of the API",
            "  Scenario Outline: A read is answered",
            '    When a client reads "<path>" <with> its key',
            "    Then the answer has status <status>",
            '    And the answer has the fields "<fields>"',
            "",
            "    Examples:",
            "      | path | with | status | fields |",
            *rows,
            "",
        ]
    )


def _collection(reads: Iterable[Read]) -> dict[str, object]:
    schema = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
    return {"info": {"name": "Reads of the API", "schema": schema}, "item": [_item(read) for read in reads]}


def _item(read: Read) -> dict[str, object]:
    test = [
        f"pm.test('status', () => pm.response.to.have.status({read.status}));",
        *(
            [f"pm.test('fields', () => pm.expect(pm.response.json()).to.include.keys({json.dumps(read.fields)}));"]
            if read.fields
            else []
        ),
    ]
    headers = [{"key": KEY_HEADER, "value": "{{KEY}}"}] if read.with_key else []
    return {
        "name": read.path,
        "request": {"method": "GET", "header": headers, "url": f"{{{{BASE}}}}{read.path}"},
        "event": [{"listen": "test", "script": {"type": "text/javascript", "exec": test}}],
    }
