#!/usr/bin/env bash
# Writes the software bill of materials of a run's installation as CycloneDX JSON: scripts/sbom.sh [FILE]
# It lists what .venv holds, with versions and licences; FILE is artifacts/sbom.cdx.json unless given. The same installation
# gives the same file.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

file=${1:-artifacts/sbom.cdx.json}
ensure_venv .venv requirements/runtime.txt
ensure_tools .venv-sbom requirements/sbom.txt || die "the tool that writes the bill of materials cannot be installed"
mkdir -p "$(dirname "$file")"
.venv-sbom/bin/cyclonedx-py environment --pyproject pyproject.toml --mc-type application --gather-license-texts \
  --output-reproducible --output-format JSON --output-file "$file" .venv
say "wrote $file"
