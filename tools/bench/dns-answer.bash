# Time and allocations of a query in our own code, under 3,000 regions x 65,536 portsets and 1,000 map lines.
echo "answer: our own code"
"$bin/dns-bench" generate "$work/answer"
while read -r name value; do
    case $name in
    # A cookie additionally costs SipHash.
    cookie_ns_per_query) figure "$name" "$value" ;;
    *_ns_per_query) target "$name" "$value" '<' 150 ;;
    *_allocations) target "$name" "$value" '==' 0 ;;
    a_answered_percent | srv_answered_percent) target "$name" "$value" "==" 100 ;;
    *) figure "$name" "$value" ;;
    esac
done < <("$bin/dns-bench" answer "$work/answer")
