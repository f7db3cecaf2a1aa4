#ifndef PXR_LIMITS_H
#define PXR_LIMITS_H

/*
 * Every width and bound of the module. Text widths are bytes of UTF-8 without the final NUL
 * unless a comment says characters; times are microseconds unless the name says otherwise.
 */

#define PXR_SECOND ((int64_t)1000000)

/* Meetings API, interface section 5. Characters, so up to four bytes each. */
#define PXR_ID_CHARS 64
#define PXR_NAME_CHARS 250
#define PXR_TITLE_CHARS 5000
#define PXR_API_BODY_MAX (64 * 1024)
#define PXR_LIST_LIMIT_MAX 1000
#define PXR_LIST_LIMIT_DEFAULT 100

/* A meeting id is [A-Za-z0-9]{8,64}; ours have 20 characters, 119 bits. */
#define PXR_MEETING_ID_MIN 8
#define PXR_MEETING_ID_MAX 64
#define PXR_MEETING_ID_OWN 20

/* The random part of a join link: 26 characters of 62, 154 bits. */
#define PXR_JOIN_KEY_LEN 26
/* Of what a database may bring, too. */
#define PXR_KEY_MAX 31

/* Everything that can lead to a meeting in the index: ids, numbers, join keys. */
#define PXR_ALIAS_MAX 64
/* A room in the index: its hash in hex. */
#define PXR_ROOM_KEY_LEN 16
/* Where a room has one meeting only: so many further calls lead to it. */
#define PXR_CALLS_MAX 48
/* Of these at most so many that nobody will ask for. */
#define PXR_CALLS_CASUAL 16
#define PXR_CALLS_TEXT (PXR_CALLS_MAX * (PXR_MEETING_ID_MAX + 1))
/* What a node may send as local_alias before it is certainly not one of ours. */
#define PXR_DIALLED_MAX 1024
#define PXR_DOMAIN_MAX 255

/* Pexip takes PINs of 4 to 20 characters, an optional final '#' included (policy reference 3.4). */
#define PXR_PIN_MIN 4
#define PXR_PIN_MAX 20
#define PXR_PIN_DEFAULT 6

/* Prefix and random digits of a numeric alias. */
#define PXR_NUMBER_PREFIX_MAX 16
#define PXR_NUMBER_DIGITS_MIN 4
#define PXR_NUMBER_DIGITS_MAX 15
/* So many numbers are drawn for a meeting, which takes the first that is free; and for so long
 * after its end nobody else gets that number. */
#define PXR_NUMBER_CANDIDATES 32
#define PXR_NUMBER_HOLD (24 * 3600 * PXR_SECOND)

/* Longest text that Pexip takes in one field of an answer (policy reference 1.6). */
#define PXR_PEXIP_TEXT_MAX 250
#define PXR_ANSWER_MAX 8192
#define PXR_OPTIONS_MAX 32
/* Entries of PexipRCMediaLocation; with so many overflow locations the longest names fit into
 * PXR_ANSWER_MAX. */
#define PXR_LOCATIONS_MAX 64
#define PXR_OVERFLOWS_MAX 15
#define PXR_UUID_MAX 64
/* Between the name of a meeting and the uuid of one of its breakout rooms (policy reference 3.8).
 */
#define PXR_BREAKOUT_MARK "_breakout_"

/* What Rocket.Chat takes in one message unless its administrator says otherwise, in UTF-16 code
 * units, and the bytes of UTF-8 that can be. */
#define PXR_CHAT_UNITS_MAX 5000
#define PXR_CHAT_TEXT_SIZE (PXR_CHAT_UNITS_MAX * 3 + 1)
/* Of one person, with what makes the name harmless; and so many of them are named. */
#define PXR_CHAT_NAME_UNITS 80
#define PXR_CHAT_NAMES_MAX 10
/* Of a title where it is one of several. */
#define PXR_CHAT_TITLE_UNITS 120
/* A message id in Rocket.Chat's own form. */
#define PXR_CHAT_ID_LEN 17
/* An edit that is older starts nothing. */
#define PXR_WEBHOOK_EDIT_AGE (300 * PXR_SECOND)
/* Characters of a command word that the help repeats. */
#define PXR_CHAT_WORD_UNITS 64
#define PXR_DISCUSSION_FORMAT_MAX 200
#define PXR_DISCUSSION_TITLE_UNITS 120
/* %Y doubles its length, %t is there once. */
#define PXR_DISCUSSION_NAME_SIZE \
    (2 * PXR_DISCUSSION_FORMAT_MAX + 3 * PXR_DISCUSSION_TITLE_UNITS + 1)

