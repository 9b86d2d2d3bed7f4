# SPDX-License-Identifier: MIT
"""What is written down is what the program says and does."""

import re
import shutil
import subprocess

import pytest

from daemon import BINARY, ROOT, command
from documented import documented_metrics

DOCS = ROOT / "docs"


def renew(directory, *arguments):
    return subprocess.run([directory / "tools/docs", *arguments, BINARY], capture_output=True,
                          text=True, timeout=60)


def test_references_are_what_the_program_prints():
    done = renew(ROOT, "--check")
    assert done.returncode == 0, done.stderr


def test_a_reference_that_is_old_is_found_and_renewed(tmp_path):
    """The check above can fail."""
    shutil.copytree(DOCS, tmp_path / "docs")
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools/docs", tmp_path / "tools")
    page = tmp_path / "docs/config.md"
    page.write_text(page.read_text().replace("| `inet_ip` |", "| `inet_pi` |", 1))
    done = renew(tmp_path, "--check")
    assert done.returncode == 1 and "docs/config.md" in done.stderr, done.stderr
    assert renew(tmp_path).returncode == 0
    assert renew(tmp_path, "--check").returncode == 0
    assert page.read_text() == (DOCS / "config.md").read_text()


def test_what_is_scraped_is_documented(run):
    documented = documented_metrics()
    daemon = run()
    daemon.scrape()  # which is traffic to be counted
    families = [family for family in daemon.scrape().families if family.samples]
    assert len(families) > 10 and any("packets" in family.name for family in families)
    for family in families:
        total = f"{family.name}_total"
        name = total if total in documented else family.name
        assert name in documented, f"{name} is not in docs/metrics.md"
        kind, labels = documented[name]
        assert kind == family.type
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == labels, sample


LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)(?:#[^)]*)?\)")


PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("*/*.md"), *ROOT.glob("*/*/README.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in LINK.findall(page.read_text()):
        assert (page.parent / target).exists(), f"{page}: {target}"


def test_every_command_prints_help():
    names = re.findall(r"^  ([a-z][\w-]*(?: [a-z][\w-]*)?) ", command("--help").stdout, re.M)
    assert {"run", "status", "config check", "docs config"} <= set(names)
    for name in names:
        done = command(*name.split(), "--help")
        assert done.returncode == 0 and done.stdout.startswith(f"usage: wiregauge {name}"), name
