# SPDX-License-Identifier: MIT
"""The fixtures of the system tests are there for the modules' tests as well."""

import importlib.util
from pathlib import Path

path = Path(__file__).resolve().parents[1] / "tests/system/conftest.py"
spec = importlib.util.spec_from_file_location("system_fixtures", path)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
globals().update({name: value for name, value in vars(module).items()
                  if not name.startswith("_")})
