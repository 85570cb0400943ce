# SPDX-License-Identifier: Apache-2.0
"""Completion for bash and zsh, written from the parser: what that knows, the shell offers."""

from __future__ import annotations

import argparse
import shlex
import typing

_SCRIPT = """\
# northwind completion {shell}
{prelude}_northwind() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} previous= path= word i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; ++i)); do
    word=${{COMP_WORDS[i]}}
    case "$previous" in {valued}) previous= ; continue ;; esac
    previous=$word
    case "$path/$word" in {paths}) path=$path/$word ;; esac
  done
  local words=
  case "$path:$previous" in
{choices}
  esac
  if [[ -z $words ]]; then
    case "$previous" in {valued}) COMPREPLY=($(compgen -f -- "$current")); return ;; esac
    case "$path" in
{words}
    esac
    if [[ $current != -* && $path != '' && {groups} ]]; then COMPREPLY=($(compgen -f -- "$current")); return; fi
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -o filenames -F _northwind northwind
"""


class _Level(typing.NamedTuple):
    """A command, or a group of commands, by its path."""

    path: str
    parser: argparse.ArgumentParser
    below: dict[str, argparse.ArgumentParser]


def _levels(parser: argparse.ArgumentParser, path: str = "") -> typing.Iterator[_Level]:
    below: dict[str, argparse.ArgumentParser] = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            below = dict(action.choices)
    yield _Level(path, parser, below)
    for name, child in below.items():
        yield from _levels(child, f"{path}/{name}")


def _choices(action: argparse.Action) -> list[str]:
    if isinstance(action, argparse._SubParsersAction):
        return []
    found = action.choices if action.choices is not None else getattr(action.type, "choices", None)
    return [str(choice) for choice in found or ()]


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """For bash, or for zsh by its emulation of bash's completion."""
    levels = list(_levels(parser))
    valued: set[str] = set()
    choices = []
    words = []
    for level in levels:
        offered = list(level.below)
        for action in level.parser._actions:
            names = _choices(action)
            if not action.option_strings:
                offered += names
                continue
            offered += [name for name in action.option_strings if name.startswith("--")]
            if action.nargs == 0:
                continue
            valued.update(action.option_strings)
            if names:
                patterns = "|".join(shlex.quote(f"{level.path}:{name}") for name in action.option_strings)
                choices.append(f"    {patterns}) words={shlex.quote(' '.join(names))} ;;")
        words.append(f"      {shlex.quote(level.path)}) words={shlex.quote(' '.join(offered))} ;;")
    # Where a word is one of some, and no file.
    groups = [
        level.path for level in levels
        if level.path and (level.below or any(_choices(action) for action in level.parser._actions if not action.option_strings))
    ]
    return _SCRIPT.format(
        shell=shell,
        prelude="autoload -U +X bashcompinit && bashcompinit\n" if shell == "zsh" else "",
        valued="|".join(sorted(valued)),
        paths="|".join(level.path for level in levels if level.path),
        choices="\n".join(choices),
        words="\n".join(words),
        groups=" && ".join(f"$path != {shlex.quote(group)}" for group in groups),
    )
