# fish completion for bitbucketfs

# What may stand after -o: the program itself says it, a "name=VALUE what" or a
# "name what" a line.
function __bitbucketfs_option
    set -l token (string replace -r '^-o' '' -- (commandline -ct))
    set -l head (string match -r '^.*,' -- $token)
    set -l key (string match -rg '([a-z_]+)=[^,]*$' -- $token)
    set -l value (string match -rg '=([^,=]*)$' -- $token)
    bitbucketfs help options 2>/dev/null | while read -l name what
        if not set -q key[1]
            printf '%s%s\t%s\n' "$head" (string replace -r '=.*' = -- $name) (string trim -- $what)
        else
            switch $name
                case "$key=FILE" "$key=DIRECTORY"
                    printf "$head$key=%s\n" (__fish_complete_path "$value")
                case "$key=USER"
                    printf "$head$key=%s\n" (__fish_complete_users)
                case "$key=GROUP"
                    printf "$head$key=%s\n" (__fish_complete_groups)
                case "$key=*"
                    for word in (string match -ra '[a-z]+' -- (string replace -r '^[a-z_]+=' '' -- $name))
                        echo "$head$key=$word"
                    end
            end
        end
    end
end

# Those that are mounted. The kernel's table has a blank as \040.
function __bitbucketfs_mounted
    set -l table /proc/self/mounts
    set -q _bitbucketfs_mounts; and set table $_bitbucketfs_mounts
    while read -l -d ' ' source point type rest
        test "$type" = fuse.bitbucketfs; and string unescape -- $point
    end <$table
end

# $argv[1], and after it each workspace, or of a workspace's name and a slash
# each repository; $argv[2]: what of these is written. The mounts wrote down
# what they listed: no program runs, and nobody is asked.
function __bitbucketfs_names
    set -l cache $HOME/.cache/bitbucketfs
    set -q XDG_CACHE_HOME[1]; and set cache $XDG_CACHE_HOME/bitbucketfs
    set -l files
    if string match -q '*/*' -- $argv[2]
        set -l workspace (string split -f 1 / -- $argv[2])
        set files $cache/*/*/names/$workspace $cache/@*/*/*/names/$workspace
        for file in $files
            string replace -r '^' "$argv[1]$workspace/" <$file
        end
    else
        set files $cache/*/*/names/* $cache/@*/*/*/names/*
        for file in $files
            string replace -r '.*/(.*)' "$argv[1]\$1/" -- $file
        end
    end
end

# A path: in a mount, down to its repositories, of the names; elsewhere, and
# below, as any path.
function __bitbucketfs_place
    set -l token (commandline -ct)
    set -l path (string replace -r '^~/' "$HOME/" -- $token)
    string match -q '/*' -- $path; or set path $PWD/$path
    for point in (__bitbucketfs_mounted)
        set -l n (string length -- $point/)
        test "$(string sub -l $n -- $path)" = $point/; or continue
        set -l below (string sub -s (math $n + 1) -- $path)
        string match -qr '^\.|/.*/' -- $below; and continue
        set n (math (string length -- "$token") - (string length -- "$below"))
        __bitbucketfs_names (string sub -l $n -- "$token") $below
        return
    end
    string match -qr '^(/|$)' -- "$token"; and __bitbucketfs_mounted
    __fish_complete_path $token
end

function __bitbucketfs_endpoint
    set -l below (string match -rg '^/repositories/(.*)' -- (commandline -ct))
    and __bitbucketfs_names /repositories/ $below
    or printf '%s\n' /repositories/ /user /workspaces
end

set -l commands mount status list umount fetch refresh cache login logout api curl whoami credential service doctor open path help version
set -l none "not __fish_seen_subcommand_from $commands"

# of COMMAND… what `complete` is told.
function __bitbucketfs_of
    set -l i (contains -i -- -- $argv)
    complete -c bitbucketfs -n "__fish_seen_subcommand_from $argv[1..$(math $i - 1)]" $argv[$(math $i + 1)..]
end

