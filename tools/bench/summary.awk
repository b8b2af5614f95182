# Medians with intervals of dns-load's rounds: `LOAD MIX SERVER ROUND answered N elapsed_ns N cpu_ns N lost N …`. The
# interval between two order statistics covers the median with 95 % or more (sign test).
{
    kind = $1 " " $2
    value[kind, $3, $4] = $6 > 0 ? $10 / $6 / 1000 : 0
    rate[kind, $3, $4] = $6 * 1e9 / $8
    lost[kind, $3] += $12
    answered[kind, $3] += $6
    busy[kind, $3, $4] = $10 / $8
    if (!(kind in known)) { kinds[++kind_count] = kind; known[kind] = 1 }
    if ($4 > rounds) rounds = $4
}
function sorted(list, count,    i, j, swap) {
    for (i = 2; i <= count; i++)
        for (j = i; j > 1 && list[j] < list[j - 1]; j--) { swap = list[j]; list[j] = list[j - 1]; list[j - 1] = swap }
}
function middle(list, count) { return count % 2 ? list[(count + 1) / 2] : (list[count / 2] + list[count / 2 + 1]) / 2 }
function low_rank(count,    rank) { rank = int((count - 1.96 * sqrt(count)) / 2) + 1; return rank < 1 ? 1 : rank }
function server_line(kind, server,    list, rates, share, i) {
    for (i = 1; i <= rounds; i++) { list[i] = value[kind, server, i]; rates[i] = rate[kind, server, i]; share[i] = busy[kind, server, i] }
    sorted(list, rounds); sorted(rates, rounds); sorted(share, rounds)
    printf "  %-24s %-6s %6.2f µs a query [%.2f to %.2f], %7.0f queries/s, core %3.0f %% busy, lost %.3f %%\n", kind, server,
        middle(list, rounds), list[low_rank(rounds)], list[rounds + 1 - low_rank(rounds)], middle(rates, rounds),
        100 * middle(share, rounds), 100 * lost[kind, server] / (answered[kind, server] + lost[kind, server] + 1)
}
function ratio_line(kind, above, below,    list, i) {
    for (i = 1; i <= rounds; i++) list[i] = value[kind, below, i] > 0 ? value[kind, above, i] / value[kind, below, i] : 0
    sorted(list, rounds)
    printf "ratio %s %s %s %.3f %.3f %.3f\n", kind, above, below, middle(list, rounds), list[low_rank(rounds)],
        list[rounds + 1 - low_rank(rounds)]
}
END {
    split("echo ours gdnsd nsd knot", servers, " ")
    for (k = 1; k <= kind_count; k++) {
        for (s = 1; s <= 5; s++) server_line(kinds[k], servers[s])
        ratio_line(kinds[k], "ours", "echo")
        ratio_line(kinds[k], "gdnsd", "ours")
        ratio_line(kinds[k], "nsd", "ours")
        ratio_line(kinds[k], "knot", "ours")
    }
}
