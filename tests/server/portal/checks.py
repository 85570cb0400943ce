# SPDX-License-Identifier: Apache-2.0
"""What holds for every screen of the pages, whatever answers them."""

import unittest


class Checks(unittest.TestCase):
    """`browser`: set before any of it is asked."""

    browser = None

    def go(self, screen):
        self.browser.run("location.hash = arguments[0]", f"#{screen}")
        self.browser.settled()

    def assert_fits(self):
        wide = self.browser.run(
            """
            const over = [...document.querySelectorAll('main *')].filter((e) => e.getBoundingClientRect().right > innerWidth + 0.5 && !e.closest('.hidden, svg') && !(innerWidth <= 760 && e.closest('thead'))).slice(0, 3);
            return [document.documentElement.scrollWidth, innerWidth, over.map((e) => `${e.tagName}.${e.className}: ${e.textContent.slice(0, 60)}`)];"""
        )
        self.assertLessEqual(wide[0], wide[1], wide[2])
        self.assertEqual(wide[2], [])

    def assert_sound(self):
        """One h1, landmarks, and a name for everything that can be pressed or filled in."""
        bad = self.browser.run("""
            const bad = [];
            if (document.querySelectorAll('h1').length !== 1) bad.push('not one h1');
            if (!document.querySelector('main') || !document.querySelector('nav[aria-label]')) bad.push('landmarks');
            const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);
            if (new Set(ids).size !== ids.length) bad.push('an id twice');
            for (const e of document.querySelectorAll('main a, main button, main input, main select')) {
              const name = e.getAttribute('aria-label') || e.textContent.trim() || [...(e.labels ?? [])].map((l) => l.textContent).join('');
              if (!name) bad.push(`no name: ${e.outerHTML.slice(0, 100)}`);
            }
            for (const e of document.querySelectorAll('[style]')) bad.push('a style attribute');
            return bad;""")
        self.assertEqual(bad, [])

    def look(self, name, screen):
        with self.subTest(screen=screen):
            self.go(screen)
            for size in ("wide", "phone", "narrow"):
                self.browser.resize(size)
                self.assert_fits()
                self.assert_sound()
                if size != "narrow":
                    self.browser.screenshot(f"{name}-{size}")
            self.browser.dark(True)
            for size in ("phone", "wide") if self.browser.keeps_pictures else ():
                self.browser.resize(size)
                self.browser.screenshot(f"{name}-{size}-dark")
            self.browser.dark(False)
            self.browser.resize("wide")
            self.assertEqual(self.browser.complaints(), [])
            self.assertEqual(self.browser.all(".failed, .notice.bad"), [])
