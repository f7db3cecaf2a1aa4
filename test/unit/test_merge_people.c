#include "keep_helpers.h"

/* What two machines know of the same hosting or the same call, put together: each thing by when it
 * was said. */

#define N1 "10.0.0.1"
#define N2 "10.0.0.2"
#define ID "Weekly42"
#define AT(seconds) (T0 + (seconds)*PXR_SECOND)

static machine_t m;
static db_t *db;

static int set_up(void **state)
{
    (void)state;
    db = db_open();
    machine_open(&m, 1, 10, 20, PXR_KEEP_SHARED);
    make_known(db, &m, ID, NULL, AT(0));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    machine_close(&m);
    db_close(db);
    return 0;
}

static void tell(pxr_event_t event)
{
    assert_int_equal(deliver_ours(&m.w, &event, event.time), PXR_OK);
    assert_sound(&m.w);
}

static void tell_leg(const char *node, const char *uuid, uint64_t seq, int seconds)
{
    tell(leg_event(PXR_EVENT_CONNECTED, node, ID, uuid, seq, AT(seconds)));
}

static void merge_share(const pxr_share_record_t *in)
{
    assert_int_equal(pxr_store_merge_share(&m.w.store, in, AT(100)), PXR_OK);
    assert_sound(&m.w);
}

static pxr_status_t merge_leg(const pxr_leg_record_t *in)
{
    pxr_status_t status = pxr_store_merge_leg(&m.w.store, in, AT(100));

    assert_sound(&m.w);
    return status;
}

static pxr_share_record_t *share_row(const char *node)
{
    for (size_t i = 0; i < db->share_count; i++) {
        if (strcmp(db->shares[i].record.share.node, node) == 0 &&
            db->shares[i].record.share.scope == 0) {
            return &db->shares[i].record;
        }
    }
    fail_msg("%s hosts nothing", node);
    return NULL;
}

static pxr_leg_record_t *leg_row(const char *uuid)
{
    for (size_t i = 0; i < db->leg_count; i++) {
        if (strcmp(db->legs[i].record.leg.uuid, uuid) == 0) {
            return &db->legs[i].record;
        }
    }
    fail_msg("nobody is %s", uuid);
    return NULL;
}

static pxr_share_t share_here(const char *node)
{
    pxr_view_t view = view_of(&m.w, find_meeting(&m.w, ID));
    pxr_share_t share = {.last_at = 0};

    for (size_t i = 0; i < view.node_count; i++) {
        const pxr_share_t *each = &view.nodes[i];
        share = strcmp(each->node, node) == 0 && each->scope == 0 ? *each : share;
    }
    pxr_view_release(&view);
    return share;
}

static bool is_in(const char *uuid)
{
    pxr_view_t view = view_of(&m.w, find_meeting(&m.w, ID));
    bool found = false;

    for (size_t i = 0; i < view.people_count; i++) {
        found = found || strcmp(view.people[i].id, uuid) == 0;
    }
    pxr_view_release(&view);
    return found;
}

/* In places of which nothing else is said: another room of N1, another node, and a time that nobody
 * told. */
static void tell_elsewhere(uint64_t seq)
{
    pxr_event_t event = leg_event(PXR_EVENT_CONNECTED, N1, ID "_breakout_x", "room", seq, AT(10));

    tell(event);
    tell_leg(N2, "node", 1, 10);
    event = leg_event(PXR_EVENT_CONNECTED, N1, ID, "timeless", seq + 1, 0);
    assert_int_equal(deliver_ours(&m.w, &event, AT(10)), PXR_OK);
}

static void assert_elsewhere(void)
{
    assert_true(is_in("room"));
    assert_true(is_in("node"));
    assert_true(is_in("timeless"));
}

