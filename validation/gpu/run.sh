#!/usr/bin/env bash
# Train the published networks at full size on one GPU; the same command goes on. Fetches nothing.
# bash validation/gpu/run.sh [FOLDER] [MINUTES]
set -euo pipefail
folder=$(realpath -m "${1:-$(dirname "$0")}")
cd "$(dirname "$0")/../.."
export PYTHONPATH=src:. PYTHONUNBUFFERED=1 OMP_NUM_THREADS=1
exec python -m validation gpu --out "$folder" --minutes "${2:-11}"