/* Packed title, room, creator and discussion of one meeting. */
#define PXR_DETAILS_MAX (28 * 1024)

/* What a link to a scheduled meeting may carry, the longest such link (a byte that is encoded three
 * times takes seven), and what Infinity takes as one template. */
#define PXR_SCHEDULED_ALIAS_MAX 250
#define PXR_SCHEDULED_LINK_SIZE 6144
#define PXR_TEMPLATE_MAX 12288

/* Events. One inner event of a real node has at most about 20 KB (event reference 7.1). */
#define PXR_EVENT_BODY_DEFAULT (8 * 1024 * 1024)
#define PXR_EVENT_BODY_LEAST 1024
#define PXR_EVENT_BODY_MOST (256 * 1024 * 1024)
#define PXR_EVENT_MAX (256 * 1024)
#define PXR_EVENT_DEPTH_MAX 64
#define PXR_NODE_MAX 64
#define PXR_USER_MAX 100
#define PXR_CONFERENCE_MAX 192
#define PXR_PROTOCOL_MAX 15
#define PXR_RELATED_MAX 4
/* A line of the event log with its newline: a pipe takes no more at once. */
#define PXR_LOG_LINE_MAX 4096

/* Life cycle, interface section 4 and event reference 4. */
#define PXR_GRACE_DEFAULT (10 * PXR_SECOND)
#define PXR_SILENCE_DEFAULT (60 * PXR_SECOND)
#define PXR_LIFETIME_DEFAULT (24 * 3600 * PXR_SECOND)
#define PXR_HISTORY_DEFAULT (90 * 24 * 3600 * PXR_SECOND)
/* For so long somebody who asks for an empty meeting holds its end, because he may be typing a PIN;
 * all who do so together no longer than the second. */
#define PXR_HOLD (60 * PXR_SECOND)
#define PXR_HOLD_MOST (300 * PXR_SECOND)
/* Clocks of two nodes may differ by this much (event reference 1.9). */
#define PXR_CLOCK_TOLERANCE (2 * PXR_SECOND)
/* Nothing ends in a round before which our wall clock has parted from the steady one by more. */
#define PXR_CLOCK_JUMP (60 * PXR_SECOND)
/* A leg that nobody has said anything about for so long is taken for gone. */
#define PXR_LEG_SILENCE (12 * 3600 * PXR_SECOND)
/* The same where its node has restarted its publisher since and never mentioned the leg again. */
#define PXR_LEG_SILENCE_RESTARTED (3600 * PXR_SECOND)

/* After a join without any event something is wrong with the event sink. */
#define PXR_EVENTS_LATE (60 * PXR_SECOND)

/* Other policy servers, and how long all of them together may take. */
#define PXR_FALLBACKS_MAX 4
#define PXR_FALLBACK_WAIT (2 * PXR_SECOND)

/* Calls to others while somebody waits. At most an eighth of the workers, and never more than there
 * are places, may be in them. */
#define PXR_OUTSIDE_PLACES 64
#define PXR_OUTSIDE_SHARE 8
/* Servers of which it is remembered how they do. After so many failures in a row one is not asked
 * for so long. */
#define PXR_TARGETS_MAX 256
#define PXR_BREAKER_FAILURES 3
#define PXR_BREAKER_OPEN (5 * PXR_SECOND)
/* A policy answer is a few KB, an avatar a few dozen. */
#define PXR_FALLBACK_ANSWER_MAX (64 * 1024)
/* A node asks the same several times for one call. */
#define PXR_FALLBACK_KEEP (2 * PXR_SECOND)

/* Nodes of all workspaces of which it is remembered when they asked. */
#define PXR_ASKERS_MAX 1024

/* Sessions of Rocket.Chat: how many are remembered, for how long, and how long the answer about one
 * is waited for. */
#define PXR_SESSIONS_MAX 1024
#define PXR_SESSION_KEEP (60 * PXR_SECOND)
#define PXR_SESSION_WAIT (3 * PXR_SECOND / 2)
#define PXR_TOKEN_MAX 255

/* Conferences that are none of our meetings, where they may have a chat: so many ways into them are
 * remembered at a time. Longer aliases have none. */
#define PXR_FOREIGN_PLACES 2048
#define PXR_FOREIGN_ALIAS_MAX 119
/* For so long after the last word about anybody in one: who asks for its chat has just come, and
 * his coming was told. */
