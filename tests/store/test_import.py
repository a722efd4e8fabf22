from __future__ import annotations

import subprocess
import sys

CODE = """
import sys
import mesbatch.store, mesbatch.store.result_json, mesbatch.store.stored_lines
print({"redis", "obstore", "rq"} & {name.partition(".")[0] for name in sys.modules})
"""


def test_importing_the_stores_loads_no_server_and_no_storage():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
