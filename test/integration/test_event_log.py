"""PexipRCEventLog: what stands in it, where it may go, and that nothing about it ever refuses or delays an event."""

import base64
import json
import os
import pwd
import re
import shutil
import signal
import socket
import stat
import threading
import time
from contextlib import contextmanager

import pytest

from httpd import PATIENCE, is_gone
from meetings import Api
from pexip import Leg, Node, now, one_leg, sip, two_legs
from waiting import stays, wait_until
from workspace import ADMIN, NODES, PREFIX, SITE, workspace

LOST = r"PexipRCEventLog: lines are lost"
# What httpd says of piped logs, its own included: one that died, and one that it has ended at a graceful restart.
RESTARTED = r"AH0010[456]|long lost child came home"
STAMP = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
EVENTS = f"{PREFIX}/events"


@pytest.fixture
def logged(make_httpd):
    """logged(target="logs/events.json", **options): a server with an event log, its API and a node."""
    def make(target="logs/events.json", body=None, **options):
        httpd = make_httpd(body, server=f'PexipRCEventLog "{target}"', **options)
        return httpd, Api(httpd), Node("10.7.0.1", httpd)
    return make


def lines(httpd, name="logs/events.json"):
    """The log's lines, each of which must be a JSON object, and the last one complete."""
    path = httpd.root / name
    text = path.read_bytes().decode() if path.exists() else ""
    assert text == "" or text.endswith("\n")
    found = [json.loads(line) for line in text.split("\n")[:-1]]
    assert all(isinstance(line, dict) for line in found)
    return found


def status(httpd):
    return httpd.request("GET", f"{PREFIX}/status?json", auth=ADMIN).json()


def lost(httpd):
    return status(httpd)["counters"]["event_log_lost"]


def restart_by_signal(httpd, wanted="resuming normal operations"):
    """A graceful restart that no control program has looked at before."""
    before, old = httpd.error_log().count(wanted), set(httpd.children())
    httpd.kill(httpd.pid(), signal.SIGUSR1)
    wait_until(lambda: httpd.error_log().count(wanted) > before, 15 * PATIENCE, "the graceful restart")
    wait_until(lambda: set(httpd.children()) - old, 10 * PATIENCE, "a new child")


def script(httpd, text):
    """A program for a pipe, as a path."""
    return httpd.write("conf/program.sh", "#!/bin/sh\n" + text, 0o755)


# What is in it

def test_an_event_is_one_line_that_says_what_was_understood(logged):
    httpd, api, node = logged()
    meeting = api.create(title="Very secret title")
    node.started()
    node.conference_started(meeting["id"])
    leg = Leg(node, meeting["id"], "Anna Ø", role="chair", uuid="u-1", conversation_id="c-1", remote_address="198.51.100.99")
    leg.connected()
    leg.stream_window("bad")
    leg.disconnected()
    node.conference_ended(meeting["id"])
    found = lines(httpd)
    assert [line["event"] for line in found] == ["eventsink_started", "conference_started", "participant_connected",
                                                 "participant_media_stream_window", "participant_disconnected", "conference_ended"]
    assert [line["seq"] for line in found] == [1, 2, 3, 4, 5, 6]
    for line in found:
        assert line["workspace"] == SITE and line["user"] == NODES[0] and line["node"] == node.address
        assert line["effect"] == "taken"
        assert STAMP.fullmatch(line["received"]) and STAMP.fullmatch(line["time"])
    started, connected, window, ended = found[1], found[2], found[3], found[5]
    assert started["meeting"] == ended["meeting"] == meeting["id"]
    assert STAMP.fullmatch(started["start_time"]) and STAMP.fullmatch(ended["end_time"])
    for stamp in ("received", "time", "workspace", "user", "node", "seq"):
        connected.pop(stamp)
    assert STAMP.fullmatch(connected.pop("connect_time"))
    assert connected == {
        "event": "participant_connected", "meeting": meeting["id"], "uuid": "u-1", "conversation_id": "c-1", "display_name": "Anna Ø",
        "protocol": "WebRTC", "role": "host", "service": "room", "has_media": True, "is_streaming": False, "effect": "taken"}
    assert window["quality"] == "bad" and window["uuid"] == "u-1" and "meeting" not in window
    text = (httpd.root / "logs/events.json").read_text()
    for secret in (*meeting["pins"].values(), "Very secret", "198.51.100.99", NODES[1]):
        assert secret not in text