/* The node was restarted. When it began before was heard by one machine, or by none. */
static void a_new_hosting_takes_those_from_before_it(void **state)
{
    (void)state;
    for (int known = 0; known < 2; known++) {
        pxr_share_record_t in;
        set_up(NULL);
        if (known) {
            pxr_event_t began = conference_event(PXR_EVENT_CONFERENCE_STARTED, N1, ID, 1, AT(1));
            began.start_time = AT(1);
            tell(began);
        }
        tell_leg(N1, "before", 2, 10);
        tell_leg(N1, "meanwhile", 3, 19);
        tell_elsewhere(4);
        sync_machine(db, &m, AT(20));
        in = *share_row(N1);
        in.share.start_time = AT(20);
        in.share.order.seq = 6;
        in.share.order.time = AT(20);
        merge_share(&in);
        assert_false(is_in("before"));
        /* What a node says of people and of itself is not said at once. */
        assert_true(is_in("meanwhile"));
        assert_elsewhere();
        assert_int_equal(share_here(N1).start_time, AT(20));
        tear_down(NULL);
    }
}

/* The same words again, or an older beginning. */
static void a_hosting_that_is_known_takes_nobody(void **state)
{
    pxr_event_t began = conference_event(PXR_EVENT_CONFERENCE_STARTED, N1, ID, 1, AT(50));
    pxr_share_record_t in;

    (void)state;
    began.start_time = AT(50);
    tell(began);
    tell_leg(N1, "anna", 2, 51);
    sync_machine(db, &m, AT(60));
    in = *share_row(N1);
    merge_share(&in);
    assert_true(is_in("anna"));
    in.share.start_time = AT(30);
    merge_share(&in);
    assert_true(is_in("anna"));
    assert_int_equal(share_here(N1).start_time, AT(50));
}

/* An end that another machine has heard is that of those who came before it. */
static void an_end_takes_those_from_before_it(void **state)
{
    pxr_share_record_t in;

    (void)state;
    tell_leg(N1, "before", 1, 10);
    tell_elsewhere(2);
    sync_machine(db, &m, AT(20));
    tell_leg(N1, "after", 6, 40);
    in = *share_row(N1);
    in.share.open = 0;
    in.share.end_time = AT(30);
    in.share.order.time = AT(30);
    /* Somebody else's word about the node has no place in the order of what the node says. */
    in.share.order.source++;
    merge_share(&in);
    assert_true(is_in("before"));
    in.share.order.source--;
    in.share.order.seq = 2;
    merge_share(&in);
    assert_false(is_in("before"));
    assert_true(is_in("after"));
    assert_elsewhere();
    assert_true(share_here(N1).open);
    in.share.order.seq = 7;
    in.share.order.time = AT(50);
    in.share.end_time = AT(50);
    merge_share(&in);
    assert_false(is_in("after"));
    assert_false(is_in("timeless"));
    assert_true(is_in("room"));
    assert_true(is_in("node"));
    assert_false(share_here(N1).open);
    /* Somebody came to it again; when it began this time is not known. */
    in.share.open = 1;
    in.share.start_time = AT(5);
    in.share.order.seq = 8;
    in.share.order.time = AT(60);
    merge_share(&in);
    assert_true(share_here(N1).open);
    assert_int_equal(share_here(N1).start_time, 0);
}

/* That it was there makes nothing live, but what comes late from before its end is known as such.
 */
static void a_hosting_that_is_over_is_remembered(void **state)
{
    machine_t other;
    pxr_event_t end = conference_event(PXR_EVENT_CONFERENCE_ENDED, N1, ID, 3, AT(30));
    pxr_view_t view;

    (void)state;
    machine_open(&other, 2, 10, 20, PXR_KEEP_SHARED);
    sync_machine(db, &other, AT(1));
    assert_int_equal(deliver_ours(&other.w, &end, AT(30)), PXR_OK);
    sync_machine(db, &other, AT(31));
    merge_share(share_row(N1));
    view = view_of(&m.w, find_meeting(&m.w, ID));
    assert_int_equal(view.life.state, PXR_MEETING_OPEN);
    assert_int_equal(view.life.last_end, 0);
    pxr_view_release(&view);
    tell_leg(N1, "late", 2, 20);
    assert_false(is_in("late"));
    tell_leg(N1, "next", 4, 40);
    assert_true(is_in("next"));
    machine_close(&other);
}

