"""A process that makes shards: ``python -m caloforge.production.worker``.

One line of JSON says plan and folder; then each line is a shard's number, answered by a line of
JSON: the record of the shard, or what went wrong. It ends with its input, at once: an orphan must
not write beside the next run.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
from pathlib import Path
from typing import IO, Any

from caloforge.errors import CaloforgeError
from caloforge.production.plan import Plan
from caloforge.production.shard import ShardMaker


def serve(orders: IO[str], answers: IO[str]) -> None:
    """Make the shards that are ordered."""
    first = json.loads(orders.readline())
    numbers: queue.Queue[int] = queue.Queue()
    threading.Thread(target=listen, args=(orders, numbers), daemon=True).start()
    maker: ShardMaker | None = None
    while True:
        number = numbers.get()
        try:
            maker = maker or ShardMaker(
                Plan.model_validate_json(json.dumps(first["plan"])), Path(first["folder"])
            )
            answer: dict[str, Any] = {"record": maker.make(number).model_dump(mode="json")}
        except CaloforgeError as error:
            answer = {"error": str(error), "kind": type(error).__name__}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def listen(orders: IO[str], numbers: queue.Queue[int]) -> None:
    """Pass orders on; leave at once when there is nobody to give them."""
    for line in orders:
        numbers.put(int(line))
    os._exit(0)


def main() -> None:
    """Serve on stdin and stdout, which nobody else may write to."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the run that started it decides
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    serve(sys.stdin, answers)


if __name__ == "__main__":
    main()
