#!/bin/bash
# Other people's streaming servers behind an edge: a name server, an entrypoint, a set reflector and an edge run in one
# network namespace, nginx, VLC and ffmpeg in another, with a veth pair between them, which carries multicast.
# Usage: unshare -n streaming-servers.sh REFLECTOR FOLDER CASE; prints results for the test, one KEY=VALUE per line.
#   pull      nginx-rtmp fetches a stream with `exec_pull reflector request` while somebody plays it
#   hooks     nginx-rtmp requests with on_play, on_update and on_play_done, and refuses players of unknown streams
#   join      VLC and ffmpeg join the stream's group, IPv4 and IPv6, and one gets it by unicast
#   request   `reflector request` prints the address, and withdraws when it ends; if it is killed, the request expires
set -u
reflector=$1 folder=$2 case=$3
. "$(dirname "$0")/two-test.sh"
mkdir -p "$folder" && cd "$folder" || exit 3
pids=()
# nginx ends its workers and their commands at SIGTERM.
trap '[ ! -s nginx.pid ] || kill -TERM $(cat nginx.pid); kill -9 "${pids[@]}" 2>/dev/null; wait 2>/dev/null' EXIT

ip link set lo up
unshare -n sleep 120 & server=$!
pids+=($server)
until [ "$(readlink /proc/$server/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.05; done
in_server() { nsenter -t $server -n "$@"; }
ip link add lan type veth peer name eth0 netns $server || exit 4
for number in 1 2 3 4; do ip addr add 10.9.0.$number/24 dev lan; done
ip addr add 2001:db8:9::4/64 dev lan nodad
ip link set lan up
in_server ip link set lo up
in_server ip addr add 10.9.0.20/24 dev eth0
in_server ip addr add 2001:db8:9::20/64 dev eth0 nodad
in_server ip link set eth0 up
in_server ip route add 239.0.0.0/8 dev eth0
in_server ip -6 route add ff15::/16 dev eth0 table local

make_zone_and_identities "$reflector" <<'EOF'
ns1 A 10.9.0.1
ep A 10.9.0.2
set A 10.9.0.3
edge A 10.9.0.4
EOF
node() {
    local what=$1 name=$2
    shift 2
    "$reflector" $what $name --zone two.test --identity id-$name --server 10.9.0.1:5300 "$@" >$name.log 2>&1 & pids+=($!)
}
"$reflector" nameserver --zones zones --listen 10.9.0.1:5300 --identity id-ns1 --ops 10.9.0.1:4980 >ns1.log 2>&1 & pids+=($!)
node entrypoint ep --keys keys --ops 10.9.0.2:4980
node set set --ops 10.9.0.3:4980
node edge edge --region 1 --ops 10.9.0.4:4980 --udp-out 239.1.0.0/16:5000,interface=lan \
    --udp-out '[ff15::1:0/112]:5000,interface=lan' --udp-out-allow 10.9.0.20 \
    --request-listen 10.9.0.4:4981 --request-allow 10.9.0.0/24
for try in $(seq 100); do curl -sf http://10.9.0.2:4980/readyz >/dev/null && break; sleep 0.1; done
# 25 pictures and 50 sounds a second, a key frame every second.
ffmpeg -nostdin -loglevel error -re -f lavfi -i testsrc2=size=320x180:rate=25 -f lavfi -i sine=sample_rate=48000 \
    -c:v libx264 -preset ultrafast -tune zerolatency -b:v 1M -g 25 -c:a aac -f mpegts -method PUT \
    "http://10.9.0.2:8000/live/news?key=$key" >encoder.log 2>&1 & pids+=($!)
edge=http://10.9.0.4:4981
for try in $(seq 100); do
    address=$(in_server curl -sf -X PUT "$edge/request/live/news?client=first") && break
    sleep 0.1
done
echo "address=$address"
in_server curl -sf -X DELETE "$edge/request/live/news?client=first" >/dev/null

# Pictures in a recording, and errors while decoding it.
pictures() {
    ffprobe -v error -select_streams v -count_frames -show_entries stream=nb_read_frames -of csv=p=0 "$1" 2>"$1.errors" |
        tr -dc '0-9\n' | head -1
    return 0
}
outputs() { curl -sf http://10.9.0.4:4980/status | jq -c '.outputs // []'; }
counter() { curl -sf http://10.9.0.4:4980/status | jq -r ".counters[\"output_$1\"]"; }
# until_outputs COUNT: waits until the edge has so many outputs.
until_outputs() { for try in $(seq 100); do [ "$(outputs | jq length)" = "$1" ] && return; sleep 0.1; done; }

# start_nginx LINES: nginx-rtmp with these lines for its application.
start_nginx() {
    cat >nginx.conf <<EOF
load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;
user root;
daemon on;
pid $folder/nginx.pid;
error_log $folder/nginx.log info;
events { }
rtmp {
    access_log off;
    server {
        listen 10.9.0.20:1935;
        application live {
            live on;
            $1
        }
    }
}
EOF
    in_server nginx -c "$folder/nginx.conf" || exit 6
}
# play STREAM SECONDS FILE: a player of nginx.
play() {
    in_server timeout 20 ffmpeg -nostdin -loglevel error -i "rtmp://10.9.0.20/$1" -t "$2" -c copy -y "$3" >"$3.log" 2>&1
}

begunBefore=$(counter begun) absentBefore=$(counter streams_absent)
case $case in
pull)
    start_nginx "exec_pull $reflector request \$app/\$name --edge $edge
        -- ffmpeg -nostdin -loglevel error -analyzeduration 1000000 -i \"{url}\" -c copy -f flv
            rtmp://10.9.0.20/\$app/\$name;
        exec_kill_signal term;"
    play live/news 5 one.ts & first=$!
    play live/news 5 two.ts & second=$!
    wait $first $second
    echo "servers=$(outputs | jq -r '.[0].servers | join(",")')"
    echo "one=$(pictures one.ts)"
    echo "two=$(pictures two.ts)"
    until_outputs 0
    echo "outputsLeft=$(outputs | jq length)"
    echo "begun=$(($(counter begun) - begunBefore))"
    ;;
hooks)
    start_nginx "on_play $edge/hooks/nginx; on_play_done $edge/hooks/nginx; on_update $edge/hooks/nginx;
        notify_update_timeout 1s;
        exec_pull ffmpeg -nostdin -loglevel error -analyzeduration 1000000 -i $address -c copy -f flv
            rtmp://10.9.0.20/\$app/\$name;"
    play live/nothing 2 nothing.ts
    echo "nothing=$(stat -c %s nothing.ts 2>/dev/null || echo 0)"
    echo "absent=$(($(counter streams_absent) - absentBefore))"
    play live/news 5 one.ts & first=$!
    sleep 4
    echo "requests=$(outputs | jq -r '.[0].requests')"
    echo "renewed=$(($(counter requests_renewed) > 0))"
    wait $first
    echo "one=$(pictures one.ts)"
    until_outputs 0
    echo "outputsLeft=$(outputs | jq length)"
    echo "withdrawn=$(($(counter requests_withdrawn) > 1))"
    ;;
join)
    six=$(in_server curl -sf -X PUT "$edge/request/live/news?family=6")
    echo "six=$six"
    in_server curl -sf -X PUT "$edge/request/live/news" >/dev/null
    in_server curl -sf -X PUT "$edge/request/live/news?to=10.9.0.20:6000" >/dev/null
    chmod 777 .
    # VLC refuses to run as root.
    in_server setpriv --reuid=65534 --clear-groups env HOME=/tmp timeout 12 cvlc -q --no-sout-all --run-time=8 \
        --play-and-exit "$address" --sout "#std{access=file,mux=ts,dst=$folder/vlc.ts}" vlc://quit >vlc.log 2>&1 & vlc=$!
    record() { in_server timeout 12 ffmpeg -nostdin -loglevel warning -i "$1" -t 5 -c copy -y "$2" >"$2.log" 2>&1; }
    record "$address" four.ts & four=$!
    record "$six" six.ts & sixth=$!
    record udp://@10.9.0.20:6000 unicast.ts & unicast=$!
    wait $vlc $four $sixth $unicast
    for name in vlc four six unicast; do
        echo "$name=$(pictures $name.ts)"
        echo "${name}Corrupt=$(cat $name.ts.log $name.ts.errors 2>/dev/null | grep -ciE 'corrupt|continuity')"
    done
    echo "missing=$(outputs | jq -r '[.[].missing] | add')"
    echo "datagramBytes=$(outputs | jq -r '.[0] | .bytes / .datagrams | floor')"
    echo "failures=$(outputs | jq -r '[.[].sendFailures] | add')"
    echo "group=$(in_server curl -s -o /dev/null -w '%{http_code}' -X PUT "$edge/request/live/news?to=239.9.0.1:5000")"
    echo "host=$(in_server curl -s -o /dev/null -w '%{http_code}' -X PUT "$edge/request/live/news?to=10.9.0.21:5000")"
    echo "broadcast=$(in_server curl -s -o /dev/null -w '%{http_code}' -X PUT "$edge/request/live/news?to=10.9.0.255:5000")"
    echo "refusedTargets=$(counter refused_target)"
    "$reflector" status --node 10.9.0.4:4980 2>/dev/null | grep ' sends ' | head -1 | sed 's/^/line=/'
    curl -sf http://10.9.0.4:4980/metrics | grep -c '^reflector_output_stream_missing_total{' | sed 's/^/metrics=/'
    ;;
