# Common parts of start, stop and status, which read this file; it is not run.
# MES_RUN is the directory of process ids and logs; MES_APP and MES_JOBS name the served application and the jobs.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
env_file=${MES_ENV_FILE:-$root/.env}
if [ -f "$env_file" ]; then
    set -a
    . "$env_file"
    set +a
fi
run=${MES_RUN:-$root/run}
app=${MES_APP:-examples.dashboard.after:app}
jobs=${MES_JOBS:-examples.dashboard.after:jobs}
bind=${MES_BIND:-127.0.0.1:8000}
workers=${TRACE_WORKER_COUNT:-1}
python=${MES_PYTHON:-python3}
export MALLOC_ARENA_MAX=${MALLOC_ARENA_MAX:-2} # without it every thread keeps the memory that it freed: 38 MiB instead of 17
case "${TRACE_WORKER_ENABLED:-false}" in
    true | True | TRUE | 1 | yes | on) ;;
    *) workers=0 ;;
esac

# Succeed if the process of $1 runs: its id is in $run, and that process is still ours.
runs() {
    pid=$(cat "$run/$1.pid" 2>/dev/null) || return 1
    [ -n "$pid" ] && tr '\0' '\n' < "/proc/$pid/environ" 2>/dev/null | grep -qx "MES_NAME=mesbatch-$1"
}

# Print the names of all processes that should run, or did.
names() {
    echo web
    number=1
    while [ "$number" -le "$workers" ]; do
        echo "worker-$number"
        number=$((number + 1))
    done
    for file in "$run"/worker-*.pid; do
        [ -e "$file" ] && basename "$file" .pid
    done | cat
}
