# Starts the name servers that tools/bench compares, with the same names and settings as ours: UDP answers of at most
# 1,232 bytes, minimal responses, rate limiting on with a limit above the load. For sourcing; needs $work (a folder that
# exists as long as the servers), $bin, and $network, three bytes of a loopback network of their own.

servers_pids=()  # of every started process
declare -A server_at server_pids

# start NAME COMMAND…: runs a server on its own address, output in $work/NAME.log.
start() {
    local name=$1
    shift
    ${pin:-} "$@" >"$work/$name.log" 2>&1 </dev/null &
    servers_pids+=($!)
    server_pids[$name]=$!
}

# Ends every server.
stop_servers() {
    local pid
    for pid in ${servers_pids[@]+"${servers_pids[@]}"}; do kill "$pid" 2>/dev/null || true; done
    for pid in ${servers_pids[@]+"${servers_pids[@]}"}; do
        timeout 5 tail --pid="$pid" -f /dev/null 2>/dev/null || kill -KILL "$pid" 2>/dev/null || true
    done
    servers_pids=()
}

# family NAME: a server's process and all its children, e.g. 12,13.
family() {
    local all=(${server_pids[$1]}) next=(${server_pids[$1]}) found
    while ((${#next[@]} > 0)); do
        found=($(pgrep -P "$(IFS=,; echo "${next[*]}")" || true))
        all+=(${found[@]+"${found[@]}"})
        next=(${found[@]+"${found[@]}"})
    done
    (IFS=,; echo "${all[*]}")
}

# wait_serial NAME SECONDS: waits until the server answers for the zone.
wait_serial() {
    "$bin/dns-load" serial "${server_at[$1]}" reflector.net --seconds "$2" >/dev/null ||
        { echo "$1 does not answer:" >&2; tail -20 "$work/$1.log" >&2; return 1; }
}

# start_ours ZONES: our server, with all features
start_ours() {
    server_at[ours]=$network.1:5385
    start ours "$bin/reflector" nameserver --zones "$1" --listen "${server_at[ours]}" "${ours_options[@]}"
}

start_echo() {
    server_at[echo]=$network.2:5385
    start echo "$bin/dns-load" echo "${server_at[echo]}"
}

# start_nsd FILE
start_nsd() {
    server_at[nsd]=$network.3:5385
    mkdir -p "$work/nsd"
    cat >"$work/nsd/nsd.conf" <<END
server:
  ip-address: $network.3@5385
  username: ""
  chroot: ""
  zonesdir: "$work/nsd"
  pidfile: ""
  database: ""
  zonelistfile: "$work/nsd/zone.list"
  xfrdfile: "$work/nsd/xfrd.state"
  xfrdir: "$work/nsd"
  server-count: 1
  minimal-responses: yes
  refuse-any: yes
  ipv4-edns-size: 1232
  rrl-ratelimit: 100000000
  rrl-whitelist-ratelimit: 100000000
remote-control:
  control-enable: ${nsd_control:-no}
  control-interface: "$work/nsd/control"
zone:
  name: reflector.net
  zonefile: "$1"
END
    start nsd nsd -d -c "$work/nsd/nsd.conf"
}

# start_knot FILE
start_knot() {
    server_at[knot]=$network.4:5385
    mkdir -p "$work/knot"
    cat >"$work/knot/knot.conf" <<END
server:
    rundir: "$work/knot"
    listen: $network.4@5385
    udp-workers: 1
    tcp-workers: ${knot_tcp_workers:-1}
    background-workers: 1
    udp-max-payload: 1232
database:
    storage: "$work/knot/db"
mod-rrl:
  - id: default
    rate-limit: 100000000
template:
  - id: default
    storage: "$work/knot"
    zonefile-load: whole
    zonefile-sync: -1
    journal-content: none
    semantic-checks: off
    global-module: [ mod-rrl/default, mod-cookies ]
zone:
  - domain: reflector.net
    file: "$1"
END
    start knot knotd -c "$work/knot/knot.conf"
}

# start_gdnsd FILE: gdnsd has no rate limit.
start_gdnsd() {
    server_at[gdnsd]=$network.5:5385
    mkdir -p "$work/gdnsd/zones" "$work/gdnsd/run" "$work/gdnsd/state"
    cp "$1" "$work/gdnsd/zones/reflector.net"
    cat >"$work/gdnsd/config" <<END
options => {
  listen => { $network.5:5385 => { udp_threads = 1, tcp_threads = 1 } }
  max_edns_response = 1232
  run_dir = $work/gdnsd/run
  state_dir = $work/gdnsd/state
  zones_rfc1035_threads = 1
}
END
    start gdnsd gdnsd -c "$work/gdnsd" start
}
