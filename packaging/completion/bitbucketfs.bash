# bash completion for bitbucketfs
# shellcheck shell=bash

# What may stand after -o, of which $1 is written: the program itself says it, a
# "name=VALUE what" or a "name what" a line. Each candidate with all of $1.
_bitbucketfs_option() {
	local last=${1##*,} head=${1%"${1##*,}"} name names value=${1##*=}
	mapfile -t names < <(bitbucketfs help options 2>/dev/null |
		cut -d ' ' -f 1)
	for name in "${names[@]}"; do
		if [[ $last != *=* ]]; then
			[[ $name != "$last"* ]] ||
				printf '%s\n' "$head${name/=*/=}"
			continue
		fi
		case $name in
		"${last%%=*}=DIRECTORY") compgen -d -- "$value" ;;
		"${last%%=*}=FILE") compgen -f -- "$value" ;;
		"${last%%=*}=USER") compgen -u -- "$value" ;;
		"${last%%=*}=GROUP") compgen -g -- "$value" ;;
		"${last%%=*}=off") compgen -W off -- "$value" ;;
		esac | while IFS= read -r value; do
			printf '%s\n' "$head${last%%=*}=$value"
		done
	done
}

# Those that are mounted and begin with $1, quoted. Any user may have named them:
# compgen -W would run what stands in a name as $(…).
_bitbucketfs_mounted() {
	local point
	while IFS= read -r point; do
		# findmnt writes a blank as \x20.
		printf -v point %b "$point"
		printf -v point %q "$point"
		[[ $point != "$1"* ]] || COMPREPLY+=("$point")
	done < <(findmnt -rn -t fuse.bitbucketfs -o TARGET 2>/dev/null)
}

_bitbucketfs() {
	local cur prev words cword breaks='' stem=''
	_init_completion -n =: || return
	case $prev in
	-o)
		mapfile -t COMPREPLY < <(_bitbucketfs_option "$cur")
		compopt -o nospace
		[[ ${cur##*,} == *=* ]] && compopt -o filenames
		# Readline replaces what stands after the last of its breaks
		# alone.
		[[ $COMP_WORDBREAKS == *=* ]] && breaks+='='
		[[ $COMP_WORDBREAKS == *:* ]] && breaks+=':'
		[ -z "$breaks" ] || stem=${cur%"${cur##*["$breaks"]}"}
		COMPREPLY=("${COMPREPLY[@]#"$stem"}")
		return
		;;
	esac
	case $cur in
	-*)
		mapfile -t COMPREPLY < <(compgen -W '-f --foreground -d --debug
			-o -h --help -V --version --lazy --raw -q --json
			--install --uninstall --with-token --check --in-file --email= --username=
			--keep-cache --all --config --oauth --oauth-client --print' -- "$cur")
		return
		;;
	esac
	case " ${words[*]:1:cword-1} " in
	*' status '* | *' umount '*)
		_bitbucketfs_mounted "$cur"
		[ ${#COMPREPLY[@]} -gt 0 ] || _filedir -d
		return
		;;
	*' refresh '* | *' open '*)
		_filedir
		return
		;;
	*' credential '*)
		mapfile -t COMPREPLY < <(compgen -W 'get store erase' -- "$cur")
		return
		;;
	*' api '* | *' curl '* | *' whoami '* | *' login '* | *' logout '* | *' doctor '* | *' path '*) return ;;
	*' help '*)
		mapfile -t COMPREPLY < <(compgen -W 'mount status umount refresh login
			logout api curl whoami credential doctor open path help version options' -- "$cur")
		return
		;;
	*' version '*) return ;;
	esac
	_filedir -d
	if [ "$cword" = 1 ]; then
		mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -W \
			'mount status umount refresh login logout api curl whoami
			credential doctor open path help version' -- "$cur")
	fi
}
complete -F _bitbucketfs bitbucketfs