def test_what_an_event_did_stands_in_its_line(logged):
    httpd, api, node = logged()
    meeting = api.create()
    node.started()
    leg = Leg(node, meeting["id"], "Anna")
    late = leg.updated(send=False)
    leg.disconnected()
    node.send(late)
    node.updated()
    node.stopped()
    assert [(line["event"], line["effect"]) for line in lines(httpd)] == [
        ("eventsink_started", "taken"), ("participant_disconnected", "taken"), ("participant_updated", "nothing new"),
        ("eventsink_updated", "taken"), ("eventsink_stopped", "taken")]


def test_dropped_events_are_logged_as_dropped(make_httpd):
    httpd = make_httpd(server="PexipRCEventLog logs/events.json\nPexipRCMaxMeetings 5\nPexipRCMaxParticipants 4")
    httpd.expect("table of participants is full")
    api, node = Api(httpd), Node("10.7.0.1", httpd)
    meeting = api.create()
    for number in range(10):
        Leg(node, meeting["id"], f"Person {number}").connected()
    effects = [line["effect"] for line in lines(httpd)]
    assert len(effects) == 10 and effects[0] == "taken" and effects[-1] == "dropped"
    assert effects.count("dropped") == status(httpd)["counters"]["events_dropped"]


def test_foreign_and_unusable_events_are_not_logged(logged):
    httpd, api, node = logged()
    meeting = api.create()
    node.started()
    for name in ("Sales weekly", meeting["id"] + "x", meeting["id"].swapcase()):
        node.conference_started(name)
        two_legs(node, name, "Stranger").leave()
    Leg(node, "elsewhere", "Stranger").stream_window("bad")
    for body in ("rubbish", {"event": "participant_connected", "data": {"conference": meeting["id"], "display_name": "Stranger"}},
                 node.event("something_new", {"conference": meeting["id"]})):
        assert node.post(body).status == 200
    assert [line["event"] for line in lines(httpd)] == ["eventsink_started"]


def test_a_bulk_is_a_line_for_each_of_its_events(logged):
    httpd, api, node = logged()
    meeting = api.create()
    with node.holding() as events:
        node.started()
        node.conference_started(meeting["id"])
        one_leg(node, meeting["id"], "Anna")
        node.conference_started("foreign")
    node.bulk(events)
    assert [line["seq"] for line in lines(httpd)] == [event["seq"] for event in events[:-1]]


def test_a_breakout_room_is_named_beside_its_meeting(logged):
    httpd, api, node = logged(body=workspace(extra="PexipRCServiceOption breakout_rooms true"))
    meeting = api.create()
    node.conference_started(f"{meeting['id']}_breakout_abc-1")
    [line] = lines(httpd)
    assert (line["meeting"], line["breakout_uuid"]) == (meeting["id"], "abc-1")


@pytest.mark.parametrize("name", ["x\n{\"event\":\"forged\"}\n", "\0\1\x1b[2J\x7f\x9b31m", "\u2028\u2029", "🎉" * 300, "\"" * 2000, "\\" * 2000,
                                  "\ud800x", "ä" * 126, "\u202etxt.exe"], ids=range(9))
def test_no_name_breaks_a_line(logged, name):
    httpd, api, node = logged()
    meeting = api.create()
    for escaped in (True, False):
        event = node.event("participant_connected", Leg(node, meeting["id"], name).data)
        body = json.dumps(event, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
        assert node.post(body).status == 200
    found = lines(httpd)
    assert len(found) == 2 and {line["event"] for line in found} == {"participant_connected"}
    for line in (httpd.root / "logs/events.json").read_bytes().splitlines(keepends=True):
        assert len(line) <= 4096 and not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xa8\xa9]", line)


