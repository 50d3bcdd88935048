#compdef bitbucketfs
# zsh completion for bitbucketfs

# What may stand after -o: the program itself says it, a "name=VALUE what" or a
# "name what" a line.
_bitbucketfs_option() {
	local name what
	local -a specs words
	while read -r name what; do
		case ${name#*=} in
		$name) specs+=("${name}[$what]") ;;
		DIRECTORY) specs+=("${name%%=*}[$what]:directory:_files -/") ;;
		FILE) specs+=("${name%%=*}[$what]:file:_files") ;;
		USER) specs+=("${name%%=*}[$what]:user:_users") ;;
		GROUP) specs+=("${name%%=*}[$what]:group:_groups") ;;
		*[a-z]*)
			words=(${(M)${(s:|:)${name#*=}}:#[a-z]*})
			specs+=("${name%%=*}[$what]:${name#*=}:($words)")
			;;
		*) specs+=("${name%%=*}[$what]:${name#*=}: ") ;;
		esac
	done < <(bitbucketfs help options 2>/dev/null)
	_values -s , option $specs
}

_bitbucketfs_first() {
	_describe -t commands command commands
	_files -/
}

# Those that are mounted, into the caller's points. The kernel's table has a
# blank as \040.
_bitbucketfs_points() {
	local line
	local -a fields
	points=()
	while read -r line; do
		fields=(${=line})
		[[ $fields[3] != fuse.bitbucketfs ]] || points+=(${(g:o:)fields[2]})
	done <${_bitbucketfs_mounts:-/proc/self/mounts}
}

_bitbucketfs_mounted() {
	local -a points
	_bitbucketfs_points
	compadd -a points || _files -/
}

# $1, and after it each workspace, or of a workspace's name and a slash each
# repository. The mounts wrote down what they listed: no program runs, and
# nobody is asked. $2: what of these is written.
_bitbucketfs_names() {
	emulate -L zsh
	setopt extended_glob
	local cache=${XDG_CACHE_HOME:-$HOME/.cache}/bitbucketfs workspace=${2%%/*}
	local -aU names
	if [[ $2 == */* ]]; then
		local file
		for file in $cache/*/*/names/$workspace(N.) $cache/@*/*/*/names/$workspace(N.); do
			names+=(${(f)"$(<$file)"})
		done
		compadd -p "$1$workspace/" -a names
	else
		names=($cache/*/*/names/*(N.:t) $cache/@*/*/*/names/*(N.:t))
		compadd -p "$1" -S / -a names
	fi
}

# A path: in a mount, down to its repositories, of the names; elsewhere, and
# below, as any path.
_bitbucketfs_place() {
	local word=$PREFIX point below absolute
	local -a points
	case $word in
	\~/*) absolute=$HOME/${word#\~/} ;;
	/*) absolute=$word ;;
	*) absolute=$PWD/$word ;;
	esac
	_bitbucketfs_points
	for point in $points; do
		[[ $word != /* || $point/ != $word* ]] || compadd -f $point
		below=${absolute#$point/}
		if [[ $below != $absolute && $below != */*/* && $below != .* ]]; then
			_bitbucketfs_names "${word%$below}" "$below"
			return
		fi
	done
	[[ -n $word ]] || compadd -a points
	_files
}

_bitbucketfs_either() {
	_bitbucketfs_names '' "$PREFIX"
	_bitbucketfs_place
}

_bitbucketfs_endpoint() {
	if [[ $PREFIX == /repositories/* ]]; then
		_bitbucketfs_names /repositories/ "${PREFIX#/repositories/}"
	else
		compadd -S '' /repositories/ /user /workspaces
	fi
}

# What the command takes.
_bitbucketfs_takes() {
	case $1 in
	mount)
		options+=($foreground)
		operand='*:directory:_files -/'
		;;
	status)
		options+=($json '--watch[again and again]')
		operand='1:place:_bitbucketfs_place'
		;;
	list) options=($help $json) ;;
	umount)
		options+=('--lazy[take it from its place though it is in use]')
		operand='1:mount:_bitbucketfs_mounted'
		;;
	fetch)
		options=($help '--lfs[what is in LFS]' '--stop[stop what runs]' '--yes[a workspace, without asking]')
		operand='*:place:_bitbucketfs_place'
		;;
	refresh)
		options+=(
			'--webhook[what its payload names]'
			'--event=[the header X-Event-Key]:key: '
			'--signature=[the header X-Hub-Signature]:signature: '
			'--secret-file=[of the webhook]:file:_files'
		)
		operand='*:place:_bitbucketfs_place'
		;;
	cache)
		options+=($json '1:what:(keep unkeep drop)')
		operand='*:place:_bitbucketfs_either'
		;;
	login)
		options+=(
			'--with-token[from standard input]'
			'--check[which scopes it has]'
			'--oauth[by a browser, with a consumer]'
			'--oauth-client[a private consumer by itself]'
			'--in-file[not in the keyring]'
			'--email=[of the Atlassian account]:address: '
			'--username=[for a password]:name: '
		)
		;;
	logout)
		options+=(
			'--keep-cache[leave what was cached]'
			'--all[everything of this user]'
			'--config[and the configuration]'
		)
		;;
	api)
		options+=('--raw[the bytes as they come]' $query)
		operand='1:path:_bitbucketfs_endpoint'
		;;
	curl)
		options+=($query)
		operand='1:path:_bitbucketfs_endpoint'
		;;
	whoami) options+=($json) ;;
	credential)
		options+=('--install[set it in git]' '--uninstall[take it out of git]')
		operand='1:what:(get store erase)'
		;;
	service)
		options=($help)
		operand='1:what:(install remove status)'
		;;
	doctor)
		options+=($json)
		operand='1:address:{_bitbucketfs_names "" "$PREFIX"}'
		;;
	open)
		options+=('(-n --print)'{-n,--print}'[print the address alone]')
		operand='1:place:_bitbucketfs_either'
		;;
	path)
		options+=('--submodule[where a submodule is]')
		operand='1:place:_bitbucketfs_place'
		;;
	help)
		options=($help)
		operand="1:command:(${commands%%:*} options)"
		;;
	version) options=($help) ;;
	*)
		options+=($foreground)
		operand='*:directory:_files -/'
		;;
	esac
}

_bitbucketfs() {
	local curcontext=$curcontext context state state_descr line operand=
	local -A opt_args
	local -a commands=(
		'mount:mount Bitbucket, as without a command'
		'status:what your mounts are doing'
		'list:your mounts, a line each'
		'umount:take the mount away, and its daemon'
		'fetch:bring all of a place'
		'refresh:ask again for what is there'
		'cache:what takes how much of the disk'
		'login:sign in: take a token, and keep it'
		'logout:forget it, and what was cached'
		'api:what the service answers to a GET'
		'curl:the line of curl for it'
		'whoami:whose credential it is'
		'credential:gives it to git'
		'service:mount at every login'
		'doctor:what is wrong, and what to do'
		'open:show its page in the browser'
		'path:which place a page is of'
		'help:the help, of a command too'
		'version:the version'
	)
	local -a help=('(-)'{-h,--help}'[help]')
	local -a foreground=(
		'(-f --foreground)'{-f,--foreground}'[stay in the foreground, log to standard error]'
		'(-d --debug)'{-d,--debug}'[the same, with every step]'
	)
	local -a json=('--json[for programs]') query=('-q+[what is looked for]:query: ')
	local -a options=('*-o+[what is set]:option:_bitbucketfs_option' $help)
	_arguments -s -S -C $options $foreground '(-)'{-V,--version}'[the version]' \
		'1: :_bitbucketfs_first' '*:: :->rest'
	[[ $state == rest ]] || return
	_bitbucketfs_takes $line[1]
	_arguments -s -S $options $operand
}

_bitbucketfs "$@"
