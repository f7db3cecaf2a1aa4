"""What a room is told of its meeting: the message follows it from the start to the end, once, whatever goes wrong between."""

import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from chat import AFTER_RETRY, SOON, blameless, make_sites, sites  # noqa: F401
from httpd import PATIENCE, is_gone
from pexip import one_leg
from rocketchat import RocketChat
from waiting import stays, wait_until

# An edit may have to wait for its ten seconds.
AFTER_EDIT = 15 * PATIENCE
KILLED = r"exit signal Killed \(9\)|AH1039[23]: children are killed successively"
REPAIRED = r"a process died while it changed the working set"
# What the error log may say of a Rocket.Chat that fails on purpose: one line when it begins, one when it is over.
TROUBLE = r"Rocket\.Chat"


def ended(message):
    return re.search(r"\bended\b", message.text)


def meet(site, meeting, *names):
    """People on one node: (node, people)."""
    node = site.node()
    node.conference_started(meeting["id"])
    return node, [one_leg(node, meeting["id"], name) for name in names]


def part(node, people, meeting):
    for person in people:
        person.leave()
    node.conference_ended(meeting["id"])


def the_only_message(site, meeting):
    """There is one about this meeting, and nothing else of ours in its room."""
    room = site.chat.rooms[meeting["room"]["id"]]
    messages = [message for message in room.by(site.chat.bot) if not message.tmid]
    assert len(messages) == 1, messages
    return messages[0]


# Each of these happens in a workspace of its own, all at the same time: most of their time is waiting.

def follows(site):
    """The message follows its meeting, edited at most every ten seconds until the end."""
    meeting = site.start("Weekly")
    message = site.message_of(meeting)
    assert not ended(message)
    node, people = meet(site, meeting, "Anna")
    wait_until(lambda: "Anna" in message.text, AFTER_EDIT, "Anna in the message")
    people += [one_leg(node, meeting["id"], name) for name in ("Boris", "Carla")]
    wait_until(lambda: "Carla" in message.text, AFTER_EDIT, "Carla in the message")
    part(node, people, meeting)
    wait_until(lambda: ended(message), AFTER_EDIT, "the end in the message")
    edits = message.texts[1:]
    assert the_only_message(site, meeting) is message and all("Weekly" in text for text in message.texts)
    assert site.conference_link(meeting) not in message.text and meeting["join_url"] not in message.text
    assert re.search(r"\bmin|\bless than|\bsec", message.text) and re.search(r"\b3\b|three", message.text), message.text
    times = [when for when, _, _ in message.versions[1:-1]]
    assert all(later - earlier > 9 for earlier, later in zip(times, times[1:])), "edited more often than every ten seconds"
    for call in site.chat.calls_of("chat.update"):
        assert call.json.keys() <= {"roomId", "msgId", "text", "previewUrls"}
    assert not any(pin in text for text in message.texts for pin in meeting["pins"].values())
    stays(lambda: message.texts[1:] == edits, 1, "the last text")


def editing_refused(site):
    """One reply in the thread, at the end."""
    site.chat.editing = False
    meeting = site.start("Fixed")
    message = site.message_of(meeting)
    node, people = meet(site, meeting, "Anna", "Boris")
    wait_until(lambda: site.chat.calls_of("chat.update"), AFTER_EDIT, "an attempt to edit")
    part(node, people, meeting)
    reply, = wait_until(lambda: message.room.by(site.chat.bot, tmid=message.id), AFTER_RETRY, "the reply")
    assert ended(reply) and len(message.versions) == 1 and the_only_message(site, meeting) is message
    stays(lambda: message.room.by(site.chat.bot, tmid=message.id) == [reply], 2, "the only reply")


def editing_refused_after_a_while(site):
    """A time limit for edits may be over when the meeting ends."""
    meeting = site.start("Long")
    message = site.message_of(meeting)
    site.chat.editing = 0.0
    site.api.delete(meeting["id"])
    reply, = wait_until(lambda: message.room.by(site.chat.bot, tmid=message.id), AFTER_RETRY, "the reply")
    assert ended(reply) and the_only_message(site, meeting) is message


