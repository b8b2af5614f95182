#!/bin/bash
# A name server, an entrypoint and a set reflector run in one network namespace, an edge in another, with a veth pair
# between them.
# Usage: unshare -n two-families.sh REFLECTOR FOLDER CASE; prints results for the test, one KEY=VALUE per line.
#   v6only    the edge has only IPv6, all others have both
#   deadv6    all have both in the zone, but the set reflector's IPv6 address is on no interface
#   v4parent  the edge has both, all others have only IPv4
#   no6       only IPv4, on kernels without IPv6, as after a boot with ipv6.disable=1
#   refused   like v4parent, and for 2 s the set reflector's kernel refuses to send to the edge
#   mtu       like v6only, and the edge silently drops packets larger than an MTU of 1280
set -u
reflector=$1 folder=$2 case=$3
. "$(dirname "$0")/two-test.sh"
mkdir -p "$folder" && cd "$folder" || exit 3
case $case in v4parent | no6 | refused) hasSix=no ;; *) hasSix=yes ;; esac
preload=
pids=()
trap 'kill -9 "${pids[@]}" 2>/dev/null; wait 2>/dev/null' EXIT

ip link set lo up
unshare -n sleep 120 & edge=$!
pids+=($edge)
until [ "$(readlink /proc/$edge/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.05; done
in_edge() { nsenter -t $edge -n "$@"; }
ip link add core type veth peer name edge netns $edge || exit 4
for number in 1 2 3; do
    ip addr add 10.9.0.$number/24 dev core
    [ $hasSix = no ] || [ $case = deadv6 -a $number = 3 ] || ip addr add 2001:db8:9::$number/64 dev core nodad
done
ip link set core up
in_edge ip link set lo up
in_edge ip addr add 2001:db8:9::e/64 dev edge nodad
[ $case = v6only ] || [ $case = mtu ] || in_edge ip addr add 10.9.0.14/24 dev edge
# A veth device accepts packets larger than its MTU, so a filter drops them silently, like a tunnel. GSO must segment
# runs of datagrams before the filter, as for a real device.
[ $case != mtu ] || ip link set core gso_max_segs 1
[ $case != mtu ] || in_edge nft -f - <<'EOF' || exit 6
table inet small {
    chain input {
        type filter hook prerouting priority 0;
        iifname "edge" meta length > 1280 drop
    }
}
EOF
in_edge ip link set edge up

if [ $case = no6 ]; then
    # What socket() returns if the kernel has no IPv6.
    cat >no6.c <<'EOF'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <sys/socket.h>
int socket(int family, int type, int protocol) {
    int (*next)(int, int, int) = dlsym(RTLD_NEXT, "socket");
    if (family == AF_INET6) { errno = EAFNOSUPPORT; return -1; }
    return next(family, type, protocol);
}
EOF
    clang -shared -fPIC -o no6.so no6.c || exit 7
    preload=$folder/no6.so
fi

six() { [ $hasSix = no ] || echo "  AAAA 2001:db8:9::$1"; }
make_zone_and_identities "$reflector" <<EOF
ns1 A 10.9.0.1
$(six 1)
ep A 10.9.0.2
$(six 2)
set A 10.9.0.3
$(six 3)
edge $([ $case = no6 ] && echo 'A 10.9.0.14' || echo 'AAAA 2001:db8:9::e')
$([ $case = no6 ] || [ $case = v6only ] || [ $case = mtu ] || echo "  A 10.9.0.14")
EOF
server=10.9.0.1:5300
case $case in v6only | mtu) edge_server='[2001:db8:9::1]:5300' ;; *) edge_server=$server ;; esac
listen=(--listen 10.9.0.1:5300)
[ $hasSix = no ] || listen+=(--listen '[2001:db8:9::1]:5300')
# Without --ops, an edge serves its status on loopback.
case $case in no6) edge_ops=127.0.0.1:4980 ops=() ;; *) edge_ops='[2001:db8:9::e]:4980' ops=(--ops "$edge_ops") ;; esac
node() { local what=$1 name=$2; shift 2; env LD_PRELOAD="$preload" "$reflector" $what $name --zone two.test --identity id-$name "$@" >$name.log 2>&1 & pids+=($!); }
env LD_PRELOAD="$preload" "$reflector" nameserver --zones zones "${listen[@]}" --identity id-ns1 --ops 10.9.0.1:4980 >ns1.log 2>&1 & pids+=($!)
node entrypoint ep --keys keys --server $server --ops 10.9.0.2:4980
node set set --server $server --ops 10.9.0.3:4980
nsenter -t $edge -n env LD_PRELOAD="$preload" "$reflector" edge edge --region 1 --zone two.test --identity id-edge \
    --server "$edge_server" "${ops[@]}" >edge.log 2>&1 & pids+=($!)
for try in $(seq 100); do curl -sf http://10.9.0.2:4980/readyz >/dev/null && break; sleep 0.1; done
ffmpeg -nostdin -loglevel error -re -f lavfi -i testsrc2=size=320x180:rate=25 -c:v libx264 -preset ultrafast -b:v 1M \
    -minrate 1M -maxrate 1M -bufsize 500k -g 25 -f mpegts -method PUT "http://10.9.0.2:8000/live/news?key=$key" \
    >ffmpeg.log 2>&1 & pids+=($!)

# view URL FILE: a viewer waits for the stream, then reads 3 s of it. There is one at every address of the edge.
view() {
    for try in $(seq 30); do
        got=$(in_edge curl -sfN -m 2 -o /dev/null -w '%{size_download}' "$1")
        ((${got:-0} > 0)) && break
        sleep 0.3
    done
    in_edge curl -sfN -m 3 -o "$2" "$1"
}
six=
[ $case = no6 ] || { view 'http://[2001:db8:9::e]:8080/live/news.ts' six.ts & six=$!; }
if [ $case = refused ]; then
    wait $six
    nft -f - <<'EOF' || exit 6
table ip refused {
    chain output {
        type filter hook output priority 0;
        ip daddr 10.9.0.14 udp sport 4900 drop
    }
}
EOF
    sleep 2
    nft delete table ip refused
fi
case $case in
v6only | mtu) : ;;
*) view http://10.9.0.14:8080/live/news.ts four.ts ;;
esac
[ -z "$six" ] || wait $six
echo "six=$(stat -c %s six.ts 2>/dev/null || echo 0)"
echo "four=$(stat -c %s four.ts 2>/dev/null || echo 0)"
in_edge curl -sf "http://$edge_ops/status" >edge.json
echo "opsOutside=$(in_edge curl -s -m 1 -o /dev/null -w '%{http_code}' http://10.9.0.14:4980/status)"
curl -sf http://10.9.0.3:4980/status >set.json
echo "parent=$(jq -r '[.links[]|select(.part=="parent")][0].endpoint' edge.json)"
echo "lost=$(jq -r '[.streams[].lost]|add' edge.json)"
echo "delivered=$(jq -r '[.streams[].delivered]|add' edge.json)"
echo "payloadMax=$(jq -r '[.links[]|select(.part=="child" and .peer=="edge")][0].payloadMax' set.json)"
grep -h -o 'does not carry datagrams of [0-9]* bytes' set.log | head -1
grep -h -o 'payloads of [0-9]* bytes from now on' ep.log | head -1
grep -h -o 'does not answer at [^:]*:[^ ]*: using [^;]*' edge.log | head -1
grep -h -o 'own address missing' set.log | head -1
grep -h 'datagrams not sent' set.log | head -1
exit 0
