"""Settings of every test in the workspace.

Property tests have no deadline, for no test may depend on the machine's speed. They draw few random examples, and
`./qiki test --long` many; a failure is printed with the line that reproduces it.
"""

import os
import signal
from contextlib import suppress

# A shell that starts the tests in the background lets them ignore SIGINT, and with them whatever they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

with suppress(ImportError):  # packages without property tests run where hypothesis is not installed
    from hypothesis import HealthCheck, settings

    slow = [HealthCheck.too_slow]
    settings.register_profile("usual", deadline=None, max_examples=25, print_blob=True, suppress_health_check=slow)
    settings.register_profile("long", deadline=None, max_examples=1000, print_blob=True, suppress_health_check=slow)
    settings.load_profile("long" if os.environ.get("QIKI_LONG") else "usual")
