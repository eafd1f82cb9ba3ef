#!/bin/sh
# Install what pip cannot: Python's venv module and an LLVM library, on Debian and Ubuntu with apt where that is allowed.
# Elsewhere, or without the right to, say in one line what to install.
set -eu
python=$1
missing=""
"$python" -c "import ensurepip" 2>/dev/null || missing="$missing python3-venv"
PYTHONPATH="$(dirname "$0")/../Sim2Real" "$python" -c "
import os, sys, Sim2RealLib
sys.exit('DRJIT_LIBLLVM_PATH' not in os.environ)" || missing="$missing libllvm19"
[ -n "$missing" ] || exit 0

as_root=""
[ "$(id -u)" = 0 ] || as_root="sudo -n"
if command -v apt-get >/dev/null && $as_root true 2>/dev/null; then
    echo "Installing$missing ..."
    $as_root apt-get update -qq
    # shellcheck disable=SC2086
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends $missing >/dev/null
else
    echo "Please install:$missing (Debian, Ubuntu: sudo apt-get install$missing; elsewhere see Docs/Installation.md)" >&2
    exit 1
fi
