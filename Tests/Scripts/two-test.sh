# To be sourced: the zone two.test of a name server, an entrypoint, a set reflector and an edge, at 10.9.0.1 and up.

# make_zone_and_identities REFLECTOR <RECORDS: makes the folder zones with these lines as hosts, the stream key file keys,
# and an identity id-NAME for each node, in this folder. Sets `key`, the key of the stream live/news.
make_zone_and_identities() {
    local reflector=$1 name
    mkdir -p zones
    {
        cat <<'RECORDS'
$TTL 5
@ SOA ns1 hostmaster 1 3600 600 604800 5
@ NS ns1
RECORDS
        cat
    } >zones/two.test.zone
    cat >zones/two.test.portsets <<'PORTSETS'
setregion one hosts=set
region r1 hosts=edge
map s* r* one
PORTSETS
    echo 'stream live/news s1 entrypoints=ep push' >zones/two.test.streams
    "$reflector" keys streams keys >/dev/null 2>&1 || exit 5
    "$reflector" keys init operator --name test >/dev/null 2>&1 || exit 5
    for name in ns1 ep set edge; do
        "$reflector" keys request $name --identity id-$name 2>/dev/null || exit 5
    done >requests
    "$reflector" keys sign requests --operator operator --zones zones >/dev/null || exit 5
    for name in ns1 ep set edge; do
        "$reflector" keys install $name.certificate --identity id-$name --operators operator/operators >/dev/null ||
            exit 5
    done
    key=$(awk '$1 == "stream" { print $NF; exit }' keys)
}