def test_hostile_uuids_cannot_break_a_line(logged):
    httpd, api, node = logged()
    meeting = api.create()
    hostile = "\n\x1b[2J\x9b\u2028\"}"
    leg = Leg(node, f"{meeting['id']}_breakout_{hostile}", "Anna", uuid=hostile, conversation_id=hostile)
    leg.connected()
    [line] = lines(httpd)
    assert line["uuid"] == line["conversation_id"] == line["breakout_uuid"] == '[2J "}'


# Where it goes

def test_the_file_is_for_the_owner_and_his_group_only(logged):
    httpd, api, node = logged("logs/sub.json")
    info = (httpd.root / "logs/sub.json").stat()
    assert stat.S_IMODE(info.st_mode) == 0o640 and info.st_uid == os.geteuid()
    assert status(httpd)["event_log"] == "on" and lost(httpd) == 0


def test_an_absolute_path_is_taken_and_an_existing_file_goes_on(make_httpd):
    httpd = make_httpd(start=False)
    path = httpd.write("logs/old.json", '{"old":true}\n')
    httpd.configure(workspace(), server=f"PexipRCEventLog {path}")
    httpd.start()
    Node("10.7.0.1", httpd).started()
    assert [line.get("event") for line in lines(httpd, "logs/old.json")] == [None, "eventsink_started"]


def test_a_file_that_ends_in_the_middle_of_a_line_goes_on_with_a_new_one(make_httpd):
    httpd = make_httpd(start=False)
    path = httpd.write("logs/events.json", '{"old":true}\n{"half')
    httpd.configure(workspace(), server="PexipRCEventLog logs/events.json")
    httpd.start()
    node = Node("10.7.0.1", httpd)
    node.started()
    node.updated()
    text = path.read_text().split("\n")
    assert text[1] == '{"half' and [json.loads(line)["seq"] for line in text[2:-1]] == [1, 2]


@pytest.mark.parametrize("setting", ["", "PexipRCEventLog none", "PexipRCEventLog NONE"])
def test_without_an_event_log_nothing_is_written(make_httpd, setting):
    httpd = make_httpd(server=setting)
    before = sorted(os.listdir(httpd.root)), sorted(os.listdir(httpd.root / "logs"))
    node = Node("10.7.0.1", httpd)
    node.started()
    assert status(httpd)["event_log"] == "off" and lost(httpd) == 0
    assert (sorted(os.listdir(httpd.root)), sorted(os.listdir(httpd.root / "logs"))) == before


def test_a_server_without_a_workspace_opens_no_event_log(make_httpd):
    httpd = make_httpd("", server="PexipRCEventLog logs/events.json")
    assert not (httpd.root / "logs/events.json").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_an_ordinary_user_can_have_an_event_log(logged):
    httpd, api, node = logged(run_as="nobody")
    node.started()
    assert len(lines(httpd)) == 1
    assert (httpd.root / "logs/events.json").stat().st_uid == pwd.getpwnam("nobody").pw_uid
    httpd.graceful()
    node.updated()
    assert len(lines(httpd)) == 2


# Rotation and reloads

def test_a_graceful_restart_opens_a_new_file_after_the_old_one_was_renamed(logged):
    httpd, api, node = logged()
    meeting = api.create()
    node.started()
    node.conference_started(meeting["id"])
    os.rename(httpd.root / "logs/events.json", httpd.root / "logs/events.json.1")
    node.conference_updated(meeting["id"])
    assert not (httpd.root / "logs/events.json").exists()
    httpd.graceful()
    wait_until(lambda: (node.updated(), len(lines(httpd)))[1] >= 3, 10, "lines in the new file")
    old, new = lines(httpd, "logs/events.json.1"), lines(httpd)
    assert [line["seq"] for line in old + new] == list(range(1, node.seq + 1))
    assert lost(httpd) == 0


