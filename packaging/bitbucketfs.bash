# bash completion for bitbucketfs
# shellcheck shell=bash

_bitbucketfs() {
	local cur prev words cword commands options
	_init_completion -n =, || return
	commands='mount status umount help version'
	options='-f -d -o -h -V --help --version --lazy'
	case $prev in
	-o)
		local head=
		[[ $cur == *,* ]] && head=${cur%,*},
		mapfile -t COMPREPLY < <(compgen -P "$head" -W 'api_url= git_url=
			workspaces= cache_dir= ttl= trees= walk= history= listed= uid= gid= umask=
			allow_other allow_root auto_unmount noexec submodules=off lfs=off' -- "${cur##*,}")
		compopt -o nospace
		return
		;;
	esac
	case $cur in
	-*)
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
		return
		;;
	esac
	case " ${words[*]:1:cword-1} " in
	*' status '* | *' umount '*)
		# Those that are mounted.
		mapfile -t COMPREPLY < <(compgen -W "$(findmnt -rn \
			-t fuse.bitbucketfs -o TARGET 2>/dev/null)" -- "$cur")
		[ ${#COMPREPLY[@]} -gt 0 ] || _filedir -d
		return
		;;
	*' help '* | *' version '*) return ;;
	esac
	_filedir -d
	if [ "$cword" = 1 ]; then
		mapfile -t -O ${#COMPREPLY[@]} COMPREPLY \
			< <(compgen -W "$commands" -- "$cur")
	fi
}
complete -F _bitbucketfs bitbucketfs
