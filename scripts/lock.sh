#!/usr/bin/env bash
# Writes requirements/*.txt anew from pyproject.toml: scripts/lock.sh [uv pip compile options, such as --upgrade]
# Versions already locked stay unless an option says otherwise. Needs a network; uv lives in a folder of its own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

python=$(find_python) || die "Python 3.11 or newer is needed and was not found"
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
"$python" -m venv "$tools"
venv_pip "$tools" install 'uv>=0.9'

# One lock for every system and every Python from 3.11 on, without the address of any index.
compile() {
  "$tools/bin/uv" pip compile --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-header --quiet "$@" >/dev/null
}

compile pyproject.toml --group build --output-file requirements/runtime.txt "$@"
compile pyproject.toml --group build --group dev --output-file requirements/dev.txt "$@"
compile pyproject.toml --group build --group dev --group mutation --constraints requirements/dev.txt \
  --output-file requirements/mutation.txt "$@"
compile --group deploy --output-file requirements/deploy.txt "$@"
compile --group sbom --output-file requirements/sbom.txt "$@"
