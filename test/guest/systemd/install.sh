#!/bin/sh
# Runs in a guest that systemd has booted: installs kedge as its users do, looks whether it serves, restarts it, reboots,
# removes it, and compares the machine with what it was. /share has apt/ (a repository), release/ (for install.sh), kubectl
# and busybox.tar. Every step is a line "ok …" or "FAILED …" on the console; the last line there is "end".
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
unset KUBECONFIG
IMAGE=kedge.dev/test/busybox:1
# What outlives the reboot.
state=/var/guest
mkdir -p "$state"
[ -f "$state/begun" ] || date +%s > "$state/begun"
begun=$(cat "$state/begun")
. /share/steps.sh

ready() { kubectl get nodes --request-timeout=10s 2> /dev/null | grep -q ' Ready '; }
answers() { curl -s --max-time 10 "http://$1/" | grep -q 'hello from kedge'; }
container() { kubectl get pods -l app=web -o 'jsonpath={.items[0].status.containerStatuses[0].containerID}'; }
restarts() { kubectl get pods -l app=web -o 'jsonpath={.items[0].status.containerStatuses[0].restartCount}'; }
pod_ip() { kubectl get pods -l app=web -o 'jsonpath={.items[0].status.podIP}'; }

# serves NAME: a Pod behind a Service, over IPVS.
serves() {
  check "$1: the node is Ready" soon 3000 ready
  check "$1: a Deployment" kubectl create deployment web --image=$IMAGE -- httpd -f -p 8080 -h /www
  check "$1: a Service" kubectl expose deployment web --port=80 --target-port=8080
  check "$1: its Pod is available" kubectl rollout status deployment/web --timeout=600s
  service=$(kubectl get service web -o 'jsonpath={.spec.clusterIP}')
  check "$1: the Service leads to it" soon 300 answers "$service"
  check "$1: over IPVS" sh -c "ipvsadm -Ln -t $service:80 | grep -E '$(pod_ip):8080 +Masq' && ipvsadm -Ln --stats -t $service:80 | awk '/->/ && \$3 > 0 { found = 1 } END { exit !found }'"
  check "$1: by the device kube-ipvs0" sh -c "ip route show table all type local dev kube-ipvs0 | grep 10.43.0.0/16"
}

# The rest of the network, as it is over IPVS.
network() {
  check 'network: names' soon 300 sh -c "kubectl exec deployment/web -- nslookup web.default.svc.cluster.local | grep $service"
  check 'network: a Pod reaches itself by its Service' sh -c "kubectl exec deployment/web -- timeout 10 wget -q -O- http://web/ | grep hello"
  check 'network: a Pod reaches the API server by its Service' sh -c "kubectl exec deployment/web -- nc -w 10 kubernetes.default 443 < /dev/null"
  check 'network: a NodePort' kubectl expose deployment web --name=web-node --type=NodePort --port=80 --target-port=8080
  check 'network: which serves' soon 300 answers "192.0.2.2:$(kubectl get service web-node -o 'jsonpath={.spec.ports[0].nodePort}')"
  check 'network: kubectl logs' kubectl logs deployment/web
  for target in "$(pod_ip):8080" "$service:80" "$(pod_ip):8080" "$service:80"; do
    say "info network: 100 requests to $target: $(curl -s -o /dev/null -H 'Connection: close' -w '%{time_total}\n' "http://$target/?[1-100]" | sort -n | awk '{ t[NR] = $1 } END { printf "median %.1f ms", t[int(NR / 2)] * 1000 }')"
  done
}

slice() { find /sys/fs/cgroup/kubepods.slice -type d -name "kubepods*-pod$(kubectl get pod "$1" -o 'jsonpath={.metadata.uid}' | tr - _).slice"; }
top_pod() { kubectl top pod busy --no-headers | awk '{ cpu = $2 + 0 } END { exit !(cpu >= 100 && cpu <= 260) }'; }

