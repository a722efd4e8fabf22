"""Warning of the application about gunicorn's workers of the wrong kind."""

from __future__ import annotations

import subprocess
from functools import partial

import pytest

pytest.importorskip("flask", reason="no web framework: flask is not installed")
pytest.importorskip("gunicorn", reason="no web server: gunicorn is not installed")

from tests.rig.site import Setting, gunicorn


@pytest.mark.parametrize(("options", "warned"), [(("-k", "sync", "--threads", "1"), True), ((), False)])
def test_a_sync_worker_is_warned_of_at_its_start(tmp_path, options, warned):
    popen = partial(subprocess.Popen, stderr=subprocess.PIPE, text=True)
    setting = Setting(f"sqlite:///{tmp_path}/x.db", tmp_path)
    with gunicorn(setting, "examples.dashboard.after:app", popen, *options) as site:
        pass
    with site.process.stderr as stderr:
        assert ("sync worker cuts every stream" in stderr.read()) is warned
