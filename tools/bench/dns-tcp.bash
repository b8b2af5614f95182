# TCP queries a second compared with Knot, queried by dnsperf in turn.
echo "tcp: dnsperf -m tcp, $rounds rounds"
"$bin/dns-bench" generate "$work/tcp" 100 1000 100
"$bin/dns-bench" flat "$work/tcp" "$work/tcp.db"
"$bin/dns-bench" queries "$work/tcp.txt" 50000 0 1000 100 text
pin="$calm taskset -c 0"
start_ours "$work/tcp"
start_knot "$work/tcp.db"
pin=
for server in ours knot; do wait_serial "$server" 60; done
for ((round = 1; round <= rounds; round++)); do
    rates=()
    for server in ours knot; do
        rates+=("$($calm taskset -c 1 dnsperf -m tcp -s "${server_at[$server]%:*}" -p "${server_at[$server]#*:}" -d "$work/tcp.txt" \
            -c 20 -q 2000 -l 2 2>/dev/null | awk '/Queries per second/ { print $4 }')")
    done
    echo "${rates[0]} ${rates[1]} $(awk "BEGIN { print ${rates[0]} / ${rates[1]} }")"
done >"$work/tcp.result"
middle_of() { awk -v column="$1" '{ print $column }' "$work/tcp.result" | sort -n | awk '{ list[NR] = $1 } END { print list[int((NR + 1) / 2)] }'; }
figure "ours, queries/s" "$(middle_of 1)"
figure "knot, queries/s" "$(middle_of 2)"
target "tcp: ours/knot" "$(middle_of 3)" '>=' 1
