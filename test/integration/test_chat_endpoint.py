"""pexip-rc-chat: where the plugin of the web app finds the chat of a meeting, of ours and of those that Outlook made."""

import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from chat import AFTER_RETRY, SOON, blameless, make_sites, sites  # noqa: F401
from foreign import PLACE, ROOM, SCHEDULED, Conference, ask, furnish, made_for, url_of
from httpd import PATIENCE
from pexip import Leg, one_leg
from waiting import stays, wait_until
from workspace import ADMIN, BASE, PREFIX

ON = f"PexipRCPersistentChat On\nPexipRCNumericAlias 77 6\nPexipRCSIPDomain meet.example.com\n{PLACE}"
TROUBLE = r"Rocket\.Chat|discussion"
NOTHING = (404, b"{}")


@pytest.fixture(scope="module")
def all_sites(mpm):
    specs = {"usual": {"extra": SCHEDULED}, "other": {"extra": SCHEDULED}, "own": {"extra": ON}, "off": {"extra": PLACE}}
    with sites(mpm, specs) as made:
        for site in made.values():
            furnish(site)
        yield made


@pytest.fixture
def site(all_sites):
    return all_sites["usual"]


def said(answer):
    return answer.status, answer.body


# Our own meetings

@pytest.fixture(scope="module")
def own(all_sites):
    """A live meeting of ours with its chat."""
    site = all_sites["own"]
    room = site.room()
    meeting = site.start("With chat", room)
    discussion, = wait_until(lambda: site.chat.discussions(room), SOON, "the discussion")
    wait_until(lambda: site.api.read(meeting["id"])["discussion"], SOON, "the discussion in the meeting")
    one_leg(site.node(), meeting["id"], "Anna")
    return site, meeting, discussion


def test_a_live_meeting_has_the_address_of_its_chat(own):
    site, meeting, discussion = own
    answer = ask(site, meeting["id"])
    assert answer.status == 200 and answer.json() == {"url": url_of(site, discussion)}
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store" and answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("form", ["{id}@meet.example.com", "sip:{id}@10.0.0.1:5060", "{number}", "sip:{number}@meet.example.com;transport=tls",
                                  "h323:{number}@10.0.0.1", "+{number}", " {id} "])
def test_every_form_of_the_alias_leads_there(own, form):
    site, meeting, discussion = own
    answer = ask(site, form.format(id=meeting["id"], number=meeting["numeric_alias"]))
    assert answer.json() == {"url": url_of(site, discussion)}


def test_a_number_at_a_foreign_domain_does_not(own):
    site, meeting, _ = own
    assert said(ask(site, f"{meeting['numeric_alias']}@elsewhere.example")) == NOTHING


def test_only_a_meeting_that_is_live_has_one(all_sites):
    site = all_sites["own"]
    room = site.room()
    meeting = site.start("Not yet", room)
    wait_until(lambda: site.api.read(meeting["id"])["discussion"], SOON, "the discussion in the meeting")
    assert said(ask(site, meeting["id"])) == NOTHING
    node = site.node()
    anna = one_leg(node, meeting["id"], "Anna")
    assert ask(site, meeting["id"]).status == 200
    site.api.delete(meeting["id"])
    assert ask(site, meeting["id"]).status == 200       # she is still in it
    anna.leave()
    assert said(ask(site, meeting["id"])) == NOTHING
    node.conference_ended(meeting["id"])
    site.becomes(meeting, "ended")
    assert said(ask(site, meeting["id"])) == NOTHING


def test_where_chats_are_off_there_is_none(all_sites):
    site = all_sites["off"]
    meeting = site.start("Without", site.room())
    one_leg(site.node(), meeting["id"], "Anna")
    assert said(ask(site, meeting["id"])) == NOTHING
    conference = Conference(site)
    conference.enter()
    assert said(ask(site, conference.alias)) == NOTHING


# Who may ask

def test_the_plugins_page_may_read_it(own):
    site, meeting, _ = own
    answer = ask(site, meeting["id"], Origin=BASE, Sec_Fetch_Site="same-site")
    assert answer.status == 200 and answer.headers["Access-Control-Allow-Origin"] == BASE
    assert answer.headers["Access-Control-Expose-Headers"] == "Retry-After"
    assert "Origin" in answer.headers["Vary"]
    unknown = ask(site, "nobody", Origin=BASE)
    assert said(unknown) == NOTHING and unknown.headers["Access-Control-Allow-Origin"] == BASE
    assert ask(site, meeting["id"], Sec_Fetch_Site="same-origin").status == 200
    assert "Access-Control-Allow-Origin" not in ask(site, meeting["id"]).headers