#define PXR_FOREIGN_KEEP (3600 * PXR_SECOND)
/* The record that keeps such a chat is made anew each day (UTC), and outlives that. */
#define PXR_CHAT_RECORD_LIFE (25 * 3600 * PXR_SECOND)
#define PXR_CHAT_RECORD_ID_LEN (5 + PXR_MEETING_ID_OWN)
/* Who asks for a chat that is being made waits so long; one that Rocket.Chat has refused is not
 * wanted again before. */
#define PXR_CHAT_WAIT (4 * PXR_SECOND)
#define PXR_CHAT_RETRY (300 * PXR_SECOND)

/* Rocket.Chat. */
#define PXR_USER_ID_MAX 64
/* People who wait to be added to a chat. */
#define PXR_INVITES 256
/* For so long a machine delivers for all, unless it gives a sign in between; it stops by itself
 * a little earlier. */
#define PXR_LEASE (10 * PXR_SECOND)
#define PXR_LEASE_MARGIN (2 * PXR_SECOND)
/* A room that is closed to us is not tried again for so long. */
#define PXR_ROOM_CLOSED (600 * PXR_SECOND)

/* Working set. */
#define PXR_MEETINGS_DEFAULT 10000
#define PXR_MEETINGS_MOST 4000000
#define PXR_PARTICIPANTS_DEFAULT 50000
#define PXR_PARTICIPANTS_MOST 16000000
#define PXR_WORKSPACES_MAX 64
#define PXR_ORIGIN_MAX 270
#define PXR_PUBLISHERS_MAX 1024
/* Freed slots rest before they are used again, so that a reader without lock can notice. */
#define PXR_REST (60 * PXR_SECOND)
/* A reader that was stopped for longer than this looks again before it believes a miss. */
#define PXR_READ_STALL (PXR_REST / 2)
/* Meetings that have ended are remembered, to be refused properly, while there is room. */
#define PXR_ENDED_KEEP (24 * 3600 * PXR_SECOND)
/* Left participants are remembered for late events (event reference 4.3); where there is no room
 * for new ones, only for the shorter time. */
#define PXR_LEFT_KEEP (3600 * PXR_SECOND)
#define PXR_LEFT_KEEP_SHORT (60 * PXR_SECOND)
/* How long the lock is waited for, before somebody is told that it cannot be had. */
#define PXR_LOCK_WAIT (2 * PXR_SECOND)

/* Database. */
#define PXR_EPOCH_MAX 20
#define PXR_MACHINE_LEN 16
#define PXR_WHY_MAX 255
#define PXR_DRIVER_MAX 31
#define PXR_PARAMS_MAX 4095
/* How long who creates a meeting waits for the database. */
#define PXR_CREATE_WAIT (2 * PXR_SECOND)
/* How long one that cannot be found here is looked for on the other machines. */
#define PXR_MISS_WAIT (PXR_SECOND / 4)
/* How long who wants to join a meeting that may be ending waits to hear whether it is. */
#define PXR_END_WAIT (PXR_SECOND / 10)
/* So many threads of all processes read the history at the same time. */
#define PXR_READERS 2
/* How long a request for the history waits for its turn, and how long for its answer. */
#define PXR_READER_WAIT (2 * PXR_SECOND)
#define PXR_HISTORY_WAIT (10 * PXR_SECOND)
/* How long who takes a person out of the history waits to hear that it is done. */
#define PXR_REMOVAL_WAIT (5 * PXR_SECOND)
/* A page of the history ends before the meeting that would make it longer. */
#define PXR_HISTORY_LEGS_MAX 50000
/* A meeting that only events speak of is forgotten when the database has not known it for so
 * long. */
#define PXR_PROVISIONAL_KEEP (60 * PXR_SECOND)
/* Other machines are waited for before a meeting ends, unless they were silent for so long. */
#define PXR_MACHINE_SILENCE (20 * PXR_SECOND)

/* Requests to other servers. */
#define PXR_REST_ANSWER_MAX (256 * 1024)
/* Of rooms, which come with their last message, and perhaps with a list of all who are muted. */
#define PXR_REST_ROOMS_MAX (4 * 1024 * 1024)
#define PXR_REST_HEADERS_MAX (32 * 1024)
#define PXR_REST_CONNECT_WAIT (5 * PXR_SECOND)
/* The longest wait that another server can impose. */
#define PXR_REST_WAIT_MAX (3600 * PXR_SECOND)
#define PXR_CONTENT_TYPE_MAX 127
/* Rocket.Chat's names of errors. */
#define PXR_RC_KEY_MAX 63

#endif
