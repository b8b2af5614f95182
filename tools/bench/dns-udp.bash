# CPU time per UDP query, summed over all threads and processes of a server, once when saturated and once at 40,000
# queries a second. The zone has 300,000 names. Either all queries are for names that exist, or half are for names that
# do not.
echo "udp: 300,000 names, one core a server, $rounds rounds of $seconds s"
(($(nproc) >= 2)) || { echo "tools/bench/dns udp: needs two cores" >&2; exit 2; }
"$bin/dns-bench" generate "$work/udp" 100 1000 100
"$bin/dns-bench" flat "$work/udp" "$work/udp.db"
"$bin/dns-bench" queries "$work/existing.q" 200000 0 1000 100
"$bin/dns-bench" queries "$work/half-missing.q" 200000 50 1000 100
pin="$calm taskset -c 0"
start_ours "$work/udp"
start_echo
start_nsd "$work/udp.db"
start_knot "$work/udp.db"
start_gdnsd "$work/udp.db"
pin=
for server in ours nsd knot gdnsd; do wait_serial "$server" 60; done

order=(echo ours gdnsd nsd knot)
for ((round = 1; round <= rounds; round++)); do
    for load in saturated paced; do
        rate=()
        [[ $load == saturated ]] || rate=(--rate 40000)
        for mix in existing half-missing; do
            for server in "${order[@]}"; do
                result=$($calm taskset -c 1 "$bin/dns-load" udp "${server_at[$server]}" "$work/$mix.q" --seconds "$seconds" \
                    --pids "$(family "$server")" --source "${network%.*}.200" ${rate[@]+"${rate[@]}"})
                echo "$load $mix $server $round $result"
            done
        done
    done
    # In the next round, the first server is the last.
    order=("${order[@]:1}" "${order[0]}")
done >"$work/udp.result"

awk -f "$folder/summary.awk" "$work/udp.result" >"$work/udp.summary"
grep -v '^ratio' "$work/udp.summary"
while read -r _ load mix above below median low high; do
    limit='>= 1.5'
    [[ $above/$below != ours/echo ]] || limit='<= 1.1'
    [[ $above != gdnsd ]] || limit='> 1'
    target "$load $mix: $above/$below [$low to $high]" "$median" ${limit}
done < <(grep '^ratio' "$work/udp.summary")

# Instructions in user space, read from the processor's counter. On a machine without one, the server is single-stepped,
# and killed afterwards.
echo "  user-space instructions per query"
counters=$(perf stat -x, -e instructions:u true 2>&1 || true)
for server in echo ours gdnsd nsd knot; do
    pids=$(family "$server")
    if [[ ! $counters =~ ^[0-9]+,,instructions ]]; then
        how='single steps: no counters here'
        read -r _ answered _ steps < <($calm taskset -c 1 "$bin/dns-load" steps "${server_at[$server]}" "$work/existing.q" 192 "$pids")
    else
        how='perf stat'
        perf stat -x, -o "$work/perf" -e instructions:u -p "$pids" -- \
            "$bin/dns-load" udp "${server_at[$server]}" "$work/existing.q" --seconds 1 >"$work/perf.load"
        read -r _ answered _ <"$work/perf.load"
        steps=$(awk -F, '/instructions/ { print $1 }' "$work/perf")
    fi
    figure "$server ($how)" "$(awk "BEGIN { printf \"%.0f\", $steps / ($answered > 0 ? $answered : 1) }")"
done
