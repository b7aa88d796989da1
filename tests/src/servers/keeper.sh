# Runs a server for as long as somebody holds the other end of standard input, and takes orders
# from there, a line each, each answered by a line. However that somebody ends, we read the end of
# the input: then the server is killed, and its directory removed.
#
# $1 is the directory, the rest the server's command line. The server works in $1/data.

# Whoever gave an order may be gone before its answer; that must not end us.
trap '' PIPE
home=$1
shift
pid=

# The processes that the server has started: its program, in its directory.
children() {
    for process in /proc/[0-9]*; do
        if [ "$process/cwd" -ef "$home/data" ] && [ "$process/exe" -ef "$1" ]; then
            echo "${process#/proc/}"
        fi
    done
}

# Children go after their parent, which could start others. A pid of ours is not given to another
# process before our `wait`.
end() {
    if [ "$pid" ]; then
        kill -s KILL "$pid"
        wait "$pid"
        pid=
        while left=$(children "$1") && [ "$left" ]; do
            kill -s KILL $left
            sleep 0.01
        done
    fi
}

while read -r order; do
    case $order in
    start)
        "$@" </dev/null >>"$home/log" 2>&1 &
        pid=$!
        echo "$pid"
        ;;
    end)
        end "$1"
        echo
        ;;
    all\ *)
        kill -s "${order#all }" "$pid" $(children "$1")
        echo
        ;;
    *)
        kill -s "$order" "$pid"
        echo
        ;;
    esac
done

end "$1"
# PostgreSQL, killed, leaves a shared memory segment, of which a system has some thousands.
if [ -f "$home/data/postmaster.pid" ]; then
    ipcrm -m "$(sed -n '7s/.* //p' "$home/data/postmaster.pid")"
fi
rm -rf "$home"
