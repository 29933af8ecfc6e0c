#!/bin/sh
# Make the virtual environment .venv, also where Python came without pip, venv or its shared
# library, as Debian's plain python3.11 package does.
#
# What is missing is fetched as Debian packages, unpacked and put into .venv: no root is needed,
# and nothing outside the checkout is touched.
set -eu
python=${1:-python3}
venv=.venv

"$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || {
    echo "Osteoserve needs Python 3.11 to 3.13: make PYTHON=python3.11 ..." >&2
    exit 1
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# fetch PACKAGE: unpack a Debian package into $scratch/root.
fetch() {
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || {
        echo "this Python lacks what Debian packages as $1: install it, then run make again" >&2
        exit 1
    }
    lists="-o Dir::State::Lists=$scratch/lists -o Dir::Cache=$scratch/cache"
    lists="$lists -o APT::Sandbox::User=$(id -un)"
    mkdir -p "$scratch/lists/partial" "$scratch/cache/archives/partial" "$scratch/root"
    [ -e "$scratch/updated" ] || apt-get $lists -qq update && touch "$scratch/updated"
    (cd "$scratch" && apt-get $lists -qq download "$1")
    dpkg-deb -x "$scratch/$1"_*.deb "$scratch/root"
}

if "$python" -c 'import ensurepip' 2>/dev/null; then
    "$python" -m venv "$venv"
else
    fetch python3-pip-whl
    "$python" -m venv --without-pip "$venv"
    wheels=$scratch/root/usr/share/python-wheels
    PYTHONPATH=$(echo "$wheels"/pip-*.whl) "$venv/bin/python" -m pip install --quiet \
        --no-index --find-links "$wheels" pip
fi

# The embedded Triton's Python backend loads Python's shared library.
if ! "$venv/bin/python" - <<'EOF' 2>/dev/null
import ctypes, sys
ctypes.CDLL("libpython%d.%d.so.1.0" % sys.version_info[:2])
EOF
then
    version=$("$venv/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    fetch "libpython$version"
    cp "$scratch"/root/usr/lib/*/libpython"$version".so.1.0 "$venv/lib/"
fi
