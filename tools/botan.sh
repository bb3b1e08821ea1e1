#!/usr/bin/env bash
# Botan 3 for ML-KEM, SHA-3 and Argon2id.
#
#   tools/botan.sh          make sure there is one; prints nothing when there is nothing to do
#   tools/botan.sh --print  name it ("system VERSION" or "cache PREFIX"), or fail when there is none
#   tools/botan.sh --mirrors [/etc/apt]   where the source package would come from
#
# A system Botan (Debian 13: libbotan-3-dev) is used as it is. Without one, Debian 13's own source
# package is built once into the user's cache. apt fetches and verifies it against Debian's
# archive keyring; neither the system's sources nor its package state are touched.
set -euo pipefail

readonly min_version=3.7
readonly suite=trixie
readonly modules=ml_kem,argon2,argon2_avx2,argon2_ssse3,sha3,keccak_perm_bmi2,shake,blake2,system_rng
readonly recipe="1 $modules -fPIC"
readonly cache="${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/holdfast"

say() { printf 'botan: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

system_version() {
  pkg-config --exists "botan-3 >= $min_version" 2>/dev/null && pkg-config --modversion botan-3
}

# What a library in the cache depends on besides its version: a new compiler, another machine
# type or another recipe gets a new folder.
build_key() {
  local compiler
  compiler=$(g++ -dumpfullversion)-$(g++ -dumpmachine)
  printf '%s-%s' "$compiler" "$(printf '%s' "$recipe" | sha256sum | cut -c1-8)"
}

cached_prefix() {
  local newest
  newest=$(compgen -G "$cache/botan-3.*-$(build_key)" | sort -V | tail -n 1) || return 1
  [[ -n $newest ]] && printf '%s' "$newest"
}

# One "SUITES<tab>COMPONENTS<tab>URI" line for each enabled archive below $1, from one-line and
# deb822 sources. Binary archives count too: Debian's mirrors carry the sources beside them.
configured_archives() {
  local etc=$1 file
  for file in "$etc/sources.list" "$etc"/sources.list.d/*.list; do
    [[ -r $file ]] || continue
    awk '
      { sub(/#.*/, "") }
      $1 == "deb" || $1 == "deb-src" {
        sub(/^[ \t]*deb(-src)?[ \t]+/, "")
        if (/^\[/) sub(/^\[[^]]*\][ \t]*/, "")
        uri = $1; suite = $2; $1 = ""; $2 = ""; sub(/^ +/, "")
        print suite "\t" $0 "\t" uri
      }' "$file"
  done
  for file in "$etc"/sources.list.d/*.sources; do
    [[ -r $file ]] || continue
    awk '
      function flush(   n, i, uris) {
        if (tolower(field["enabled"]) !~ /^ *(no|false|0|off|without|disable) *$/ &&
            field["types"] ~ /(^| )deb/) {
          n = split(field["uris"], uris, " ")
          for (i = 1; i <= n; i++)
            print field["suites"] "\t" field["components"] "\t" uris[i]
        }
        split("", field); name = ""
      }
      /^[ \t]*#/ { next }
      /^[ \t\r]*$/ { flush(); next }
      { sub(/\r$/, "") }
      /^[ \t]/ { field[name] = field[name] " " $0; gsub(/[ \t]+/, " ", field[name]); next }
      {
        colon = index($0, ":")
        name = tolower(substr($0, 1, colon - 1))
        field[name] = substr($0, colon + 1)
        gsub(/[ \t]+/, " ", field[name]); sub(/^ /, "", field[name])
      }
      END { flush() }' "$file"
  done
}

# The mirrors that may carry Debian itself: component main of a plain suite (not -security,
# -updates or -backports), those whose path looks like Debian's first.
debian_mirrors() {
  local etc=${1:-/etc/apt} codename
  codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-stable}")
  configured_archives "$etc" | awk -F'\t' -v codename="$codename" '
    $3 ~ /^(cdrom|file|copy):/ { next }
    {
      n = split($1, suites, " "); wanted = 0
      for (i = 1; i <= n; i++)
        if (suites[i] == codename || suites[i] ~ /^(bookworm|trixie|forky|oldstable|stable|testing|sid|unstable)$/)
          wanted = 1
      if (wanted && (" " $2 " ") ~ / main /)
        print ($3 ~ /\/debian\/?$/ ? 0 : 1) "\t" $3
    }' | sort -s -n -k1,1 | cut -f2 | awk '!seen[$0]++'
}

keyring() {
  local ring
  for ring in /usr/share/keyrings/debian-archive-keyring.{gpg,pgp}; do
    [[ -r $ring ]] && { printf '%s' "$ring"; return; }
  done
  die "no Debian archive keyring; install the package debian-archive-keyring"
}

# Leaves the unpacked source in $1/source.
fetch_source() {
  local work=$1 mirror mirrors ring fetched=
  ring=$(keyring)
  mirrors=${HOLDFAST_DEBIAN_MIRROR:-$(debian_mirrors)}
  [[ -n $mirrors ]] ||
    die "no Debian mirror in /etc/apt; set HOLDFAST_DEBIAN_MIRROR, for example to http://deb.debian.org/debian"
  mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/state" "$work/fetch"
  : > "$work/empty"
  chmod 755 "$work"  # as root, apt downloads as its own user
  [[ $(id -u) != 0 ]] || chown _apt "$work/fetch"
  local apt=(apt-get -q -y
    -o "Dir::State=$work/state" -o "Dir::State::lists=$work/lists"
    -o Dir::State::status=/dev/null -o "Dir::Cache=$work/cache"
    -o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o "Dir::Etc::preferences=$work/empty" -o Dir::Etc::preferencesparts=/dev/null
    -o Acquire::Languages=none -o Acquire::Retries=3 -o APT::Update::Error-Mode=any)
  for mirror in $mirrors; do
    printf 'deb-src [signed-by=%s] %s %s main\n' "$ring" "$mirror" "$suite" > "$work/sources.list"
    say "reading Debian 13's source index from $mirror"
    if "${apt[@]}" update >> "$work/log" 2>&1 &&
      (cd "$work/fetch" && "${apt[@]}" source --only-source botan3 >> "$work/log" 2>&1); then
      fetched=1
      break
    fi
  done
  if [[ -z $fetched ]]; then
    tail -n 15 "$work/log" >&2
    die "cannot fetch the source package botan3 of $suite from: $(tr '\n' ' ' <<< "$mirrors")"
  fi
  mv "$work"/fetch/botan3-*/ "$work/source"
}

