"""What the settings make of the policy answer: PINs, theme, layout, service options, breakouts, unknown aliases, reloads."""

import uuid

import pytest
from conftest import ADDRESSES, Servers, bury
from httpd import PATIENCE, free_ports
from meetings import Api
from pexip import Node, one_leg
from test_policy import is_miss, is_reject, is_service
from waiting import wait_until
from workspace import workspace

pytestmark = pytest.mark.any_mpm

OPTIONS = {
    "enable_chat no": "no", "enable_chat default": "default", "guests_can_present false": False, "mute_all_guests true": True,
    "participant_limit 50": 50, "max_callrate_in 1024000": 1024000, "max_callrate_out 8192000": 8192000,
    "max_pixels_per_second hd": "hd", "crypto_mode besteffort": "besteffort", "prefer_ipv6 yes": "yes",
    "bypass_proxy true": True, "host_identity_provider_group Staff": "Staff", "guest_identity_provider_group \"The guests\"": "The guests",
    "non_idp_participants allow_if_trusted": "allow_if_trusted", "primary_owner_email_address nina@example.com": "nina@example.com",
    "denoise_enabled true": True, "softmute_enabled false": False, "live_captions_enabled yes": "yes",
    "live_captions_language en": "en", "source_language en": "en", "pinning_config stage": "stage",
    "enable_active_speaker_indication true": True, "direct_media_notification_duration 10": 10,
    "enable_overlay_text false": False, "service_tag board": "board",
}

VARIANTS = {
    "plain": "",
    "random4": "PexipRCPins random 4",
    "random20": "PexipRCPins random 20",
    "random": "PexipRCPins random",
    "nopins": "PexipRCPins none\nPexipRCLocked On",
    "file": "PexipRCPins file conf/pins",
    "filehash": "PexipRCPins file conf/pins.hash",
    "filehost": "PexipRCPins file conf/pins.host",
    "fileguest": "PexipRCPins file conf/pins.guest",
    "notheme": "PexipRCTheme none",
    "theme": 'PexipRCTheme "Our theme"',
    "layout": "PexipRCLayout five_mains_seven_pips",
    "unlocked": "PexipRCLocked Off",
    "options": "\n".join(f"PexipRCServiceOption {option}" for option in OPTIONS if option != "enable_chat default"),
    "direct": "PexipRCServiceOption direct_media best_effort\nPexipRCServiceOption enable_chat default",
    "breakouts": "PexipRCServiceOption breakout_rooms true",
    "unknown": "PexipRCUnknownAlias reject ^(spam|[0-9]+$)",
    "anywhere": "PexipRCNumericAlias 88 8",
}

PIN_FILES = {"conf/pins": "004829\n607254\n", "conf/pins.hash": "4829#\n6072#\n", "conf/pins.host": "00482913\n-\n",
             "conf/pins.guest": "-\n004829135\n"}


class Site:
    """One workspace of the server: its API and a node of its own."""

    def __init__(self, server, port):
        self.api = Api(server, port=port)
        self.node = Node(next(ADDRESSES), server, port=port)
        self.node.started()

    def result(self, **members):
        meeting = self.api.create(**members)
        answer = self.node.policy(meeting["id"])
        assert is_service(answer, meeting["id"])
        return meeting, answer.json()["result"]


@pytest.fixture(scope="module")
def sites(mpm):
    ports = free_ports(len(VARIANTS))
    servers = Servers(mpm)
    hosts = "".join(f"<VirtualHost 127.0.0.1:{port}>\n{workspace(site=f'https://{name}.example.com', extra=extra)}\n</VirtualHost>\n"
                    for port, (name, extra) in zip(ports, VARIANTS.items()))
    try:
        server = servers(hosts, start=False, ports=ports)
        for name, text in PIN_FILES.items():
            server.write(name, text, 0o600)
        server.start()
        yield {name: Site(server, port) for port, name in zip(ports, VARIANTS)}
    finally:
        bury(servers)


# PINs

@pytest.mark.parametrize("variant, length", [("plain", 6), ("random", 6), ("random4", 4), ("random20", 20)])
def test_random_pins_have_the_length_and_differ(sites, variant, length):
    for _ in range(5):
        meeting, result = sites[variant].result()
        host, guest = result["pin"], result["guest_pin"]
        assert (host, guest) == (meeting["pins"]["host"], meeting["pins"]["guest"])
        assert host.isascii() and host.isdigit() and guest.isascii() and guest.isdigit()
        assert (len(host), len(guest)) == (length, length)
        assert host != guest


