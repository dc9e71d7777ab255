"""Reading a YAML file as nodes that know their line; every mistake is collected, none guessed."""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

import yaml

from emporion.platform.table_file import BadFile, Mistake
from emporion.platform.topology.model import Place

E = TypeVar("E", bound=StrEnum)
FILE_CHARACTERS_MAX = 65_536
_TOPOLOGY = "a topology begins with `processes:`"
_TRUE, _FALSE = ("true", "yes", "on"), ("false", "no", "off")


def suggestion(word: str, known: Sequence[str]) -> str:
    """The end of a sentence about an unknown word: what was meant, or what there is."""
    near = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"


class Notes:
    """Collects the mistakes of one file."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.mistakes: list[Mistake] = []

    def add(self, line: int, column: str, message: str) -> None:
        """Note one; the same is noted once."""
        mistake = Mistake(line, column, message)
        if mistake not in self.mistakes:
            self.mistakes.append(mistake)

    def raise_mistakes(self) -> None:
        """Raises BadFile when anything was wrong."""
        if self.mistakes:
            raise BadFile(self.file, self.mistakes)


@dataclass(frozen=True, slots=True)
class Value:
    """A node of the file, the path of keys to it, and where its mistakes go."""

    node: yaml.Node
    path: str
    notes: Notes

    @property
    def line(self) -> int:
        """Counted from 1."""
        return int(self.node.start_mark.line) + 1

    @property
    def place(self) -> Place:
        """For later errors."""
        return Place(self.notes.file, self.line)

    @property
    def is_mapping(self) -> bool:
        """Whether it has keys."""
        return isinstance(self.node, yaml.MappingNode)

    def wrong(self, message: str) -> None:
        """Note a mistake here."""
        self.notes.add(self.line, self.path, message)

    def entries(self) -> dict[str, "Value"]:
        """Values by key; notes keys that stand twice. Empty, and noted, when it has no keys."""
        found: dict[str, Value] = {}
        if not isinstance(self.node, yaml.MappingNode):
            self.wrong("keys and values belong here, like `name: value`")
            return found
        for key_node, node in self.node.value:
            key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else "?"
            value = Value(node, f"{self.path}.{key}" if self.path else key, self.notes)
            if key in found:
                line = int(key_node.start_mark.line) + 1
                self.notes.add(line, value.path, f"stands twice, first in line {found[key].line}")
            found.setdefault(key, value)
        return found

    def known_entries(self, known: Sequence[str]) -> dict[str, "Value"]:
        """The same, with every other key noted and left out."""
        found = self.entries()
        for key, value in found.items():
            if key not in known:
                value.wrong(f"there is no key {key!r} here; {suggestion(key, known)}")
        return {key: value for key, value in found.items() if key in known}

    def items(self) -> Iterator["Value"]:
        """The entries of a list; a single word is a list of one."""
        if isinstance(self.node, yaml.SequenceNode):
            for node in self.node.value:
                yield Value(node, self.path, self.notes)
        else:
            yield self

    def text(self) -> str:
        """The word here; empty, and noted, when there is none."""
        if isinstance(self.node, yaml.ScalarNode) and str(self.node.value).strip():
            return str(self.node.value).strip()
        self.wrong("a word belongs here")
        return ""

    def number(self, low: int, high: int) -> int:
        """The whole number here; `low`, and noted, when there is none in the range."""
        text = self.text()
        if text.isdecimal() and low <= int(text) <= high:
            return int(text)
        if text:
            self.wrong(f"{text!r} is no whole number from {low} to {high}")
        return low

    def truth(self) -> bool:
        """`on` or `off`; false, and noted, when it is neither."""
        text = self.text().lower()
        if text and text not in (*_TRUE, *_FALSE):
            self.wrong(f"{text!r} is neither on nor off")
        return text in _TRUE

    def kind(self, kinds: type[E], default: E) -> E:
        """One of the words of `kinds`; `default`, and noted, when it is none."""
        text = self.text()
        words = [str(kind) for kind in kinds]
        if text in words:
            return kinds(text)
        if text:
            self.wrong(f"{text!r} is unknown here; {suggestion(text, words)}")
        return default


def parse(text: str, notes: Notes, *, rule: str = _TOPOLOGY) -> Value:
    """The root of a document. Raises BadFile when it is no YAML, or no mapping."""
    if len(text) > FILE_CHARACTERS_MAX:
        raise BadFile.because(notes.file, f"longer than {FILE_CHARACTERS_MAX:,} characters")
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else 0
        raise BadFile.because(notes.file, f"not YAML: {error.problem}", line=line) from error
    except yaml.YAMLError as error:
        raise BadFile.because(notes.file, f"not YAML: {error}") from error
    if not isinstance(node, yaml.MappingNode):
        raise BadFile.because(notes.file, rule, line=1)
    return Value(node, "", notes)
