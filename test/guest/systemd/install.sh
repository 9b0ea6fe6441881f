#!/bin/sh
# Runs in a guest that systemd has booted: installs kedge as its users do, looks whether it serves, restarts it, removes it,
# and compares the machine with what it was. /share has apt/ (a repository), release/ (for install.sh), kubectl and
# busybox.tar. Every step is a line "ok …" or "FAILED …" on the console; the last line there is "end".
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
unset KUBECONFIG
begun=$(date +%s)

say() { echo "$*"; }
ok() { say "ok $* ($(($(date +%s) - begun)) s)"; }
failed() {
  say "FAILED $*"
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
  limit=$(($(date +%s) + $1))
  shift
  until "$@"; do
    if [ "$(date +%s)" -gt "$limit" ]; then return 1; fi
    sleep 2
  done
}

look() {
  # What an installation of whatever package changes is left out.
  find / -xdev \( -path /proc -o -path /sys -o -path /run -o -path /tmp -o -path /share -o -path /var/log \
    -o -path /var/cache -o -path /var/lib/apt -o -path /var/lib/dpkg -o -path /var/lib/systemd \) -prune -o -print |
    grep -v -E '^/(root/.kube|etc/apt/sources.list.d)' | sed 's/^/file /'
  find /var/log -path /var/log/journal -prune -o -print | grep -v -E '/(apt|dpkg.log|alternatives.log)' | sed 's/^/file /'
  find /run -not -path '/run/systemd/*' -not -path '/run/udev/*' -not -path '/run/log/*' -not -path '/run/credentials*' | sed 's/^/file /'
  awk '{ print "mount " $5 }' /proc/self/mountinfo
  ip -o address | awk '{ print "address " $2 " " $4 }'
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
  if comm -13 /tmp/before /tmp/after > /tmp/left && [ ! -s /tmp/left ]; then ok "$1"; else
    failed "$1"
    head -n 60 /tmp/left
  fi
}

ready() { kubectl get nodes --request-timeout=10s 2> /dev/null | grep -q ' Ready '; }
page() { curl -s --max-time 10 "http://$(kubectl get service web -o 'jsonpath={.spec.clusterIP}')/" | grep -q 'hello from kedge'; }
container() { kubectl get pods -l app=web -o 'jsonpath={.items[0].status.containerStatuses[0].containerID}'; }

# serves NAME: a Pod behind a Service.
serves() {
  check "$1: the node is Ready" soon 180 ready
  check "$1: a Deployment" kubectl create deployment web --image=kedge.dev/test/busybox:1 -- httpd -f -p 8080 -h /www
  check "$1: a Service" kubectl expose deployment web --port=80 --target-port=8080
  check "$1: its Pod is available" kubectl rollout status deployment/web --timeout=180s
  check "$1: the Service leads to it" soon 60 page
  if [ -n "$(ipvsadm -Ln | sed -n 4p)" ]; then say "info $1: Services go over IPVS"; else say "info $1: Services go over nftables"; fi
}

# What each form of the Service proxy has in the kernel.
of_ipvs() {
  ipvsadm -Sn
  ipset list -n | grep KEDGE-IPVS
  iptables-save | grep KEDGE-IPVS
  ip -o link show kube-ipvs0
  ip rule | grep 27500
  ip route show table 27500
} 2> /dev/null
of_nftables() { nft list table ip kedge-proxy 2> /dev/null; }
only_ipvs() { [ -n "$(of_ipvs)" ] && [ -z "$(of_nftables)" ]; }
only_nftables() { [ -z "$(of_ipvs)" ] && [ -n "$(of_nftables)" ]; }

# modes: from IPVS to nftables and back; nothing of the old form stays, and the Service is served.
modes() {
  check 'modes: IPVS by itself' soon 60 only_ipvs
  for mode in nftables ipvs; do
    echo "proxy-mode: $mode" > /etc/kedge/config.yaml
    check "modes: restart with $mode" systemctl restart kedge
    check "modes: only $mode is there" soon 180 "only_$mode"
    check "modes: the Service leads to its Pod by $mode" soon 60 page
  done
  rm /etc/kedge/config.yaml
}