def test_a_reload_may_turn_it_on_and_off(make_httpd):
    httpd = make_httpd()
    node = Node("10.7.0.1", httpd)
    for setting, state in (("PexipRCEventLog logs/events.json", "on"), ("", "off"), ("PexipRCEventLog logs/events.json", "on")):
        httpd.configure(workspace(), server=setting)
        httpd.graceful()
        wait_until(lambda: status(httpd)["event_log"] == state, 10)
    node.started()
    assert len(lines(httpd)) == 1


@pytest.mark.parametrize("how", ["directory", "fifo", "program"])
def test_a_reload_that_cannot_open_it_goes_on_without_and_says_so(make_httpd, how):
    httpd = make_httpd(start=False)
    program = script(httpd, f"exec cat >{httpd.root}/logs/piped.json\n")
    (httpd.root / "spool").mkdir()
    httpd.configure(workspace(), server=f'PexipRCEventLog "{f"|{program}" if how == "program" else "spool/events.json"}"')
    httpd.start()
    api, node = Api(httpd), Node("10.7.0.1", httpd)
    meeting = api.create()
    httpd.expect(r"PexipRCEventLog: .* events are not logged", RESTARTED)
    if how == "program":
        program.rename(httpd.root / "conf/away")
    else:
        shutil.rmtree(httpd.root / "spool")
    if how == "fifo":
        (httpd.root / "spool").mkdir()
        os.mkfifo(httpd.root / "spool/events.json")     # nobody reads it: opening must neither succeed nor wait
    restart_by_signal(httpd)
    wait_until(lambda: status(httpd)["event_log"] == "failed", 10)
    assert len(re.findall(r"PexipRCEventLog: .* events are not logged", httpd.error_log())) == 1
    node.started()
    assert api.read(meeting["id"])["state"] == "open" and lost(httpd) == 1

    if how == "program":
        (httpd.root / "conf/away").rename(program)
    else:
        shutil.rmtree(httpd.root / "spool", ignore_errors=True)
        (httpd.root / "spool").mkdir()
    httpd.graceful()
    wait_until(lambda: status(httpd)["event_log"] == "on", 10)
    before = node.seq
    node.updated()
    name = "logs/piped.json" if how == "program" else "spool/events.json"
    wait_until(lambda: [line["seq"] for line in lines(httpd, name)] == [before + 1], 5)


# Disks that are full

def test_a_full_disk_loses_lines_and_no_events(logged):
    httpd, api, node = logged("/dev/full")
    httpd.expect(LOST)
    meeting = api.create()
    node.conference_started(meeting["id"])
    for number in range(20):
        sip(node, meeting["id"], f"Person {number}")
    assert api.read(meeting["id"])["participant_count"] == 20
    assert lost(httpd) == node.seq
    told = [line for line in httpd.error_log().splitlines() if re.search(LOST, line)]
    assert len(told) == 1 and "No space left" in told[0] and "Person" not in told[0]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_a_line_that_fitted_in_part_harms_no_later_one(logged, make_httpd):
    httpd = make_httpd(start=False)
    disk = httpd.root / "disk"
    disk.mkdir()
    if os.system(f"mount -t tmpfs -o size=64k,mode=755 tmpfs {disk}") != 0:
        pytest.skip("nothing can be mounted")
    try:
        httpd.configure(workspace(), server="PexipRCEventLog disk/events.json")
        httpd.start()
        httpd.expect(LOST)
        api, node = Api(httpd), Node("10.7.0.1", httpd)
        meeting = api.create()
        with node.holding() as events:
            for number in range(100):
                sip(node, meeting["id"], f"Person {number}")
        node.bulk(events)
        full, gone = (disk / "events.json").read_bytes(), lost(httpd)
        assert len(full) == 65536 and not full.endswith(b"\n") and gone > 0
        os.system(f"mount -o remount,size=1m {disk}")
        begin = node.seq
        for _ in range(8):      # whichever process takes it
            node.updated()
        whole = (disk / "events.json").read_bytes()
        assert whole.startswith(full + b"\n")
        assert [json.loads(line)["seq"] for line in whole[len(full) + 1:].splitlines()] == list(range(begin + 1, begin + 9))
        assert whole.count(b"\n\n") == 0 and lost(httpd) == gone
        assert len(whole.splitlines()) - 1 + gone == len(events) + 8
    finally:
        httpd.stop()
        os.system(f"umount -l {disk}")


