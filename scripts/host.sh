#!/usr/bin/env bash
# Builds the real Soroban host as an engine of the sandbox (docs/host.md): scripts/host.sh
# Needs Rust 1.87 or newer (cargo); everything else works without it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

command -v cargo >/dev/null 2>&1 || die "cargo is not installed: the real host is an extra, the sandbox runs models without it"
# The default registry, as this cargo writes it into a lock; the lock that is kept names no host.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/src"
touch "$scratch/src/lib.rs"
printf '[package]\nname = "scratch"\nversion = "0.0.0"\nedition = "2021"\n[dependencies]\nitoa = "1"\n' >"$scratch/Cargo.toml"
cargo generate-lockfile --quiet --manifest-path "$scratch/Cargo.toml"
source=$(grep -m 1 '^source = ' "$scratch/Cargo.lock")
awk -v source="$source" '/^checksum = / { print source } { print }' engine/crates.lock >engine/Cargo.lock
cargo build --release --locked --manifest-path engine/Cargo.toml
say "the real host is built: streampay-smoke sandbox --engine host --contract FILE.wasm"
