#!/bin/sh
# Installs kedge as a service on Debian or Ubuntu with systemd, or brings it to another version:
#
#   curl -sfL https://…/install.sh | sh -                                            a server
#   curl -sfL https://…/install.sh | KEDGE_URL=https://server:6443 KEDGE_TOKEN=… sh -   a node of it
#   curl -sfL https://…/install.sh | sh -s - server --disable=coredns                 with flags
#
# Variables whose names begin with KEDGE_, and those that name proxies (HTTP_PROXY, HTTPS_PROXY, NO_PROXY, in either case),
# become the environment of the service; these are for the script:
#
#   INSTALL_KEDGE_EXEC          command and flags; "server", or "agent" with KEDGE_URL, goes in front when it begins with a flag
#   INSTALL_KEDGE_VERSION       version to install; the newest of the channel unless given
#   INSTALL_KEDGE_CHANNEL       channel that says which version is the newest: stable
#   INSTALL_KEDGE_DOWNLOAD_URL  where releases are served: <url>/<channel>, <url>/<version>/kedge-linux-<arch>
#   INSTALL_KEDGE_SKIP_DOWNLOAD true: the executable is in its place already
#   INSTALL_KEDGE_SKIP_APT      true: install no Debian packages
#   INSTALL_KEDGE_SKIP_ENABLE   true: do not enable the service, nor start it
#   INSTALL_KEDGE_SKIP_START    true: do not start the service
#   INSTALL_KEDGE_FORCE_RESTART true: restart the service although nothing has changed
#   INSTALL_KEDGE_BIN_DIR       folder of the executable: /usr/local/bin
#   INSTALL_KEDGE_BIN_DIR_READ_ONLY true: that folder holds the executable already and nothing is written to it
#   INSTALL_KEDGE_SYSTEMD_DIR   folder of the unit: /etc/systemd/system
#   INSTALL_KEDGE_NAME          the service is called kedge-<name>; unless given kedge for a server, kedge-agent for an agent
#   INSTALL_KEDGE_SYMLINK       skip: make no link "kubectl"; force: make it although there is a kubectl

set -eu

DEFAULT_DOWNLOAD_URL=
CONFIG_DIR=/etc/kedge

info() { printf '[INFO]  %s\n' "$*"; }
warn() { printf '[WARN]  %s\n' "$*" >&2; }
fatal() {
  printf '[ERROR] %s\n' "$*" >&2
  exit 1
}

is_true() { [ "${1:-}" = true ]; }
has() { command -v "$1" > /dev/null 2>&1; }

# Runs a command as root.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

check_machine() {
  [ "$(uname -s)" = Linux ] || fatal "kedge runs on Linux only, this is $(uname -s)"
  if [ "$(id -u)" -ne 0 ] && ! has sudo; then fatal 'root is needed and sudo is not installed: run this as root'; fi
  has systemctl || fatal 'systemd is needed for the service and systemctl is not there: copy the executable and run "kedge server" under the init system of this machine instead'
  case "$(uname -m)" in
    x86_64 | amd64) arch=amd64 ;;
    aarch64 | arm64) arch=arm64 ;;
    *) fatal "kedge is built for x86_64 and aarch64, this machine is $(uname -m)" ;;
  esac
}

# Sets command, name and the files that belong to them from INSTALL_KEDGE_EXEC and this script's arguments.
read_settings() {
  words=
  if [ -n "${INSTALL_KEDGE_EXEC:-}" ]; then
    # xargs takes quotes away and runs nothing.
    words=$(printf '%s\n' "$INSTALL_KEDGE_EXEC" | xargs -n 1 printf '%s\n') ||
      fatal "INSTALL_KEDGE_EXEC cannot be read: check its quotes"
  fi
  old_ifs=$IFS
  IFS='
'
  set -f
  # shellcheck disable=SC2086 # one word a line
  set -- $words "$@"
  set +f
  IFS=$old_ifs
  case "${1:-}" in
    '' | -*)
      if [ -n "${KEDGE_URL:-}" ]; then command=agent; else command=server; fi
      ;;
    server | agent)
      command=$1
      shift
      ;;
    *) fatal "unknown command \"$1\": use server or agent" ;;
  esac
  if [ "$command" = agent ] && [ -z "${KEDGE_TOKEN:-}${KEDGE_TOKEN_FILE:-}" ]; then
    case " $* " in
      *' --token'* | *' -t '*) ;;
      *) [ -f "$CONFIG_DIR/config.yaml" ] || [ -f "$CONFIG_DIR/kedge-agent.env" ] || fatal 'an agent needs the token of its server: set KEDGE_TOKEN to what /var/lib/kedge/server/token holds there' ;;
    esac
  fi
  exec_start=
  for word in "$command" "$@"; do exec_start="$exec_start $(quote_for_unit "$word")"; done

  if [ -n "${INSTALL_KEDGE_NAME:-}" ]; then
    name=kedge-$INSTALL_KEDGE_NAME
  elif [ "$command" = agent ]; then
    name=kedge-agent
  else
    name=kedge
  fi
  case "$name" in *[!A-Za-z0-9_.-]*) fatal "INSTALL_KEDGE_NAME=$INSTALL_KEDGE_NAME: use letters, digits, dots and dashes only" ;; esac
  bin_dir=${INSTALL_KEDGE_BIN_DIR:-/usr/local/bin}
  unit_dir=${INSTALL_KEDGE_SYSTEMD_DIR:-/etc/systemd/system}
  program=$bin_dir/kedge
  unit=$unit_dir/$name.service
  environment=$CONFIG_DIR/$name.env
}

