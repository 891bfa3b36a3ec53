"""A Ray cluster of several node processes on this machine, which does what its standard input says.

`add` starts a node that takes work, `kill PID` ends one by SIGKILL to its raylet. Each line is answered by
one of JSON. The first line out, unasked, tells of the head, which takes no work. The cluster ends with the
input.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

from ray.cluster_utils import Cluster

STORE = 100 * 2**20


def main() -> None:
    # Deaths are noticed sooner than after half a minute, which is Ray's default.
    settings = {"health_check_period_ms": 500, "health_check_failure_threshold": 6}
    head = {"num_cpus": 0, "object_store_memory": STORE, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args={**head, "_system_config": settings})
    nodes: dict[int, Any] = {}
    answer(address=cluster.address, logs=cluster.head_node.get_logs_dir_path())
    for line in sys.stdin:
        match line.split():
            case ["add"]:
                node = cluster.add_node(num_cpus=1, object_store_memory=STORE)
                process = node.all_processes["raylet"][0].process
                nodes[process.pid] = process
                answer(pid=process.pid, id=node.node_id)
            case ["kill", pid]:
                os.kill(int(pid), signal.SIGKILL)
                # As a zombie it would still count as alive for its workers.
                nodes[int(pid)].wait()
                answer()
    cluster.shutdown()


def answer(**facts: object) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
