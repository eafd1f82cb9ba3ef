#!/bin/sh
# Install what pip cannot, on Debian and Ubuntu with apt where that is allowed: Python's venv module, and for the CPU
# kernels an LLVM library and libatomic. Elsewhere, or without the right to, say in one line what to install.
set -eu
python=$1
version=$("$python" -c "import sys; print('%d.%d' % sys.version_info[:2])")
case $version in
3.11 | 3.12) ;;
*)
    echo "Python $version is not supported; name one of 3.11 or 3.12, for example: make demo PYTHON=python3.12" >&2
    exit 1
    ;;
esac

missing=""
"$python" -c "import ensurepip, venv" 2>/dev/null || missing="$missing python$version-venv"
"$python" -c "
import ctypes, sys
if sys.platform == 'linux': ctypes.CDLL('libatomic.so.1')" 2>/dev/null || missing="$missing libatomic1"
PYTHONPATH="$(dirname "$0")/../Sim2Real" "$python" -c "
import os, sys, Sim2RealLib
sys.exit('DRJIT_LIBLLVM_PATH' not in os.environ)" || missing="$missing libllvm19"
[ -n "$missing" ] || exit 0

as_root=""
[ "$(id -u)" = 0 ] || as_root="sudo -n"
if command -v apt-get >/dev/null && $as_root true 2>/dev/null; then
    echo "Installing$missing ..."
    # shellcheck disable=SC2086
    $as_root apt-get update -qq &&
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends $missing >/dev/null &&
        exit 0
fi
echo "Please install:$missing (Debian, Ubuntu: sudo apt-get install$missing; elsewhere see Docs/Installation.md)" >&2
exit 1
