#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/openapi.yaml is a valid OpenAPI 3.1 document whose examples fit their schemas, and describes exactly the routes that there are.

    openapi_test.py                      the document alone
    openapi_test.py .../reference_server and its routes, as `reference_server --print-routes` prints them:
                                         METHOD PATTERN NAME SCOPE, one a line
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import jsonschema
import openapi_spec_validator
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
METHODS = {"get", "put", "post", "patch", "delete"}
PROGRAM = None
# Pages are not part of the API.
PAGES = re.compile(r"^/$|^/(portal|console|shared)(/|$)")


def strict_loader():
    """YAML takes a name that comes twice: the last holds. Here it is an error."""

    class Loader(yaml.SafeLoader):
        pass

    def mapping(loader, node):
        names = [loader.construct_object(key) for key, _ in node.value]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise yaml.YAMLError(f"{node.start_mark}: twice: {twice}")
        return yaml.SafeLoader.construct_mapping(loader, node, deep=True)

    Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)
    return Loader


def nodes(value, path=()):
    yield path, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, below in items:
        yield from nodes(below, (*path, name))


class OpenApi(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        text = (ROOT / "docs/openapi.yaml").read_text(encoding="utf-8")
        cls.document = yaml.load(text, Loader=strict_loader())  # noqa: S506 (a SafeLoader)
        cls.operations = {
            (method.upper(), path): operation
            for path, item in cls.document["paths"].items()
            for method, operation in item.items()
            if method in METHODS
        }

    def check(self, schema, example, where):
        whole = {**schema, "components": self.document["components"]}
        try:
            jsonschema.Draft202012Validator(whole).validate(example)
        except jsonschema.ValidationError as error:
            self.fail(f"{where}: {error.message}")

    def test_is_valid(self):
        openapi_spec_validator.validate(self.document, cls=openapi_spec_validator.OpenAPIV31SpecValidator)

    def test_operations_have_ids_of_their_own(self):
        ids = [operation["operationId"] for operation in self.operations.values()]
        self.assertEqual(len(ids), len(set(ids)))

    def test_every_component_is_used(self):
        used = {value for path, value in nodes(self.document) if path and path[-1] == "$ref"}
        for kind in ("schemas", "parameters", "responses"):
            for name in self.document["components"][kind]:
                self.assertIn(f"#/components/{kind}/{name}", used)

    def test_examples_fit(self):
        seen = 0
        for path, value in nodes(self.document):
            if not isinstance(value, dict) or "properties" in path[-1:]:
                continue
            if isinstance(value.get("examples"), list):
                for example in value["examples"]:
                    self.check(value, example, path)
                    seen += 1
            if "example" in value and "schema" in value:
                self.check(value["schema"], value["example"], path)
                seen += 1
        self.assertGreater(seen, 10)

    def test_what_guards_an_operation_is_said(self):
        for where, operation in self.operations.items():
            with self.subTest(where):
                open_to_all = operation["x-scope"] == "public"
                self.assertEqual(operation["security"] == [], open_to_all)
                if not open_to_all:
                    self.assertLessEqual({"400", "401", "403", "429", "500"}, operation["responses"].keys())
                for way in operation["security"]:
                    changes = where[0] != "GET"
                    self.assertEqual("csrf" in way, "session" in way and changes)

    def test_the_parts_of_a_path_are_parameters(self):
        for (_, path), operation in self.operations.items():
            named = [
                self.document["components"]["parameters"][parameter["$ref"].rsplit("/", 1)[1]]
                for parameter in operation.get("parameters", [])
            ]
            self.assertEqual(
                re.findall(r"{(\w+)}", path), [p["name"] for p in named if p["in"] == "path"], operation["operationId"]
            )

    def test_describes_the_routes_that_there_are(self):
        if PROGRAM is None:
            self.skipTest("no program was given")
        with tempfile.TemporaryDirectory() as data:
            command = [PROGRAM, "--print-routes", "--data", data, "--batch-gone"]
            # The tests' own variables are no settings of a server, which it would refuse.
            environment = {name: value for name, value in os.environ.items() if not name.startswith("NORTHWIND_")}
            printed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60, env=environment)
        routes = {}
        for line in printed.stdout.splitlines():
            method, pattern, name, scope = line.split()
            if not PAGES.search(pattern):
                routes[method, pattern] = (name, scope)
        described = {
            where: (operation["operationId"], operation["x-scope"]) for where, operation in self.operations.items()
        }
        self.maxDiff = None
        self.assertEqual(described, routes)


if __name__ == "__main__":
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-"):
        PROGRAM = sys.argv.pop(1)
    unittest.main()