/* Even where all else that the other one has heard is older. */
static void when_a_node_began_and_spoke_last_counts(void **state)
{
    pxr_share_record_t in;

    (void)state;
    tell_leg(N1, "anna", 1, 10);
    sync_machine(db, &m, AT(20));
    tell_leg(N1, "boris", 2, 15);
    in = *share_row(N1);
    in.share.last_at = AT(60);
    merge_share(&in);
    assert_int_equal(share_here(N1).last_at, AT(60));
    in.share.last_at = AT(59);
    in.share.start_time = AT(9);
    merge_share(&in);
    assert_int_equal(share_here(N1).last_at, AT(60));
    assert_int_equal(share_here(N1).start_time, AT(9));
    in.share.start_time = AT(8);
    merge_share(&in);
    assert_int_equal(share_here(N1).start_time, AT(9));
    assert_true(is_in("anna"));
}

/* What was hosted before the meeting was opened again is over. */
static void a_hosting_of_a_former_era_is_not_taken_in(void **state)
{
    pxr_share_record_t in;

    (void)state;
    db_find(db, ID)->record.life.era = 1;
    assert_int_equal(pxr_store_merge_meeting(&m.w.store, &db_find(db, ID)->record, AT(1)), PXR_OK);
    tell_leg(N1, "anna", 1, 10);
    sync_machine(db, &m, AT(20));
    in = *share_row(N1);
    snprintf(in.share.node, sizeof(in.share.node), "%s", N2);
    in.share.order.source++;
    in.share.era = 0;
    merge_share(&in);
    assert_int_equal(share_here(N2).open, 0);
    in.share.era = 1;
    merge_share(&in);
    assert_int_equal(share_here(N2).open, 1);
}

/* Both machines have heard of the call since they last agreed: all of it here at 30. */
static pxr_leg_record_t disagree(void)
{
    pxr_event_t event = leg_event(PXR_EVENT_CONNECTED, N1, ID, "anna", 1, AT(10));

    tell(event);
    sync_machine(db, &m, AT(20));
    event = leg_event(PXR_EVENT_UPDATED, N1, ID, "anna", 3, AT(30));
    strcpy(event.name, "Here");
    event.has_role = true;
    event.role = PXR_ROLE_HOST;
    event.is_streaming = PXR_NO;
    tell(event);
    return *leg_row("anna");
}

/* What the other one heard, `seq` being its newest word and `said` about which thing at 40. */
static pxr_leg_record_t told_there(pxr_leg_record_t in, uint64_t seq, pxr_time_t time, int said)
{
    strcpy(in.name, "There");
    strcpy(in.leg.protocol, "SIP");
    in.leg.service = PXR_SERVICE_JOINING;
    in.leg.role = PXR_ROLE_GUEST;
    in.leg.has_media = PXR_NO;
    in.leg.is_streaming = PXR_YES;
    in.leg.order.seq = seq;
    in.leg.order.time = time;
    for (int what = 0; what < PXR_SAID; what++) {
        in.leg.said_at[what] = what == said ? AT(40) : AT(20);
    }
    return in;
}

static void assert_told(const pxr_leg_record_t *now, int said)
{
    const pxr_leg_t *leg = &now->leg;

    assert_string_equal(now->name, said == PXR_SAID_NAME ? "There" : "Here");
    assert_string_equal(leg->protocol, said == PXR_SAID_PROTOCOL ? "SIP" : "WebRTC");
    assert_int_equal(leg->service,
                     said == PXR_SAID_SERVICE ? PXR_SERVICE_JOINING : PXR_SERVICE_ROOM);
    assert_int_equal(leg->role, said == PXR_SAID_ROLE ? PXR_ROLE_GUEST : PXR_ROLE_HOST);
    assert_int_equal(leg->has_media, said == PXR_SAID_MEDIA ? PXR_NO : PXR_YES);
    assert_int_equal(leg->is_streaming, said == PXR_SAID_STREAMING ? PXR_YES : PXR_NO);
    for (int what = 0; what < PXR_SAID; what++) {
        assert_int_equal(leg->said_at[what], what == said ? AT(40) : AT(30));
    }
}

