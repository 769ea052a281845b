"""Find words that we do not use: python .ci/words.py PATH... prints file:line."""

import re
import subprocess
import sys
from pathlib import Path

WORDS = """want[e]d|a[n]ew|at one g[o]|for e[v]er|so man[y]|hard[l]y|by experienc[e]
|needs no[t]|who[e]ver|thri[c]e""".replace("\n", "").replace(" ", r"[\s_]+")
pattern = re.compile(rf"(?<![a-z])(?:{WORDS})(?![a-z])", re.IGNORECASE)
tracked = subprocess.check_output(["git", "ls-files", "-z", *sys.argv[1:]], text=True)
found = []
for name in tracked.split("\0"):
    if name.endswith((".py", ".md", "/run")):
        text = Path(name).read_text(encoding="utf-8")
        for word in pattern.finditer(text):
            line = text.count("\n", 0, word.start()) + 1
            found.append(f"{name}:{line}: {word[0]}")
print(*found, sep="\n", end="\n" * bool(found))
sys.exit(bool(found))