# Programs

@pytest.mark.parametrize("mark", ["|", "||", "|$"])
def test_lines_go_to_a_program(make_httpd, mark):
    httpd = make_httpd(start=False)
    program = script(httpd, f"exec cat >>{httpd.root}/logs/piped.json\n")
    httpd.configure(workspace(), server=f'PexipRCEventLog "{mark}{program}"')
    httpd.start()
    httpd.expect(RESTARTED)
    api, node = Api(httpd), Node("10.7.0.1", httpd)
    meeting = api.create()
    node.started()
    node.conference_started(meeting["id"])
    wait_until(lambda: len(lines(httpd, "logs/piped.json")) == 2, 5)
    httpd.graceful()
    wait_until(lambda: (node.updated(), len(lines(httpd, "logs/piped.json")) > 4)[1], 10)


def test_a_long_bulk_fits_into_a_pipe(make_httpd):
    """All at once, before any program could have read it."""
    httpd = make_httpd(start=False)
    program = script(httpd, f"sleep 1\nexec cat >{httpd.root}/logs/piped.json\n")
    httpd.configure(workspace(), server=f'PexipRCEventLog "|{program}"')
    httpd.start()
    api, node = Api(httpd), Node("10.7.0.1", httpd)
    meeting = api.create()
    with node.holding() as events:
        for number in range(300):
            sip(node, meeting["id"], f"Person {number}")
    node.bulk(events)
    assert lost(httpd) == 0
    wait_until(lambda: (httpd.root / "logs/piped.json").exists()
               and (httpd.root / "logs/piped.json").read_bytes().count(b"\n") == len(events), 10 * PATIENCE)
    assert [line["seq"] for line in lines(httpd, "logs/piped.json")] == [event["seq"] for event in events]


def test_a_program_that_does_not_read_stops_no_event(make_httpd):
    httpd = make_httpd(start=False)
    program = script(httpd, "exec sleep 600\n")
    httpd.configure(workspace(), server=f'PexipRCEventLog "|{program}"')
    httpd.start()
    httpd.expect(LOST)
    api, node = Api(httpd), Node("10.7.0.1", httpd)
    meeting = api.create()
    node.conference_started(meeting["id"])
    with node.holding() as events:
        for _ in range(10000):
            node.conference_updated(meeting["id"])
    began = time.monotonic()
    node.bulk(events[:5000])
    node.bulk(events[5000:])
    for _ in range(20):
        node.updated()
    assert time.monotonic() - began < 5 * PATIENCE
    assert lost(httpd) > 1000
    told = [line for line in httpd.error_log().splitlines() if re.search(LOST, line)]
    assert len(told) == 1 and "does not read" in told[0]
    assert status(httpd)["event_log"] == "on"


