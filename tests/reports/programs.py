"""The programs people open reports with, driven from outside; a test that needs one skips where it is absent."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

RECALCULATE = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry">
<item oor:path="/org.openoffice.Office.Calc/Formula/Load"><prop oor:name="OOXMLRecalcMode" oor:op="fuse">
<value>0</value></prop></item></oor:items>
"""
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--hide-scrollbars",
    "--run-all-compositor-stages-before-draw",
    "--virtual-time-budget=10000",
)


def program(*names: str) -> str:
    """The first of the programs that is there; the test is skipped where none is."""
    for name in names:
        found = shutil.which(name)
        if found is not None:
            return found
    pytest.skip(f"{names[0]} is not installed; .ci/run installs it where apt is at hand")


def converted(files: Sequence[Path], kind: str, out: Path) -> list[Path]:
    """Files opened in LibreOffice, every formula computed again, and saved as ``kind``."""
    office = program("soffice", "libreoffice")
    profile = out / "profile"
    (profile / "user").mkdir(parents=True, exist_ok=True)
    (profile / "user" / "registrymodifications.xcu").write_text(RECALCULATE, "utf-8")
    done = subprocess.run(
        [office, f"-env:UserInstallation={profile.as_uri()}", "--headless", "--norestore", "--convert-to", kind,
         "--outdir", str(out), *map(str, files)],
        capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    made = [out / f"{file.stem}.{kind}" for file in files]
    assert all(file.is_file() for file in made), done.stdout + done.stderr
    return made


def with_wrong_results(workbook: Path, out: Path) -> Path:
    """The workbook with 99 as the stored result of every formula, so that only one who computes sees right ones."""
    with ZipFile(workbook) as given, ZipFile(out, "w", ZIP_DEFLATED) as made:
        for name in given.namelist():
            raw = given.read(name)
            if name.startswith("xl/worksheets/"):
                text = re.sub(r"(</f>)<v>[^<]*</v>", r"\1<v>99</v>", raw.decode("utf-8"))
                raw = re.sub(r'(<c r="[A-Z]+\d+"(?: s="\d+")?) t="str"(><f>)', r"\1\2", text).encode("utf-8")
            made.writestr(name, raw)
    return out


class Opened:
    """A page as Chromium shows it: its DOM after scripts ran, what the console said, what was asked from outside."""

    def __init__(self, page: Path, folder: Path) -> None:
        log = folder / f"{page.stem}.net.json"
        done = _chromium(
            page,
            "--enable-logging=stderr",
            "--dump-dom",
            f"--log-net-log={log}",
            f"--user-data-dir={folder / 'profile'}",
        )
        self.dom = done.stdout
        self.console = re.findall(r"CONSOLE[^\]]*\] (.*)", done.stderr)
        events = json.loads(_closed(log.read_text("utf-8")))["events"]
        asked = [event["params"] for event in events if "initiator" in event.get("params", {})]
        # what the browser asks for itself (its clock, its updates) has no origin
        urls = {one.get("url", "") for one in asked if one["initiator"] != "not an origin"}
        self.asked = sorted(url for url in urls if url.startswith(("http:", "https:", "ws:", "wss:", "ftp:")))


def printed(page: Path, folder: Path) -> Path:
    """The page as Chromium prints it."""
    out = folder / f"{page.stem}.pdf"
    _chromium(
        page, f"--print-to-pdf={out}", "--no-pdf-header-footer", f"--user-data-dir={folder / 'profile'}"
    )
    return out


def text_of_pdf(pdf: Path) -> str:
    """What stands on the pages of a PDF."""
    tool = program("pdftotext")
    done = subprocess.run([tool, "-layout", str(pdf), "-"], capture_output=True, text=True, check=True)
    return done.stdout


def fonts_of_pdf(pdf: Path) -> list[str]:
    """The names of the fonts of a PDF; a font of the Latin alphabet alone shows Chinese as boxes."""
    tool = program("pdffonts")
    done = subprocess.run([tool, str(pdf)], capture_output=True, text=True, check=True)
    return [line.split()[0] for line in done.stdout.splitlines()[2:]]


def _chromium(page: Path, *options: str) -> subprocess.CompletedProcess[str]:
    browser = program("chromium", "chromium-browser", "google-chrome")
    done = subprocess.run(
        [browser, *QUIET, *options, page.resolve().as_uri()],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done


def _closed(text: str) -> str:
    """A net log that the browser left without its last brackets."""
    return text if text.rstrip().endswith("}") else text.rstrip().rstrip(",") + "]}"