source_version() {
  local info=$1/src/build-data/version.txt part
  for part in major minor patch; do
    sed -n "s/^release_$part *= *\([0-9]*\).*/\1/p" "$info"
  done | paste -sd.
}

# The modules of our list that this version has: SIMD variants come and go between versions.
available_modules() {
  local source=$1 module names=()
  for module in ${modules//,/ }; do
    [[ -n $(find "$source/src/lib" -type d -name "$module" -print -quit) ]] && names+=("$module")
  done
  (IFS=,; printf '%s' "${names[*]}")
}

build() {
  local work version prefix staged started=$SECONDS
  work=$(mktemp -d "${TMPDIR:-/tmp}/holdfast-botan.XXXXXX")
  trap "rm -rf -- '$work'" EXIT
  fetch_source "$work"
  version=$(source_version "$work/source")
  [[ $(printf '%s\n' "$min_version" "$version" | sort -V | head -n 1) == "$min_version" ]] ||
    die "the mirror has Botan $version; at least $min_version is needed"
  say "building Botan $version (once; about a minute)"
  (
    cd "$work/source"
    python3 configure.py --amalgamation --minimized-build \
      --enable-modules="$(available_modules .)" --cc=gcc --cc-bin=g++ \
      --disable-shared-library --build-targets=static --without-documentation \
      --no-install-python-module --extra-cxxflags="-fPIC" --prefix=/
    make -j"$(nproc)" libs
  ) >> "$work/log" 2>&1 || { tail -n 30 "$work/log" >&2; die "the build failed"; }
  mkdir -p "$cache"
  prefix="$cache/botan-$version-$(build_key)"
  staged=$(mktemp -d "$cache/.botan.XXXXXX")
  mkdir -p "$staged/lib" "$staged/include"
  cp "$work/source/libbotan-3.a" "$staged/lib/"
  cp -RL "$work/source/build/include/public/botan" "$staged/include/botan"
  cp "$work/source/license.txt" "$staged/"
  chmod -R u=rwX,go=rX "$staged"
  mv -T "$staged" "$prefix" 2>/dev/null || rm -rf "$staged"  # another run may have been first
  [[ -r $prefix/lib/libbotan-3.a ]] || die "cannot write $prefix"
  say "Botan $version is ready in $prefix ($((SECONDS - started)) s)"
}

main() {
  local found
  if found=$(system_version); then
    found="system $found"
  elif found=$(cached_prefix); then
    found="cache $found"
  fi
  case ${1:-} in
    --print) [[ -n $found ]] && printf '%s\n' "$found" ;;
    --mirrors) debian_mirrors "${2:-}" ;;
    "") [[ -n $found ]] || build ;;
    *) die "usage: tools/botan.sh [--print | --mirrors [/etc/apt]]" ;;
  esac
}

main "$@"
