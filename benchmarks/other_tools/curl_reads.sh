#!/usr/bin/env bash
# The reads by bash, curl and jq.
set -euo pipefail
while IFS=$'\t' read -r path with_key status fields; do
  headers=()
  [ "$with_key" = 0 ] || headers=(-H "x-api-key: $KEY")
  answer=$(curl -s -w '\n%{http_code}' "${headers[@]}" "$BASE$path")
  [ "${answer##*$'\n'}" = "$status" ] || { echo "$path: ${answer##*$'\n'}" >&2; exit 1; }
  [ -z "$fields" ] ||
    jq -e --arg fields "$fields" '. as $it | $fields / "," | all(. as $field | $it | has($field))' \
      <<<"${answer%$'\n'*}" >/dev/null || { echo "$path: fields" >&2; exit 1; }
done <"$READS_TSV"