def test_a_program_that_dies_is_started_again(make_httpd):
    httpd = make_httpd(start=False)
    program = script(httpd, f"echo $$ >>{httpd.root}/logs/pids\nexec cat >>{httpd.root}/logs/piped.json\n")
    httpd.configure(workspace(), server=f'PexipRCEventLog "|{program}"')
    httpd.start()
    httpd.expect(RESTARTED)
    node = Node("10.7.0.1", httpd)

    def pids():
        path = httpd.root / "logs/pids"
        return [int(pid) for pid in path.read_text().split()] if path.exists() else []

    node.started()
    wait_until(lambda: len(lines(httpd, "logs/piped.json")) == 1, 15)
    [first] = pids()
    os.kill(first, signal.SIGKILL)
    # Dying, it may still take what comes out of the pipe.
    wait_until(lambda: is_gone(first), 15, "the program's death")
    for _ in range(5):
        node.updated()      # waits in the pipe
    wait_until(lambda: len(pids()) == 2, 15, "the program's second life")
    node.updated()
    wait_until(lambda: [line["seq"] for line in lines(httpd, "logs/piped.json")] == [1, 2, 3, 4, 5, 6, 7], 15)
    assert lost(httpd) == 0


@contextmanager
def half_sent(httpd, body):
    """A delivery that a process has begun to take. Yields a function that completes it and returns the answer."""
    credentials = base64.b64encode(":".join(NODES).encode()).decode()
    head = (f"POST {EVENTS} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n"
            f"Authorization: Basic {credentials}\r\n\r\n").encode()
    with socket.create_connection(("127.0.0.1", httpd.port), timeout=20) as connection:
        connection.sendall(head + body[:10])
        time.sleep(0.3)

        def complete():
            connection.sendall(body[10:])
            return connection.makefile("rb").read()
        yield complete


def test_what_a_former_generation_cannot_write_any_more_is_counted(make_httpd):
    """Its program was ended by the graceful restart; httpd's own piped logs lose such lines without a word."""
    httpd = make_httpd(start=False)
    program = script(httpd, f"exec cat >>{httpd.root}/logs/piped.json\n")
    httpd.configure(workspace(), server=f'PexipRCEventLog "|{program}"')
    httpd.start()
    httpd.expect(RESTARTED)
    node = Node("10.7.0.1", httpd)
    with half_sent(httpd, json.dumps(node.started(send=False)).encode()) as complete:
        httpd.graceful()
        httpd.expect(LOST)
        assert complete().startswith(b"HTTP/1.1 200 ")
    assert lost(httpd) == 1 and "its program is gone" in httpd.error_log()


def test_a_former_generation_still_writes_into_its_file(logged):
    httpd, api, node = logged()
    with half_sent(httpd, json.dumps(node.started(send=False)).encode()) as complete:
        os.rename(httpd.root / "logs/events.json", httpd.root / "logs/events.json.1")
        httpd.graceful()
        assert complete().startswith(b"HTTP/1.1 200 ")
    assert len(lines(httpd, "logs/events.json.1")) == 1 and lines(httpd) == []


def test_a_fifo_with_a_reader_is_a_pipe(make_httpd):
    httpd = make_httpd(start=False)
    fifo = httpd.root / "logs/fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    httpd.configure(workspace(), server="PexipRCEventLog logs/fifo")
    httpd.start()
    httpd.expect(LOST)
    node = Node("10.7.0.1", httpd)
    node.started()
    assert json.loads(os.read(reader, 65536))["event"] == "eventsink_started"
    for _ in range(3):
        node.bulk([node.updated(send=False) for _ in range(1000)])
    assert lost(httpd) > 0
    text = os.read(reader, 1 << 20).decode()
    assert all(json.loads(line) for line in text.split("\n")[:-1]) and text.endswith("\n")
    os.close(reader)
    node.updated()


# Many at once

