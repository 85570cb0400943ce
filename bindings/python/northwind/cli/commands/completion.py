# SPDX-License-Identifier: Apache-2.0
"""northwind completion"""

from __future__ import annotations

import argparse

from .. import exits
from ..shell import script
from ..terminal import Output

NAME = "completion"
HELP = "print what makes bash or zsh complete this command line"
DESCRIPTION = "Put the line below into ~/.bashrc or ~/.zshrc."
EXAMPLES = ('eval "$(northwind completion bash)"', 'eval "$(northwind completion zsh)"')


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=("bash", "zsh"), help="which shell")


def run(options: argparse.Namespace, output: Output) -> int:
    # The parser has this command in it.
    from ..program import build_parser

    output.stream.write(script(build_parser(), options.shell))
    return exits.OK