def test_random_pins_are_new_for_each_meeting(sites):
    assert len({sites["random20"].result()[1]["pin"] for _ in range(10)}) == 10


def test_without_pins_there_are_no_pin_keys_no_guests_and_no_lock(sites):
    _, result = sites["nopins"].result()
    assert "pin" not in result and "guest_pin" not in result
    assert (result["allow_guests"], result["locked"]) == (False, False)


@pytest.mark.parametrize("variant, host, guest", [("file", "004829", "607254"), ("filehash", "4829#", "6072#")])
def test_pins_of_a_file_are_given_as_they_stand_there(sites, variant, host, guest):
    _, result = sites[variant].result()
    assert (result["pin"], result["guest_pin"], result["allow_guests"]) == (host, guest, True)


@pytest.mark.parametrize("variant, given, drawn, value", [("filehost", "pin", "guest_pin", "00482913"),
                                                          ("fileguest", "guest_pin", "pin", "004829135")])
def test_a_dash_in_the_file_draws_a_pin_that_fits_the_other(sites, variant, given, drawn, value):
    results = [sites[variant].result()[1] for _ in range(5)]
    assert {result[given] for result in results} == {value}
    for result in results:
        assert result[drawn].isdigit() and len(result[drawn]) == len(value) and result[drawn] != value
    assert len({result[drawn] for result in results}) > 1


# Other settings

def test_theme_none_leaves_the_key_out(sites):
    assert "ivr_theme_name" not in sites["notheme"].result()[1]


@pytest.mark.parametrize("variant, key, value", [
    ("theme", "ivr_theme_name", "Our theme"), ("layout", "view", "five_mains_seven_pips"), ("unlocked", "locked", False)])
def test_settings_appear_in_the_answer(sites, variant, key, value):
    result = sites[variant].result()[1]
    assert result[key] == value and type(result[key]) is type(value)


@pytest.mark.parametrize("option", [option for option in OPTIONS if option != "enable_chat default"])
def test_service_options_appear_with_the_right_json_type(sites, option):
    name, value = option.split()[0], OPTIONS[option]
    result = sites["options"].result()[1]
    assert result[name] == value and type(result[name]) is type(value)


def test_service_options_do_not_disturb_the_rest(sites):
    meeting, result = sites["options"].result()
    assert (result["service_type"], result["name"], result["pin"]) == ("conference", meeting["id"], meeting["pins"]["host"])
    assert sites["direct"].result()[1]["direct_media"] == "best_effort"


def test_numbers_answer_at_any_domain_where_none_is_configured(sites):
    meeting, _ = sites["anywhere"].result()
    number = meeting["numeric_alias"]
    assert isinstance(number, str) and number.startswith("88") and len(number) == 10 and number.isdigit()
    for alias in (number, f"+{number}", f"sip:{number}@wherever.example.org", f"{number}@192.0.2.7"):
        assert is_service(sites["anywhere"].node.policy(alias), meeting["id"])


# Aliases that are refused

@pytest.mark.parametrize("alias", ["spam", "spammer", "100", "972595000000"])
def test_unknown_aliases_that_match_are_rejected(sites, alias):
    assert is_reject(sites["unknown"].node.policy(alias))


@pytest.mark.parametrize("alias", ["nospam", "a.vmr.of.ours", "", None, "12x"])
def test_unknown_aliases_that_do_not_match_are_left_to_infinity(sites, alias):
    assert is_miss(sites["unknown"].node.policy(alias))


def test_a_meeting_whose_id_matches_is_answered_all_the_same(sites):
    for meeting_id in ("spamCommittee", "1234567890"):
        sites["unknown"].api.create(id=meeting_id)
        assert is_service(sites["unknown"].node.policy(meeting_id), meeting_id)


# Breakout rooms

def breakout(site, meeting_id, number, **parameters):
    return site.node.policy(**{"alias": meeting_id, "breakout_uuid": number, "service_name": f"{meeting_id}_breakout_{number}",
                               "unique_service_name": f"{meeting_id}_breakout_{number}", **parameters})


@pytest.fixture
def live(request, sites):
    site = sites[request.param]
    meeting = site.api.create(title="With rooms")
    site.node.conference_started(meeting["id"])
    one_leg(site.node, meeting["id"], "Nina", role="chair")
    assert site.api.read(meeting["id"])["state"] == "live"
    return site, meeting["id"]