@pytest.mark.parametrize("piped", [False, True], ids=["file", "program"])
def test_lines_of_many_processes_are_whole_and_all_there(make_httpd, piped):
    httpd = make_httpd(start=False)
    program = script(httpd, f"exec cat >>{httpd.root}/logs/events.json\n")
    httpd.configure(workspace(), server=f'PexipRCEventLog "{f"|{program}" if piped else "logs/events.json"}"')
    httpd.start()
    api = Api(httpd)
    meeting = api.create()
    nodes = [Node(f"10.7.1.{number}", httpd) for number in range(24)]

    def play(node):
        node.started()
        for number in range(6):
            with node.holding() as events:
                sip(node, meeting["id"], f"{node.address} {number} " + "Ø" * 100)
            node.bulk(events)
            for _ in range(4):
                node.conference_updated(meeting["id"])

    threads = [threading.Thread(target=play, args=(node,)) for node in nodes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wanted = {(node.address, seq) for node in nodes for seq in range(1, node.seq + 1)}
    path = httpd.root / "logs/events.json"
    wait_until(lambda: path.exists() and path.read_bytes().count(b"\n") >= len(wanted), 10 * PATIENCE)
    found = [(line["node"], line["seq"]) for line in lines(httpd)]
    assert len(found) == len(wanted) and set(found) == wanted
    assert lost(httpd) == 0


# What is refused

def refused(httpd, *words):
    code, output = httpd.configtest()
    assert code != 0 and any(all(word in line for word in words) for line in output.splitlines()), output
    return output


@pytest.mark.parametrize("target, why", [
    ("not/there/events.json", "directory that does not exist"), ("conf/httpd.conf/events.json", "directory that does not exist"),
    ("logs", "is a directory"), ("|/not/there/program", "cannot be executed"), ("||/not/there/program x", "cannot be executed"),
    ("|", "must be"), ("||", "must be"), ("|$", "must be"), ("|  ", "must be"), ("|$ ", "must be"), ("", "takes one argument")])
def test_what_cannot_work_is_refused_by_configtest(make_httpd, target, why):
    httpd = make_httpd(workspace(), start=False, server=f'PexipRCEventLog "{target}"')
    refused(httpd, "PexipRCEventLog", why)
    with pytest.raises(AssertionError, match="did not start"):
        httpd.start()
    httpd.expect("PexipRCEventLog")


@pytest.mark.parametrize("frame", ["<VirtualHost *:80>\n{}\n</VirtualHost>", '<Location "/x">\n{}\n</Location>'])
def test_it_belongs_to_the_whole_server(make_httpd, frame):
    httpd = make_httpd(workspace() + frame.format("PexipRCEventLog logs/events.json"), start=False)
    refused(httpd, "PexipRCEventLog")


def test_configtest_opens_and_starts_nothing(make_httpd):
    httpd = make_httpd(start=False)
    program = script(httpd, f"touch {httpd.root}/logs/started\n")
    for target in ("logs/events.json", f"|{program}", f"|${program}"):
        httpd.configure(workspace(), server=f'PexipRCEventLog "{target}"')
        assert httpd.configtest()[0] == 0
    stays(lambda: not (httpd.root / "logs/started").exists() and not (httpd.root / "logs/events.json").exists(), 0.5)


def test_a_start_that_cannot_open_it_is_refused_with_a_reason(make_httpd):
    httpd = make_httpd(start=False)
    os.mkfifo(httpd.root / "logs/fifo")     # what configtest cannot know without touching it
    httpd.configure(workspace(), server="PexipRCEventLog logs/fifo")
    assert httpd.configtest()[0] == 0
    with pytest.raises(AssertionError, match="did not start"):
        httpd.start()
    httpd.expect(r"PexipRCEventLog: '.*fifo' cannot be opened", "Configuration Failed")
    assert re.search(r"PexipRCEventLog: '.*fifo' cannot be opened", httpd.error_log())


@pytest.mark.skipif(os.geteuid() != 0, reason="root has directories that an ordinary user may not write to")
@pytest.mark.parametrize("target", ["/etc/pexip-rc-events.json", "/etc/hostname"])
def test_an_ordinary_user_is_refused_what_he_may_not_write(make_httpd, target):
    httpd = make_httpd(workspace(), start=False, run_as="nobody", server=f"PexipRCEventLog {target}")
    refused(httpd, "PexipRCEventLog", "cannot be written to")
    with pytest.raises(AssertionError, match="did not start"):
        httpd.start()
    httpd.expect("PexipRCEventLog")
