#!/usr/bin/python3
"""What `make run` starts: a private httpd with everything embedded, a meeting played through it, then a visit.

    play.py [--once] [--port 8443]

Everything it writes is below build/run/. Exit status 1 when a step was wrong.
"""

import sys

sys.dont_write_bytecode = True      # nothing but build/ is written to

import argparse  # noqa: E402
import os  # noqa: E402
import shutil  # noqa: E402
import signal  # noqa: E402
import socket  # noqa: E402
import tempfile  # noqa: E402
from pathlib import Path  # noqa: E402

TEST = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TEST / "support"))

import one_meeting  # noqa: E402
import one_room  # noqa: E402
import real_input  # noqa: E402
from httpd import MODULE, REPOSITORY, Httpd, processes_of  # noqa: E402
from meetings import Api  # noqa: E402
from pexip import Node  # noqa: E402
from rocketchat import Workspace  # noqa: E402
from story import GiveUp, Story, check  # noqa: E402
from workspace import ADMIN, PREFIX, workspace  # noqa: E402

SAMPLES = TEST / "contract" / "samples"
PLAYER = "play.pid"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def site_configuration(port, upstream):
    """One workspace, as an administrator would write it: TLS, the module's locations, the rest goes to Rocket.Chat."""
    return f"""
<VirtualHost 127.0.0.1:{port}>
ServerName localhost
SSLEngine on
SSLCertificateFile conf/tls.crt
SSLCertificateKeyFile conf/tls.key
ProxyPreserveHost On
RequestHeader set X-Forwarded-Proto https
ProxyPass / {upstream.url}/
ProxyPassReverse / {upstream.url}/
{workspace(site=f"https://localhost:{port}", grace="1s 3s", extra=one_room.directives(upstream))}
{one_room.LOCATION}
</VirtualHost>
"""


def open_to_all(path):
    return all(each.stat().st_mode & 0o001 for each in path.parents)


def player_alive(root):
    try:
        line = Path("/proc", (root / PLAYER).read_text().strip(), "cmdline").read_bytes()
    except OSError:
        return False
    return b"play.py" in line


def prepare(port):
    """An empty directory and a free port, or a sentence that says why not."""
    root = REPOSITORY / "build" / "run"
    if not MODULE.exists():
        sys.exit(f"{MODULE} is not there: run make first.")
    if processes_of(root):
        if player_alive(root):
            sys.exit(f"Another one is at work in {root}: end it with Ctrl-C there, or kill {(root / PLAYER).read_text()}")
        Httpd(root, ports=[port], tls=True).close()     # its player was killed and could not clean up
    shutil.rmtree(root, ignore_errors=True)
    try:
        root.mkdir(parents=True)
    except FileExistsError:
        sys.exit(f"{root} cannot be remade: somebody else's run left it, remove it as that user")
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        sys.exit(f"Port {port} cannot be had ({os.strerror(error.errno)}): choose another one, make run PORT=9443")
    (root / PLAYER).write_text(str(os.getpid()))
    if os.geteuid() == 0 and not open_to_all(root):
        # Started by root, the children are www-data, and this directory is closed to them.
        place = Path(tempfile.mkdtemp(prefix="pxr-run-", dir="/tmp"))
        (root / "see").write_text(f"{place}\n")
        return root, place
    return root, root


def tell_visit(story, port, api):
    user, password = ADMIN
    site = f"https://localhost:{port}{PREFIX}"
    story.chapter("Up for a visit until Ctrl-C (the certificate is self-signed)")
    with story.step("Another meeting stands open") as step:
        step.note(api.create(title="For a visit")["join_url"] + " leads to meet.example.com, which is not there")
    story.tell()
    story.tell(f"  Status     {site}/status  (user {user}, password {password})")
    story.tell(f"  API        curl -k -u {user}:{password} {site}/api/v1/meetings")
    story.tell()


def perform(story, server, chat, port, once):
    host = f"localhost:{port}"
    headers = {"Host": host}
    api = Api(server, headers=headers)
    node_a = Node("10.10.1.21", server, location="Oslo", headers=headers)
    node_b = Node("10.10.2.31", server, location="Berlin", headers=headers)
    try:
        one_meeting.play(story, server, api, host, node_a, node_b)
        one_room.play(story, server, api, chat, host, node_a)
        real_input.play(story, api, node_a, SAMPLES)
    except GiveUp:
        story.tell("    The rest cannot be told without this.")
    if not once:
        tell_visit(story, port, api)
        try:
            while True:
                signal.pause()
        except KeyboardInterrupt:
            story.tell()


def finish(story, server):
    story.chapter("The end")
    with story.step("httpd stops and leaves no process behind"):
        server.close()
        check(not server.processes(), f"still there: {server.processes()}")
        problems, server.problems = server.problems, []
        check(not problems, "\n".join(problems))
    with story.step("Its error log holds no warning and no error"):
        server.audit()


def interrupted(*_):
    raise KeyboardInterrupt


def main():
    parser = argparse.ArgumentParser(description="Plays one whole meeting through a private httpd.")
    parser.add_argument("--once", action="store_true", help="end after the meeting instead of staying up")
    parser.add_argument("--port", type=int, default=8443)
    options = parser.parse_args()

    sys.stdout.reconfigure(errors="replace")
    for number in SIGNALS:      # all of them, set by hand: started with & the shell has SIGINT ignored
        signal.signal(number, interrupted)
    home, place = prepare(options.port)
    story = Story()
    server, cut_short = None, False
    with Workspace(site=f"https://localhost:{options.port}") as chat:
        try:
            server = Httpd(place, "event", ports=[options.port], tls=True)
            server.make_certificate()
            server.configure(site_configuration(options.port, chat))
            one_room.write_files(server, chat)
            one_room.populate(chat)
            try:
                server.start()
            except AssertionError as error:
                sys.exit(f"{error}")
            user = "www-data" if os.geteuid() == 0 else "yourself"
            story.tell(f"httpd is up on https://localhost:{options.port}, its children run as {user}; all it writes is in {place}")
            perform(story, server, chat, options.port, options.once)
        except KeyboardInterrupt:
            cut_short = True
        finally:
            for number in SIGNALS:      # a second Ctrl-C must not leave half of it behind
                signal.signal(number, signal.SIG_IGN)
            if server:
                finish(story, server)
            if place != home:
                shutil.rmtree(place, ignore_errors=True)
            (home / PLAYER).unlink(missing_ok=True)
    if cut_short:
        story.tell("\nInterrupted before the end.")
        sys.exit(130)
    if story.wrong:
        story.tell(f"\n{story.right} steps right, {story.wrong} wrong.")
        sys.exit(1)
    story.tell(f"\nAll {story.right} steps right.")


if __name__ == "__main__":
    main()
