#!/usr/bin/env bash
# Fill a leaderboard with the reference systems, the baselines and their controls:
#
#     leaderboards/fill.sh embedded-v1 WORK
#     leaderboards/fill.sh libri-mini-v1 WORK --root librispeech=DIR
#
# WORK takes the dataset, the submissions and the results; run again, it continues. SYSTEMS="mixture …" names fewer
# of them. DNSMOS, most of the time that scoring takes, is left out for baselines with the wrong enrollment. Scores
# need the extras embedded, whisper, dnsmos and baseline and the network of resemblyzer (see the Makefile).
set -euo pipefail
board="$(cd "$(dirname "$0")" && pwd)/$1.csv"
set_name=$1
work=$2
shift 2
read -ra systems <<<"${SYSTEMS:-mixture silence oracle-mask baseline:no-its baseline:its baseline:its-noisy-reference}"

[ -f "$work/$set_name/dataset.json" ] || pse-bench benchmark "$set_name" -o "$work/$set_name" "$@"
for enrollment in right wrong; do
    for system in "${systems[@]}"; do
        kind=reference
        wanted="--metrics all"
        [[ $system == baseline:* ]] && kind=baseline
        [[ $kind == baseline && $enrollment == wrong ]] && wanted=""
        made="$work/submissions/$set_name/$enrollment/${system/:/-}"
        result="$work/results/$set_name/$enrollment/${system/:/-}"
        [ -f "$made/system.yaml" ] ||
            pse-bench enhance "$work/$set_name" --system "$system" --enrollment "$enrollment" -o "$made"
        [ -f "$result/result.json" ] ||
            pse-bench score "$work/$set_name" "$made" -o "$result" $wanted --recogniser whisper:tiny.en --quiet
        pse-bench leaderboard add "$board" "$result" --kind $kind --replace
    done
done
pse-bench leaderboard verify "$board" "$work/results/$set_name"/*/*
pse-bench leaderboard show "$board"
