#!/usr/bin/env bash
# What the packages bring beside the programs keeps up with them: completion and manual pages know
# every command and flag, the configuration file only names flags; the same programs give the same
# packages. (Installing them takes root and a mirror: ./dev package --test.)
source "$(dirname "${BASH_SOURCE[0]}")/common.bash"
packaging=$(realpath "$tools/../packaging")

# flags_of COMMAND...: what its --help lists, one a line
flags_of() {
  "$@" --help | sed -n '/^Options:/,/^$/p' | grep -oE '^ +-[^ ]+' | tr ', ' '\n\n' | grep '^-'
}
# commands_of COMMAND...: its subcommands
commands_of() { "$@" --help | sed -n '/^Subcommands:/,$ s/^  \([a-z][a-z-]*\) .*/\1/p'; }
# completes COMMAND... WORD: whether WORD is offered after COMMAND
completes() {
  local words=("$@") COMP_WORDS COMP_CWORD COMPREPLY=()
  COMP_WORDS=("${words[@]}")
  COMP_CWORD=$((${#words[@]} - 1))
  "_$1"
  [[ " ${COMPREPLY[*]} " == *" ${words[-1]} "* ]]
}

# knows PROGRAM PAGE: completion and the page of a program against its --help
knows() {
  local program=$1 page=$2 command part flag path
  local -a paths=("")
  for command in $(commands_of "$bin/$program"); do
    completes "$program" "$command" || fail "the completion of $program lacks $command"
    grep -q "Cm .*\b$command\b" "$page" || fail "$page lacks $command"
    paths+=("$command")
    for part in $(commands_of "$bin/$program" "$command"); do
      completes "$program" "$command" "$part" || fail "the completion lacks $command $part"
      grep -q "Cm.* $part\b" "$page" || fail "$page lacks $command $part"
      paths+=("$command $part")
    done
  done
  for path in "${paths[@]}"; do
    # shellcheck disable=SC2086
    for flag in $(flags_of "$bin/$program" $path); do
      completes "$program" $path "$flag" || fail "the completion of $program $path lacks $flag"
      [[ $flag == -h ]] || grep -q -e "Fl ${flag#-}\b" "$page" || fail "$page lacks $flag"
    done
  done
}

source "$packaging/completion/holdfast"
knows holdfast "$packaging/man/holdfast.1"
if [[ -x $bin/holdfastd ]]; then
  source "$packaging/completion/holdfastd"
  knows holdfastd "$packaging/man/holdfastd.8"
  flags_of "$bin/holdfastd" > "$work/flags"
  flags_of "$bin/holdfastd" serve >> "$work/flags"
  for name in $(sed -n 's/^#\{0,1\}\([a-z-]*\) = .*/\1/p' "$packaging/conf/holdfastd.toml"); do
    grep -qx -e "--$name" "$work/flags" || fail "holdfastd.toml names $name, which is no flag"
  done
fi
if [[ -x $bin/holdfast-witness ]]; then
  source "$packaging/completion/holdfast-witness"
  knows holdfast-witness "$packaging/man/holdfast-witness.8"
  # As installed it lacks only what its operator must choose.
  sed "s|^data = .*|data = \"$work/witness\"|" "$packaging/conf/holdfast-witness.toml" > "$work/w.toml"
  expect 2 "$bin/holdfast-witness" serve --config "$work/w.toml"
  says 'name is required'
  sed -i 's/^#\(name\)/\1/; s/^#log = .*/log = ["none"]/' "$work/w.toml"
  expect 1 "$bin/holdfast-witness" serve --config "$work/w.toml"
  says 'not the key of a signed note\|verifier key\|malformed'
fi
if [[ -x $bin/holdfast-custodian ]]; then
  source "$packaging/completion/holdfast-custodian"
  knows holdfast-custodian "$packaging/man/holdfast-custodian.8"
  sed "s|^data = .*|data = \"$work/custodian\"|" "$packaging/conf/holdfast-custodian.toml" > "$work/c.toml"
  expect 2 "$bin/holdfast-custodian" serve --config "$work/c.toml"
  says 'is required'
  # Each option that must be chosen stands there under its name.
  sed -i 's/^#\([a-z-]* = \)/\1/' "$work/c.toml"
  expect 1 "$bin/holdfast-custodian" serve --config "$work/c.toml"
  says '64 hexadecimal digits'
fi
if [[ -x $bin/holdfast-disclose ]]; then
  source "$packaging/completion/holdfast-disclose"
  knows holdfast-disclose "$packaging/man/holdfast-disclose.1"
fi
for file in "$packaging"/debian/*.{postinst,prerm,postrm}; do
  sh -n "$file"
done
python3 -m json.tool "$packaging/grafana/holdfast.json" > "$work/out"

# Sanitizers are not for packages.
if command -v dpkg-shlibdeps > /dev/null && ! ldd "$holdfast" | grep -qE 'lib[at]san'; then
  "$tools/package" "$bin" "$work/one" > "$work/out" 2> "$work/err" || fail "no packages"
  "$tools/package" "$bin" "$work/two" > "$work/out" 2> "$work/err" || fail "no packages again"
  for package in "$work"/one/*.deb; do
    cmp "$package" "$work/two/${package##*/}" || fail "${package##*/} differs the second time"
    dpkg-deb --contents "$package" > "$work/out"
    ! grep -v ' root/root ' "$work/out" || fail "files that are not root's"
    says '/usr/share/man/man.*\.gz'
    dpkg-deb --field "$package" Depends > "$work/out"
    says 'libssl3'
  done
fi
echo "the packages know what the programs can do"
