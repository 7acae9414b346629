"""Compare what the wheel and the sdist hold with the files of the package in the clone."""

import subprocess
import sys
import tarfile
import zipfile


def main(wheel: str, sdist: str) -> None:
    """Exit with an error where a file of the package is missing or not tracked."""
    tracked = subprocess.run(["git", "ls-files", "skrec"], capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    wanted = {name for name in tracked if name}
    with zipfile.ZipFile(wheel) as archive:
        in_wheel = {name for name in archive.namelist() if name.startswith("skrec/")}
    with tarfile.open(sdist) as archive:
        in_sdist = {name.split("/", 1)[1] for name in archive.getnames() if "/skrec/" in name and "." in name}
    for what, held in (("wheel", in_wheel), ("sdist", in_sdist)):
        if missing := sorted(wanted - held):
            sys.exit(f"the {what} lacks {missing}: see [options.package_data] in setup.cfg and MANIFEST.in")
    if extra := sorted(in_wheel - wanted):
        sys.exit(f"the wheel holds files that are not tracked: {extra}")
    print(f"contents: {len(wanted)} files of the package in both")


if __name__ == "__main__":
    main(*sys.argv[1:3])
