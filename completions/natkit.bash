# natkit: written by completions/generate from the programs' --help; do not edit.
# shellcheck shell=bash
_natkit() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local program=${1##*/} subcommands="" subcommand="" words="" word
    case $program in
        mediarelay) subcommands="serve run relay list show watch open reserve update join part free status" ;;
        natpinger) subcommands="serve" ;;
        sipedge) subcommands="serve" ;;
        natkit-web) subcommands="serve" ;;
        natkit-cluster) subcommands="serve" ;;
        natkit) subcommands="run check status calls clients hangup reload settings top renew cluster promote demote drain stop web prepare-host clean-host" ;;
    esac
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case " $subcommands " in *" $word "*) subcommand=$word; break ;; esac
    done
    case "$program $previous" in
        looptrace\ --format) mapfile -t COMPREPLY < <(compgen -W "auto json text dot svg" -- "$current"); return ;;
        natclassify\ --format) mapfile -t COMPREPLY < <(compgen -W "auto json text html" -- "$current"); return ;;
        *\ --format) mapfile -t COMPREPLY < <(compgen -W "auto json text" -- "$current"); return ;;
        *\ --log-level) mapfile -t COMPREPLY < <(compgen -W "crashes failures major problems low-level all" -- "$current"); return ;;
    esac
    case "$program${subcommand:+ $subcommand}" in
        "natclassify") words="-h --help --version --config --format --log-level -i --interface --hep --source --transport --same --explain --call-id --user --faulty --from --to --policy --anonymize --compare --lan --nated --nat-servers --relay-same-nat" ;;
        "sdprewrite") words="-h --help --version --config --format --log-level --to --relay --ice --origin --session-version --hide-rejected --explain" ;;
        "mediarelay") words="-h --help --version --config --format --log-level" ;;
        "mediarelay serve") words="-h --help --base-dir --runtime --config --format --log-level" ;;
        "mediarelay run") words="-h --help --a --b --bind-a --bind-b --stream --tcp --t120 --setup-a --setup-b --connections --mux --ports --interval --timeout --any-port --config --format --log-level" ;;
        "mediarelay relay") words="-h --help --runtime --a --b --setup-a --setup-b --stream --connections --mux --owner --call-id --config --format --log-level" ;;
        "mediarelay list") words="-h --help --runtime --call-id --owner --config --format --log-level" ;;
        "mediarelay show") words="-h --help --runtime --config --format --log-level" ;;
        "mediarelay watch") words="-h --help --runtime --config --format --log-level" ;;
        "mediarelay open") words="-h --help --runtime --stream --connections --mux --owner --party --setup --side --family --call-id --config --format --log-level" ;;
        "mediarelay reserve") words="-h --help --runtime --stream --connections --mux --owner --party --setup --side --family --call-id --config --format --log-level" ;;
        "mediarelay update") words="-h --help --runtime --party --setup --connection --hold --mux --config --format --log-level" ;;
        "mediarelay join") words="-h --help --runtime --config --format --log-level" ;;
        "mediarelay part") words="-h --help --runtime --config --format --log-level" ;;
        "mediarelay free") words="-h --help --runtime --call-id --config --format --log-level" ;;
        "mediarelay status") words="-h --help --runtime --config --format --log-level" ;;
        "natpinger") words="-h --help --version --config --format --log-level --fd --from --interval --method --limit" ;;
        "natpinger serve") words="-h --help --base-dir --runtime --adopt --config --format --log-level" ;;
        "looptrace") words="-h --help --version --config --format --log-level --loops --lan --nated --nat-servers --relay-same-nat" ;;
        "sipedge") words="-h --help --version --config --format --log-level" ;;
        "sipedge serve") words="-h --help --base-dir --runtime --adopt --config --format --log-level" ;;
        "natkit-web") words="-h --help --version --config --format --log-level" ;;
        "natkit-web serve") words="-h --help --base-dir --runtime --config --format --log-level" ;;
        "natkit-cluster") words="-h --help --version --config --format --log-level" ;;
        "natkit-cluster serve") words="-h --help --base-dir --runtime --config --format --log-level" ;;
        "natkit") words="-h --help --version --config --format --log-level" ;;
        "natkit run") words="-h --help --daemon --config --format --log-level" ;;
        "natkit check") words="-h --help --kamailio --opensips --for-host --config --format --log-level" ;;
        "natkit status") words="-h --help --config --format --log-level" ;;
        "natkit calls") words="-h --help --user --address --config --format --log-level" ;;
        "natkit clients") words="-h --help --user --address --remove --config --format --log-level" ;;
        "natkit hangup") words="-h --help --config --format --log-level" ;;
        "natkit reload") words="-h --help --dry-run --config --format --log-level" ;;
        "natkit settings") words="-h --help --dry-run --keep --config --format --log-level" ;;
        "natkit top") words="-h --help --every --config --format --log-level" ;;
        "natkit renew") words="-h --help --config --format --log-level" ;;
        "natkit cluster") words="-h --help --ready --config --format --log-level" ;;
        "natkit promote") words="-h --help --config --format --log-level" ;;
        "natkit demote") words="-h --help --config --format --log-level" ;;
        "natkit drain") words="-h --help --config --format --log-level" ;;
        "natkit stop") words="-h --help --config --format --log-level" ;;
        "natkit web") words="-h --help --config --format --log-level" ;;
        "natkit prepare-host") words="-h --help --user --config --format --log-level" ;;
        "natkit clean-host") words="-h --help --config --format --log-level" ;;
    esac
    [ -n "$subcommand" ] || words="$words $subcommands"
    case $current in
        -*) mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current") ;;
        *) mapfile -t COMPREPLY < <([ -n "$subcommand" ] || compgen -W "$subcommands" -- "$current"; compgen -f -- "$current") ;;
    esac
}
complete -o filenames -F _natkit natclassify sdprewrite mediarelay natpinger looptrace sipedge natkit-web natkit-cluster natkit
