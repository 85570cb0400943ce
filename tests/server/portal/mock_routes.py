# SPDX-License-Identifier: Apache-2.0
"""The table of what the mock answers, and what its handlers share: handler(server, query, body, parts of the path)."""

import re

ROUTES = []


def route(method, pattern, *allowed):
    """The handler of a path; `allowed`: names of its query. Another one is a 400, as the server does it."""

    def add(function):
        ROUTES.append(
            (method, re.compile("^" + re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern) + "$"), set(allowed), function)
        )
        return function

    return add


class Problem(Exception):
    def __init__(self, status, code, detail=""):
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail


def page(rows, query):
    limit, at = int(query.get("limit", 100)), int(query.get("cursor", 0))
    return {"data": rows[at : at + limit], "next_cursor": str(at + limit) if at + limit < len(rows) else None}


def within(rows, query, name):
    return [
        r
        for r in rows
        if (not query.get("from") or r[name] >= query["from"])
        and (not query.get("before") or r[name] < query["before"])
    ]


def find(rows, name, value):
    for row in rows:
        if row[name] == value:
            return row
    raise Problem(404, "not_found", "Not found.")