# What the kernel is told of Pods: cgroup v2, by systemd.
resources() {
  kubectl apply -f - << 'YAML' > /dev/null
apiVersion: v1
kind: Pod
metadata: {name: busy}
spec:
  containers:
    - {name: loop, image: kedge.dev/test/busybox:1, command: [sh, -c, 'while :; do :; done'], resources: {limits: {cpu: 200m, memory: 32Mi}}}
---
apiVersion: v1
kind: Pod
metadata: {name: small}
spec:
  containers:
    - {name: idle, image: kedge.dev/test/busybox:1, command: [sleep, '1000'], resources: {requests: {cpu: 500m}}}
---
apiVersion: v1
kind: Pod
metadata: {name: greedy}
spec:
  restartPolicy: Never
  containers:
    - {name: tail, image: kedge.dev/test/busybox:1, command: [tail, /dev/zero], resources: {limits: {memory: 16Mi}}}
YAML
  check 'resources: Pods with limits' kubectl wait --for=condition=Ready pod/busy pod/small --timeout=600s
  busy=$(slice busy)
  small=$(slice small)
  check 'resources: the Pod may use so much memory' [ "$(cat "$busy/memory.max")" = 33554432 ]
  check 'resources: and so much CPU' [ "$(cat "$busy/cpu.max")" = '20000 100000' ]
  check 'resources: its container too' sh -c "grep -l 33554432 $busy/cri-containerd-*.scope/memory.max && grep -l '^20000 100000' $busy/cri-containerd-*.scope/cpu.max"
  check 'resources: the kernel holds it back' soon 300 sh -c "awk '/nr_throttled/ && \$2 > 0 { found = 1 } END { exit !found }' $busy/cpu.stat"
  check 'resources: a request for CPU is a weight' [ "$(cat "$small/cpu.weight")" = 20 ]
  check 'resources: Pods that asked for nothing come last' [ "$(cat /sys/fs/cgroup/kubepods.slice/kubepods-besteffort.slice/cpu.weight)" = 1 ]
  check 'resources: too much memory is the end' soon 3000 sh -c "kubectl get pod greedy -o 'jsonpath={.status.phase} {.status.containerStatuses[0].state.terminated.reason}' | grep -x 'Failed OOMKilled'"
  check 'resources: kubectl top node' soon 3000 kubectl top node
  say "info resources: $(kubectl top node --no-headers)"
  check 'resources: kubectl top pod' soon 3000 top_pod
  check 'resources: and its memory, less than one Mi' sh -c "kubectl get --raw /apis/metrics.k8s.io/v1beta1/namespaces/default/pods/busy | grep -E '\"memory\":\"[1-9]'"
  say "info resources: $(kubectl top pod busy --no-headers)"
  check 'resources: Pods are deleted' kubectl delete pod busy small greedy --timeout=600s
  check 'resources: and their slices' soon 300 sh -c "[ ! -e '$busy' ] && [ ! -e '$small' ]"
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
  check 'modes: IPVS by itself' soon 300 only_ipvs
  for mode in nftables ipvs; do
    echo "proxy-mode: $mode" > /etc/kedge/config.yaml
    check "modes: restart with $mode" systemctl restart kedge
    check "modes: only $mode is there" soon 3000 "only_$mode"
    check "modes: the Service leads to its Pod by $mode" soon 300 answers "$service"
  done
  rm /etc/kedge/config.yaml
}

images() {
  mkdir -p /var/lib/kedge/agent/images
  cp /share/busybox.tar /var/lib/kedge/agent/images/
}

# Asks the Service every quarter of a second until the file is removed; writes how often it has not answered.
ask_on() {
  asked=0 missed=0
  while [ -e "$state/asking" ]; do
    asked=$((asked + 1))
    answers "$service" || missed=$((missed + 1))
    sleep 0.25
  done
  echo "$asked requests, $missed without an answer" > /tmp/asked
}

