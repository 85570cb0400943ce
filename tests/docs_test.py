#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the documents say about the tree is so: links, the code in README.md, the table of bounds.

Standard library only. Run by ctest as `docs`; by hand: python3 tests/docs_test.py
"""
import pathlib
import re
import unicodedata
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
LINK = re.compile(r"(?<!!)\[[^\]\[]*\]\(([^)\s]+)\)")


def documents():
    """Every Markdown file that belongs to the tree (also in an export without git)."""
    skipped = {"build", "node_modules", ".venv", ".git"}
    return sorted(
        path
        for path in ROOT.rglob("*.md")
        if not any(part in skipped or part.startswith("build") for part in path.relative_to(ROOT).parts)
    )


def anchors(text):
    """The anchors that a forge makes of the headings."""
    found = set()
    for heading in re.findall(r"^#+ +(.*?) *#*$", FENCE.sub("", text), re.M):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        kept = "".join(
            c for c in plain.lower() if c in " -_" or unicodedata.category(c)[0] in "LN"
        )
        found.add(kept.strip().replace(" ", "-"))
    return found


def number(expression):
    """The value of a C++ integer, or of one shifted left: 8190, 100'000, 8 << 20."""
    value, _, shift = expression.replace("'", "").partition("<<")
    return int(value) << int(shift or 0)


class Docs(unittest.TestCase):
    def test_every_relative_link_leads_somewhere(self):
        wrong = []
        for path in documents():
            for target in LINK.findall(FENCE.sub("", path.read_text(encoding="utf-8"))):
                if re.match(r"[a-z]+:", target):
                    continue
                file, _, anchor = target.partition("#")
                there = (path.parent / file).resolve() if file else path
                place = f"{path.relative_to(ROOT)}: {target}"
                if not there.exists() or ROOT not in [there, *there.parents]:
                    wrong.append(place)
                elif anchor and there.suffix == ".md" and anchor not in anchors(there.read_text(encoding="utf-8")):
                    wrong.append(place + " (no such heading)")
        self.assertEqual(wrong, [])

    def test_the_code_in_the_readme_is_code_that_is_built_and_run(self):
        examples = [(ROOT / f"examples/{name}.cc").read_text(encoding="utf-8") for name in ("embed", "notify")]
        blocks = [code for kind, code in FENCE.findall((ROOT / "README.md").read_text(encoding="utf-8")) if kind == "cpp"]
        self.assertTrue(blocks, "README.md has no ```cpp block")
        for code in blocks:
            self.assertTrue(any(code in example for example in examples),
                            f"not a piece of examples/embed.cc or notify.cc, byte for byte:\n{code}")

    def test_every_bound_in_the_headers_is_in_the_table_with_its_value(self):
        for document, headers in (("guarantees", "include/northwind"), ("webhooks", "src/webhook")):
            with self.subTest(document):
                table = (ROOT / f"docs/{document}.md").read_text(encoding="utf-8")
                bounds = {}
                for header in sorted((ROOT / headers).glob("*.h")):
                    text = header.read_text(encoding="utf-8")
                    bounds.update(re.findall(r"constexpr \w+ (k(?:Max|Min)\w+) = ([^;]+);", text))
                self.assertTrue(bounds)
                told = dict(re.findall(r"^\| `(k\w+)` \| ([0-9,]+)", table, re.M))
                self.assertEqual({name: int(value.replace(",", "")) for name, value in told.items()},
                                 {name: number(value) for name, value in bounds.items()})

    def test_every_decision_record_is_numbered_once_and_listed(self):
        records = sorted(p.name for p in (ROOT / "docs/adr").glob("[0-9]*.md"))
        self.assertEqual([int(name[:4]) for name in records], list(range(1, len(records) + 1)))
        index = (ROOT / "docs/adr/README.md").read_text(encoding="utf-8")
        for name in records:
            self.assertIn(f"({name})", index)


if __name__ == "__main__":
    unittest.main()