# A word of ExecStart=, which knows quotes, backslashes, specifiers and variables.
quote_for_unit() {
  printf '"%s"' "$(printf '%s' "$1" | sed -e 's/[\\"]/\\&/g' -e 's/%/%%/g' -e 's/\$/$$/g')"
}

# Debian packages that kedge rests on, those that are missing.
missing_packages() {
  has containerd || echo containerd
  has runc || echo runc
  [ -e /usr/lib/cni/bridge ] || [ -e /opt/cni/bin/bridge ] || echo containernetworking-plugins
  # These may be in a folder that a user's PATH does not have.
  for pair in nft:nftables ip:iproute2 conntrack:conntrack modprobe:kmod; do
    PATH=$PATH:/usr/sbin:/sbin has "${pair%%:*}" || echo "${pair##*:}"
  done
}

install_packages() {
  is_true "${INSTALL_KEDGE_SKIP_APT:-}" && return
  missing=$(missing_packages | tr '\n' ' ')
  [ -n "$missing" ] || return 0
  has apt-get || fatal "these are missing, and there is no apt-get: $missing"
  info "Installing the Debian packages $missing"
  # shellcheck disable=SC2086 # a list of names
  if ! apt_get install -y --no-install-recommends $missing; then
    apt_get update
    # shellcheck disable=SC2086
    apt_get install -y --no-install-recommends $missing || fatal "apt-get could not install $missing"
  fi
}

apt_get() {
  as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get -q -o DPkg::Lock::Timeout=300 "$@"
}

# fetch URL FILE
fetch() {
  if has curl; then
    curl --silent --show-error --fail --location --output "$2" "$1"
  elif has wget; then
    wget -q -O "$2" "$1"
  else
    fatal 'neither curl nor wget is installed: apt-get install curl'
  fi
}

# Puts the executable into its place; sets changed=true when it is another one than before.
install_program() {
  if is_true "${INSTALL_KEDGE_SKIP_DOWNLOAD:-}" || is_true "${INSTALL_KEDGE_BIN_DIR_READ_ONLY:-}"; then
    [ -x "$program" ] || fatal "nothing is to be downloaded and $program is not there"
    return
  fi
  if has dpkg && dpkg -S /usr/bin/kedge > /dev/null 2>&1; then
    fatal 'kedge is installed as a Debian package: use apt, or remove it first (apt purge kedge)'
  fi
  url=${INSTALL_KEDGE_DOWNLOAD_URL:-$DEFAULT_DOWNLOAD_URL}
  [ -n "$url" ] || fatal 'set INSTALL_KEDGE_DOWNLOAD_URL to where releases of kedge are served'
  url=${url%/}
  version=${INSTALL_KEDGE_VERSION:-}
  if [ -z "$version" ]; then
    channel=${INSTALL_KEDGE_CHANNEL:-stable}
    fetch "$url/$channel" "$work/channel" || fatal "the newest version cannot be read from $url/$channel"
    version=$(head -n 1 "$work/channel")
  fi
  case "$version" in v*) ;; *) version=v$version ;; esac
  case "$version" in *[!A-Za-z0-9.+~_-]*) fatal "\"$version\" is no version" ;; esac
  info "Using $version as release"
  file=kedge-linux-$arch
  fetch "$url/$version/sha256sum-$arch.txt" "$work/sums" ||
    fatal "there is no release $version for $arch below $url"
  wanted=$(sed -n "s/^\([0-9a-f]\{64\}\) [ *]$file\$/\1/p" "$work/sums")
  [ -n "$wanted" ] || fatal "$url/$version/sha256sum-$arch.txt does not name $file"
  if [ -x "$program" ] && [ "$(sha256_of "$program")" = "$wanted" ]; then
    info "$program is this release already"
    return
  fi
  info "Downloading $url/$version/$file"
  fetch "$url/$version/$file" "$work/$file" || fatal 'the download has failed'
  found=$(sha256_of "$work/$file")
  [ "$found" = "$wanted" ] || fatal "the download is damaged: its SHA-256 is $found, not $wanted; nothing was installed"
  chmod 755 "$work/$file"
  "$work/$file" --version > /dev/null || fatal 'what was downloaded does not run on this machine'
  info "Installing $program"
  as_root mkdir -p "$bin_dir"
  as_root install -o root -g root -m 755 "$work/$file" "$program.new"
  # By renaming, so that a kedge that runs is not disturbed.
  as_root mv -f "$program.new" "$program"
  changed=true
}

