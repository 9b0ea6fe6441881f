# Sourced by install.sh: steps with a line each on the console, and the comparison of the machine with what it was.

say() { echo "$*"; }
now() { date +%s; }
ok() { say "ok $* ($(($(now) - begun)) s)"; }
failed() {
  say "FAILED $* ($(($(now) - begun)) s)"
  journalctl --unit=kedge --output=cat --lines=12
}

# check TEXT COMMAND…: one step.
check() {
  text=$1
  shift
  if "$@" > /tmp/step 2>&1; then ok "$text"; else
    failed "$text"
    tail -n 30 /tmp/step
  fi
}

# soon SECONDS COMMAND…: until the command succeeds.
soon() {
  limit=$(($(now) + $1))
  shift
  until "$@"; do
    if [ "$(now)" -gt "$limit" ]; then return 1; fi
    sleep 1
  done
}

look() {
  # What an installation of whatever package changes is left out, and what has another name after each boot.
  find / -xdev \( -path /proc -o -path /sys -o -path /run -o -path /tmp -o -path /share -o -path "$state" -o -path /var/log \
    -o -path /var/cache -o -path /var/lib/apt -o -path /var/lib/dpkg -o -path /var/lib/systemd \) -prune -o -print |
    grep -v -E '^/(root/.kube|etc/apt/sources.list.d|var/tmp/systemd-private-)' | sed 's/^/file /'
  find /var/log -path /var/log/journal -prune -o -print | grep -v -E '/(apt|dpkg.log|alternatives.log)' | sed 's/^/file /'
  find /run -not -path '/run/systemd/*' -not -path '/run/udev/*' -not -path '/run/log/*' -not -path '/run/credentials*' | sed 's/^/file /'
  find /run/systemd/transient /run/systemd/system.control /run/systemd/system -type f 2> /dev/null | sed 's/^/unit file /'
  awk '{ print "mount " $5 }' /proc/self/mountinfo
  ip -o address | awk '$4 !~ /^fe80:/ { print "address " $2 " " $4 }'
  ip -o link | awk '{ print "device " $2 }'
  ip rule | sed 's/^/rule /'
  ip route show table all | grep -v -E 'fe80|ff00|multicast' | sed 's/^/route /'
  ip netns | sed 's/^/netns /'
  nft -s list ruleset | sed 's/^/nft /'
  ipvsadm -Sn | sed 's/^/ipvs /'
  ipset list -n | sed 's/^/ipset /'
  find /sys/fs/cgroup -type d | grep -v -E '/(system.slice|init.scope|user.slice)(/|$)' | sed 's/^/cgroup /'
  systemctl list-units --all --plain --no-legend 'kedge*' 'kubepods*' 'cri-containerd*' | sed 's/^/unit /'
  systemctl list-unit-files --no-legend 'kedge*' | sed 's/^/unit file /'
  for cmdline in /proc/[0-9]*/cmdline; do
    args=$(tr '\0' ' ' < "$cmdline" 2> /dev/null)
    case "$args" in '' | *install.sh* | find* | 'tr '* | 'sort '* | 'sleep '* | '/lib/systemd/'*) ;; *) echo "process $args" ;; esac
  done
}

# compare NAME: what is there now and was not before.
compare() {
  look 2> /dev/null | sort -u > /tmp/after
  say "info $1: $(cut -d ' ' -f 1 < "$state/before" | sort | uniq -c | awk '{ printf "%s%s %s", sep, $1, $2; sep = ", " }') compared"
  if comm -13 "$state/before" /tmp/after > /tmp/left && [ ! -s /tmp/left ]; then ok "$1"; else
    failed "$1"
    head -n 60 /tmp/left
  fi
}
