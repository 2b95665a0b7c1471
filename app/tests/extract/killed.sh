#!/bin/sh
# As if the machine had run out of memory.
/bin/cat >/dev/null
kill -KILL $$
