# serving.sh: starting, asking and ending the servers that run and instructions measure.
# shellcheck shell=bash disable=SC2034

server=build/release/barq-server
ceiling=build/release/bench-ceiling
client=build/release/bench-client
work=$(mktemp -d)
pids=()

# name, path, connections, body of a POST, "ceiling" if compared with it
routes=(
    "plaintext|/plaintext|64||ceiling"
    "hello|/hello|64||ceiling"
    "json|/json|64||ceiling"
    "item|/items/42|64||ceiling"
    "create|/items|64|{\"name\":\"Widget\",\"price\":9.99,\"quantity\":3,\"tags\":[\"a\",\"b\",\"c\"],\"dimensions\":{\"w\":1.5,\"h\":2.5}}|ceiling"
    "cpu|/cpu|4||"
)

die() {
    printf 'bench: %s\n' "$*" >&2
    exit 1
}

stop_servers() {
    local pid
    for pid in "${pids[@]}"; do
        kill "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    rm -rf "$work"
}
trap stop_servers EXIT

# start NAME COMMAND…: leaves its process in $pid and its host:port in $address.
start() {
    local name=$1 log=$work/$1.log url tries
    shift
    : >"$log" # what the last run said there is not what this one says
    "$@" >"$log" 2>&1 &
    pid=$!
    pids+=("$pid")
    for ((tries = 0; tries < 300; tries++)); do
        url=$(grep -o 'http://127\.0\.0\.1:[0-9]*' "$log" | head -n 1)
        [[ -n $url ]] && break
        kill -0 "$pid" 2>/dev/null || die "$name did not start: $(cat "$log")"
        sleep 0.1
    done
    [[ -n $url ]] || die "$name did not say where it listens: $(cat "$log")"
    address=${url#http://}
}

# ask ADDRESS PATH BODY COUNT: the same request, COUNT times over one connection. Prints the last
# answer, head and body; fails unless all are 2xx.
ask() {
    local method=GET
    [[ -z $3 ]] || method=POST
    {
        printf '%s %s HTTP/1.1\r\n' "$method" "$2"
        printf 'Host: 127.0.0.1\r\n'
        [[ -z $3 ]] || printf 'Content-Type: application/json\r\nContent-Length: %d\r\n' "${#3}"
        printf '\r\n%s' "$3"
    } >"$work/request"
    "$client" "${1#*:}" "$4" <"$work/request"
}
