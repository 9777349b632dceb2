"""
`python -m tests.fuzz.guided SECONDS FOLDER`: what reads SQS messages, under atheris (libFuzzer, guided by coverage).

What it finds it leaves in the folder as `crash-…`, `timeout-…` or `oom-…`; the exit status is libFuzzer's: 0 if it found
nothing. The texts that led somewhere new are kept in the folder's `corpus`, and the next run begins with them.
"""

import sys
from pathlib import Path

import atheris

# Before anything imports it: what is imported here is watched.
with atheris.instrument_imports(include=["lockstep"]):
    from tests.fuzz.roads import mutated, seeds, take, words

# For one text. The longest that SQS takes is read in a fraction of both.
_TIMEOUT_S = 10
_MEMORY_MB = 1024
_LENGTH_MAX = 1 << 20


def _mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """Change values as JSON has them, and every other time bytes, as libFuzzer does."""
    changed = mutated(data, seed) if seed % 2 else None
    return atheris.Mutate(data, max_size) if changed is None or len(changed) > max_size else changed


def main(duration_s: int, folder: Path) -> None:
    """Search for so long; never returns."""
    corpus, begin, dictionary = folder / "corpus", folder / "seeds", folder / "words.dict"
    for one in (corpus, begin):
        one.mkdir(parents=True, exist_ok=True)
    for i, seed in enumerate(seeds()):
        (begin / f"seed-{i}").write_bytes(seed)
    quoted = ("".join(f"\\x{byte:02x}" for byte in word.encode(errors="replace")) for word in words() if len(word) < 60)
    dictionary.write_text("".join(f'"{word}"\n' for word in quoted))
    options = {
        "max_total_time": duration_s,
        "max_len": _LENGTH_MAX,
        "timeout": _TIMEOUT_S,
        "rss_limit_mb": _MEMORY_MB,
        "dict": dictionary,
        "artifact_prefix": f"{folder}/",
        "print_final_stats": 1,
        "verbosity": 0,
    }
    given = [f"-{name}={value}" for name, value in options.items()]
    atheris.Setup([sys.argv[0], *given, str(corpus), str(begin)], take, custom_mutator=_mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
