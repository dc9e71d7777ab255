"""`emporion load` for benchmarks: says when its shoppers have signed in and begin to order.

`python -m bench.driver URL SHOPPERS SECONDS` prints a line at that moment, and at the end the
report of `emporion load --json`, with its own CPU seconds since then.
"""

import json
import sys
import time

import uvloop

from emporion.platform.cli.options import DEMO_OPERATOR_EMAIL, DEMO_OPERATOR_PASSWORD
from emporion.platform.client.address import Address
from emporion.platform.load.options import LoadOptions, Operator, RunId
from emporion.platform.load.report import to_document
from emporion.platform.load.run import LoadRun, Stage

PATIENCE_S = 60.0


def main() -> None:
    """Load the shop."""
    url, shoppers, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    options = LoadOptions(
        Address.parse(url),
        RunId.new(shoppers),
        Operator(DEMO_OPERATOR_EMAIL, DEMO_OPERATOR_PASSWORD),
        seconds=seconds,
        is_restocked=True,
        patience_s=PATIENCE_S,
    )
    cpu_s = 0.0

    def watch(stage: Stage) -> None:
        nonlocal cpu_s
        if stage.name == "signing up" and stage.done == stage.total:
            print("everyone has signed in", flush=True)
            cpu_s = time.process_time()

    result = uvloop.run(LoadRun(options, None, watch).run())
    print(json.dumps(to_document(result) | {"cpu_s": time.process_time() - cpu_s}))


if __name__ == "__main__":
    main()