/* Whether the newest word of all was heard there or here: PXR_SAID says that nothing is newer. */
static void everything_about_a_call_counts_by_when_it_was_said(void **state)
{
    (void)state;
    for (int there = 0; there < 2; there++) {
        for (int said = 0; said <= PXR_SAID; said++) {
            pxr_leg_record_t in;
            set_up(NULL);
            in = disagree();
            in = there ? told_there(in, 4, AT(45), said) : told_there(in, 2, AT(25), said);
            assert_int_equal(merge_leg(&in), PXR_OK);
            db_push(db, &m, AT(101));
            assert_told(leg_row("anna"), said);
            assert_int_equal(leg_row("anna")->leg.attached, 1);
            assert_int_equal(leg_row("anna")->leg.order.seq, there ? 4 : 3);
            tear_down(NULL);
        }
    }
}

/* Whatever is newer: the first connection, the last that was heard, the worst quality, and the
 * quality that was measured last. */
static void what_a_call_was_like_is_put_together(void **state)
{
    pxr_leg_record_t in = disagree();
    const pxr_leg_t *now;

    (void)state;
    in.leg.connected_at = AT(5);
    in.leg.heard_at = AT(90);
    in.leg.quality = PXR_QUALITY_BAD;
    in.leg.quality_at = AT(50);
    in.leg.worst_quality = PXR_QUALITY_TERRIBLE;
    assert_int_equal(merge_leg(&in), PXR_OK);
    in.leg.connected_at = AT(6);
    in.leg.heard_at = AT(89);
    in.leg.quality = PXR_QUALITY_GOOD;
    in.leg.quality_at = AT(49);
    in.leg.worst_quality = PXR_QUALITY_OK;
    assert_int_equal(merge_leg(&in), PXR_OK);
    db_push(db, &m, AT(101));
    now = &leg_row("anna")->leg;
    assert_int_equal(now->connected_at, AT(5));
    assert_int_equal(now->heard_at, AT(90));
    assert_int_equal(now->quality, PXR_QUALITY_BAD);
    assert_int_equal(now->quality_at, AT(50));
    assert_int_equal(now->worst_quality, PXR_QUALITY_TERRIBLE);
}

/* Quality is told of media, and whose those are was told to another machine. */
static void whose_media_are_bad_is_known_from_elsewhere(void **state)
{
    pxr_event_t event = leg_event(PXR_EVENT_CONNECTED, N1, ID, "anna", 1, AT(10));
    machine_t other;
    pxr_view_t now;

    (void)state;
    machine_open(&other, 2, 10, 20, PXR_KEEP_SHARED);
    sync_machine(db, &other, AT(1));
    event.has_related = true;
    strcpy(event.related[0], "media");
    assert_int_equal(deliver_ours(&other.w, &event, AT(10)), PXR_OK);
    sync_machine(db, &other, AT(11));
    sync_machine(db, &m, AT(12));
    event = leg_event(PXR_EVENT_QUALITY, N1, "", "media", 2, AT(20));
    event.quality = PXR_QUALITY_BAD;
    tell(event);
    now = view_of(&m.w, find_meeting(&m.w, ID));
    assert_int_equal(now.people[0].quality, PXR_QUALITY_BAD);
    pxr_view_release(&now);
    machine_close(&other);
}

