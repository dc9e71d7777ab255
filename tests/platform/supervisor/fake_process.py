"""A process of a split shop for tests: takes requests, and misbehaves as files in its folder say.

`crash`: it ends at its start, as one whose migration fails. `unready`: it is not ready. `slow`:
an answer takes as many seconds as the file says. `reset`: it cuts the connection of every POST
off, after it has counted it. `stubborn`: it does not end when it is asked to.
"""

import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from emporion.platform.topology.process_file import Listening, ProcessFile


def main() -> None:
    told = ProcessFile.read(Path(sys.argv[1]))
    folder, listening = told.settings.folder, Path(told.listening_file)
    if (folder / "crash").exists():
        print("the migration 0002 of order failed: no such column", file=sys.stderr)  # noqa: T201 - it speaks as the program does
        sys.exit(1)
    server = ThreadingHTTPServer((told.settings.host, told.settings.port), answers(told))
    server.daemon_threads = True

    def end() -> None:
        listening.unlink(missing_ok=True)
        time.sleep(told.drain_grace_s)
        server.shutdown()

    def asked(*_: object) -> None:
        if not (folder / "stubborn").exists():
            threading.Thread(target=end).start()

    signal.signal(signal.SIGTERM, asked)
    where = f"http://{told.settings.host}:{server.server_address[1]}"
    Listening(pid=os.getpid(), http=where).write(listening)
    server.serve_forever()


def answers(told: ProcessFile) -> type[BaseHTTPRequestHandler]:
    folder = told.settings.folder

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path == "/readyz" and (folder / "unready").exists():
                self.reply(503, {"status": "failing"})
                return
            if self.path != "/readyz":
                self.delay()
            self.reply(200, {"instance": told.instance, "path": self.path, "verb": self.command})

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            body = self.rfile.read(length)
            with (folder / "posts").open("a") as posts:
                posts.write("1\n")
            if (folder / "reset").exists():
                self.close_connection = True
                self.connection.close()
                return
            self.delay()
            seen = {"instance": told.instance, "bytes": len(body), **dict(self.headers)}
            self.reply(200, seen)

        def delay(self) -> None:
            if (folder / "slow").exists():
                time.sleep(float((folder / "slow").read_text()))

        def reply(self, status: int, content: object) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    return Answers


if __name__ == "__main__":
    main()
