"""The pages that people read, and the blocks of code in them."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
DOCUMENTS = [*(ROOT / name for name in ("README.md", "DECISIONS.md", "CHANGELOG.md")), *sorted(DOCS.glob("*.md"))]

_FENCED = re.compile(r"^( *)```([a-z]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code in a document; a drawing is of no language."""

    document: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"


def blocks(language: str | None = None, *, document: str | None = None) -> list[Block]:
    """Return the blocks of the documents; of one language, of one document."""
    found = [
        Block(path.name, text.count("\n", 0, match.start()) + 1, match[2], dedent(match[3]))
        for path in DOCUMENTS
        for text in [path.read_text()]
        for match in _FENCED.finditer(text)
    ]
    return [
        block
        for block in found
        if (language is None or block.language == language) and (document is None or block.document == document)
    ]


def commands(block: Block) -> Iterator[list[str]]:
    """
    Yield the words of each command of a block: comments left out, lines that go on joined, variables as they stand.

    Of `export NAME=$(command)` first `export` and the names, then each command.
    """
    for line in block.text.replace("\\\n", " ").splitlines():
        if line.startswith("export "):
            yield ["export", *re.findall(r"(?<= )([A-Z_]+)=", line)]
            yield from (shlex.split(inner) for inner in re.findall(r"\$\((.*?)\)(?= |$)", line))
            continue
        words = shlex.split(line, comments=True)
        while "&&" in words:
            cut = words.index("&&")
            yield words[:cut]
            words = words[cut + 1 :]
        if words:
            yield words