/* Another machine had read all that is known here, and heard more. */
static void what_follows_from_all_that_is_known_is_not_weighed(void **state)
{
    pxr_leg_record_t in;
    pxr_view_t now;

    (void)state;
    tell_leg(N1, "anna", 5, 30);
    sync_machine(db, &m, AT(31));
    in = *leg_row("anna");
    in.leg.order.seq = 6;
    in.leg.order.time = AT(35);
    in.leg.role = PXR_ROLE_GUEST;
    in.leg.said_at[PXR_SAID_ROLE] = AT(20);
    strcpy(in.leg.protocol, "SIP");
    in.leg.said_at[PXR_SAID_PROTOCOL] = AT(20);
    assert_int_equal(merge_leg(&in), PXR_OK);
    now = view_of(&m.w, find_meeting(&m.w, ID));
    assert_int_equal(now.people[0].role, PXR_ROLE_GUEST);
    assert_string_equal(now.people[0].protocol, "SIP");
    pxr_view_release(&now);
    in.leg.attached = 0;
    in.leg.closed = 1;
    in.leg.left_at = AT(20);
    in.leg.order.time = AT(20);
    in.leg.order.seq = 4;
    assert_int_equal(merge_leg(&in), PXR_OK);
    assert_false(is_in("anna"));
    sync_machine(db, &m, AT(32));
    in.leg.attached = 1;
    in.leg.closed = 0;
    in.leg.left_at = 0;
    in.leg.order.time = AT(19);
    in.leg.order.seq = 3;
    assert_int_equal(merge_leg(&in), PXR_OK);
    assert_true(is_in("anna"));
    sync_machine(db, &m, AT(33));
    /* Silence has taken her, and no word. */
    in.leg.attached = 0;
    in.leg.left_at = AT(60);
    assert_int_equal(merge_leg(&in), PXR_OK);
    assert_false(is_in("anna"));
}

/* Where something has been heard here since, it is. */
static void what_another_machine_did_not_know_is_weighed(void **state)
{
    pxr_leg_record_t in = disagree();
    pxr_view_t now;

    (void)state;
    in.leg.attached = 0;
    in.leg.left_at = AT(60);
    assert_int_equal(merge_leg(&in), PXR_OK);
    assert_true(is_in("anna"));
    in.leg.closed = 1;
    in.leg.left_at = AT(15);
    in.leg.order.source++;
    in.leg.order.time = AT(15);
    assert_int_equal(merge_leg(&in), PXR_OK);
    assert_true(is_in("anna"));
    in.leg.left_at = AT(39);
    in.leg.order.time = AT(40);
    assert_int_equal(merge_leg(&in), PXR_OK);
    assert_false(is_in("anna"));
    now = view_of(&m.w, find_meeting(&m.w, ID));
    assert_int_equal(now.life.last_end, AT(39));
    pxr_view_release(&now);
}

/* When she came is known from the other machine, too: a farewell that is older is no last one, and
 * one that was only overtaken by an update is. */
static void a_late_farewell_is_weighed_by_when_somebody_came(void **state)
{
    machine_t other;
    pxr_event_t event;

    (void)state;
    machine_open(&other, 2, 10, 20, PXR_KEEP_SHARED);
    sync_machine(db, &other, AT(1));
    event = leg_event(PXR_EVENT_CONNECTED, N1, ID, "anna", 3, AT(48));
    assert_int_equal(deliver_ours(&other.w, &event, AT(48)), PXR_OK);
    event = leg_event(PXR_EVENT_UPDATED, N1, ID, "anna", 5, AT(50));
    assert_int_equal(deliver_ours(&other.w, &event, AT(50)), PXR_OK);
    sync_machine(db, &other, AT(51));
    sync_machine(db, &m, AT(52));
    tell(leg_event(PXR_EVENT_DISCONNECTED, N1, ID, "anna", 2, AT(48)));
    assert_true(is_in("anna"));
    tell(leg_event(PXR_EVENT_DISCONNECTED, N1, ID, "anna", 4, AT(49)));
    assert_false(is_in("anna"));
    machine_close(&other);
}

/* A call is in one meeting: where it was heard of last. Who has left is not looked for elsewhere.
 */
