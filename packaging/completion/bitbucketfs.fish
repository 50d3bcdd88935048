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
                case "$key=off"
                    echo "$head$key=off"
            end
        end
    end
end

# Those that are mounted; findmnt writes a blank as \x20.
function __bitbucketfs_mounted
    findmnt -rn -t fuse.bitbucketfs -o TARGET 2>/dev/null | while read -l point
        printf '%b\n' $point
    end
end

set -l commands mount status umount refresh login logout api curl whoami credential doctor open path help version
set -l none "not __fish_seen_subcommand_from $commands"

complete -c bitbucketfs -f
complete -c bitbucketfs -n $none -a mount -d 'mount Bitbucket, as without a command'
complete -c bitbucketfs -n $none -a status -d 'what the mount says about itself'
complete -c bitbucketfs -n $none -a umount -d 'take the mount away, and its daemon'
complete -c bitbucketfs -n $none -a refresh -d 'ask again for what is there'
complete -c bitbucketfs -n $none -a login -d 'sign in: take a token, and keep it'
complete -c bitbucketfs -n $none -a logout -d 'forget it, and what was cached'
complete -c bitbucketfs -n $none -a api -d 'what the service answers to a GET'
complete -c bitbucketfs -n $none -a curl -d 'the line of curl for it'
complete -c bitbucketfs -n $none -a whoami -d 'whose credential it is'
complete -c bitbucketfs -n $none -a credential -d 'gives it to git'
complete -c bitbucketfs -n $none -a doctor -d 'what is wrong, and what to do'
complete -c bitbucketfs -n $none -a open -d 'show its page in the browser'
complete -c bitbucketfs -n $none -a path -d 'which place a page is of'
complete -c bitbucketfs -n $none -a help -d 'the help, of a command too'
complete -c bitbucketfs -n $none -a version -d 'the version'
complete -c bitbucketfs -n "$none; or __fish_seen_subcommand_from mount" -a '(__fish_complete_directories)'
complete -c bitbucketfs -n '__fish_seen_subcommand_from status umount' \
    -a '(__bitbucketfs_mounted)'
complete -c bitbucketfs -F -n '__fish_seen_subcommand_from refresh open'
complete -c bitbucketfs -n '__fish_seen_subcommand_from help' -a "$commands options"
complete -c bitbucketfs -s f -l foreground -d 'stay in the foreground, log to standard error'
complete -c bitbucketfs -s d -l debug -d 'the same, with every step'
complete -c bitbucketfs -x -s o -d 'what is set' -a '(__bitbucketfs_option)'
complete -c bitbucketfs -n '__fish_seen_subcommand_from umount' -l lazy -d 'take it from its place though it is in use'
complete -c bitbucketfs -n '__fish_seen_subcommand_from login' -l with-token -d 'from standard input'
complete -c bitbucketfs -n '__fish_seen_subcommand_from login' -l check -d 'which scopes it has'
complete -c bitbucketfs -n '__fish_seen_subcommand_from login' -l oauth -d 'by a browser, with a consumer'
complete -c bitbucketfs -n '__fish_seen_subcommand_from login' -l oauth-client -d 'a private consumer by itself'
complete -c bitbucketfs -n '__fish_seen_subcommand_from login' -l in-file -d 'not in the keyring'
complete -c bitbucketfs -x -n '__fish_seen_subcommand_from login' -l email -d 'of the Atlassian account'
complete -c bitbucketfs -x -n '__fish_seen_subcommand_from login' -l username -d 'for a password'
complete -c bitbucketfs -n '__fish_seen_subcommand_from logout' -l keep-cache -d 'leave what was cached'
complete -c bitbucketfs -n '__fish_seen_subcommand_from logout' -l all -d 'everything of this user'
complete -c bitbucketfs -n '__fish_seen_subcommand_from logout' -l config -d 'and the configuration'
complete -c bitbucketfs -n '__fish_seen_subcommand_from api' -l raw -d 'the bytes as they come'
complete -c bitbucketfs -x -n '__fish_seen_subcommand_from api curl' -s q -d 'what is looked for'
complete -c bitbucketfs -n '__fish_seen_subcommand_from whoami doctor' -l json -d 'for programs'
complete -c bitbucketfs -n '__fish_seen_subcommand_from credential' -a 'get store erase'
complete -c bitbucketfs -n '__fish_seen_subcommand_from credential' -l install -d 'set it in git'
complete -c bitbucketfs -n '__fish_seen_subcommand_from credential' -l uninstall -d 'take it out of git'
complete -c bitbucketfs -n '__fish_seen_subcommand_from open' -s n -l print -d 'print the address alone'
complete -c bitbucketfs -s h -l help -d help
complete -c bitbucketfs -s V -l version -d 'the version'
