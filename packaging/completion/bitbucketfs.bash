# bash completion for bitbucketfs
# shellcheck shell=bash

# What the command $1 takes: its options, its words, and what else may stand
# there (mounted: a mount; place: a path in a mount; address: WORKSPACE/REPOSITORY;
# either of these; endpoint: a path of the API; directory). Into the caller's options, operands
# and kind.
_bitbucketfs_takes() {
	options='-o -h --help' operands='' kind=''
	case $1 in
	'') options+=' -f --foreground -d --debug -V --version' kind=directory ;;
	mount) options+=' -f --foreground -d --debug' kind=directory ;;
	status) options+=' --json --watch' kind=place ;;
	list) options='-h --help --json' ;;
	fetch) options='-h --help --lfs --stop --yes' kind=place ;;
	umount) options+=' --lazy' kind=mounted ;;
	refresh)
		kind=place
		options+=' --webhook --event= --signature= --secret-file='
		;;
	service) options='-h --help' operands='install remove status' ;;
	cache) options+=' --json' operands='keep unkeep drop' kind=either ;;
	login) options+=' --with-token --email= --username= --in-file --oauth
		--oauth-client --check' ;;
	logout) options+=' --keep-cache --all --config' ;;
	api) options+=' --raw -q' kind=endpoint ;;
	curl) options+=' -q' kind=endpoint ;;
	whoami) options+=' --json' ;;
	credential) options+=' --install --uninstall' operands='get store erase' ;;
	doctor) options+=' --json' kind=address ;;
	open) options+=' -n --print' kind=either ;;
	path) options+=' --submodule' kind=place ;;
	help) options='-h --help' operands="$commands options" ;;
	version) options='-h --help' ;;
	esac
}

# Those of $@ that begin with the word.
_bitbucketfs_offer() {
	local word
	for word; do
		[[ $word != "$cur"* ]] || COMPREPLY+=("$word")
	done
}

# Those that are mounted, into the caller's points. The kernel's table has a
# blank as \040.
_bitbucketfs_points() {
	local point type _
	points=()
	while read -r _ point type _; do
		[[ $type != fuse.bitbucketfs ]] || {
			printf -v point %b "${point//\\/\\0}"
			points+=("$point")
		}
	done <"${_bitbucketfs_mounts:-/proc/self/mounts}"
}

# $1, and after it each workspace, or of a workspace's name and a slash each
# repository, that begins with $2. The mounts wrote down what they listed: no
# program runs, and nobody is asked.
_bitbucketfs_names() {
	local cache=${XDG_CACHE_HOME:-$HOME/.cache}/bitbucketfs file name names
	local workspace=${2%%/*} part=${2#*/}
	for file in "$cache"/*/*/names/"$workspace"* "$cache"/@*/*/*/names/"$workspace"*; do
		[ -f "$file" ] || continue
		name=${file##*/}
		if [[ $2 != */* ]]; then
			COMPREPLY+=("$1$name/")
		elif [ "$name" = "$workspace" ]; then
			mapfile -t names <"$file"
			for name in "${names[@]}"; do
				[[ $name != "$part"* ]] ||
					COMPREPLY+=("$1$workspace/$name")
			done
		fi
	done
	[[ $2 == */* ]] || compopt -o nospace
}

# A path that $cur begins: in a mount, down to its repositories, of the names;
# elsewhere, and below, as any path.
_bitbucketfs_place() {
	local path=$cur point points below
	case $path in
	\~/*) path=$HOME/${path#\~/} ;;
	/*) ;;
	*) path=$PWD/$path ;;
	esac
	_bitbucketfs_points
	for point in "${points[@]}"; do
		[[ $point/ != "$path"* ]] ||
			COMPREPLY+=("$cur${point#"$path"}")
		below=${path#"$point"/}
		if [[ $below != "$path" && $below != */*/* && $below != .* ]]; then
			compopt -o filenames
			_bitbucketfs_names "${cur%"$below"}" "$below"
			return
		fi
	done
	[ -n "$cur" ] || COMPREPLY=("${points[@]}")
	compopt -o filenames
	[ ${#COMPREPLY[@]} -gt 0 ] || _filedir
}

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
		"${last%%=*}="*[a-z]*)
			compgen -W "$(grep -o '[a-z]*' <<<"${name#*=}")" -- "$value"
			;;
		esac | while IFS= read -r value; do
			printf '%s\n' "$head${last%%=*}=$value"
		done
	done
}

# Readline replaces what stands after the last of its breaks alone.
_bitbucketfs_unbroken() {
	local breaks='' stem=''
	[[ $COMP_WORDBREAKS == *=* ]] && breaks+='='
	[[ $COMP_WORDBREAKS == *:* ]] && breaks+=':'
	[ -z "$breaks" ] || stem=${cur%"${cur##*["$breaks"]}"}
	COMPREPLY=("${COMPREPLY[@]#"$stem"}")
}

# The first word that is neither an option nor an option's value.
_bitbucketfs_which() {
	local i
	command=
	for ((i = 1; i < cword; i++)); do
		case ${words[i]} in
		-o | -q) ((i++)) ;;
		-*) ;;
		*)
			command=${words[i]}
			return
			;;
		esac
	done
}

_bitbucketfs() {
	local cur prev words cword command options operands kind point points
	local commands='mount status list umount fetch refresh cache login logout api curl
		whoami credential service doctor open path help version'
	_init_completion -n =: || return
	if [ "$prev" = -o ]; then
		mapfile -t COMPREPLY < <(_bitbucketfs_option "$cur")
		compopt -o nospace
		[[ ${cur##*,} == *=* ]] && compopt -o filenames
		_bitbucketfs_unbroken
		return
	fi
	[ "$prev" != -q ] || return
	_bitbucketfs_which
	_bitbucketfs_takes "$command"
	if [[ $cur == -* ]]; then
		# shellcheck disable=SC2086 # words
		_bitbucketfs_offer $options
		[[ ${COMPREPLY[*]} != *= ]] || compopt -o nospace
		return
	fi
	# shellcheck disable=SC2086 # words
	_bitbucketfs_offer $operands
	# shellcheck disable=SC2086
	[ -n "$command" ] || _bitbucketfs_offer $commands
	case $kind in
	directory) _filedir -d ;;
	mounted)
		_bitbucketfs_points
		for point in "${points[@]}"; do
			[[ $point != "$cur"* ]] || {
				# Any user may have named it: $(…) in it stays text.
				printf -v point %q "$point"
				COMPREPLY+=("$point")
			}
		done
		[ ${#COMPREPLY[@]} -gt 0 ] || _filedir -d
		;;
	place) _bitbucketfs_place ;;
	either)
		_bitbucketfs_names '' "$cur"
		[ ${#COMPREPLY[@]} -gt 0 ] || _bitbucketfs_place
		;;
	address) _bitbucketfs_names '' "$cur" ;;
	endpoint)
		if [[ $cur == /repositories/* ]]; then
			_bitbucketfs_names /repositories/ "${cur#/repositories/}"
		else
			_bitbucketfs_offer /repositories/ /user /workspaces
			compopt -o nospace
		fi
		;;
	esac
	_bitbucketfs_unbroken
}
complete -F _bitbucketfs bitbucketfs
