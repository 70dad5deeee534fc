#!/usr/bin/env bash
# Real dbt Cloud clients, each in an environment of its own, against the simulator over real sockets.
set -euo pipefail
cd "$(dirname "$0")/../.."
UV=${UV:-$(command -v uv || echo "$PWD/.cache/uv/bin/uv")}
export UV
exec "$UV" run --quiet python tests/clients/run.py "$@"
