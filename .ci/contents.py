"""Compare what the wheel and the sdist hold with the files of the package in the clone."""

import sys
import tarfile
import zipfile
from pathlib import Path


def main(wheel: str, sdist: str) -> None:
    """Exit with an error where a file of the package is missing, or one more is there."""
    found = (path for path in Path("skrec").rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    wanted = {path.as_posix() for path in found}
    with zipfile.ZipFile(wheel) as archive:
        in_wheel = {name for name in archive.namelist() if name.startswith("skrec/")}
    with tarfile.open(sdist) as archive:
        in_sdist = {name.split("/", 1)[1] for name in archive.getnames() if "/skrec/" in name and "." in name}
    for what, held in (("wheel", in_wheel), ("sdist", in_sdist)):
        if missing := sorted(wanted - held):
            sys.exit(f"the {what} lacks {missing}: see [options.package_data] in setup.cfg and MANIFEST.in")
    if extra := sorted(in_wheel - wanted):
        sys.exit(f"the wheel holds files that the clone does not have: {extra}")
    print(f"contents: {len(wanted)} files of the package in both")


if __name__ == "__main__":
    main(*sys.argv[1:3])