images() {
  mkdir -p /var/lib/kedge/agent/images
  cp /share/busybox.tar /var/lib/kedge/agent/images/
}

by_apt() {
  echo 'deb [trusted=yes] http://127.0.0.1:8000/apt stable main' > /etc/apt/sources.list.d/kedge.list
  check 'apt: update' apt-get update
  check 'apt: install' apt-get install -y --no-install-recommends kedge
  export KUBECONFIG=/etc/kedge/kedge.yaml
  check 'apt: nothing runs yet' sh -c '! systemctl is-active kedge'
  images
  check 'apt: systemctl enable --now' systemctl enable --now kedge
  check 'apt: the service is active' systemctl is-active kedge
  serves apt
  say "info apt: memory of kedge $(ps -o rss= -p "$(systemctl show -p MainPID --value kedge)") KiB"
  before=$(container)
  check 'apt: systemctl restart' systemctl restart kedge
  check 'apt: Ready again' soon 120 ready
  check 'apt: the Pod runs on' [ -n "$before" ]
  check 'apt: in the same container' [ "$before" = "$(container)" ]
  check 'apt: and serves' soon 60 page
  check 'apt: systemctl stop' systemctl stop kedge
  check 'apt: the Pod serves without kedge' pgrep -f 'httpd -f -p 8080'
  check 'apt: systemctl start' systemctl start kedge
  kill -9 "$(systemctl show -p MainPID --value kedge)"
  check 'apt: systemd starts it again after kill -9' soon 120 ready
  check 'apt: still the same container' [ "$before" = "$(container)" ]
  modes
  check 'apt: purge' apt-get purge -y kedge
  unset KUBECONFIG
  rm -f /etc/apt/sources.list.d/kedge.list
  compare 'apt: purge leaves nothing'
}

by_script() {
  images
  export INSTALL_KEDGE_DOWNLOAD_URL=http://127.0.0.1:8000/release
  check 'install.sh: installs and starts' sh -c "curl -sf $INSTALL_KEDGE_DOWNLOAD_URL/install.sh | sh -s - server --node-label from=script"
  export KUBECONFIG=/etc/kedge/kedge.yaml
  serves install.sh
  check 'install.sh: with its flags' sh -c "kubectl get nodes --show-labels | grep -q from=script"
  pid=$(systemctl show -p MainPID --value kedge)
  check 'install.sh: a second time' sh -c "curl -sf $INSTALL_KEDGE_DOWNLOAD_URL/install.sh | sh -s - server --node-label from=script"
  check 'install.sh: which restarts nothing' [ "$pid" = "$(systemctl show -p MainPID --value kedge)" ]
  check 'install.sh: kedge-killall.sh' kedge-killall.sh
  check 'install.sh: nothing of it runs' sh -c "! pgrep -f '[c]ontainerd|[h]ttpd -f -p 8080'"
  check 'install.sh: it starts again' systemctl start kedge
  check 'install.sh: with its Pods' kubectl rollout status deployment/web --timeout=180s
  check 'install.sh: kedge-uninstall.sh' kedge-uninstall.sh
  unset KUBECONFIG INSTALL_KEDGE_DOWNLOAD_URL
  compare 'install.sh: uninstalling leaves nothing'
}

modprobe dummy
ip link add eth0 type dummy
ip address add 192.0.2.2/24 dev eth0
ip link set eth0 up
ip route add default via 192.0.2.1
cp /share/kubectl /usr/local/bin/kubectl
busybox httpd -p 127.0.0.1:8000 -h /share
# Debian starts containerd's own service: kedge has another.
systemctl disable --now containerd > /dev/null 2>&1
rm -rf /run/containerd
say "info $(uname -sr), systemd $(systemctl --version | awk 'NR == 1 { print $2 }'), $(stat -fc %T /sys/fs/cgroup)"
say "info systemd is $(systemctl is-system-running)"
# Modules that are loaded leave sysctls and rules of their own.
look 2> /dev/null | sort -u > /tmp/before
by_apt
by_script
say end
sync
busybox poweroff -f