static void who_went_to_another_meeting_is_there(void **state)
{
    static const char there[] = "Monthly1";
    pxr_leg_record_t in;

    (void)state;
    make_known(db, &m, there, NULL, AT(0));
    in = disagree();
    snprintf(in.meeting, sizeof(in.meeting), "%s", there);
    in.leg.order.seq = 2;
    in.leg.order.time = AT(20);
    assert_int_equal(merge_leg(&in), PXR_MISSING);
    assert_present(&m.w, there, 0);
    assert_present(&m.w, ID, 1);
    in.leg.order.seq = 4;
    in.leg.order.time = AT(40);
    assert_int_equal(merge_leg(&in), PXR_OK);
    assert_present(&m.w, there, 1);
    assert_present(&m.w, ID, 0);
}

static pxr_status_t merge_leg_into(const machine_t *small, const char *uuid, pxr_time_t now)
{
    pxr_status_t status = pxr_store_merge_leg(&small->w.store, leg_row(uuid), now);

    assert_sound(&small->w);
    return status;
}

/* Where the table is full, who is in it may hold the meeting; who has left does not, and makes room
 * after a while. */
static void who_has_left_takes_nobodys_place(void **state)
{
    const pxr_time_t later = AT(100) + PXR_LEFT_KEEP;
    machine_t small;
    pxr_ending_t ending;

    (void)state;
    machine_open(&small, 2, 10, 1, PXR_KEEP_SHARED);
    tell_leg(N1, "anna", 1, 10);
    sync_machine(db, &m, AT(11));
    sync_machine(db, &small, AT(11));
    tell_leg(N1, "boris", 2, 20);
    tell(leg_event(PXR_EVENT_DISCONNECTED, N1, ID, "boris", 3, AT(30)));
    tell(leg_event(PXR_EVENT_DISCONNECTED, N1, ID, "anna", 4, AT(40)));
    sync_machine(db, &m, AT(41));
    assert_int_equal(merge_leg_into(&small, "boris", AT(42)), PXR_FULL);
    assert_int_equal(merge_leg_into(&small, "anna", AT(42)), PXR_OK);
    assert_int_equal(pxr_store_endings(&small.w.store, AT(200), &ending, 1), 1);
    tell_leg(N1, "chris", 5, 50);
    sync_machine(db, &m, AT(51));
    assert_int_equal(merge_leg_into(&small, "chris", later), PXR_OK);
    assert_present(&small.w, ID, 1);
    machine_close(&small);
}

/* A row that was changed by hand. */
static void what_cannot_be_is_refused(void **state)
{
    const pxr_leg_record_t in = disagree();
    pxr_leg_record_t bad[6] = {in, in, in, in, in, in};

    (void)state;
    bad[0].leg.service = PXR_SERVICE_OTHER + 1;
    bad[1].leg.role = PXR_ROLE_HOST + 1;
    bad[2].leg.has_media = PXR_YES + 1;
    bad[3].leg.is_streaming = PXR_YES + 1;
    bad[4].leg.quality = PXR_QUALITY_TERRIBLE + 1;
    bad[5].leg.worst_quality = PXR_QUALITY_TERRIBLE + 1;
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_int_equal(merge_leg(&bad[i]), PXR_INVALID);
    }
    assert_true(is_in("anna"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_hosting_takes_those_from_before_it),
        CASE(a_hosting_that_is_known_takes_nobody),
        CASE(an_end_takes_those_from_before_it),
        CASE(a_hosting_that_is_over_is_remembered),
        CASE(when_a_node_began_and_spoke_last_counts),
        CASE(a_hosting_of_a_former_era_is_not_taken_in),
        cmocka_unit_test(everything_about_a_call_counts_by_when_it_was_said),
        CASE(what_a_call_was_like_is_put_together),
        CASE(whose_media_are_bad_is_known_from_elsewhere),
        CASE(what_follows_from_all_that_is_known_is_not_weighed),
        CASE(what_another_machine_did_not_know_is_weighed),
        CASE(a_late_farewell_is_weighed_by_when_somebody_came),
        CASE(who_went_to_another_meeting_is_there),
        CASE(who_has_left_takes_nobodys_place),
        CASE(what_cannot_be_is_refused),
    };

    return RUN(tests);
}