@pytest.mark.parametrize("live", ["breakouts"], indirect=True)
@pytest.mark.parametrize("alias", ["{id}", "sip:{id}@meet.example.com"])
def test_a_breakout_of_a_live_meeting_is_described(live, alias):
    site, meeting_id = live
    number = str(uuid.uuid4())
    answer = breakout(site, meeting_id, number, alias=alias.format(id=meeting_id))
    assert is_service(answer, meeting_id)
    result = answer.json()["result"]
    assert result["service_type"] == "conference" and result["service_tag"]
    assert (result["breakout"], result["breakout_rooms"], result["breakout_uuid"]) == (True, False, number)
    assert isinstance(result["breakout_name"], str) and result["breakout_name"]
    assert result.get("end_action", "transfer") in ("transfer", "disconnect")
    assert type(result.get("end_time", 0)) is int
    assert breakout(site, meeting_id, number, alias=alias.format(id=meeting_id)).body == answer.body


@pytest.mark.parametrize("live", ["breakouts"], indirect=True)
@pytest.mark.parametrize("number", ["x", "%00", "a" * 3000, '"}', "\x01", "<b>", "../.."], ids=lambda number: repr(number[:10]))
def test_a_breakout_with_a_bad_uuid_breaks_nothing(live, number):
    site, meeting_id = live
    answer = breakout(site, meeting_id, number, unique_service_name=meeting_id)     # two long ones would not fit a request line
    assert answer.status in (200, 404)
    result = answer.json()["result"]
    assert result == {} or result["breakout_uuid"] == number and result["breakout"] is True


@pytest.mark.parametrize("live", ["breakouts"], indirect=True)
def test_breakouts_of_other_meetings_are_not_ours(live):
    site, meeting_id = live
    number = str(uuid.uuid4())
    assert is_miss(breakout(site, "Unknown4Breakout", number))


@pytest.mark.parametrize("live", ["breakouts"], indirect=True)
def test_the_main_room_says_that_it_may_have_breakouts(live):
    site, meeting_id = live
    result = site.node.policy(meeting_id).json()["result"]
    assert result["breakout_rooms"] is True and "breakout" not in result


def test_a_breakout_of_a_meeting_that_is_not_live_is_not_ours(sites):
    meeting = sites["breakouts"].api.create()
    assert is_miss(breakout(sites["breakouts"], meeting["id"], str(uuid.uuid4())))


@pytest.mark.parametrize("live", ["breakouts"], indirect=True)
def test_a_breakout_is_described_until_the_meeting_has_ended(live):
    """By the name of its service alone, for who is called from it too; and no PIN is asked for twice."""
    site, meeting_id = live
    number = str(uuid.uuid4())
    before = breakout(site, meeting_id, number)
    assert not {"pin", "guest_pin", "allow_guests", "locked"} & before.json()["result"].keys()
    site.api.delete(meeting_id)
    assert is_reject(site.node.policy(meeting_id))
    assert breakout(site, meeting_id, number).body == before.body
    assert site.node.dial_out(f"{meeting_id}_breakout_{number}").body == before.body
    site.node.conference_ended(meeting_id)
    wait_until(lambda: site.api.read(meeting_id)["state"] == "ended", 20 * PATIENCE, "the end")
    assert is_reject(breakout(site, meeting_id, number))
    assert is_reject(site.node.dial_out(f"{meeting_id}_breakout_{number}"))


@pytest.mark.parametrize("live", ["plain"], indirect=True)
def test_a_breakout_without_the_option_is_not_ours(live):
    site, meeting_id = live
    assert is_miss(breakout(site, meeting_id, str(uuid.uuid4())))


# Reloads

OTHER = """PexipRCTheme none
PexipRCLayout nine_mains_zero_pips
PexipRCPins none
PexipRCServiceOption service_tag other
PexipRCServiceOption enable_overlay_text false
"""


def test_a_reload_changes_the_answers_of_new_meetings_only(make_httpd):
    server = make_httpd(workspace(extra="PexipRCServiceOption enable_chat no"))
    site = Site(server, server.port)
    old = site.api.create(title="Before")
    before = site.node.policy(old["id"]).body
    server.configure(workspace(extra=OTHER, base="https://other.example.com"))
    server.graceful()
    assert site.node.policy(old["id"]).body == before
    assert site.api.read(old["id"])["pins"] == old["pins"]
    _, result = site.result(title="After")
    assert (result["view"], result["service_tag"], result["enable_overlay_text"]) == ("nine_mains_zero_pips", "other", False)
    assert not {"ivr_theme_name", "pin", "guest_pin", "enable_chat"} & result.keys()
    server.configure(workspace())
    server.graceful()
    assert site.node.policy(old["id"]).body == before
