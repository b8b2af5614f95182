# 590 million names (3,000 regions x 65,536 portsets x 3 leaders) under 1,000 map lines: time to start, memory, an edit;
# and the cost of 100,000 random overlapping rectangles.
echo "sizes: 590 million names"

# edit_time NAME ZONES LABEL…: changes a line and prints the milliseconds until the serial changes, without the settling
# time of 200 ms.
edit_time() {
    local zones=$2 before begun
    # The server makes at most one generation a second.
    sleep 1.2
    before=$("$bin/dns-load" serial "${server_at[$1]}" reflector.net | awk '{ print $2 }')
    begun=$(date +%s%N)
    echo "map s7 r$((RANDOM % 3000 + 1)) set3 set4 ttl=7" >>"$zones/reflector.net.portsets"
    "$bin/dns-load" serial "${server_at[$1]}" reflector.net --not "$before" --seconds 60 >/dev/null
    echo $((($(date +%s%N) - begun) / 1000000 - 200))
}

median() { sort -n | awk '{ list[NR] = $1 } END { print list[int((NR + 1) / 2)] }'; }

for lines in 1000 100000; do
    zones=$work/zones-$lines
    "$bin/dns-bench" generate "$zones" "$lines"
    begun=$(milliseconds)
    start_ours "$zones"
    until grep -qs "msg=ready" "$work/ours.log"; do
        kill -0 "${server_pids[ours]}" || { cat "$work/ours.log" >&2; exit 1; }
        sleep 0.005
    done
    ready=$(($(milliseconds) - begun))
    memory=$(resident ours)
    edit=$(for _ in 1 2 3; do edit_time ours "$zones"; done | median)
    if ((lines == 1000)); then
        target "$lines lines: ready, ms" "$ready" '<' 500
        target "$lines lines: memory, MiB" "$memory" '<' 64
        target "$lines lines: an edit shows, ms after settling" "$edit" '<' 100
    else
        figure "$lines rectangles: ready, ms" "$ready"
        figure "$lines rectangles: memory of the process, MiB" "$memory"
        figure "$lines rectangles: an edit shows, ms after settling" "$edit"
    fi
    stop_servers
done

# The same queries to both, in turn.
"$bin/dns-bench" queries "$work/sizes.q" 200000 0 3000 65536
pin="$calm taskset -c 0"
start_ours "$work/zones-1000"
server_at[few]=${server_at[ours]} server_pids[few]=${server_pids[ours]}
network_before=$network
network=${network%.*}.9
start_ours "$work/zones-100000"
network=$network_before
server_at[many]=${server_at[ours]} server_pids[many]=${server_pids[ours]}
pin=
for server in few many; do wait_serial "$server" 60; done
for ((round = 1; round <= rounds; round++)); do
    cost=()
    for server in few many; do
        read -r _ answered _ _ _ nanoseconds _ < <($calm taskset -c 1 "$bin/dns-load" udp "${server_at[$server]}" \
            "$work/sizes.q" --seconds "$seconds" --pids "$(family "$server")" --source "${network%.*}.200")
        cost+=("$(awk "BEGIN { printf \"%.4f\", $nanoseconds / $answered / 1000 }")")
    done
    echo "${cost[0]} ${cost[1]} $(awk "BEGIN { print ${cost[1]} / ${cost[0]} }")"
done >"$work/sizes.result"
figure "1,000 rectangles: µs a query" "$(awk '{ print $1 }' "$work/sizes.result" | median)"
figure "100,000 rectangles: µs a query" "$(awk '{ print $2 }' "$work/sizes.result" | median)"
target "100,000 rectangles: cost of a query, relative to 1,000" "$(awk '{ print $3 }' "$work/sizes.result" | median)" '<=' 1.1
stop_servers

while read -r name value; do
    case $name in
    image_MiB) target "100,000 rectangles: image, MiB" "$value" '<' 256 ;;
    compile_ms | image_ms | rule_index_nodes | a_ns_per_query) figure "100,000 rectangles: $name" "$value" ;;
    esac
done < <("$bin/dns-bench" answer "$work/zones-100000")
cp -r "$work/zones-100000" "$work/zones-edited"
echo "map s7 r1-r3000 set3 set4 ttl=7" >>"$work/zones-edited/reflector.net.portsets"
begun=$(milliseconds)
"$bin/reflector" zone check "$work/zones-100000" >"$work/check" 2>&1 || true
figure "100,000 rectangles: zone check, ms ($(wc -l <"$work/check") lines of report)" "$(($(milliseconds) - begun))"
begun=$(milliseconds)
"$bin/reflector" zone diff "$work/zones-100000" "$work/zones-edited" >"$work/diff" 2>&1 || true
figure "100,000 rectangles: zone diff of one line, ms" "$(($(milliseconds) - begun))"
