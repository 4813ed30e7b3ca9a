"""The reads by plain httpx."""

import json
import os
from pathlib import Path

import httpx

with httpx.Client(base_url=os.environ["BASE"]) as client:
    for read in json.loads(Path(os.environ["READS_JSON"]).read_bytes()):
        answer = client.get(read["path"], headers={"x-api-key": os.environ["KEY"]} if read["with_key"] else {})
        assert answer.status_code == read["status"], read["path"]
        assert not read["fields"] or set(read["fields"]) <= answer.json().keys(), read["path"]
