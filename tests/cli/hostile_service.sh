#!/usr/bin/env bash
# Every attack of the story against the real programs: each is refused in the right words.
set -euo pipefail
HOLDFAST_BIN=$(realpath "${1:-${HOLDFAST_BIN:-build/bin}}")
export HOLDFAST_BIN
exec "$(dirname "${BASH_SOURCE[0]}")/../../tools/story_hostile"
