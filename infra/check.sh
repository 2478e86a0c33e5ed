#!/bin/sh
# Checks every Bicep file: its syntax, and each resource against Azure's own types, where ../shared has them; and checkov.
set -eu
cd "$(dirname "$0")/.."
types=../shared/bin/bicep_check.py
[ ! -e "$types" ] || .venv/bin/python "$types" infra/*.bicep

# CKV_AZURE_189 cannot read a choice between two values, and ends with an error where key-vault.bicep makes one.
skip=CKV_AZURE_189

# Without --skip-download it asks its vendor first. A file that it cannot parse it leaves out, with exit code 0.
said="$("$1" --directory infra --framework bicep --skip-download --skip-check "$skip" --quiet --compact 2>&1)" || { echo "$said"; exit 1; }
case "$said" in *"arsing error"*|*"Error parsing"*|*"Failed to run check"*) echo "$said"; exit 1 ;; esac
