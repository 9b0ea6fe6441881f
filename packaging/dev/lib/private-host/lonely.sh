#!/bin/sh
# lonely.sh <program> [argument ...]
# Runs a program on a private host that has a network card, an address and a default route, and nobody to talk to.
set -eu
ip link add eth0 type veth peer name eth0-peer
# Addresses of IPv6 would appear a moment later: tests compare what there is before and after.
ip link set eth0 addrgenmode none
ip link set eth0-peer addrgenmode none
ip address add 192.0.2.2/24 dev eth0
ip link set eth0 up
ip link set eth0-peer up
ip route add default via 192.0.2.1
exec "$@"