@pytest.mark.parametrize("headers", [
    {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": ""}, {"Origin": "*"}, {"Origin": BASE + ".evil.example"}, {"Origin": BASE + ":8443"},
    {"Origin": BASE.replace("https", "http")}, {"Origin": "https://own.example.com"}, {"Origin": f"{BASE}, https://evil.example"},
    {"Origin": "https://evil.example", "Sec_Fetch_Site": "same-origin"}, {"Sec_Fetch_Site": "cross-site"}, {"Sec_Fetch_Site": "same-site"}],
    ids=lambda headers: ",".join(headers.values()))
def test_other_sites_may_not(own, headers):
    site, meeting, _ = own
    answer = ask(site, meeting["id"], **headers)
    assert answer.status == 403 and b"url" not in answer.body
    assert "Access-Control-Allow-Origin" not in answer.headers and "Origin" in answer.headers["Vary"]


def test_a_browser_may_ask_before(own):
    site, meeting, _ = own
    path = f"{PREFIX}/chat?alias={meeting['id']}"
    answer = site.request("OPTIONS", path, headers={"Origin": BASE, "Access-Control-Request-Method": "GET"})
    assert answer.status == 204 and answer.headers["Access-Control-Allow-Origin"] == BASE and answer.headers["Access-Control-Allow-Methods"] == "GET"
    answer = site.request("OPTIONS", path, headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"})
    assert answer.status == 403 and "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_it_is_only_read(own, method):
    site, meeting, _ = own
    answer = site.request(method, f"{PREFIX}/chat?alias={meeting['id']}")
    assert answer.status == 405 and "GET" in answer.headers["Allow"]


@pytest.mark.parametrize("query", ["", "?alias=", "?alias=%00", "?alias=%zz", "?alias=%ff%fe", "?alias=%20", "?alias=a%0ab", "?alias=@", "?alias=sip:", "?alias=@@@",
                                   "?alias=" + "9" * 65, "?alias=" + "%41" * 1000, "?alias=" + "a" * 7000, "?other=1", "?alias=..%2f..", "?alias='%20OR%201=1", "?alias=chat-x"], ids=lambda query: query[:24])
def test_rubbish_is_no_alias(site, query):
    assert said(site.request("GET", f"{PREFIX}/chat{query}")) == NOTHING


@pytest.mark.once
def test_enormous_ones_are_httpds_business(site):
    site.httpd.expect("AH00135|request failed")
    assert site.request("GET", f"{PREFIX}/chat?alias={'a' * 100_000}").status in (400, 414)
    assert said(site.request("GET", f"{PREFIX}/chat/x?alias=abc")) == NOTHING


# Meetings that Outlook made

def test_a_conference_that_is_not_ours_gets_a_chat_when_somebody_asks(site):
    conference = Conference(site)
    assert said(ask(site, conference.alias)) == NOTHING
    conference.enter()
    stays(lambda: not made_for(site, conference.alias), 0.3, "no discussion before anybody asks")
    answer = ask(site, conference.alias)
    discussion, = made_for(site, conference.alias)
    assert answer.status == 200 and answer.json() == {"url": url_of(site, discussion)}
    assert discussion.shown == f"Meeting {conference.alias}" and discussion.members == [site.chat.bot]
    assert ask(site, conference.alias).json() == answer.json() and len(made_for(site, conference.alias)) == 1


@pytest.mark.parametrize("dialled, asked, elsewhere", [
    ("sip:{0}@meet.example.com", ["{0}", "{0}@meet.example.com", "SIP:{0}@MEET.example.com;transport=tls", "{0}@10.1.2.3:1720", "{0}@other.example"], []),
    ("{0}", ["{0}", "+{0}", "{0}@192.0.2.1", "sip:{0}@meet.example.com", "h323:{0}"], ["{0}0", "0{0}", "x{0}"]),
    ("anna.{0}@example.com", ["Anna.{0}@Example.com", "anna.{0}"], ["{0}", "anna{0}@example.com"])])
def test_it_is_found_by_what_was_dialled(site, dialled, asked, elsewhere):
    conference = Conference(site)
    conference.enter(dialled.format(conference.alias))
    answers = [ask(site, form.format(conference.alias)) for form in asked]
    assert {each.status for each in answers} == {200} and len({each.body for each in answers}) == 1
    assert len(made_for(site, conference.alias)) == 1
    for form in elsewhere:
        assert said(ask(site, form.format(conference.alias))) == NOTHING


def test_all_aliases_of_a_conference_share_its_chat(site):
    conference = Conference(site)
    conference.enter()
    conference.enter(f"anna.{conference.alias}@example.com")
    first = ask(site, conference.alias)
    assert first.status == 200 and ask(site, f"anna.{conference.alias}@example.com").body == first.body
    assert len(made_for(site, conference.alias)) == 1


def test_what_leads_to_two_conferences_leads_nowhere(site):
    one, two = Conference(site), Conference(site)
    one.enter()
    two.enter(one.alias)
    assert said(ask(site, one.alias)) == NOTHING
    two.end()
    assert ask(site, one.alias).status == 200


@pytest.mark.parametrize("fields", [{"call_direction": "out"}, {"call_direction": "outbound"}, {"service_type": "gateway"}, {"service_type": "two_stage_dialing"},
                                    {"service_type": "test_call"}, {"service_type": "connecting"}, {"service_type": "waiting_room"}, {"is_streaming": True},
                                    {"destination_alias": None}, {"destination_alias": 7}, {"destination_alias": "x" * 300}], ids=lambda fields: str(fields)[:32])
def test_who_is_not_in_it_by_that_alias_is_no_sign(site, fields):
    conference = Conference(site)
    leg = Leg(conference.node, conference.name, "Anna", **{"destination_alias": conference.alias, "service_tag": "", **fields})
    leg.connected()
    leg.disconnected()
    assert said(ask(site, conference.alias)) == NOTHING and not made_for(site, conference.alias)


def test_it_is_over_when_no_node_hosts_the_conference(site):
    conference = Conference(site)
    conference.enter()
    other = Conference(site, conference.alias)
    other.name = conference.name
    other.enter()
    found = ask(site, conference.alias)
    assert found.status == 200
    late = conference.enter(uuid="late").updated(send=False)
    conference.end()
    assert ask(site, conference.alias).status == 200
    other.node.conference_ended(other.name + "_breakout_1234", tag="")
    assert ask(site, conference.alias).status == 200
    other.end()
    assert said(ask(site, conference.alias)) == NOTHING
    conference.node.send(late)
    assert said(ask(site, conference.alias)) == NOTHING
    conference.enter()      # they come back
    assert ask(site, conference.alias).body == found.body and len(made_for(site, conference.alias)) == 1


def test_a_conference_with_a_long_name_has_one_too(site):
    conference = Conference(site)
    conference.name = "Ö" * 240 + str(Conference.number)
    conference.enter()
    assert ask(site, conference.alias).status == 200


def test_a_weekly_meeting_finds_the_chat_of_last_week(site):
    conference = Conference(site)
    foreign = site.chat.add_discussion(site.scheduled, f"Meeting {conference.alias}", [site.nina], owner=site.nina)
    last_week = site.chat.add_discussion(site.scheduled, f"Meeting {conference.alias}", [site.chat.bot], owner=site.chat.bot)
    for number in range(120):
        site.chat.add_discussion(site.scheduled, f"Another {number}", [site.chat.bot], owner=site.chat.bot)
    conference.enter()
    assert ask(site, conference.alias).json() == {"url": url_of(site, last_week)}
    assert set(made_for(site, conference.alias)) == {foreign, last_week}


def test_long_messages_in_other_chats_are_not_in_the_way(make_sites):
    """The list of discussions has the last message of each."""
    site = make_sites({"wordy": {"extra": SCHEDULED}})["wordy"]
    furnish(site)
    for number in range(50):
        other = site.chat.add_discussion(site.scheduled, f"Other {number}", [site.nina, site.chat.bot])
        site.chat.store(other, site.nina, "w" * 5000)
    conference = Conference(site)
    conference.enter()
    assert wait_until(lambda: ask(site, conference.alias).status == 200, AFTER_RETRY, "the chat")
    assert len(made_for(site, conference.alias)) == 1


def test_nothing_of_it_is_a_meeting(site):
    conference = Conference(site)
    conference.enter()
    numbers = {name: value for name, value in site.status().json().items() if name in ("open", "live", "ended")}
    assert ask(site, conference.alias).status == 200
    assert {name: site.status().json()[name] for name in numbers} == numbers
    assert site.api.list(room=ROOM)["meetings"] == [] and all(each["room"]["id"] != ROOM for each in site.api.list()["meetings"])
    policy = conference.node.policy(conference.alias)
    assert policy.status == 404
    done = site.request("GET", f"{PREFIX}/api/v1/deliveries?state=done", auth=ADMIN).json()["deliveries"]
    record = next(each["meeting"] for each in done if each["meeting"].startswith("chat-"))
    assert said(conference.node.policy(record)) == said(policy)
    assert said(ask(site, record)) == NOTHING


def test_workspaces_know_nothing_of_each_other(all_sites):
    site, other = all_sites["usual"], all_sites["other"]
    conference = Conference(site)
    conference.enter()
    assert said(ask(other, conference.alias)) == NOTHING and ask(site, conference.alias).status == 200
    assert said(ask(other, conference.alias)) == NOTHING and not made_for(other, conference.alias)


@pytest.mark.parametrize("alias", ["*bold*_x_`y`", "@all", "<b>x</b>", "größe", "a/b?c", "%41%42", "\u202egnp.exe"])
def test_an_alias_is_only_a_text_in_the_name(site, alias):
    conference = Conference(site, f"{alias}{time.time_ns() % 10**6}")
    before = set(site.chat.discussions(site.scheduled))
    conference.enter()
    assert ask(site, conference.alias).status in (200, 404)
    made = set(site.chat.discussions(site.scheduled)) - before
    assert all(not re.search(r"[\u202a-\u202e]|(^|\s)@\w", each.shown) for each in made)
    conference.end()


def test_many_first_uses_at_once_make_one_chat(site):
    conference = Conference(site)
    conference.enter()
    with ThreadPoolExecutor(12) as crowd:
        answers = list(crowd.map(lambda _: ask(site, conference.alias), range(24)))
    assert {each.status for each in answers} <= {200, 503}
    assert all(each.headers["Retry-After"] for each in answers if each.status == 503)
    assert wait_until(lambda: ask(site, conference.alias).status == 200, SOON, "the chat")
    assert len(made_for(site, conference.alias)) == 1


def test_guesses_make_nothing(site):
    conference = Conference(site)
    conference.enter()
    calls = len(site.chat.calls)
    before = set(site.chat.discussions())
    assert {said(ask(site, str(70_000_000 + number))) for number in range(300)} == {NOTHING}
    assert len(site.chat.calls) == calls and set(site.chat.discussions()) == before


# When something is wrong

@pytest.mark.once
@pytest.mark.parametrize("kind", ["lost", "hang", "500", "garbage"])
def test_it_is_made_once_whatever_happens(make_sites, kind):
    site = make_sites({"troubled": {"extra": SCHEDULED}})["troubled"]
    furnish(site)
    site.httpd.expect(TROUBLE)
    fault = site.chat.fault("rooms.createDiscussion", kind, times=1, stored=True)
    conference = Conference(site)
    conference.enter()
    began = time.monotonic()
    with ThreadPoolExecutor(10) as crowd:
        waiting = [crowd.submit(ask, site, conference.alias) for _ in range(10)]
        wait_until(lambda: fault.hits, SOON, "the fault")
        for _ in range(20):
            asked = time.monotonic()
            assert conference.node.policy("nobody").status == 404 and time.monotonic() - asked < PATIENCE
    assert {each.result().status for each in waiting} <= {200, 503} and time.monotonic() - began < 5 + 3 * PATIENCE
    wait_until(lambda: ask(site, conference.alias).status == 200, AFTER_RETRY, "the chat")
    assert fault.hits and len(made_for(site, conference.alias)) == 1


@pytest.mark.once
def test_a_rocket_chat_that_refuses_is_asked_again_only_later(make_sites):
    site = make_sites({"forbidden": {"extra": SCHEDULED}})["forbidden"]
    site.httpd.expect(TROUBLE)      # there is no such room
    conference = Conference(site)
    conference.enter()
    assert said(ask(site, conference.alias)) == NOTHING
    calls = len(site.chat.calls)
    assert said(ask(site, conference.alias)) == NOTHING and len(site.chat.calls) == calls
    failed = [each for each in site.deliveries()["deliveries"] if each["meeting"].startswith("chat-")]
    assert len(failed) == 1
    furnish(site)
    retried = site.api.call("POST", f"/deliveries/{failed[0]['meeting']}", {"action": "retry"})
    assert retried.status == 204, retried.text
    assert ask(site, conference.alias).status == 200


@pytest.mark.once
def test_it_is_kept_over_kills_and_restarts(make_sites):
    site = make_sites({"killed": {"extra": SCHEDULED}})["killed"]
    furnish(site)
    conference = Conference(site)
    conference.enter()
    found = ask(site, conference.alias)
    assert found.status == 200
    site.httpd.graceful()
    assert ask(site, conference.alias).body == found.body
    site.httpd.stop()
    site.httpd.start()
    assert ask(site, conference.alias).body == found.body
    assert len(made_for(site, conference.alias)) == 1


@pytest.mark.once
def test_who_dies_while_it_is_made_makes_no_second_one(make_sites):
    site = make_sites({"dying": {"extra": SCHEDULED}})["dying"]
    furnish(site)
    site.httpd.expect(TROUBLE, "Unclean shutdown")
    fault = site.chat.fault("rooms.createDiscussion", "hang", times=1, stored=True)
    conference = Conference(site)
    conference.enter()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(ask, site, conference.alias)
        wait_until(lambda: fault.hits, SOON, "the request for the discussion")
        site.httpd.kill9_all()
    site.httpd.start()
    assert wait_until(lambda: ask(site, conference.alias).status == 200, AFTER_RETRY, "the chat")
    assert len(made_for(site, conference.alias)) == 1
