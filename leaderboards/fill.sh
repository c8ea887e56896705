#!/usr/bin/env bash
# Fill a leaderboard with the reference systems, the baselines, published systems of others, and controls:
#
#     leaderboards/fill.sh embedded-v1 WORK
#     leaderboards/fill.sh libri-mini-v1 WORK --root librispeech=DIR
#     leaderboards/fill.sh speechocean-call-v1 WORK --root speechocean762=DIR
#
# WORK takes the dataset, the submissions, the results and the figures of the systems; run again, it continues.
# SYSTEMS="mixture …" names fewer of them, METRICS=tsos,wer,… fewer figures (METRICS= those that need no model
# beside the recogniser's), JOBS=1 is for worker processes, and ONLY=enhance ends before scoring.
# DNSMOS, most of the time that scoring takes, is left out for baselines with the wrong enrollment; what is blind to
# the enrollment has no control. Of call sets no words are known, and only baselines have controls. Scores need the
# extras embedded, whisper, dnsmos and baseline and the network of resemblyzer (see the Makefile);
# `pse-bench system public:` says how to install the published systems.
set -euo pipefail
board="$(cd "$(dirname "$0")" && pwd)/$1.csv"
set_name=$1
work=$2
shift 2
baselines="baseline:no-its baseline:its baseline:its-noisy-reference"
blind="public:speexdsp public:webrtc public:nsnet2 public:dtln public:rnnoise public:gtcrn public:deepfilternet3 public:hush"
read -ra systems <<<"${SYSTEMS:-mixture silence oracle-mask $baselines $blind public:open-voicefilter-lite}"
jobs=${JOBS:+--jobs $JOBS}
heard="--recogniser whisper:tiny.en"
if [[ $set_name == *-call-* ]]; then
    heard=""
    of_takes=(tsos{,_s_per_30min,_longest_s,_alone,_together} {onset,short,return}_tsos turn_{stoi,pesq_wb}
        turn_tsos_{to_2,to_5,to_15,from_15}s pause_leakage_{,to_1s_,to_3s_,to_10s_,to_30s_,from_30s_}db
        target_{loss,reduction}_db output_reduction_db si_sdr si_sdri wrong_speaker)
    METRICS=${METRICS-$(IFS=, && echo "${of_takes[*]}")}
fi
METRICS=${METRICS-all}

[ -f "$work/$set_name/dataset.json" ] || pse-bench benchmark "$set_name" -o "$work/$set_name" "$@"
for enrollment in right wrong; do
    for system in "${systems[@]}"; do
        [[ $enrollment == wrong && " $blind " == *" $system "* ]] && continue
        kind=reference
        wanted=${METRICS:+--metrics $METRICS}
        [[ $system == baseline:* ]] && kind=baseline
        [[ $system == public:* ]] && kind=submission
        [[ $kind == baseline && $enrollment == wrong && -n $heard ]] && wanted=""
        [[ $kind != baseline && $enrollment == wrong && -z $heard ]] && continue
        made="$work/submissions/$set_name/$enrollment/${system/:/-}"
        result="$work/results/$set_name/$enrollment/${system/:/-}"
        figures="$work/figures/${system/:/-}.json"
        [ -f "$made/system.yaml" ] ||
            pse-bench enhance "$work/$set_name" --system "$system" --enrollment "$enrollment" -o "$made" $jobs
        [ "${ONLY:-}" = enhance ] && continue
        [ -f "$result/result.json" ] ||
            pse-bench score "$work/$set_name" "$made" -o "$result" $wanted $heard --quiet $jobs
        # a system that looks ahead of its latency ends with 1, and its figures say so
        [ -f "$figures" ] || pse-bench system "$system" -o "$figures" >&2 || [ -f "$figures" ]
        # published systems are taken as they are; not all of them say what they were trained on
        said=(--evidence reproduced --figures "$figures")
        [[ $kind == submission ]] && said+=(--tuned-on nothing)
        [[ $system == public:rnnoise ]] && said+=(--trained-on "not stated")
        pse-bench leaderboard add "$board" "$result" --kind $kind --replace "${said[@]}"
    done
done
[ "${ONLY:-}" = enhance ] && exit
pse-bench leaderboard verify "$board" "$work/results/$set_name"/*/*
pse-bench leaderboard show "$board"
