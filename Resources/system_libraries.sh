#!/bin/sh
# Install what pip cannot, on Debian and Ubuntu with apt where that is allowed: Python's venv module, and for the CPU
# kernels an LLVM library and libatomic; with a second argument `test` also what Qt and VTK need to draw off screen and,
# where they can be had, what a few tests are skipped without: on Linux an X server without a screen, in whose windows
# they drag, and the validator of DICOM files.
# Elsewhere, or without the right to, say in one line what to install; only what tests are skipped without is optional.
set -eu
python=$1
purpose=${2:-demo}
version=$("$python" -c "import sys; print('%d.%d' % sys.version_info[:2])")
case $version in
3.11 | 3.12) ;;
*)
    echo "Python $version is not supported; name one of 3.11 or 3.12, for example: make demo PYTHON=python3.12" >&2
    exit 1
    ;;
esac

missing="" optional=""
"$python" -c "import ensurepip, venv" 2>/dev/null || missing="$missing python$version-venv"
"$python" -c "
import ctypes, sys
if sys.platform == 'linux': ctypes.CDLL('libatomic.so.1')" 2>/dev/null || missing="$missing libatomic1"
PYTHONPATH="$(dirname "$0")/../Sim2Real" "$python" -c "
import os, sys, Sim2RealLib
sys.exit('DRJIT_LIBLLVM_PATH' not in os.environ)" || missing="$missing libllvm19"
lacks() {
    "$python" -c "
import ctypes, sys
if sys.platform == 'linux': ctypes.CDLL('$1')" 2>/dev/null && return 1
    return 0
}
if [ "$purpose" = test ]; then
    lacks libEGL_mesa.so.0 && missing="$missing libegl1 libegl-mesa0 libgl1-mesa-dri"
    lacks libGL.so.1 && missing="$missing libgl1"
    lacks libxkbcommon.so.0 && missing="$missing libxkbcommon0"
    lacks libdbus-1.so.3 && missing="$missing libdbus-1-3"
    lacks libfontconfig.so.1 && missing="$missing libfontconfig1"
    lacks libglib-2.0.so.0 && missing="$missing libglib2.0-0"
    command -v dciodvfy >/dev/null || optional=" dicom3tools"
    [ "$(uname)" != Linux ] || command -v Xvfb >/dev/null || optional="$optional xvfb"
    for library in cursor.so.0 icccm.so.4 image.so.0 keysyms.so.1 randr.so.0 render-util.so.0 shape.so.0 xkb.so.1; do
        lacks "libxcb-$library" && optional="$optional libxcb-${library%.so.*}${library##*.}"
    done
    lacks libxkbcommon-x11.so.0 && optional="$optional libxkbcommon-x11-0"
fi
[ -n "$missing$optional" ] || exit 0

as_root=""
[ "$(id -u)" = 0 ] || as_root="sudo -n"
if command -v apt-get >/dev/null && $as_root true 2>/dev/null; then
    echo "Installing$missing$optional ..."
    # shellcheck disable=SC2086
    $as_root apt-get update -qq &&
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends $missing $optional \
            >/dev/null &&
        exit 0
fi
[ -z "$optional" ] ||
    echo "Some tests are skipped without:$optional (Debian, Ubuntu: sudo apt-get install$optional)" >&2
[ -n "$missing" ] || exit 0
echo "Please install:$missing (Debian, Ubuntu: sudo apt-get install$missing; elsewhere see Docs/Installation.md)" >&2
exit 1
