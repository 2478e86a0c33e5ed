#!/bin/sh
# After azd provisioned: says what is left to do by hand. azd hands its outputs over in the environment.
set -eu
cd "$(dirname "$0")/.."
.venv/bin/python -m infra.remaining