request)
    # Without the function, so that the signals reach the command itself.
    nsenter -t $server -n "$reflector" request live/news --edge $edge --seconds 5 --client one >one.out 2>one.err & one=$!
    for try in $(seq 50); do [ -s one.out ] && break; sleep 0.1; done
    echo "printed=$(cat one.out)"
    sleep 7
    echo "held=$(outputs | jq length)"
    kill -TERM $one
    wait $one
    echo "code=$?"
    echo "afterTerm=$(outputs | jq length)"
    nsenter -t $server -n "$reflector" request live/news --edge $edge --seconds 5 --client two -- \
        ffmpeg -nostdin -loglevel error -i '{url}' -c copy -y "$folder/killed.ts" & two=$!
    for try in $(seq 80); do [ -s killed.ts ] && break; sleep 0.1; done
    echo "recording=$([ -s killed.ts ] && echo yes)"
    kill -KILL $two
    wait $two 2>/dev/null
    sleep 0.5
    echo "childLeft=$(pgrep -fc "$folder/killed.ts" || true)"
    echo "afterKill=$(outputs | jq length)"
    for try in $(seq 100); do [ "$(outputs | jq length)" = 0 ] && break; sleep 0.1; done
    echo "afterExpiry=$(outputs | jq length)"
    in_server "$reflector" request live/news --edge $edge --to 10.9.0.21:5000 2>refused.err
    echo "refused=$? $(grep -c 'not allowed' refused.err)"
    in_server "$reflector" request live/news --edge $edge -- sh -c 'exit 7'
    echo "commandCode=$?"
    ;;
esac
exit 0
