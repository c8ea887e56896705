#!/usr/bin/env bash
# Check the boards that a branch changes against the revision it started from:
#
#     leaderboards/ci.sh BASE
#
# Every row that differs is computed again from the scores kept beside it; a line says that it is accepted, with what
# changes, or refused, and why. Exit status 1 where a row is refused. Needs no audio and nothing but pse-bench.
set -euo pipefail
base=${1:?usage: leaderboards/ci.sh BASE, the revision to compare with}
cd "$(git rev-parse --show-toplevel)"
git rev-parse --quiet --verify "$base^{commit}" >/dev/null ||
    { echo "leaderboards/ci.sh: no revision $base here; fetch it" >&2; exit 1; }
before=$(mktemp -d)
trap 'rm -r "$before"' EXIT
status=0
for board in leaderboards/*-v[0-9]*.csv; do
    if git diff --quiet "$base" -- "$board" "${board%.csv}"; then continue; fi
    git show "$base:$board" >"$before/board.csv" 2>/dev/null || : >"$before/board.csv"
    pse-bench leaderboard review "$board" --base "$before/board.csv" || status=1
done
exit $status
