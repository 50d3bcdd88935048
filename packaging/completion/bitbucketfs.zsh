#compdef bitbucketfs
# zsh completion for bitbucketfs

# What may stand after -o: the program itself says it, a "name=VALUE what" or a
# "name what" a line.
_bitbucketfs_option() {
	local name what
	local -a specs
	while read -r name what; do
		case ${name#*=} in
		$name) specs+=("${name}[$what]") ;;
		DIRECTORY) specs+=("${name%%=*}[$what]:directory:_files -/") ;;
		FILE) specs+=("${name%%=*}[$what]:file:_files") ;;
		USER) specs+=("${name%%=*}[$what]:user:_users") ;;
		GROUP) specs+=("${name%%=*}[$what]:group:_groups") ;;
		off) specs+=("${name%%=*}[$what]:off:(off)") ;;
		*) specs+=("${name%%=*}[$what]:${name#*=}: ") ;;
		esac
	done < <(bitbucketfs help options 2>/dev/null)
	_values -s , option $specs
}

_bitbucketfs_first() {
	local -a commands=(
		'mount:mount Bitbucket, as without a command'
		'status:what the mount says about itself'
		'umount:take the mount away, and its daemon'
		'refresh:ask again for what is there'
		'login:sign in: take a token, and keep it'
		'logout:forget it, and what was cached'
		'api:what the service answers to a GET'
		'curl:the line of curl for it'
		'whoami:whose credential it is'
		'credential:gives it to git'
		'doctor:what is wrong, and what to do'
		'open:show its page in the browser'
		'path:which place a page is of'
		'help:the help, of a command too'
		'version:the version'
	)
	_describe -t commands command commands
	_files -/
}

_bitbucketfs_mounted() {
	# findmnt writes a blank as \x20.
	local -a points=(${(g::)${(f)"$(findmnt -rn -t fuse.bitbucketfs -o TARGET 2>/dev/null)"}})
	compadd -a points || _files -/
}

_bitbucketfs() {
	local context state state_descr line
	local -A opt_args
	_arguments -s -S -C \
		'(-f --foreground)'{-f,--foreground}'[stay in the foreground, log to standard error]' \
		'(-d --debug)'{-d,--debug}'[the same, with every step]' \
		'*-o+[what is set]:option:_bitbucketfs_option' \
		'--lazy[of umount: take it from its place though it is in use]' \
		'--raw[of api: the bytes as they come]' \
		'--json[of whoami and doctor: for programs]' \
		'--install[of credential: set it in git]' \
		'--uninstall[of credential: take it out of git]' \
		'--with-token[of login: from standard input]' \
		'--check[of login: which scopes it has]' \
		'--oauth[of login: by a browser, with a consumer]' \
		'--oauth-client[of login: a private consumer by itself]' \
		'--in-file[of login: not in the keyring]' \
		'--email=[of login: of the Atlassian account]:address: ' \
		'--username=[of login: for a password]:name: ' \
		'--keep-cache[of logout: leave what was cached]' \
		'--all[of logout: everything of this user]' \
		'--config[of logout: and the configuration]' \
		'(-n --print)'{-n,--print}'[of open: print the address alone]' \
		'-q+[of api and curl: what is looked for]:query: ' \
		'(-)'{-h,--help}'[help]' \
		'(-)'{-V,--version}'[the version]' \
		'1: :_bitbucketfs_first' \
		'2: :->second' \
		'*: :->more'
	case $state in
	more) [[ $line[1] != refresh ]] || _files ;;
	second)
		case $line[1] in
		status | umount) _bitbucketfs_mounted ;;
		refresh | open) _files ;;
		help) compadd mount status umount refresh login logout api curl whoami credential doctor open path help version options ;;
		credential) compadd get store erase ;;
		login | logout | api | curl | whoami | doctor | path | version) ;;
		*) _files -/ ;;
		esac
		;;
	esac
}

_bitbucketfs "$@"