by_apt() {
  echo 'deb [trusted=yes] http://127.0.0.1:8000/apt stable main' > /etc/apt/sources.list.d/kedge.list
  check 'apt: update' apt-get update
  check 'apt: install' apt-get install -y --no-install-recommends kedge
  say "info apt: the package has $(dpkg-query -W -f '${Installed-Size}' kedge) KiB installed, $(stat -c %s /share/kedge_*.deb) bytes to download"
  check 'apt: kedge check-config' kedge check-config
  export KUBECONFIG=/etc/kedge/kedge.yaml
  check 'apt: nothing runs yet' sh -c '! systemctl is-active kedge'
  images
  since=$(now)
  check 'apt: systemctl enable --now' systemctl enable --now kedge
  say "info apt: systemctl enable --now took $(($(now) - since)) s"
  check 'apt: the service is active' systemctl is-active kedge
  serves apt
  network
  resources
  say "info apt: memory of kedge $(ps -o rss= -p "$(systemctl show -p MainPID --value kedge)") KiB"
  before=$(container)
  touch "$state/asking"
  ask_on &
  asker=$!
  since=$(now)
  check 'apt: systemctl restart' systemctl restart kedge
  say "info apt: systemctl restart took $(($(now) - since)) s"
  check 'apt: Ready again' soon 3000 ready
  sleep 10
  rm "$state/asking"
  wait $asker
  say "info apt: over the restart $(cat /tmp/asked)"
  check 'apt: the Service has answered all the while' grep -q ', 0 without' /tmp/asked
  check 'apt: the Pod runs on' [ -n "$before" ]
  check 'apt: in the same container' [ "$before" = "$(container)" ]
  check 'apt: not once restarted' [ "$(restarts)" = 0 ]
  check 'apt: systemctl stop' systemctl stop kedge
  check 'apt: the Pod serves without kedge' answers "$service"
  check 'apt: systemctl start' systemctl start kedge
  kill -9 "$(systemctl show -p MainPID --value kedge)"
  sleep 6
  check 'apt: systemd starts it again after kill -9' soon 3000 ready
  check 'apt: still the same container' [ "$before" = "$(container)" ]
  check 'apt: not once restarted' [ "$(restarts)" = 0 ]
  modes
  kubectl get pods -l app=web -o 'jsonpath={.items[0].metadata.name}' > "$state/pod"
}

# Fault: the machine starts anew, with what is on its disk.
after_reboot() {
  export KUBECONFIG=/etc/kedge/kedge.yaml
  check 'reboot: kedge has started by itself' soon 900 systemctl is-active kedge
  check 'reboot: Ready' soon 3000 ready
  check 'reboot: the Pod is available' kubectl wait --for=condition=Ready pod -l app=web --timeout=600s
  service=$(kubectl get service web -o 'jsonpath={.spec.clusterIP}')
  check 'reboot: and serves' soon 3000 answers "$service"
  check 'reboot: it is the same Pod' [ "$(cat "$state/pod")" = "$(kubectl get pods -l app=web -o 'jsonpath={.items[0].metadata.name}')" ]
  check 'reboot: restarted once' [ "$(restarts)" = 1 ]
}

remove_by_apt() {
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
  check 'install.sh: nothing of it runs' sh -c "! pgrep -af '[c]ontainerd|[h]ttpd -f -p 8080'"
  check 'install.sh: it starts again' systemctl start kedge
  check 'install.sh: with its Pods' kubectl rollout status deployment/web --timeout=600s
  check 'install.sh: kedge-uninstall.sh' kedge-uninstall.sh
  unset KUBECONFIG INSTALL_KEDGE_DOWNLOAD_URL
  compare 'install.sh: uninstalling leaves nothing'
}

troubles() { journalctl --unit=kedge --output=cat --boot | grep -E 'level=(error|warn)' | cut -c 1-300 | sort -k 2 | uniq -f 1 | head -n 30 | sed 's/^/journal /'; }

busybox httpd -p 127.0.0.1:8000 -h /share
if [ ! -f "$state/pod" ]; then
  cp /share/kubectl /usr/local/bin/kubectl
  # Debian starts containerd's own service: kedge has another.
  systemctl disable --now containerd > /dev/null 2>&1
  rm -rf /run/containerd
  say "info $(uname -sr), systemd $(systemctl --version | awk 'NR == 1 { print $2 }'), $(stat -fc %T /sys/fs/cgroup), $(nproc) CPUs"
  say "info systemd is $(systemctl is-system-running)"
  look 2> /dev/null | sort -u > "$state/before"
  by_apt
  troubles
  say 'info rebooting'
  sync
  systemctl reboot
  exec sleep 600
fi
after_reboot
troubles
remove_by_apt
by_script
troubles
say end
sync
busybox poweroff -f