sha256_of() { sha256sum "$1" | cut -d ' ' -f 1; }

# Writes stdin to a root-owned file: write_file PATH MODE. Sets changed=true when its content is new.
write_file() {
  content=$(cat)
  if [ -f "$1" ] && [ "$(as_root cat "$1")" = "$content" ]; then return; fi
  as_root mkdir -p "${1%/*}"
  # Never readable to others, not even for a moment.
  # shellcheck disable=SC2016 # expanded by the inner shell
  printf '%s\n' "$content" | as_root sh -c 'umask 077; cat > "$1.new" && chmod "$2" "$1.new" && mv -f "$1.new" "$1"' sh "$1" "$2"
  changed=true
}

# The variables of this run, and those of the file as it is that have no new value.
environment_lines() {
  given=$(env | sed -n -e 's/^\(KEDGE_[A-Z0-9_]*\)=.*/\1/p' \
    -e 's/^\(\(NO\|HTTP\|HTTPS\)_PROXY\)=.*/\1/p' -e 's/^\(\(no\|http\|https\)_proxy\)=.*/\1/p' | sort -u)
  if [ -f "$environment" ]; then
    as_root cat "$environment" | while IFS= read -r line; do
      case "
$given
" in
        *"
${line%%=*}
"*) ;;
        *) printf '%s\n' "$line" ;;
      esac
    done
  fi
  for variable in $given; do
    value=$(printenv "$variable")
    printf '%s="%s"\n' "$variable" "$(printf '%s' "$value" | sed 's/[\\"$`]/\\&/g')"
  done
}

install_service() {
  # The settings of packaged installations: systemd/kedge.service.
  info "Writing $environment and $unit"
  # Not by a pipe: what a function sets in one is lost.
  environment_lines > "$work/environment"
  write_file "$environment" 600 < "$work/environment"
  write_file "$unit" 644 << UNIT
[Unit]
Description=kedge: Kubernetes for the edge
Wants=network-online.target
After=network-online.target

[Service]
Type=notify
NotifyAccess=all
EnvironmentFile=-/etc/default/$name
EnvironmentFile=-$environment
ExecStartPre=-/sbin/modprobe -a br_netfilter overlay
ExecStart=$program$exec_start
KillMode=process
Delegate=yes
LimitNOFILE=1048576
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity
TimeoutStartSec=0
Restart=always
RestartSec=5s

[Install]
WantedBy=multi-user.target
UNIT
}

# write_script PATH COMMAND: a script beside the executable that calls it.
write_script() {
  write_file "$1" 755 << SCRIPT
#!/bin/sh
if [ "\$(id -u)" -ne 0 ]; then exec sudo "\$0" "\$@"; fi
exec $program $2 "\$@"
SCRIPT
}

install_helpers() {
  is_true "${INSTALL_KEDGE_BIN_DIR_READ_ONLY:-}" && return
  before=$changed
  write_script "$bin_dir/kedge-killall.sh" killall
  write_script "$bin_dir/$name-uninstall.sh" uninstall
  changed=$before
  case "${INSTALL_KEDGE_SYMLINK:-}" in
    skip) return ;;
    force) ;;
    *)
      if has kubectl; then return; fi
      ;;
  esac
  info "Linking $bin_dir/kubectl to kedge"
  as_root ln -sf kedge "$bin_dir/kubectl"
}

start_service() {
  is_true "${INSTALL_KEDGE_SKIP_ENABLE:-}" && return
  info "Enabling the service $name"
  as_root systemctl enable "$unit" > /dev/null 2>&1 || fatal "the service cannot be enabled: systemctl enable $unit says why"
  as_root systemctl daemon-reload > /dev/null 2>&1 || true
  is_true "${INSTALL_KEDGE_SKIP_START:-}" && return
  [ -d /run/systemd/system ] || fatal 'systemd does not run on this machine: the service will start when it is booted with it'
  if [ "$changed" = false ] && ! is_true "${INSTALL_KEDGE_FORCE_RESTART:-}" && systemctl is-active --quiet "$name"; then
    info 'Nothing has changed: the service runs on'
    return
  fi
  info "Starting the service $name"
  as_root systemctl restart "$name" || fatal "the service does not start: journalctl -u $name says why"
}

main() {
  changed=false
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  trap 'exit 1' HUP INT TERM
  check_machine
  read_settings "$@"
  install_packages
  install_program
  install_service
  install_helpers
  start_service
}

# The last line: a download that breaks off runs nothing.
main "$@"