def editing_refused_in_a_thread(site):
    """The reply stands in the thread that the message is in: there are no threads in threads."""
    site.chat.editing = False
    room = site.room()
    meeting = site.start("In a thread", room, tmid="parentOfThread")
    site.message_of(meeting)
    site.api.delete(meeting["id"])
    replies = wait_until(lambda: [each for each in room.by(site.chat.bot, "parentOfThread") if ended(each)], AFTER_RETRY, "the reply")
    assert len(replies) == 1 and len(room.by(site.chat.bot)) == 2


def nobody_came(site):
    meeting = site.start("Nobody came")
    message = site.message_of(meeting)
    site.api.delete(meeting["id"])
    wait_until(lambda: ended(message), AFTER_EDIT, "the end in the message")


def message_deleted(site):
    """What somebody has deleted is not written again."""
    meeting = site.start("Deleted")
    message = site.message_of(meeting)
    message.room.messages.remove(message)
    del site.chat.messages[message.id]
    site.api.delete(meeting["id"])
    site.becomes(meeting, "ended")
    wait_until(lambda: site.chat.calls_of("chat.update"), SOON, "the attempt to edit")
    stays(lambda: not [each for each in message.room.by(site.chat.bot) if not each.tmid] and not listed(site, meeting), 4, "the empty room and list")


def limited(site, **options):
    """The time that a refusal names is waited for, by the other rooms too: the limit is counted by address and route."""
    wait = 4
    site.chat.fault("chat.sendMessage", "429", times=1, seconds=wait, **options)
    rooms = [site.room(), site.room()]
    site.say("!pexip Limited", rooms[0])
    wait_until(lambda: site.status().json()["rocketchat"]["failed_at"], AFTER_RETRY, "the refusal to be noted")
    site.say("!pexip Limited", rooms[1])
    for room in rooms:
        site.message_of(site.meeting(room), AFTER_RETRY)
    refused, *later = [call for call in site.chat.calls_of("chat.sendMessage") if call.room in (rooms[0].id, rooms[1].id)]
    assert refused.status == 429 and len(later) == 2
    assert all(call.at - refused.at > wait - 0.3 for call in later)


def limited_by_headers(site):
    limited(site, text=False)


def limited_by_text(site):
    limited(site, headers=False)


