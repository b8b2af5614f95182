# At 3 million names: time to start, memory, and time until an edit is visible; each server alone.
echo "peers: 3 million names"
"$bin/dns-bench" generate "$work/peers" 100 1000 1000
"$bin/dns-bench" flat "$work/peers" "$work/peers.db"
sed 's/hostmaster 1 3600/hostmaster 2 3600/' "$work/peers.db" >"$work/peers-edited.db"
nsd_control=yes
for server in ours nsd knot gdnsd; do
    cp "$work/peers.db" "$work/zone.db"
    begun=$(milliseconds)
    case $server in
    ours) start_ours "$work/peers" ;;
    *) "start_$server" "$work/zone.db" ;;
    esac
    wait_serial "$server" 120
    figure "$server: ready, ms" "$(($(milliseconds) - begun))"
    figure "$server: memory, MiB" "$(resident "$server")"
    sleep 1.2
    before=$("$bin/dns-load" serial "${server_at[$server]}" reflector.net | awk '{ print $2 }')
    case $server in
    gdnsd) cp "$work/peers-edited.db" "$work/gdnsd/zones/reflector.net" ;;
    *) cp "$work/peers-edited.db" "$work/zone.db" ;;
    esac
    begun=$(milliseconds)
    case $server in
    ours) echo "map s7 r1 set3 set4 ttl=7" >>"$work/peers/reflector.net.portsets" ;;
    nsd) nsd-control -c "$work/nsd/nsd.conf" reload >/dev/null ;;
    knot) knotc -c "$work/knot/knot.conf" zone-reload reflector.net >/dev/null ;;
    gdnsd) gdnsdctl -c "$work/gdnsd" reload-zones >/dev/null ;;
    esac
    "$bin/dns-load" serial "${server_at[$server]}" reflector.net --not "$before" --seconds 120 >/dev/null
    figure "$server: an edit shows, ms" "$(($(milliseconds) - begun))"
    stop_servers
done
nsd_control=no
