#!/usr/bin/env bash
# The story of a government that withdraws protection and backs down: every step as expected.
HOLDFAST_BIN=${1:-build/bin} exec bash "$(dirname "${BASH_SOURCE[0]}")/../../tools/story_regions"
