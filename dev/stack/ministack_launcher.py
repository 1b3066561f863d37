"""Starts ministack with its waits taken out: as it comes, each invocation of a native function pays for two of them.

One is Nagle's algorithm in its Runtime API server (about 45 ms), the other a pause of 50 ms for a log line that the
function did not write. Pinned to the version in dev/requirements.txt, because the second is a private name.
"""

from __future__ import annotations

import socketserver
import sys

from ministack.app import main
from ministack.core import lambda_runtime

socketserver.StreamRequestHandler.disable_nagle_algorithm = True
lambda_runtime.Worker._drain_stderr_bounded.__defaults__ = (0.003, 0.001, 0.05)

if __name__ == "__main__":
    sys.argv = ["ministack"]
    main()
