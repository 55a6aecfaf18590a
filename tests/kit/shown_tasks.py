"""Writes what the samples of an executor are previewed as: `python tests/kit/shown_tasks.py VENDOR`. Read them after."""

from __future__ import annotations

import json
import sys

from test_kit_runners import FOLDER, read, shown

from midwatch.core.integration import runners

if __name__ == "__main__":
    for path in sorted((FOLDER / sys.argv[1] / "samples").glob("*.task.json")):
        expected = path.with_name(path.name.replace(".task.json", ".preview.json"))
        text = json.dumps(shown(read(path), runners()[sys.argv[1]]), indent=2, ensure_ascii=False)
        expected.write_text(text + "\n", "utf-8")
