#!/bin/sh
# Try the whole deployment on this machine, and say what passed: configuration, build, credentials,
# start, health, one phantom through the client's image, a call without token, stop.
#
#   docker/verify.sh            with the GPU
#   docker/verify.sh --cpu      without
#
# It keeps its state in a temporary folder and its containers under a name of their own: a
# deployment that is running goes on. It needs Docker Engine with Compose 2.24.4 or newer.
set -eu
cd "$(dirname "$0")"

files="--file compose.yaml"
case ${1:-} in
    "") ;;
    --cpu) files="$files --file compose.cpu.yaml" ;;
    *) echo "usage: verify.sh [--cpu]" >&2; exit 2 ;;
esac

state=$(mktemp -d)
mkdir "$state/audit" "$state/data"
if [ "$(id -u)" = 0 ]; then
    OSTEOSERVE_USER=10001:10001
    chown -R "$OSTEOSERVE_USER" "$state"
else
    OSTEOSERVE_USER=$(id -u):$(id -g)
fi
OSTEOSERVE_STATE=$state
OSTEOSERVE_DATA=$state/data
OSTEOSERVE_PORT=127.0.0.1:${OSTEOSERVE_PORT:-18471}
OSTEOSERVE_HOST=localhost
export OSTEOSERVE_USER OSTEOSERVE_STATE OSTEOSERVE_DATA OSTEOSERVE_PORT OSTEOSERVE_HOST

compose() {
    # Word splitting is meant: $files holds several options.
    # shellcheck disable=SC2086
    docker compose --project-name osteoserve-verify $files "$@"
}

failed=0
finish() {
    code=$?
    trap - EXIT INT TERM
    if compose down --timeout 45 >>"$state/log" 2>&1; then echo "PASS  down"; else
        echo "FAIL  down: containers of project osteoserve-verify may be left"; failed=1
    fi
    if [ "$failed" = 0 ] && [ "$code" = 0 ]; then
        rm -rf "$state"
        echo "everything passed"
        exit 0
    fi
    echo "see $state/log; remove $state when done"
    exit 1
}
trap finish EXIT
trap 'exit 1' INT TERM

# step NAME COMMAND...: the later steps need the earlier ones, so the first failure is the last step.
step() {
    name=$1
    shift
    echo "== $name: $*" >>"$state/log"
    if "$@" >>"$state/log" 2>&1; then echo "PASS  $name"; else
        echo "FAIL  $name"
        failed=1
        compose logs --no-color >>"$state/log" 2>&1 || true
        exit 1
    fi
}

client() { compose run --rm -T --no-deps client "$@"; }

outputs_are_whole() {
    for name in skeleton.nii.gz skeleton.seg.dcm volumes.csv report.json preview.png; do
        [ -s "$state/data/result/$name" ] || { echo "$name is absent or empty"; return 1; }
    done
}

# The shipped model reaches 0.94 on this phantom on a CPU.
agrees_with_the_truth() {
    client evaluate --references /data/phantom/labels.nii.gz \
        --predictions /data/result/skeleton.nii.gz -o /data/evaluation &&
        awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "dice") column = i }
                 NR == 2 { print "Dice", $column; found = $column >= 0.9 }
                 END { exit !found }' "$state/data/evaluation/pooled.csv"
}

# Exit code 5 is a refusal; that it could not connect would be 4, and prove nothing.
refuses_without_token() {
    code=0
    compose run --rm -T --no-deps --env OSTEOSERVE_TOKEN_FILE= client models || code=$?
    [ "$code" = 5 ]
}

triton_is_not_published() {
    # A template, not the shell's.
    # shellcheck disable=SC2016
    ports='{{.Name}} {{range $port, $_ := .HostConfig.PortBindings}}{{$port}} {{end}}'
    published=$(compose ps --quiet | xargs docker inspect --format "$ports")
    echo "$published"
    # The service's own must be there, or this looked at nothing.
    echo "$published" | grep -q ' 8471/tcp' && ! echo "$published" | grep -q ' 800[0-9]/tcp'
}

audit_log_has_the_request() { grep -q '"method": "Segment".*"outcome": "OK"' "$state/audit/audit.jsonl"; }

step "configuration" compose config --quiet
step "build" compose build
step "credentials" compose run --rm -T credentials
step "up and healthy" compose up --detach --wait --wait-timeout 900 osteoserve
step "Triton not published" triton_is_not_published
step "models listed" client models
step "phantom made" client phantom ct -o /data/phantom --slices 24 --labels
step "phantom segmented" client segment /data/phantom/dicom -o /data/result
step "outputs whole" outputs_are_whole
step "Dice of 0.9 with the true labels" agrees_with_the_truth
step "refused without token" refuses_without_token
step "audit log written" audit_log_has_the_request
