#!/bin/sh
# Applies each NAME.nft in a network namespace of its own and writes what nft reads back to NAME.VERSION.json. Needs root; the version is the installed nft's.
set -eu
cd "$(dirname "$0")"
version=$(nft --version | sed 's/^nftables v\([0-9.]*\).*/\1/')
for ruleset in *.nft; do
	case $ruleset in *.change.nft) continue ;; esac
	unshare -n sh -euc 'nft -f "$1"; nft -j -n -y -s list table inet terok_shield' sh "$ruleset" > "${ruleset%.nft}.$version.json"
done
