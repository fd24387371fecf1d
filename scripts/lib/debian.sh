# Debian packages: installed into the system, or unpacked into a directory. Sourced by setup.

debian_root=()
debian_updated=

# Prints why system packages cannot be installed here; fails when they can.
debian_refusal() {
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "this system has no apt-get"
    elif [[ $(id -u) -eq 0 ]]; then
        return 1
    elif command -v sudo >/dev/null 2>&1 && sudo -n true >/dev/null 2>&1; then
        return 1
    else
        echo "not root, and sudo would ask for a password"
    fi
}

debian_install() {
    [[ $(id -u) -eq 0 ]] || debian_root=(sudo -n)
    # The lists of a fresh container are empty, those of an old one point at packages long gone.
    if [[ -z $debian_updated ]]; then
        "${debian_root[@]}" apt-get -o Acquire::Retries=3 update
        debian_updated=yes
    fi
    "${debian_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -o Acquire::Retries=3 install --yes --no-install-recommends "$@"
}

# The mirror that this Debian installs from, or HEAPLENS_DEBIAN_MIRROR where that is set.
debian_mirror() {
    if [[ -n ${HEAPLENS_DEBIAN_MIRROR:-} ]]; then
        echo "$HEAPLENS_DEBIAN_MIRROR"
        return
    fi
    local codename
    codename=$(. /etc/os-release && [[ ${ID:-} == debian ]] && echo "${VERSION_CODENAME:-sid}") || return 0
    # Other archives may name the same release; Debian's own path ends in /debian nearly everywhere.
    apt-get indextargets --format '$(CREATED_BY) $(RELEASE) $(COMPONENT) $(REPO_URI)' |
        awk -v codename="$codename" '
            $1 == "Packages" && $2 == codename && $3 == "main" && $4 ~ /\/debian\/?$/ { print $4; exit }
            $1 == "Packages" && $2 == codename && $3 == "main" && !other { other = $4 }
            END { if (other) print other }' | head -1
}

debian_keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# Prints why packages of another suite cannot be fetched here; fails when they can.
debian_archive_refusal() {
    if ! command -v apt-get >/dev/null 2>&1 || ! command -v dpkg-deb >/dev/null 2>&1; then
        echo "this system has no apt-get"
    elif [[ ! -r $debian_keyring ]]; then
        echo "no $debian_keyring (package debian-archive-keyring)"
    elif [[ -z $(debian_mirror) ]]; then
        echo "no Debian mirror among this system's apt sources (HEAPLENS_DEBIAN_MIRROR may name one)"
    else
        return 1
    fi
}

# debian_unpack SUITE DIRECTORY PACKAGE...: fetches the packages, without their dependencies, and
# unpacks them. Needs no root; the system's own sources and lists stay as they are.
debian_unpack() {
    local suite=$1 directory=$2 work apt package
    shift 2
    work=$(mktemp -d) || return
    # World-readable, so that apt can drop its rights while it downloads.
    chmod 755 "$work"
    mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/deb" "$work/tree"
    echo "deb [signed-by=$debian_keyring] $(debian_mirror) $suite main" >"$work/sources.list"
    [[ $(id -u) -ne 0 ]] || chown -R _apt "$work/lists" "$work/cache" "$work/deb" 2>/dev/null || true
    apt=(apt-get -o Acquire::Retries=3 -o Acquire::Languages=none
        -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false
        -o Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false
        -o "Dir::Etc::SourceList=$work/sources.list" -o Dir::Etc::SourceParts=/dev/null
        -o Dir::Etc::PreferencesParts=/dev/null
        -o "Dir::State::Lists=$work/lists" -o "Dir::Cache=$work/cache")
    "${apt[@]}" update || return
    (cd "$work/deb" && "${apt[@]}" download "$@") || return
    for package in "$work/deb"/*.deb; do
        dpkg-deb --extract "$package" "$work/tree" || return
    done
    # Documentation and service files are not wanted; in one move, so that nothing is half there.
    rm -rf "$directory" "$work/tree/usr/share/doc" "$work/tree/usr/share/man"
    mkdir -p "$(dirname "$directory")"
    mv "$work/tree" "$directory" || return
    rm -rf "$work"
}
