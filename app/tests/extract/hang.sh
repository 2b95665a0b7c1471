#!/bin/sh
# Reads all and says nothing, for longer than anybody waits.
/bin/cat >/dev/null
exec /bin/sleep 600
