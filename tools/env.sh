#!/bin/sh
# Make .venv and install everything that pyproject.toml asks for, at the versions that
# constraints.txt names. Does nothing, quickly, when that is already so.
#
#   tools/env.sh lab             the same and the extra `lab`, which then stays
#   PYTHON=/path/to/python3.12   use this Python (else the first of 3.11, 3.12, 3.13 that works)
#   TORCH_INDEX=https://…        also look here for torch, for instance PyTorch's CPU index
#
# A CPU build (2.13.0+cpu) ranks above the plain one, so pip takes it where an index offers it;
# where none does, torch is the default CUDA build. TORCH_INDEX decides for you.
set -eu
cd "$(dirname "$0")/.."

stamp=.venv/.installed      # written last: python and place, hash of the pins, TORCH_INDEX, extras
unfinished=.venv/.installing # there while an install runs, and after one that was stopped

stop() {
    printf '%s\n' "$*" >&2
    exit 1
}

works() { # Runs it: a pyenv shim exists and is executable even where it cannot run.
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
        </dev/null >/dev/null 2>&1
}

makes_venvs() {
    "$1" -c 'import ensurepip, venv' </dev/null >/dev/null 2>&1
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        python=$(command -v "$PYTHON") || stop "PYTHON=$PYTHON: there is no such program."
        works "$python" || stop "PYTHON=$PYTHON does not run or is not Python 3.11, 3.12 or 3.13."
        makes_venvs "$python" || stop "$(no_venv "$python")"
        return
    fi
    lame=
    places=$PATH
    for folder in "${PYENV_ROOT:-${HOME:-}/.pyenv}"/versions/3.1[123]*/bin; do
        places=$places:$folder
    done
    old_ifs=$IFS
    IFS=:
    for name in python3.11 python3.12 python3.13 python3 python; do
        for folder in $places; do
            python=$folder/$name
            if [ -x "$python" ] && works "$python"; then
                makes_venvs "$python" && IFS=$old_ifs && return
                lame=${lame:-$python}
            fi
        done
    done
    IFS=$old_ifs
    [ -z "$lame" ] || stop "$(no_venv "$lame")"
    stop "No Python 3.11, 3.12 or 3.13 was found. Install one, or name it:" \
        "make env PYTHON=/path/to/python3.11"
}

no_venv() {
    echo "$1 cannot make virtual environments, its venv or ensurepip module is missing" \
        "(Debian and Ubuntu have it in the package python3-venv)." \
        "Install it, or name another Python: make env PYTHON=/path/to/python3.11"
}

state() { # Two lines: Python's version and where the environment lies; hash of the pins.
    "$1" -c 'if True:
        import hashlib, os, platform, sys
        print(platform.python_version(), os.path.realpath(sys.prefix))
        pins = b"".join(open(name, "rb").read() for name in ("pyproject.toml", "constraints.txt"))
        print(hashlib.sha256(pins).hexdigest())' 2>/dev/null
}

current() { # Is .venv what is asked for? $1: 1 compares all, 2 only whether it can be kept.
    [ -f "$stamp" ] && [ ! -e "$unfinished" ] || return 1
    now=$(state .venv/bin/python) || return 1
    { read -r then_where; read -r then_pins; read -r then_index || true; } <"$stamp"
    [ "$(printf '%s\n' "$now" | sed -n 1p)" = "$then_where" ] || return 1
    [ "${TORCH_INDEX:-$then_index}" = "$then_index" ] || return 1
    if [ -n "${PYTHON:-}" ]; then
        asked=$(state "$PYTHON") && [ "${asked%% *}" = "${then_where%% *}" ] || return 1
    fi
    [ "$1" = 2 ] || { [ -z "$more" ] && [ "$(printf '%s\n' "$now" | sed -n 2p)" = "$then_pins" ]; }
}

install() {
    {
        status=0
        # Elsewhere, or less than all, is what these would make of it.
        unset PIP_TARGET PIP_PREFIX PIP_ROOT PIP_PYTHON PIP_NO_DEPS PIP_DRY_RUN
        PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1 .venv/bin/python -m pip install --no-input \
            --progress-bar off ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} \
            -c constraints.txt -e ".[$extras]" </dev/null 2>&1 || status=$?
        echo "exit $status"
    } | tee .venv/install.log | awk -v tty="$([ -t 1 ] && echo 1)" '
        # A running count where a person looks on; in a log, the large downloads alone.
        /^ *(Collecting|Processing|Requirement already)/ { count += 1
            if (tty) printf "\r  %d packages looked at\033[K", count }
        /^ *Downloading .*\([0-9.]+ [MG]B\)/ { size = $(NF - 1); sub(/^\(/, "", size)
            if (size + 0 >= 20 || $NF ~ /^G/) printf "%s%s\n", (tty ? "\r\033[K" : ""), $0 }
        /^ *Installing collected/ { printf "%s", (tty ? "\r\033[K" : "")
            print "  unpacking; this takes a minute or two" }
        { fflush() }'
    [ "$(tail -n 1 .venv/install.log)" = "exit 0" ]
}

settle() { # After pip gave up: if it had changed nothing yet, .venv is as good as before.
    grep -q '^ *Installing collected' .venv/install.log || rm -f "$unfinished"
}

unset PYTHONHOME PYTHONPATH
if command -v flock >/dev/null 2>&1; then
    exec 9<tools/env.sh
    flock -n 9 || { echo "Another set-up of this folder is running; waiting for it."; flock 9; }
fi
extras=$(sed -n 4p "$stamp" 2>/dev/null) || true # what was asked for once is kept up to date
extras=${extras:-dev}
more=
case ",$extras," in *",${1:-dev},"*) ;; *) more=$1 extras=$extras,$1 ;; esac
current 1 && exit 0

if ! current 2 && { [ -e "$stamp" ] || [ -e "$unfinished" ] || ! works .venv/bin/python; }; then
    find_python
    [ ! -e .venv ] || echo "The environment in .venv is broken, moved or unfinished: making it anew."
    echo "Making .venv with $python ($("$python" -V))."
    rm -rf .venv
    mkdir .venv
    : >"$unfinished"
    "$python" -m venv .venv >.venv/install.log 2>&1 || {
        tail -n 5 .venv/install.log >&2
        rm -rf .venv
        stop "$(no_venv "$python")"
    }
fi
: >"$unfinished"
: >.venv/install.log
echo "Installing what constraints.txt names (log: .venv/install.log)."
install || {
    settle
    grep -v -e '^  ' -e '^exit' .venv/install.log | tail -n 8 >&2
    stop "The installation did not finish; mend what is said above and run make again."
}
.venv/bin/dasheng --version >/dev/null 2>&1 && .venv/bin/python -c 'import dasheng_lib, torch' \
    </dev/null >/dev/null 2>&1 || stop "pip says that it is done, but .venv holds no dasheng or no" \
    "torch: see what 'pip config list' and 'env | grep PIP_' set, mend it and run make again."
{
    state .venv/bin/python
    echo "${TORCH_INDEX:-}"
    echo "$extras"
} >"$stamp.new"
mv "$stamp.new" "$stamp"
rm -f "$unfinished"
echo "The environment is ready."