complete -c bitbucketfs -f
complete -c bitbucketfs -n $none -a mount -d 'mount Bitbucket, as without a command'
complete -c bitbucketfs -n $none -a status -d 'what your mounts are doing'
complete -c bitbucketfs -n $none -a list -d 'your mounts, a line each'
complete -c bitbucketfs -n $none -a umount -d 'take the mount away, and its daemon'
complete -c bitbucketfs -n $none -a fetch -d 'bring all of a place'
complete -c bitbucketfs -n $none -a refresh -d 'ask again for what is there'
complete -c bitbucketfs -n $none -a cache -d 'what takes how much of the disk'
complete -c bitbucketfs -n $none -a login -d 'sign in: take a token, and keep it'
complete -c bitbucketfs -n $none -a logout -d 'forget it, and what was cached'
complete -c bitbucketfs -n $none -a api -d 'what the service answers to a GET'
complete -c bitbucketfs -n $none -a curl -d 'the line of curl for it'
complete -c bitbucketfs -n $none -a whoami -d 'whose credential it is'
complete -c bitbucketfs -n $none -a credential -d 'gives it to git'
complete -c bitbucketfs -n $none -a service -d 'mount at every login'
complete -c bitbucketfs -n $none -a doctor -d 'what is wrong, and what to do'
complete -c bitbucketfs -n $none -a open -d 'show its page in the browser'
complete -c bitbucketfs -n $none -a path -d 'which place a page is of'
complete -c bitbucketfs -n $none -a help -d 'the help, of a command too'
complete -c bitbucketfs -n $none -a version -d 'the version'
complete -c bitbucketfs -n $none -s V -l version -d 'the version'
complete -c bitbucketfs -n "$none; or __fish_seen_subcommand_from mount" -a '(__fish_complete_directories)'
complete -c bitbucketfs -n "$none; or __fish_seen_subcommand_from mount" -s f -l foreground -d 'stay in the foreground, log to standard error'
complete -c bitbucketfs -n "$none; or __fish_seen_subcommand_from mount" -s d -l debug -d 'the same, with every step'
complete -c bitbucketfs -s h -l help -d help
complete -c bitbucketfs -n 'not __fish_seen_subcommand_from service list fetch help version' -x -s o -d 'what is set' -a '(__bitbucketfs_option)'

__bitbucketfs_of umount -- -a '(__bitbucketfs_mounted)'
__bitbucketfs_of fetch -- -l lfs -d 'what is in LFS'
__bitbucketfs_of fetch -- -l stop -d 'stop what runs'
__bitbucketfs_of fetch -- -l yes -d 'a workspace, without asking'
__bitbucketfs_of status fetch refresh open cache -- -a '(__bitbucketfs_place)'
__bitbucketfs_of refresh -- -l webhook -d 'what its payload names'
__bitbucketfs_of refresh -- -x -l event -d 'the header X-Event-Key'
__bitbucketfs_of refresh -- -x -l signature -d 'the header X-Hub-Signature'
__bitbucketfs_of refresh -- -r -F -l secret-file -d 'of the webhook'
__bitbucketfs_of open -- -s n -l print -d 'print the address alone'
__bitbucketfs_of path -- -l submodule -d 'where a submodule is'
__bitbucketfs_of cache -- -a 'keep unkeep drop'
__bitbucketfs_of keep unkeep drop -- -a '(__bitbucketfs_place)'
__bitbucketfs_of keep unkeep drop -- -a '(__bitbucketfs_names "" (commandline -ct))'
__bitbucketfs_of umount -- -l lazy -d 'take it from its place though it is in use'
__bitbucketfs_of login -- -l with-token -d 'from standard input'
__bitbucketfs_of login -- -l check -d 'which scopes it has'
__bitbucketfs_of login -- -l oauth -d 'by a browser, with a consumer'
__bitbucketfs_of login -- -l oauth-client -d 'a private consumer by itself'
__bitbucketfs_of login -- -l in-file -d 'not in the keyring'
__bitbucketfs_of login -- -x -l email -d 'of the Atlassian account'
__bitbucketfs_of login -- -x -l username -d 'for a password'
__bitbucketfs_of logout -- -l keep-cache -d 'leave what was cached'
__bitbucketfs_of logout -- -l all -d 'everything of this user'
__bitbucketfs_of logout -- -l config -d 'and the configuration'
__bitbucketfs_of api -- -l raw -d 'the bytes as they come'
__bitbucketfs_of api curl -- -x -s q -d 'what is looked for'
__bitbucketfs_of api curl -- -a '(__bitbucketfs_endpoint)'
__bitbucketfs_of status -- -l watch -d 'again and again'
__bitbucketfs_of status list whoami doctor cache -- -l json -d 'for programs'
__bitbucketfs_of doctor open -- -a '(__bitbucketfs_names "" (commandline -ct))'
__bitbucketfs_of credential -- -l install -d 'set it in git'
__bitbucketfs_of credential -- -l uninstall -d 'take it out of git'
__bitbucketfs_of credential -- -a 'get store erase'
__bitbucketfs_of service -- -a 'install remove status'
__bitbucketfs_of help -- -a "$commands options"
functions -e __bitbucketfs_of
