#!/bin/sh
# Make the virtual environment $1 where it is missing, and install the rest of the arguments into it.
#
# Debian parts Python from ensurepip (python3-venv) and forbids pip outside an environment (PEP 668), so the
# environment is made without pip and filled by the pip outside. uv is used where it is found, for it is quicker.
set -eu
venv=$1 python="${PY:-python3}"
shift

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "make: '$python' is missing or older than Python 3.11; name another: make PY=/path/to/python3.12 ..." >&2
    exit 1
}
if uv=$(command -v uv); then
    [ -x "$venv/bin/python" ] || "$uv" venv --quiet --python "$("$python" -c 'import sys; print(sys.executable)')" "$venv"
    install="$uv pip install --quiet --python $venv/bin/python"
elif "$python" -m pip --version >/dev/null 2>&1; then
    [ -x "$venv/bin/python" ] || "$python" -m venv --without-pip "$venv"
    install="$python -m pip --python $venv/bin/python install --quiet"
elif "$python" -m ensurepip --version >/dev/null 2>&1; then
    [ -x "$venv/bin/pip" ] || "$python" -m venv "$venv"
    install="$venv/bin/python -m pip install --quiet"
else
    echo "make: '$python' has no pip. On Debian or Ubuntu: apt-get install python3-pip" >&2
    exit 1
fi
echo "installing into $venv: $*"
exec $install "$@"