def really_limited(site):
    """A limit costs nothing but time."""
    site.chat.limiter.limit, site.chat.limiter.window = 4, 3
    rooms = [site.room() for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        said = list(pool.map(lambda room: site.say("!pexip Limited", room), rooms))
    assert {each.status for each in said} == {200}
    for room in rooms:
        site.message_of(site.meeting(room), 2 * AFTER_RETRY)
    assert [len(room.by(site.chat.bot)) for room in rooms] == [1] * 6
    refused = [call for call in site.chat.calls_of("chat.sendMessage") if call.status == 429]
    assert len(refused) <= 6, "it goes on asking although it was told to wait"


def nearly_limited(site):
    """The last requests before the limit are left for what cannot wait, but only until they are counted anew."""
    site.chat.limiter.limit, site.chat.limiter.window = 3, 2
    meeting = site.start("Nearly limited")
    message = site.message_of(meeting)
    node, _ = meet(site, meeting, "Anna")
    wait_until(lambda: "Anna" in message.text, AFTER_EDIT, "Anna in the message")
    one_leg(node, meeting["id"], "Boris")
    wait_until(lambda: "Boris" in message.text, AFTER_EDIT, "Boris in the message")


def act(site, meeting, action):
    answer = site.api.call("POST", f"/deliveries/{meeting['id']}", {"action": action})
    assert answer.status in (200, 202, 204), answer.text


def listed(site, meeting):
    return meeting["id"] in str(site.deliveries())


def token_refused(site):
    """The workspace pauses until somebody mends it."""
    good = site.status().json()
    token, site.chat.bot.token = site.chat.bot.token, "another one"
    meeting = site.start("Paused")
    wait_until(lambda: listed(site, meeting), AFTER_RETRY, "the meeting in the list of what failed")
    calls = len(site.chat.calls)
    assert {**site.status().json(), "now": good.get("now")} != good and "401" in site.status().text
    stays(lambda: len(site.chat.calls) == calls, 3, "the pause")
    assert token not in site.status().text and token not in str(site.deliveries())
    site.chat.bot.token = token
    act(site, meeting, "retry")
    message = site.message_of(meeting, AFTER_RETRY)
    wait_until(lambda: not listed(site, meeting), AFTER_RETRY, "an empty list")
    assert the_only_message(site, meeting) is message


def refused_for_good(site):
    """What can never succeed is shown, and may be tried again once it can, or dropped."""
    room = site.chat.add_room("closed", "p", [site.nina])
    first, second = (site.api.create(title=title, room=room.as_meant(), creator=site.nina.creator()) for title in ("Retried", "Dropped"))
    wait_until(lambda: listed(site, first) and listed(site, second), AFTER_RETRY, "both in the list of what failed")
    act(site, second, "drop")
    room.members.append(site.chat.bot)
    act(site, first, "retry")
    message = site.message_of(first, AFTER_RETRY)
    wait_until(lambda: not listed(site, first) and not listed(site, second), AFTER_RETRY, "an empty list")
    stays(lambda: room.by(site.chat.bot) == [message], 2, "the room whose other message was dropped")


CALM = {each.__name__: each for each in (follows, editing_refused, editing_refused_after_a_while, editing_refused_in_a_thread, nobody_came, message_deleted,
                                         limited_by_headers, limited_by_text, really_limited, nearly_limited, token_refused, refused_for_good)}

# Whatever goes wrong, once while the message is posted and once while it is edited.
FAULTS = {
    "down": {}, "hang": {}, "hang_stored": {"stored": True}, "slow": {}, "429_headers": {"text": False}, "429_text": {"headers": False},
    "429_bare": {"headers": False, "text": False}, "500": {}, "502": {}, "503": {}, "failure": {}, "reset": {}, "lost": {}, "garbage": {}, "huge": {},
    "redirect": {}}
ELSEWHERE = RocketChat()


# Prefork has few processes at first and makes one a second: webhooks that wait must not be what others wait for.
ROOM_FOR_WAITING = {"prefork": "StartServers 40\nMinSpareServers 20\n"}


class Trouble:
    """Rocket.Chat fails in that way at one route, or stays away for two seconds."""

    def __init__(self, site, name):
        self.site, self.kind = site, name.partition("_")[0]
        self.options = {**FAULTS[name], "seconds": 2}
        if self.kind == "redirect":
            self.options["to"] = f"{ELSEWHERE.url}/api/v1/chat.sendMessage"

    def befall(self, route):
        if self.kind == "down":
            self.site.chat.down()
            return
        self.fault = self.site.chat.fault(route, self.kind, times=1, **self.options)

    def pass_by(self):
        """It has struck, or has lasted; what hangs is never let go by us."""
        if self.kind == "down":
            time.sleep(2)
            self.site.chat.up()
        else:
            wait_until(lambda: self.fault.hits, AFTER_RETRY, "the fault to strike")


def through_trouble(site, name):
    trouble = Trouble(site, name)
    room = site.room()
    trouble.befall("chat.sendMessage")
    said = site.say(f"!pexip Through {name}", room)
    assert said.status == 200 and said.seconds < 2 + 1.5 * PATIENCE, said
    assert not said.posted, "answered with the message although it is to be posted later"
    trouble.pass_by()
    meeting = site.meeting(room)
    message = site.message_of(meeting, AFTER_RETRY)
    trouble.befall("chat.update")
    node, people = meet(site, meeting, "Anna")
    if trouble.kind != "down":
        trouble.pass_by()
    part(node, people, meeting)
    site.becomes(meeting, "ended")
    if trouble.kind == "down":
        trouble.pass_by()
    wait_until(lambda: ended(message), AFTER_RETRY, "the end in the message")
    stays(lambda: the_only_message(site, meeting) is message and ended(message), 1, "the only message")
    assert not message.room.by(site.chat.bot, tmid=message.id), "a reply where editing is allowed"


@pytest.fixture(scope="module")
def outcomes(mpm):
    """{name: an exception, or None}"""
    def run(site, happens, *arguments):
        try:
            happens(site, *arguments)
        except Exception as error:
            return error
    jobs = {**{name: (happens,) for name, happens in CALM.items()}, **{name: (through_trouble, name) for name in FAULTS}}
    hosts = {name: "w-" + name.replace("_", "-") for name in jobs}
    with ELSEWHERE, sites(mpm, {host: {} for host in hosts.values()}, server=ROOM_FOR_WAITING.get(mpm, "")) as made:
        made[hosts["follows"]].httpd.expect(TROUBLE)
        with ThreadPoolExecutor(len(jobs)) as pool:
            futures = {name: pool.submit(run, made[hosts[name]], *job) for name, job in jobs.items()}
            found = {name: future.result() for name, future in futures.items()}
        yield {**found, "elsewhere": list(ELSEWHERE.requests)}


@pytest.mark.once
@pytest.mark.parametrize("name", CALM)
def test_what_a_room_is_told(outcomes, name):
    if outcomes[name]:
        raise outcomes[name]


@pytest.mark.once
@pytest.mark.parametrize("name", FAULTS)
def test_there_is_one_right_message_in_the_end(outcomes, name):
    if outcomes[name]:
        raise outcomes[name]


@pytest.mark.once
def test_redirects_are_not_followed(outcomes):
    assert outcomes["elsewhere"] == []


# What an administrator sees and does

@pytest.fixture(scope="module")
def calm(mpm):
    with sites(mpm, {"calm": {}}) as made:
        yield made["calm"]


@pytest.mark.parametrize("path, body, statuses", [
    ("/deliveries/Unknown1Meeting", {"action": "retry"}, (404,)), ("/deliveries/{id}", {"action": "repeat"}, (400,)), ("/deliveries/{id}", {}, (400,)),
    ("/deliveries/{id}", [], (400,)), ("/deliveries/{id}", {"action": 7}, (400,)), ("/deliveries/", {"action": "retry"}, (404, 405))])
def test_bad_requests_about_deliveries_are_refused(calm, path, body, statuses):
    site = calm
    meeting = site.start("Known")
    answer = site.api.call("POST", path.format(id=meeting["id"]), body)
    assert answer.status in statuses, answer.text
    assert answer.headers["Content-Type"].split(";")[0] == "application/problem+json"
    assert site.request("GET", f"{site.api.base}/deliveries?state=failed").status == 401


# Processes that end in between

def test_all_children_killed_between_post_and_record_post_nothing_twice(make_sites):
    site = make_sites({"killed": {}})["killed"]
    site.httpd.expect(KILLED, REPAIRED, TROUBLE)
    fault = site.chat.fault("chat.sendMessage", "hang", times=1, stored=True)
    meeting = site.start("Killed")
    wait_until(lambda: site.messages_about(meeting), SOON, "the stored message")
    killed = site.httpd.children()
    for pid in killed:
        site.httpd.kill(pid, signal.SIGKILL)
    fault.stop()
    # One that is dying takes a connection with it.
    wait_until(lambda: all(map(is_gone, killed)) and site.httpd.children(), 15 * PATIENCE, "new children")
    site.api.delete(meeting["id"])
    message = site.message_of(meeting)
    wait_until(lambda: ended(message), AFTER_RETRY, "the end in the message")
    assert the_only_message(site, meeting) is message


def test_graceful_restarts_under_work_lose_and_repeat_nothing(make_sites):
    site = make_sites({"reloaded": {}})["reloaded"]
    site.httpd.expect(TROUBLE)
    rooms = [site.room() for _ in range(12)]
    for number, room in enumerate(rooms):
        assert site.say("!pexip Reloaded", room).status == 200
        if number % 4 == 1:
            site.httpd.graceful()
    messages = [site.message_of(site.meeting(room), AFTER_RETRY) for room in rooms]
    for room in rooms:
        site.api.delete(site.meeting(room)["id"])
    wait_until(lambda: all(map(ended, messages)), AFTER_RETRY, "the end in all messages")
    assert [len(room.by(site.chat.bot)) for room in rooms] == [1] * 12


def test_stop_and_start_go_on_where_they_were(make_sites):
    site = make_sites({"stopped": {}})["stopped"]
    site.httpd.expect(TROUBLE)
    fault = site.chat.fault("chat.sendMessage", "hang", times=1, stored=True)
    meeting = site.start("Stopped")
    wait_until(lambda: site.messages_about(meeting), SOON, "the stored message")
    site.httpd.stop()
    fault.stop()
    site.httpd.start()
    message = site.message_of(meeting)
    site.api.delete(meeting["id"])
    wait_until(lambda: ended(message), AFTER_RETRY, "the end in the message")
    assert the_only_message(site, meeting) is message
