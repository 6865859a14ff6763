#!/bin/bash
# Rules about the tree that a compiler does not check: the direction of dependencies, where third-party types may appear, the length of files,
# and that no file knows the machine it was written on.
set -u
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." || exit 1
bad=0

complain() { echo "tree: $*"; bad=1; }

# base <- policy <- {config, state, dns, fw} <- {supervisor, proxy, hook, cli}; siblings do not include each other.
declare -A may=(
	[base]="base"
	[policy]="base policy"
	[config]="base policy config"
	[state]="base policy state"
	[dns]="base policy dns"
	[fw]="base policy fw"
	[proxy]="base policy config state dns fw proxy"
	[supervisor]="base policy state fw supervisor"
	[hook]="base policy config state dns fw hook"
	[cli]="base policy config state dns fw cli"
)
for folder in src/*/; do
	folder=$(basename "$folder")
	[ -n "${may[$folder]:-}" ] || { complain "src/$folder has no place in the line of dependencies (tests/check_tree.sh)"; continue; }
	while IFS=: read -r file line text; do
		included=$(sed -nE 's/.*"([a-z]+)\/[^"]*".*/\1/p' <<<"$text")
		case " ${may[$folder]} " in
		*" $included "*) ;;
		*) complain "$file:$line: src/$folder must not include ${text#*include }" ;;
		esac
	done < <(grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' -r "src/$folder")
done

# The process that faces hostile input never reads YAML.
grep -nE 'include "config/' -r src/supervisor src/proxy src/hook && complain "the forwarder and the hook read the bundle, never the configuration"

# Third-party types stay out of headers, and each library in its folders.
# A header that says in its first line what it is private to may have them; others of its own folder alone may include it.
while IFS=: read -r file line text; do
	if head -1 "$file" | grep -q '^/\* Private to '; then
		grep -nE "#include \"${file#src/}\"" -r src --include='*.[ch]' | grep -v "^$(dirname "$file")/" && complain "$file is private to its folder"
	else
		complain "$file:$line: a third-party header in a header of ours: ${text#*include }"
	fi
done < <(grep -nE '#[[:space:]]*include[[:space:]]*<(ldns|cjson|yaml|nftables|libnftnl|libmnl|curses)' -r src --include='*.h')
declare -A home=([ldns]="dns" [yaml]="config" [idn2]="config" [nftables]="fw" [libnftnl]="fw" [libmnl]="fw" [event2]="proxy" [curses]="cli")
for library in "${!home[@]}"; do
	while IFS=: read -r file line _; do
		case " ${home[$library]} " in
		*" $(cut -d/ -f2 <<<"$file") "*) ;;
		*) complain "$file:$line: <$library> belongs to src/${home[$library]}" ;;
		esac
	done < <(grep -nE "#[[:space:]]*include[[:space:]]*<${library}[./]" -r src)
done

while read -r lines file; do
	[ "$file" = total ] || [ "$lines" -le 700 ] || complain "$file has $lines lines; more than 700 have more than one subject"
done < <(find src -name '*.[ch]' -exec wc -l {} +)

# Everything that git tracks or would track.
files=$(git ls-files -co --exclude-standard 2>/dev/null || find . -path ./build -prune -o -path ./.git -prune -o -type f -print)
here=$(pwd)
hosts=$( (apt-get indextargets --format '$(REPO_URI)' 2>/dev/null) | sed -n 's#^[a-z]*://\([^/:]*\).*#\1#p' | sort -u | sed 's/\./\\./g' | paste -sd'|')
# shellcheck disable=SC2086  # a list of names without blanks
echo "$files" | grep -v '^profiles/' | xargs grep -nIE "(^|[^A-Za-z0-9_.-])$here(/|\$)${hosts:+|$hosts}" -- && complain "a path of this machine or a host of its package mirror"
# shellcheck disable=SC2086
echo "$files" | grep -E '^src/' | xargs grep -nE 'TODO|FIXME|XXX' && complain "unfinished by its own words"

# Each file of the sources is tested or says where it is: a test program named after no file is a leftover.
for test in tests/unit/test_*.c; do
	[ -e "$test" ] || continue
	stem=$(basename "$test" .c); stem=${stem#test_}
	compgen -G "src/*/$stem.c" >/dev/null || compgen -G "src/*/$stem.h" >/dev/null || complain "$test mirrors no file below src"
done
for target in tests/fuzz/fuzz_*.c; do
	[ -e "$target" ] || continue
	stem=$(basename "$target" .c); stem=${stem#fuzz_}
	compgen -G "tests/fuzz/corpus/$stem/*" >/dev/null || complain "$target has no corpus"
done

[ $bad = 0 ] && echo "tree: in order"
exit $bad
