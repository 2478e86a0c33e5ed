#!/bin/sh
# Before azd provisions: makes infra/generated/ anew, and finds the object id of Defender for Cloud in this tenant.
set -eu
cd "$(dirname "$0")/.."
make --silent infra
if [ -z "${DEFENDER_PRINCIPAL_ID:-}" ] && command -v az >/dev/null; then
  found="$(az ad sp show --id 8edd93e1-2103-40b4-bd70-6e34e586362d --query id --output tsv || true)"
  # Not found, azd asks for it: who deploys may lack the right to read the directory.
  [ -z "$found" ] || azd env set DEFENDER_PRINCIPAL_ID "$found"
fi
